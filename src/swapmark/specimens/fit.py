"""Fit a user's points to landmarks of the same images, and say how well that went."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from swapmark.coordinates import to_pixels, to_relative
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
from swapmark.specimens.place import fit_place, predict_left_out
from swapmark.specimens.point_map import PointMap

CURVE_SIZES = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000)


@dataclass(frozen=True, repr=False)
class PointFit:
    """A point map and what is known of it; errors in % of the normaliser, NaN where unknown."""

    map: PointMap
    """From the landmarks to the points."""
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
    model: str = "",
    normaliser: str | None = None,
    draws: int = 10,
    seed: int = 0,
) -> PointFit:
    """Fit the map from the landmarks `found` to the points `marked`, and estimate its error.

    Images are matched by name. Only rows whose split is `fit` are used, or all where there are no
    splits. Points that are not marked are left out one by one. `model` is the fingerprint of the
    model that found the landmarks; for the others see `Detector.fit_points`. Raises InputError if
    no such image has both a mark and landmarks, or landmarks are not finite.
    """
    length = choose_normaliser(normaliser, marked.names)
    pairs = pair(found, marked, "fit")
    sizes, clusters, count = pairs.sizes, pairs.clusters, len(pairs.marked)
    kept = np.flatnonzero(pairs.marked.marked.any(axis=0))
    names = tuple(marked.names[point] for point in kept)
    marks = replace(pairs.found, names=names, xy=pairs.marked.xy[:, kept], confidence=None)
    given = to_relative(pairs.found.xy, sizes, "centre")
    target = to_relative(marks.xy, sizes, "centre")
    used, side = marks.marked, sizes.max(axis=1)
    lengths = length.lengths(pairs.marked.xy, sizes) / side
    fitted = fit_place(given, target, used, clusters)
    left_out, means, parts = predict_left_out(given, target, used, clusters)
    errors = point_errors(left_out, target, lengths)
    error, mean_shape = mean_error(errors), mean_error(point_errors(means, target, lengths))
    pixels = np.linalg.norm(left_out - target, axis=-1) * side[:, None]

    def error_with(order: list[np.ndarray], size: int) -> float:
        """The error with `size` specimens on all that are left, without the groups of these."""
        rows = np.sort(order[0][:size])
        left = ~np.isin(clusters, clusters[rows])
        fitted = fit_place(given[rows], target[rows], used[rows], clusters[rows])
        predicted = fitted(given[left].reshape(left.sum(), -1))
        return mean_error(point_errors(predicted, target[left], lengths[left]))

    up_to_half = sorted({*(n for n in CURVE_SIZES if 2 * n < count), *({count // 2} - {0})})
    rows = [np.arange(count)]
    curve = learning_curve(error_with, rows, up_to_half, draws=draws, seed=seed)
    other = len(marked) - count - len(pairs.missing) - pairs.unmarked
    fit = PointFit(
        map=PointMap(names, fitted.weights, fitted.offset, model),
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
            "parts": parts,
            "images_without_marks": pairs.unmarked,
            "images_of_other_splits": other,
        },
        missing=pairs.missing,
        notes=(
            *pairs.notes,
            *notes.misplaced(pairs),
            *notes.found_by_a_model(pairs),
            *notes.few_specimens(pairs, error, curve),
            *notes.large_error(error, mean_shape),
            *notes.left_out(pairs, of_another_split_than_fit=other),
        ),
        left_out=replace(marks, xy=to_pixels(left_out, sizes, "centre")),
        marks=marks,
    )
    return replace(fit, map=replace(fit.map, record=fit.metrics()))
