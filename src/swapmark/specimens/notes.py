"""What the reader of an evaluation or a fit should know about its numbers: a sentence a cause."""

from collections.abc import Sequence

import numpy as np

from swapmark.coordinates import to_relative
from swapmark.errors import counted
from swapmark.specimens.metrics import CurvePoint
from swapmark.specimens.pairs import Pairs

FAR = 0.1
"""A mark may lie so far outside its picture, as a share of the longer side: a corner cut off. If no
mark lies farther in, they are none of the whole picture."""
STILL = 0.1
"""A landmark whose spread is at most this share of the marked points' spread hardly moves."""
FALL = 0.05
"""A fall of the error by more than this share, on doubling the specimens, is worth marking for."""
SAME = 0.01
"""Pixels; so near to where a model finds points nobody marks, and a table keeps what it found."""
ROUGH = 10
"""With fewer specimens the estimate of the error is rough."""


def misplaced(pairs: Pairs) -> list[str]:
    """About marks that are far outside their picture, or all in a corner of it."""
    relative = to_relative(pairs.marked.xy, pairs.sizes, "corner")
    edge = (pairs.sizes / pairs.sizes.max(axis=1, keepdims=True))[:, None]
    marked = relative[pairs.marked.marked]
    bottom = (np.abs(relative - edge * (0, 1)))[pairs.marked.marked]
    if len(marked) > 1 and any((np.abs(xy) <= FAR).all() for xy in (marked, bottom)):
        return [
            f"All marks lie within {100 * FAR:.0f} % of a corner of their pictures. Were they made "
            "at another size, or are they a length such as millimetres?"
        ]
    far = np.argwhere(np.maximum(-relative, relative - edge).max(axis=-1) > FAR)
    if not len(far):
        return []
    row, point = far[0]
    (x, y), (width, height) = pairs.marked.xy[row, point], pairs.sizes[row]
    return [
        f"{counted(len(far), 'mark')} far outside the picture, such as {pairs.marked.names[point]} "
        f"at ({x:.0f}, {y:.0f}) in {pairs.marked.files[row]} of {width:.0f} × {height:.0f} pixels. "
        "Was it marked at another size, or with y upwards?"
    ]


def found_by_a_model(pairs: Pairs) -> list[str]:
    """About marks with confidences, which nobody gives by hand, or just where the landmarks lie."""
    if pairs.marked.confidence is not None:
        return [found_by("a model: they have confidences")]
    if agree(pairs.marked.xy, pairs.found.xy):
        return [found_by("this model: they lie on its landmarks")]
    return []


def found_by(finder: str) -> str:
    """The note about marks of this origin."""
    return (
        f"The marks seem to be found by {finder}. Such marks repeat its mistakes, and the error "
        "does not count these. Mark by hand: swapmark mark"
    )


def agree(marks: np.ndarray, found: np.ndarray) -> bool:
    """Whether each of marks (N, P, 2) is just at one of the points (N, K, 2) found there."""
    away = np.linalg.norm(marks[:, :, None] - found[:, None], axis=-1).min(axis=-1)
    away = away[np.isfinite(away)]
    return len(away) > 0 and bool((away < SAME).all())


def still_landmarks(pairs: Pairs, fit: np.ndarray) -> list[str]:
    """About landmarks that hardly move over the images `fit` (N,), against the marks."""

    def spread(xy: np.ndarray) -> np.ndarray:
        """Root of the summed variances of x and y, in units of the longer side; masked if none."""
        relative = to_relative(xy[fit], pairs.sizes[fit], "corner")
        return np.ma.sqrt(np.ma.masked_invalid(relative).var(axis=0).sum(axis=-1))

    of_landmarks = spread(pairs.found.xy)
    most = max(STILL * float(np.ma.median(spread(pairs.marked.xy))), 1e-9)  # 1e-9: rounding
    still = [pairs.found.names[k] for k in np.flatnonzero(of_landmarks <= most)]
    if not still or fit.sum() < 2:
        return []
    collapsed = "The detector has collapsed: " if len(still) == len(of_landmarks) else ""
    return [
        f"{collapsed}{len(still)} of {len(of_landmarks)} landmarks hardly move over the images "
        f"({_some(still)}). They add nothing to the forward error and flatter the backward."
    ]


def large_error(error: float, mean_shape: float) -> list[str]:
    """About an error that is no smaller than the mean shape's."""
    if not error >= mean_shape > 0:
        return []
    return [
        f"The error ({error:.2f} %) is no smaller than that of the mean shape ({mean_shape:.2f} "
        "%): these landmarks say nothing about these points, or too few images were there to fit "
        "on. Look at the landmarks with swapmark predict --overlay; train longer."
    ]


def few_images(pairs: Pairs, marks: np.ndarray, complete: int, one_group: bool) -> list[str]:
    """About too few images to fit on, `marks` (P,) of each point, `complete` of all; one group."""
    found = _never_marked(pairs, marks)
    landmarks, points = 2 * len(pairs.found.names), 2 * len(pairs.marked.names)
    maps = (("forward", marks[marks > 0].min(), landmarks), ("backward", complete, points))
    if few := [f"{way} ({images} for {n} coordinates)" for way, images, n in maps if images < n]:
        found.append(
            f"There are few fit images for the map {' and '.join(few)}. Mark more, or read "
            "centred; or get your points by swapmark fit, which makes do with few."
        )
    if one_group:
        found.append("All test images are of one group, so there is no interval.")
    return found


def few_specimens(pairs: Pairs, error: float, curve: Sequence[CurvePoint]) -> list[str]:
    """About too few specimens, one group alone, and a curve that still falls."""
    found, count = _never_marked(pairs, pairs.marked.marked.sum(axis=0)), len(pairs.marked)
    if count < ROUGH:
        known = "rough" if count > 1 else "not known"
        found.append(f"{counted(count, 'specimen')}: the error is {known}. Mark at least {ROUGH}.")
    if pairs.one_group:
        found.append(
            "All specimens belong to one group. Each was left out alone, so the estimate says "
            "nothing of another group; expect more there."
        )
    if curve and error < (1 - FALL) * curve[-1].error:
        found.append(
            f"The error still falls by about {100 * (1 - error / curve[-1].error):.0f} % from "
            f"{curve[-1].specimens} to {count} specimens: mark more."
        )
    return found


def _never_marked(pairs: Pairs, marks: np.ndarray) -> list[str]:
    never = [pairs.marked.names[point] for point in np.flatnonzero(marks == 0)]
    return [f"Never marked where the map is fitted, so left out: {_some(never)}."] if never else []


def left_out(pairs: Pairs, **reasons: int) -> list[str]:
    """About rows of the table that were not used, and why: `reasons` beside those of the pairs."""
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
