"""What the reader of an evaluation or a fit should know about its numbers, in words."""

import math
from collections.abc import Sequence

import numpy as np

from swapmark.coordinates import to_relative
from swapmark.errors import counted
from swapmark.specimens.metrics import CurvePoint
from swapmark.specimens.pairs import Pairs

FAR = 0.1
"""A mark may lie so far outside its picture, as a share of the longer side: a corner cut off."""
STILL = 0.1
"""A landmark whose spread is at most this share of the marked points' spread hardly moves."""
FEW = 3
"""Fit images for each landmark coordinate under which the map of imm may be at fault."""
FALL = 0.05
"""A fall of the error by more than this share, on doubling the specimens, is worth marking for."""
ROUGH = 10
"""With fewer specimens the estimate of the error is rough."""


def far_outside(pairs: Pairs) -> list[str]:
    """A sentence about the marks that are far outside their picture."""
    relative = to_relative(pairs.marked.xy, pairs.sizes, "corner")
    edge = (pairs.sizes / pairs.sizes.max(axis=1, keepdims=True))[:, None]
    outside = np.maximum(-relative, relative - edge).max(axis=-1)  # (N, P)
    far = int((outside > FAR).sum())
    if not far:
        return []
    row, point = divmod(int(np.nanargmax(outside)), outside.shape[1])
    x, y = (round(value) for value in pairs.marked.xy[row, point].tolist())
    width, height = (round(value) for value in pairs.sizes[row].tolist())
    return [
        f"Far outside their picture: {far} of {np.isfinite(outside).sum()} marks. The farthest, "
        f"{pairs.marked.names[point]} in {pairs.marked.files[row]}, is at ({x}, {y}) in a picture "
        f"of {width} × {height} px. Was it marked at another size, or with y upwards?"
    ]


def about_landmarks(pairs: Pairs, fit: np.ndarray) -> list[str]:
    """A sentence where landmarks hardly move over the images `fit` (N,), against the marks."""
    of_landmarks = _spread(pairs.found.xy[fit], pairs.sizes[fit])
    of_points = _spread(pairs.marked.xy[fit], pairs.sizes[fit])
    if np.isnan(of_landmarks).any() or np.isnan(of_points).all():
        return []
    most = max(STILL * float(np.nanmedian(of_points)), 1e-9)  # 1e-9: rounding
    still = [pairs.found.names[k] for k in np.flatnonzero(of_landmarks <= most)]
    if not still:
        return []
    collapsed = "The detector has collapsed: " if len(still) == len(of_landmarks) else ""
    return [
        f"{collapsed}{len(still)} of {len(of_landmarks)} landmarks hardly move over the images "
        f"({_some(still)}). They add nothing to the forward error and flatter the backward."
    ]


def _spread(xy: np.ndarray, sizes: np.ndarray) -> np.ndarray:
    """Standard deviation (P,) of points (N, P, 2) over images, in units of the longer side.

    It is the root of the summed variances of x and y; NaN where fewer than two are marked.
    """
    relative = to_relative(xy, sizes, "corner")
    known = np.all(np.isfinite(relative), axis=-1)
    values = np.full(xy.shape[1], np.nan)
    for point in np.flatnonzero(known.sum(axis=0) > 1):
        values[point] = np.sqrt(relative[known[:, point], point].var(axis=0).sum())
    return values


def about_error(
    error: float, mean_shape: float, centred: float = np.inf, per_coordinate: float = np.inf
) -> list[str]:
    """A sentence where the error is no smaller than the mean shape's.

    `centred` is the error by that protocol, `per_coordinate` the fit images for each landmark
    coordinate: with few, only imm may be at fault.
    """
    if not error >= mean_shape > 0:
        return []
    said = f"The error ({error:.2f} %) is no smaller than that of the mean shape ({mean_shape:.2f}"
    if centred < mean_shape and per_coordinate < FEW:
        return [
            f"{said} %), but by the protocol centred it is ({centred:.2f} %): the fit images are "
            "few for the map of imm. Read centred, or mark more."
        ]
    return [
        f"{said} %): these landmarks say nothing about these points, or too few images were there "
        "to fit on. Look at the landmarks with swapmark predict --overlay; train longer."
    ]


