"""Errors of points, the length that they are measured in, and their mean and interval.

Axes: N images, M points. Errors are in % of a length that belongs to each image.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from swapmark.errors import InputError

EYES = ("left_eye", "right_eye")
"""The points whose distance is the default normaliser."""


@dataclass(frozen=True)
class Normaliser:
    """The length that an image's error is measured in: two marked points, a box, the diagonal."""

    words: str
    """What it is, for the report and metrics.json."""
    measure: Callable[[np.ndarray, np.ndarray], np.ndarray]
    """Marked points (N, P, 2) and sizes (N, 2) to lengths (N,)."""

    def lengths(self, marks: np.ndarray, sizes: np.ndarray) -> np.ndarray:
        """The length (N,) in pixels, given marked points (N, P, 2) and sizes (N, 2).

        NaN where it is undefined or zero: no point marked, one of the two missing, a flat box.
        """
        length = self.measure(marks, sizes)
        return np.where(length > 0, length, np.nan)


def choose_normaliser(requested: str | None, names: tuple[str, ...]) -> Normaliser:
    """The normaliser that `requested` means for marked points called `names`.

    `requested` is 'NAME1,NAME2', 'box' or 'diagonal'. None takes the distance between left_eye
    and right_eye where both are marked, else the diagonal. Raises InputError for anything else.
    """
    if requested is None:
        requested = ",".join(EYES) if set(EYES) <= set(names) else "diagonal"
    if requested == "box":
        return Normaliser("the square root of the area of the box around the marked points", _box)
    if requested == "diagonal":
        return Normaliser(
            "the diagonal of the image", lambda _, sizes: np.linalg.norm(sizes, axis=-1)
        )
    parts = [part.strip() for part in requested.split(",")]
    if len(parts) != 2 or parts[0] == parts[1] or not set(parts) <= set(names):
        raise InputError(
            f"The normaliser is {requested!r}. Expected two different marked points with a comma "
            f"between them, of {', '.join(names)}; or 'box', or 'diagonal'."
        )
    first, second = map(names.index, parts)
    return Normaliser(
        f"the distance between {parts[0]} and {parts[1]}",
        lambda marks, _: np.linalg.norm(marks[:, first] - marks[:, second], axis=-1),
    )


def _box(marks: np.ndarray, _: np.ndarray) -> np.ndarray:
    marked = np.isfinite(marks).all(axis=-1, keepdims=True)
    low = np.where(marked, marks, np.inf).min(axis=1)
    high = np.where(marked, marks, -np.inf).max(axis=1)
    return np.sqrt(np.prod(np.maximum(high - low, 0.0), axis=-1))


def point_errors(predicted: np.ndarray, target: np.ndarray, lengths: np.ndarray) -> np.ndarray:
    """Distance between predicted and target (N, M, 2), in % of `lengths` (N,): (N, M).

    NaN in either gives NaN, which the other functions leave out.
    """
    return 100 * np.linalg.norm(predicted - target, axis=-1) / lengths[:, None]


def mean_error(errors: np.ndarray) -> float:
    """The mean of all errors (N, M) that are not NaN, each marked point counting once."""
    return float(errors[np.isfinite(errors)].mean()) if np.isfinite(errors).any() else np.nan


def mean_of_points(names: Sequence[str], errors: np.ndarray) -> dict[str, float]:
    """The mean error of each point, by name, over the images (N, M) where it is marked."""
    return {name: mean_error(column) for name, column in zip(names, errors.T, strict=True)}


def bootstrap_interval(
    errors: np.ndarray, groups: np.ndarray, *, draws: int = 1000, seed: int = 0
) -> tuple[float, float] | None:
    """The 95 % percentile interval of `mean_error`, redrawing test images with replacement.

    Images with one number in `groups` (N,) are drawn together. The linear map is held fixed.
    None if there are fewer than two groups, or no draws are asked for.
    """
    scored = np.isfinite(errors)
    kept = scored.any(axis=1)
    present, group = np.unique(groups[kept], return_inverse=True)
    count = len(present)
    if count < 2 or draws < 1:
        return None
    sums = np.bincount(group, weights=np.where(scored, errors, 0.0)[kept].sum(axis=1))
    counts = np.bincount(group, weights=scored[kept].sum(axis=1))
    generator = np.random.default_rng(seed)
    means = np.empty(draws)
    for draw in range(draws):
        chosen = generator.integers(count, size=count)
        means[draw] = sums[chosen].sum() / counts[chosen].sum()
    low, high = np.percentile(means, [2.5, 97.5])
    return float(low), float(high)


@dataclass(frozen=True)
class CurvePoint:
    """The error with only some of the marked images, in % of the normaliser."""

    specimens: int
    """How many images the map was fitted on."""
    draws: int
    """How many random choices of them were averaged."""
    error: float
    """Mean over the draws."""
    spread: float
    """Standard deviation over the draws; NaN with one."""


def learning_curve(
    error: Callable[[list[np.ndarray], int], float],
    rows: Sequence[np.ndarray],
    sizes: Sequence[int],
    *,
    draws: int,
    seed: int,
) -> tuple[CurvePoint, ...]:
    """The mean of `error(order, size)` over random orders of the `rows` of each fold, by size.

    The smaller choices lie in the larger. A draw whose error is not known is left out.
    """
    generator = np.random.default_rng(seed)
    orders = [[of[generator.permutation(len(of))] for of in rows] for _ in range(draws)]
    curve = []
    for size in sizes:
        errors = [value for order in orders if np.isfinite(value := error(order, size))]
        if errors:
            curve.append(curve_point(size, errors))
    return tuple(curve)


def curve_point(specimens: int, errors: Sequence[float]) -> CurvePoint:
    """The mean and spread of the errors of several draws, but those that are not known."""
    known = [error for error in errors if np.isfinite(error)]
    spread = float(np.std(known, ddof=1)) if len(known) > 1 else np.nan
    return CurvePoint(specimens, len(known), float(np.mean(known)), spread)


def plain(value: Any) -> Any:
    """`value` for JSON: four decimals, None where there is no number, lists for tuples."""
    if isinstance(value, dict):
        return {name: plain(entry) for name, entry in value.items()}
    if isinstance(value, list | tuple):
        return [plain(entry) for entry in value]
    if isinstance(value, float):
        return round(value, 4) if math.isfinite(value) else None
    return value
