"""Score landmarks against marked points: forward, backward, mean shape, few-shot.

Fit a linear map on some images and take its normalised mean error (NME) on others (Zhang 2018,
Jakab 2018): forward from landmarks to marked points, backward the other way.
"""

import json
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from swapmark.errors import InputError
from swapmark.files import refuse_existing, write_text
from swapmark.points.table import Points
from swapmark.specimens import notes
from swapmark.specimens.metrics import (
    CurvePoint,
    bootstrap_interval,
    choose_normaliser,
    learning_curve,
    mean_error,
    mean_of_points,
    plain,
    point_errors,
)
from swapmark.specimens.pairs import Pairs, pair
from swapmark.specimens.place import leave_out_parts
from swapmark.specimens.protocols import PROTOCOLS

FEW_SHOT_SIZES = (1, 5, 10, 20, 50, 100)
PARTS = 5
"""In so many parts images without a split are left out."""
PLENTY = 3
"""With fewer fit images for each landmark coordinate the map of imm may be at fault."""


@dataclass(frozen=True)
class Score:
    """A normalised mean error in %."""

    nme: float
    """Mean over the scored points; NaN if there are none."""
    interval: tuple[float, float] | None
    """The 95 % interval; None if it cannot be had."""
    per_point: dict[str, float]
    """The mean of each point by itself; NaN where it was never scored."""


@dataclass(frozen=True, repr=False)
class Evaluation:
    """How well landmarks and marked points predict one another; what `evaluate` returns."""

    forward: dict[str, Score]
    """Landmarks to marked points, by protocol."""
    backward: dict[str, Score]
    """Marked points to landmarks, by protocol."""
    mean_shape: Score
    """Predicting the mean marks of the fit images, whatever the landmarks say."""
    few_shot: dict[str, tuple[CurvePoint, ...]]
    """Forward errors by the number of marked examples of each point, by protocol."""
    normaliser: str
    """The length that errors are measured in, in words."""
    counts: dict[str, int]
    """How many images were fitted, scored, and left out and why."""
    missing: tuple[str, ...]
    """Marked images that had no landmarks."""
    notes: tuple[str, ...]
    """What the reader of the numbers should know about them, in words."""
    settings: dict[str, int]
    """The numbers of draws and the seed."""

    def __repr__(self) -> str:
        return (
            f"<Evaluation: forward {self.forward['imm'].nme:.2f} %, backward "
            f"{self.backward['imm'].nme:.2f} % (imm), mean shape {self.mean_shape.nme:.2f} % of "
            f"{self.normaliser}>"
        )

    def metrics(self) -> dict:
        """A flat dictionary for metrics.json: errors in %, None where there is no number."""
        scores = {
            "mean_shape": self.mean_shape,
            **{f"forward.{protocol}": score for protocol, score in self.forward.items()},
            **{f"backward.{protocol}": score for protocol, score in self.backward.items()},
        }
        few_shot = [
            {"images": row[0].specimens, "draws": row[0].draws}
            | {
                protocol: {"nme": point.error, "spread": point.spread}
                for protocol, point in zip(self.few_shot, row, strict=True)
            }
            for row in zip(*self.few_shot.values(), strict=True)
        ]
        return plain(
            {
                **{f"{name}.nme": score.nme for name, score in scores.items()},
                **{f"{name}.nme_interval": score.interval for name, score in scores.items()},
                "few_shot": few_shot,
                "per_point": {name: score.per_point for name, score in scores.items()},
                "counts": self.counts,
                "missing": self.missing,
                "normaliser": self.normaliser,
                "settings": self.settings,
                "notes": self.notes,
            }
        )

    def save(self, path: str | os.PathLike, *, overwrite: bool = False) -> Path:
        """Write `metrics()` as JSON, in one step, so that the file is never half written.

        Raises InputError if it exists and `overwrite` is not set, OutputError if it can't be
        written.
        """
        refuse_existing(Path(path), overwrite=overwrite)
        text = json.dumps(self.metrics(), indent=2, ensure_ascii=False, allow_nan=False)
        return write_text(Path(path), text + "\n")

    def print(self) -> None:
        """Print the errors, the few-shot curve, the points and the notes."""
        from swapmark.specimens.report import print_evaluation

        print_evaluation(self)