def about_fit_images(
    pairs: Pairs, folds: Sequence[tuple[np.ndarray, np.ndarray]], one_group: bool
) -> list[str]:
    """Sentences about points never marked, too few fit images, and how they were chosen."""
    found = []
    marks = np.min([pairs.marked.marked[fit].sum(axis=0) for fit, _ in folds], axis=0)
    complete = min(int(pairs.marked.marked[fit].all(axis=1).sum()) for fit, _ in folds)
    needed, needed_back = 2 * len(pairs.found.names), 2 * len(pairs.marked.names)
    if not marks.all():
        never = [pairs.marked.names[point] for point in np.flatnonzero(marks == 0)]
        found.append(f"Never marked in a fit image, so not scored: {_some(never)}.")
    few = int(marks[marks > 0].min(initial=needed))
    if few < needed:
        found.append(
            f"{few} fit images are fewer than the {needed} that determine a map from "
            f"{len(pairs.found.names)} landmarks. Mark more, or read centred; or get these points "
            "in all images by swapmark fit, which makes do with few."
        )
    if complete < needed_back:
        found.append(
            f"Every point is marked in {complete} fit images, and {needed_back} would determine "
            "the map backward. Read it with care."
        )
    if one_group:
        found.append("All test images are of one group, so there is no interval.")
    if pairs.marked.split is None:
        how = f"scored by a map of the others, in {len(folds)} parts"
        how = how if len(folds) > 1 else "drawn by lot for fitting or for scoring"
        found.append(f"There is no column split, so each image was {how}.")
    return found


def about_specimens(pairs: Pairs, error: float, curve: tuple[CurvePoint, ...]) -> list[str]:
    """Sentences about too few specimens, one group, a curve that still falls."""
    found = []
    names, marks = np.array(pairs.marked.names), pairs.marked.marked.sum(axis=0)
    count = len(pairs.marked)
    if count == 1:
        found.append("One specimen cannot be left out, so the error is not known. Mark at least 5.")
    elif count < ROUGH:
        found.append(f"{count} specimens: the estimate is rough itself. Mark at least {ROUGH}.")
    few, never = names[(marks > 0) & (marks < min(5, count))].tolist(), names[marks == 0].tolist()
    if few:
        found.append(f"Marked in fewer than 5 specimens: {_some(few)}. Mark these points more.")
    if never:
        found.append(f"Marked in no specimen that was used, so not in the map: {_some(never)}.")
    if pairs.one_group:
        found.append(
            "All specimens belong to one group. Each was left out alone, so the estimate says "
            "nothing of another group; expect more there."
        )
    last = curve[-1] if curve else None
    if last and math.isfinite(error) and error < (1 - FALL) * last.error:
        found.append(
            f"The error still falls by about {100 * (1 - error / last.error):.0f} % from "
            f"{last.specimens} to {count} specimens: mark more."
        )
    return found


def about_left_out(pairs: Pairs, **reasons: int) -> list[str]:
    """A sentence about rows of the table that were not used, and why: `reasons` beside its own."""
    files = f" ({_some(pairs.missing)})" if pairs.missing else ""
    counts = {
        f"that could not be found or read{files}": len(pairs.missing),
        "in which nothing is marked": pairs.unmarked,
        **{reason.replace("_", " "): count for reason, count in reasons.items()},
    }
    said = [f"{counted(count, 'image')} {reason}" for reason, count in counts.items() if count]
    return [f"Left out: {', '.join(said)}."] if said else []


def _some(names: Sequence[str], limit: int = 5) -> str:
    return ", ".join(names[:limit]) + (", …" if len(names) > limit else "")
