"""Fit a user's points to landmarks of the same images, and say how well that went."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from swapmark.coordinates import to_pixels, to_relative
from swapmark.errors import counted
from swapmark.points.table import Points
from swapmark.specimens import notes
from swapmark.specimens.learning import (
    Refined,
    Specimens,
    find_swap,
    left_out,
    mapped,
    refine_points,
)
from swapmark.specimens.looks import Looks
from swapmark.specimens.metrics import (
    CurvePoint,
    choose_normaliser,
    curve_point,
    mean_error,
    mean_of_points,
    plain,
    point_errors,
)
from swapmark.specimens.pairs import pair
from swapmark.specimens.place import MAX_PARTS, leave_out_parts
from swapmark.specimens.point_map import PointMap
from swapmark.specimens.refine import Training

FEWEST = 3
"""Specimens, or groups, to refine from: with fewer nothing says whether it helps."""
CURVE_SIZES = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000)


@dataclass(frozen=True, repr=False)
class PointFit:
    """A point map and what is known of it; errors in % of the normaliser, NaN where unknown."""

    map: PointMap
    """From the landmarks to the points, with what refines these where that helps."""
    error: float
    """Mean error over left-out specimens and their points: what to expect on new images."""
    unrefined: float
    """The same by the landmarks alone, without a look at the places of the points."""
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
    """Specimens, the parts that they were left out in, and rows that were not used."""
    missing: tuple[str, ...]
    """Marked images without landmarks."""
    notes: tuple[str, ...]
    """What to know before trusting the map, in words."""
    left_out: Points
    """The points of each specimen, by a map that had not seen it; NaN where marked in no other."""
    marks: Points
    """Where they were marked; NaN where they were not."""

    def __repr__(self) -> str:
        return (
            f"<PointFit: {', '.join(self.map.names)} from "
            f"{counted(self.counts['specimens'], 'specimen')}, expected error {self.error:.2f} % "
            f"of {self.normaliser}>"
        )

    def metrics(self) -> dict:
        """All numbers but the weights and points, for JSON: None where there is no number."""
        of_images = ("map", "left_out", "marks")
        values = {name: value for name, value in vars(self).items() if name not in of_images}
        return plain(values | {"curve": [vars(row) for row in self.curve]})

    def draw(
        self, path: str | Path, *, images: Any = None, most: int = 36, overwrite: bool = False
    ) -> Path:
        """Draw `left_out` and `marks` over the `most` specimens of the largest errors, these first.

        For `images` and `path` see `Points.draw`.
        """
        assert self.marks.sizes is not None
        distance = np.nan_to_num(np.linalg.norm(self.left_out.xy - self.marks.xy, axis=-1))
        share = distance.max(axis=1) / self.marks.sizes.max(axis=1)
        worst = np.argsort(-share, kind="stable")[:most]
        marks = self.marks.take(worst)
        points = self.left_out.take(worst)
        return points.draw(path, images=images, marked=marks, overwrite=overwrite)

    def print(self) -> None:
        """Print the points with their errors, the curve and the notes."""
        from swapmark.specimens.report import print_fit

        print_fit(self)


def fit_points(
    found: Points,
    marked: Points,
    *,
    looks: Looks | None = None,
    model: str = "",
    normaliser: str | None = None,
    draws: int = 10,
    seed: int = 0,
) -> PointFit:
    """Fit the points `marked` to the landmarks `found`, and estimate the error.

    Images are matched by name. Only rows whose split is `fit` are used, or all where there are no
    splits. Points that are not marked are left out one by one. With `looks` at the rows of `found`
    points are refined by what is seen around them, if specimens left out say that it helps. `model`
    is the fingerprint of the model that found the landmarks; for the others see
    `Detector.fit_points`. Raises InputError if no such image has both a mark and landmarks, or
    landmarks are not finite.
    """
    length = choose_normaliser(normaliser, marked.names)
    pairs = pair(found, marked, "fit")
    sizes, clusters, count = pairs.sizes, pairs.clusters, len(pairs.marked)
    kept = np.flatnonzero(pairs.marked.marked.any(axis=0))
    names = tuple(marked.names[point] for point in kept)
    marks = replace(pairs.found, names=names, xy=pairs.marked.xy[:, kept], confidence=None)
    lengths = length.lengths(pairs.marked.xy, sizes)

    parts = leave_out_parts(clusters, MAX_PARTS)
    folds = [Training(~out, np.flatnonzero(out)) for out in parts if not out.all()]
    curve_sizes = sorted({*(n for n in CURVE_SIZES if 2 * n < count), *({count // 2} - {0})})
    orders = np.random.default_rng(seed).permuted(np.tile(np.arange(count), (draws, 1)), axis=1)
    drawn = [_learn_from(order[:size], clusters) for size in curve_sizes for order in orders]
    trainings = [Training(np.ones(count, bool), np.arange(0)), *folds, *drawn]

    def errors(xy: np.ndarray, rows: np.ndarray | slice = slice(None)) -> np.ndarray:
        return point_errors(xy, marks.xy[rows], lengths[rows])

    specimens = Specimens(pairs.found.xy, marks.xy, sizes, clusters, count)
    maps, mapped_to = specimens.fit(trainings)
    own = slice(1, 1 + len(folds))
    by = [left_out(folds, mapped_to[own], marks.xy)]
    refined: list[Refined] = []
    if looks and len(np.unique(clusters)) >= FEWEST:
        looks = looks.take(pairs.rows)
        usual = float(np.nanmedian(np.linalg.norm(by[0] - marks.xy, axis=-1)))
        swap = find_swap(looks, maps[0], marks.xy, sizes, usual)
        if swap is not None:
            others = specimens.with_mirror_images(looks, swap).fit(trainings)
            by_others = left_out(folds, others[1][own], marks.xy)
            if mean_error(errors(by_others)) <= mean_error(errors(by[0])):
                (maps, mapped_to), by = others, [by_others]
        guess = mapped(maps[0], pairs.found.xy, sizes)
        refined = list(refine_points(looks, marks.xy, guess, swap, trainings, mapped_to, folds=own))
        by += [left_out(folds, each.points[own], marks.xy) for each in refined]
    of_ways = [errors(xy) for xy in by]
    way = int(np.argmin([mean_error(found) for found in of_ways]))
    # Which way a part is predicted is for the others to say, or the estimate would flatter itself.
    best = by[way].copy()
    for fold in folds:
        chosen = int(np.argmin([mean_error(found[fold.learn]) for found in of_ways]))
        best[fold.tested] = by[chosen][fold.tested]

    found_errors = errors(best)
    error, mean_shape = mean_error(found_errors), mean_error(errors(_mean_shapes(marks, folds)))
    pixels = np.linalg.norm(best - marks.xy, axis=-1)
    curve = []
    for row, size in enumerate(curve_sizes):
        points = refined[0].points if way and size >= FEWEST else mapped_to
        rows = range(1 + len(folds) + row * draws, 1 + len(folds) + (row + 1) * draws)
        of_draws = [mean_error(errors(points[at], trainings[at].tested)) for at in rows]
        if np.isfinite(of_draws).any():
            curve.append(curve_point(size, of_draws))
    other = len(marked) - count - len(pairs.missing) - pairs.unmarked
    fit = PointFit(
        map=PointMap(
            names,
            maps[0].weights,
            maps[0].offset,
            model,
            refinement=refined[way - 1].refinement if way else None,
            closer=refined[way - 1].closer if way else None,
        ),
        error=error,
        unrefined=mean_error(of_ways[0]),
        mean_shape=mean_shape,
        pixels=mean_error(pixels),
        per_point=mean_of_points(names, found_errors),
        per_point_pixels=mean_of_points(names, pixels),
        marked=dict(zip(names, marks.marked.sum(axis=0).tolist(), strict=True)),
        curve=tuple(curve),
        normaliser=length.words,
        counts={
            "specimens": count,
            "parts": len(parts),
            "images_without_marks": pairs.unmarked,
            "images_of_other_splits": other,
        },
        missing=pairs.missing,
        notes=(
            *pairs.notes,
            *notes.misplaced(pairs),
            *notes.found_by_a_model(pairs),
            *notes.few_specimens(pairs, mean_error(of_ways[min(way, 1)]), curve),
            *notes.large_error(error, mean_shape),
            *notes.left_out(pairs, of_another_split_than_fit=other),
        ),
        left_out=replace(marks, xy=best),
        marks=marks,
    )
    return replace(fit, map=replace(fit.map, record=fit.metrics()))


def _learn_from(chosen: np.ndarray, clusters: np.ndarray) -> Training:
    """Learn from the specimens `chosen`, try on all that are of other groups."""
    learn = np.isin(np.arange(len(clusters)), chosen)
    return Training(learn, np.flatnonzero(~np.isin(clusters, clusters[learn])))


def _mean_shapes(marks: Points, folds: Sequence[Training]) -> np.ndarray:
    """(N, P, 2): the mean places of the points in others, for each part that was left out."""
    assert marks.sizes is not None
    relative = to_relative(marks.xy, marks.sizes, "centre")
    means = np.full_like(relative, np.nan)
    for fold in folds:
        means[fold.tested] = np.ma.masked_invalid(relative[fold.learn]).mean(axis=0).filled(np.nan)
    return to_pixels(means, marks.sizes, "centre")