def evaluate(
    found: Points,
    marked: Points,
    *,
    normaliser: str | None = None,
    split: float | None = None,
    bootstrap: int = 1000,
    draws: int = 10,
    seed: int = 0,
) -> Evaluation:
    """Score the landmarks `found` against points `marked` in the same images, matched by name.

    The map is fitted on images whose split is `fit` and scored on those of `test`. Where the table
    has no splits, `split` is the share of images, drawn by lot, that it is fitted on. Without it
    every image is scored once, by a map of the others, in five parts. Groups stay together.

    For the other arguments see `Detector.evaluate`. Raises InputError where a split is empty, names
    don't match, or nothing can be scored.
    """
    length = choose_normaliser(normaliser, marked.names)
    pairs = pair(found, marked, "fit", "test")
    found, marked = pairs.found, pairs.marked
    folds = _folds(pairs, split, seed)
    lengths = length.lengths(marked.xy, pairs.sizes)  # NaN where an image is not scored
    wanted = np.any([new for _, new in folds], axis=0)
    test = wanted & np.isfinite(lengths)
    dropped = int((wanted & ~test).sum())
    if not test.any():
        raise InputError(
            f"Errors cannot be measured in {length.words}: it is undefined or zero in all "
            f"{dropped} test images. Choose two points that are marked, or 'diagonal'."
        )

    def errors(name: str, source: np.ndarray, target: np.ndarray, seen: Sequence) -> np.ndarray:
        """(N, M), NaN where not scored; the map of each fold sees what `seen` (N, M) allows."""
        predicted = np.full(target.shape, np.nan)
        for (_, new), used in zip(folds, seen, strict=True):
            predicted[new] = PROTOCOLS[name].predict(source, target, used, pairs.sizes, new)
        return point_errors(predicted, target, lengths)

    def score(name: str, source: np.ndarray, target: Points, used: np.ndarray) -> Score:
        of_images = errors(name, source, target.xy, [used & fit[:, None] for fit, _ in folds])
        interval = bootstrap_interval(of_images, pairs.groups, draws=bootstrap, seed=seed)
        return Score(mean_error(of_images), interval, mean_of_points(target.names, of_images))

    used = marked.marked
    complete = np.all(used, axis=1)
    whole = np.repeat(complete[:, None], len(found.names), axis=1)
    forward = {name: score(name, found.xy, marked, used) for name in PROTOCOLS}
    backward = {name: score(name, marked.xy, found, whole) for name in PROTOCOLS}
    mean_shape = score("centred", found.xy[:, :0], marked, used)
    if not np.isfinite(forward["imm"].nme):
        raise InputError(
            "No point is marked both in a fit image and in a test image, so nothing can be "
            "scored. Mark the same points in images of both splits."
        )

    fits = [np.flatnonzero(fit) for fit, _ in folds]
    fit_images = min(map(len, fits))
    sizes = [size for size in FEW_SHOT_SIZES if size < fit_images]

    def few_shot(name: str) -> tuple[CurvePoint, ...]:
        def error_with(order: list[np.ndarray], size: int) -> float:
            seen = [_first_marked(used, rows, size) for rows in order]
            return mean_error(errors(name, found.xy, marked.xy, seen))

        curve = learning_curve(error_with, fits, sizes, draws=draws, seed=seed)
        return (*curve, CurvePoint(fit_images, 1, forward[name].nme, np.nan))

    marks = np.min([used[rows].sum(axis=0) for rows in fits], axis=0)
    fully_marked = min(int(complete[rows].sum()) for rows in fits)
    trusted = forward["imm" if fit_images >= PLENTY * 2 * len(found.names) else "centred"].nme
    no_interval = bootstrap > 0 and forward["imm"].interval is None
    return Evaluation(
        forward=forward,
        backward=backward,
        mean_shape=mean_shape,
        few_shot={name: few_shot(name) for name in PROTOCOLS},
        normaliser=length.words,
        counts={
            "fit_images": fit_images,
            "fit_images_fully_marked": fully_marked,
            "test_images": int(test.sum()),
            "test_images_fully_marked": int((test & complete).sum()),
            "test_images_without_normaliser": dropped,
            "images_without_marks": pairs.unmarked,
            "parts": len(folds),
        },
        missing=pairs.missing,
        notes=(
            *pairs.notes,
            *notes.misplaced(pairs),
            *notes.found_by_a_model(pairs),
            *(
                notes.still_landmarks(pairs, np.any([fit for fit, _ in folds], axis=0))
                or notes.large_error(trusted, mean_shape.nme)
            ),
            *notes.few_images(pairs, marks, fully_marked, no_interval),
            *notes.left_out(pairs, where_the_normaliser_is_zero_or_unknown=dropped),
        ),
        settings={"bootstrap": bootstrap, "draws": draws, "seed": seed},
    )


def _folds(pairs: Pairs, split: float | None, seed: int) -> list[tuple[np.ndarray, np.ndarray]]:
    """Masks (N,) of what maps are fitted on and scored on."""
    if pairs.marked.split is not None:
        if split is not None:
            raise InputError(f"split is {split}, but the marked points have a column split.")
        in_table = np.array(pairs.marked.split)
        return [(in_table == "fit", in_table == "test")]
    clusters = pairs.clusters
    if clusters.max() < 1:
        raise InputError("One image with marked points cannot be both fitted and scored. Mark two.")
    if split is None:
        return [(~out, out) for out in leave_out_parts(clusters, PARTS, seed)]
    if not 0 < split < 1:
        raise InputError(f"split is {split}; expected the share of fit images, such as 0.5.")
    order = np.random.default_rng(seed).permutation(clusters.max() + 1)
    sizes = np.bincount(clusters)[order]
    taken = int((np.cumsum(sizes) - sizes / 2 < split * len(clusters)).sum())
    fit = np.isin(clusters, order[: min(max(taken, 1), len(order) - 1)])
    return [(fit, ~fit)]


def _first_marked(used: np.ndarray, order: np.ndarray, count: int) -> np.ndarray:
    """Of each column of `used` (N, P), only the first `count` entries set among rows `order`."""
    chosen = np.zeros_like(used)
    chosen[order] = used[order] & (np.cumsum(used[order], axis=0) <= count)
    return chosen
