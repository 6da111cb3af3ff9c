"""Fit a user's points to landmarks of the same images, and say how well that went."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from swapmark.coordinates import to_pixels, to_relative
from swapmark.data.items import Skipped
from swapmark.errors import counted
from swapmark.points.table import Points
from swapmark.specimens import notes
from swapmark.specimens.metrics import (
    CurvePoint,
    choose_normaliser,
    learning_curve,
    mean_error,
    mean_of_points,
    plain,
    point_errors,
)
from swapmark.specimens.pairs import pair
from swapmark.specimens.place import MAX_PARTS, SEPARATE, fit_place, predict_left_out
from swapmark.specimens.point_map import PointMap

CURVE_SIZES = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000)
METHOD_WORDS = (
    "Each point starts as the weighted mean of the landmarks that puts the mean landmarks onto the "
    "mean point; ridge regression corrects the weights."
)
ESTIMATE_WORDS = (
    "Each specimen, or all of its group, is predicted by a map that was chosen and fitted on the "
    f"others; more than {MAX_PARTS} are left out in {MAX_PARTS} parts."
)


@dataclass(frozen=True, repr=False)
class PointFit:
    """A point map and what is known of it; errors in % of the normaliser, NaN where unknown."""

    map: PointMap
    """From the landmarks to the points."""
    ridge: float
    """How firmly the weights were held, as the specimens chose it."""
    error: float
    """Mean error over left-out specimens and their points: what to expect on new images."""
    mean_shape: float
    """The same for the mean place of each point, whatever the landmarks say."""
    pixels: float
    """The mean error in pixels."""
    per_point: dict[str, float]
    """The mean error of each point."""
    per_point_pixels: dict[str, float]
    """The same in pixels."""
    marked: dict[str, int]
    """In how many specimens each point is marked."""
    curve: tuple[CurvePoint, ...]
    """The error by the number of specimens, up to half of them."""
    normaliser: str
    """The length that errors are measured in, in words."""
    counts: dict[str, int]
    """Specimens, their groups (0 if none), the parts they were left out in, rows not used."""
    missing: tuple[str, ...]
    """Marked images without landmarks."""
    skipped: tuple[Skipped, ...]
    """The reasons, where an image could not be read."""
    settings: dict[str, int]
    """The number of draws behind each row of the curve, and the seed."""
    left_out: Points
    """The points of each specimen, by a map that had not seen it; NaN where marked in no other."""
    marks: Points
    """Where they were marked; NaN where they were not."""
    notes: tuple[str, ...]
    """What to know before trusting the map, in words."""

    def __repr__(self) -> str:
        return (
            f"<PointFit: {', '.join(self.map.names)} from "
            f"{counted(self.counts['specimens'], 'specimen')}, expected error {self.error:.2f} % "
            f"of {self.normaliser}>"
        )

    def metrics(self) -> dict:
        """Everything but the weights, for JSON: None where there is no number."""
        same = (
            *("error", "mean_shape", "per_point", "per_point_pixels", "marked", "curve"),
            *("normaliser", "missing"),
        )
        return {
            **self.counts,
            **plain({name: getattr(self, name) for name in same}),
            "skipped": [entry._asdict() for entry in self.skipped],
            "error_pixels": plain(self.pixels),
            "unit": "% of the normaliser",
            "strength": {"separate": SEPARATE, "ridge": self.ridge},
            **self.settings,
            "method": METHOD_WORDS,
            "estimate": ESTIMATE_WORDS,
            "warnings": list(self.notes),
        }

    def draw(
        self, path: str | Path, *, images: Any = None, most: int = 36, overwrite: bool = False
    ) -> Path:
        """Draw `left_out` and `marks` over the `most` specimens of the largest errors, these first.

        For `images` and `path` see `Points.draw`.
        """
        distance = np.linalg.norm(self.left_out.xy - self.marks.xy, axis=-1)
        assert self.left_out.sizes is not None
        share = np.nan_to_num(distance / self.left_out.sizes.max(axis=1)[:, None])
        worst = np.argsort(-share.max(axis=1), kind="stable")[:most]
        marks = self.marks.take(worst)
        return self.left_out.take(worst).draw(
            path, images=images, marked=marks, overwrite=overwrite
        )

    def print(self) -> None:
        """Print the points with their errors, the curve and the notes."""
        from swapmark.specimens.report import print_fit

        print_fit(self)


def fit_points(
    found: Points,
    marked: Points,
    *,
    model: str = "",
    normaliser: str | None = None,
    draws: int = 10,
    seed: int = 0,
) -> PointFit:
    """Fit the map from the landmarks `found` to the points `marked`, and estimate its error.

    Images are matched by name. Only rows whose split is `fit` are used, or all where there are no
    splits. Points that are not marked are left out one by one. `model` is the fingerprint of the
    model that found the landmarks; `normaliser`, `draws` and `seed` as in `evaluate`, for the
    learning curve. Raises InputError if no such image has both a mark and landmarks, or landmarks
    are not finite.

    >>> xy = np.random.default_rng(0).uniform(10, 50, (20, 3, 2))
    >>> files = tuple(f"{i}.png" for i in range(20))
    >>> landmarks = Points(("a", "b", "c"), files, xy, sizes=np.full((20, 2), 64))
    >>> marked = Points(("middle",), files, xy.mean(axis=1, keepdims=True))
    >>> round(fit_points(landmarks, marked, draws=1).error, 3)
    0.0
    """
    length = choose_normaliser(normaliser, marked.names)
    pairs = pair(found, marked, "fit")
    kept = np.any(pairs.marked.marked, axis=0)
    names = tuple(name for name, keep in zip(marked.names, kept, strict=True) if keep)
    used, marks, sizes = pairs.marked.marked[:, kept], pairs.marked.xy[:, kept], pairs.sizes
    clusters = pairs.clusters

    given = to_relative(pairs.found.xy, sizes, "centre")
    target = to_relative(marks, sizes, "centre")
    side = sizes.max(axis=1)
    lengths = length.lengths(pairs.marked.xy, sizes) / side
    fitted, ridge = fit_place(given, target, used, clusters)
    left_out, means, parts = predict_left_out(given, target, used, clusters)
    errors = point_errors(left_out, target, lengths)
    error, mean_shape = mean_error(errors), mean_error(point_errors(means, target, lengths))
    pixels = np.linalg.norm(left_out - target, axis=-1) * side[:, None]

    def error_with(order: list[np.ndarray], size: int) -> float:
        """The error with `size` specimens on all that are left, without the groups of these."""
        rows = np.sort(order[0][:size])
        left = ~np.isin(clusters, clusters[rows])
        fitted, _ = fit_place(given[rows], target[rows], used[rows], clusters[rows])
        predicted = fitted(given[left].reshape(left.sum(), -1))
        return mean_error(point_errors(predicted, target[left], lengths[left]))

    count = len(marks)
    up_to_half = sorted({*(n for n in CURVE_SIZES if 2 * n < count), *({count // 2} - {0})})
    rows = [np.arange(count)]
    curve = learning_curve(error_with, rows, up_to_half, draws=draws, seed=seed)
    other = len(marked) - count - len(pairs.missing) - pairs.unmarked
    points = Points(names, pairs.found.files, marks, sizes=sizes, source=found.source)
    fit = PointFit(
        map=PointMap(names, fitted.weights, fitted.offset, model),
        ridge=ridge,
        error=error,
        mean_shape=mean_shape,
        pixels=mean_error(pixels),
        per_point=mean_of_points(names, errors),
        per_point_pixels=mean_of_points(names, pixels),
        marked=dict(zip(names, used.sum(axis=0).tolist(), strict=True)),
        curve=curve,
        normaliser=length.words,
        counts={
            "specimens": count,
            "groups": 0 if pairs.one_group else len({*pairs.groups} - {""}),
            "parts": parts,
            "other_rows": other + pairs.unmarked,
            "unmarked": pairs.unmarked,
        },
        missing=pairs.missing,
        skipped=found.skipped,
        settings={"draws": draws, "seed": seed},
        left_out=replace(points, xy=to_pixels(left_out, sizes, "centre")),
        marks=points,
        notes=(
            *pairs.notes,
            *notes.far_outside(pairs),
            *notes.about_specimens(pairs, error, curve),
            *notes.about_error(error, mean_shape),
            *notes.about_left_out(pairs, of_another_split_than_fit=other),
        ),
    )
    return replace(fit, map=replace(fit.map, record=fit.metrics()))
