"""What the reader of an evaluation should know about its numbers, in words."""

import numpy as np

from swapmark.coordinates import to_relative
from swapmark.errors import counted
from swapmark.specimens.matching import Matched, PairedPoints, is_marked
from swapmark.specimens.normaliser import EYES
from swapmark.specimens.outside import note_outside

STILL = 0.1
"""A landmark whose spread is at most this share of the marked points' spread hardly moves."""

FEW = 3
"""Fit images for each landmark coordinate under which the map of imm may be at fault."""


def write_notes(
    matched: Matched,
    test: PairedPoints,
    landmark_names: tuple[str, ...],
    point_names: tuple[str, ...],
    *,
    error: float,
    centred: float,
    mean_shape: float,
    requested: str | None,
) -> tuple[str, ...]:
    """Sentences about odd marks, collapse, too few images, images left out, the normaliser.

    `test` is what remains of `matched.test` after images without a normaliser are dropped; `error`
    is the forward error that is read first, `centred` that of the protocol of this name,
    `mean_shape` that of the mean shape.
    """
    return (
        *_about_places(matched, point_names),
        *(
            _about_spread(matched.fit, landmark_names)
            or _about_few_for_imm(matched.fit, error, centred, mean_shape)
            or about_mean_shape(error, mean_shape)
        ),
        *_about_fit(matched.fit, point_names),
        *_about_left_out(matched, test),
        *_about_normaliser(requested, point_names),
    )


def spread(xy: np.ndarray, sizes: np.ndarray) -> np.ndarray:
    """Standard deviation (P,) of points (N, P, 2) over images, in units of the longer side.

    It is the root of the summed variances of x and y; NaN where fewer than two are marked.

    >>> xy = np.array([[[0.0, 0.0]], [[8.0, 6.0]]])
    >>> spread(xy, np.full((2, 2), 100)).round(6).tolist()
    [0.05]
    """
    relative = to_relative(xy, sizes, "corner")
    known = is_marked(relative)
    values = np.full(xy.shape[1], np.nan)
    for point in np.flatnonzero(known.sum(axis=0) > 1):
        values[point] = np.sqrt(relative[known[:, point], point].var(axis=0).sum())
    return values


def about_mean_shape(error: float, mean_shape: float) -> list[str]:
    """A sentence where landmarks predict points no better than the mean shape does.

    >>> about_mean_shape(5.0, 14.0)
    []
    """
    if not error >= mean_shape > 0:
        return []
    return [
        f"The error ({error:.2f} %) is no smaller than that of the mean shape "
        f"({mean_shape:.2f} %): these landmarks say nothing about these points, or too few "
        f"images were there to fit on. Look at the landmarks with swapmark predict --overlay; "
        f"train longer."
    ]


def _about_few_for_imm(
    fit: PairedPoints, error: float, centred: float, mean_shape: float
) -> list[str]:
    """A sentence where, with few fit images, only imm is no better than the mean shape."""
    few = len(fit) < FEW * 2 * fit.source.shape[1]
    if not (few and error >= mean_shape > centred):
        return []
    return [
        f"By the protocol imm the error ({error:.2f} %) is no smaller than that of the mean shape "
        f"({mean_shape:.2f} %), by centred it is ({centred:.2f} %): {len(fit)} fit images are few "
        f"for the map of imm from {fit.source.shape[1]} landmarks. Read centred, or mark more."
    ]


def _about_places(matched: Matched, names: tuple[str, ...]) -> list[str]:
    fit, test = matched.fit, matched.test
    xy, sizes = np.concatenate([fit.target, test.target]), np.concatenate([fit.sizes, test.sizes])
    return note_outside(xy, sizes, fit.files + test.files, names)


def _about_spread(fit: PairedPoints, names: tuple[str, ...]) -> list[str]:
    of_landmarks, of_points = spread(fit.source, fit.sizes), spread(fit.target, fit.sizes)
    if np.isnan(of_landmarks).any() or np.isnan(of_points).all():
        return []
    typical = float(np.nanmedian(of_points))
    still = [
        name
        for name, value in zip(names, of_landmarks, strict=True)
        if value <= max(STILL * typical, 1e-9)  # 1e-9: rounding, where the marks don't move either
    ]
    if not still:
        return []
    if len(still) == len(names):
        return [
            f"The detector has collapsed: all {len(names)} landmarks stand almost still over the "
            f"images (spread {100 * of_landmarks.max():.2g} % of the longer side at most; the "
            f"marked points {100 * typical:.2g} %). The forward error says no more than the mean "
            f"shape, and a small backward error means nothing."
        ]
    return [
        f"{len(still)} of {len(names)} landmarks hardly move over the images "
        f"({', '.join(still)}): they add nothing to the forward error and flatter the backward."
    ]


def _about_fit(fit: PairedPoints, names: tuple[str, ...]) -> list[str]:
    notes = []
    marks = fit.usable.sum(axis=0)
    never = [name for name, count in zip(names, marks, strict=True) if count == 0]
    if never:
        notes.append(f"Never marked in a fit image, so not scored: {', '.join(never)}.")
    needed = 2 * fit.source.shape[1]
    few = int(marks[marks > 0].min(initial=needed))
    if few < needed:
        notes.append(
            f"{few} fit images are fewer than the {needed} that determine a map from "
            f"{needed // 2} landmarks; imm and zhang take the one with the smallest weights. "
            f"Mark more images, or read 'centred'; to get these points in all images, use swapmark "
            f"fit, which makes do with few and tells the error to expect."
        )
    backward = fit.reversed()
    needed, complete = 2 * backward.source.shape[1], int(fit.usable.all(axis=1).sum())
    if complete < needed:
        notes.append(
            f"Backward: {complete} fit images have every point marked, and {needed} would "
            f"determine a map from {needed // 2} points; read it with care."
            if complete
            else "Backward: no fit image has every point marked, so there is no backward error."
        )
    return notes


def _about_left_out(matched: Matched, test: PairedPoints) -> list[str]:
    notes = []
    if matched.missing:
        some = ", ".join(matched.missing[:3]) + (", …" if len(matched.missing) > 3 else "")
        notes.append(f"Without landmarks: {counted(len(matched.missing), 'marked image')}: {some}")
    if matched.unmarked:
        notes.append(
            f"Left out, without a marked point: {counted(matched.unmarked, 'fit or test image')}."
        )
    dropped = len(matched.test) - len(test)
    if dropped:
        notes.append(
            f"{counted(dropped, 'test image')} dropped: the normaliser is undefined or zero there."
        )
    if len(test) > 1 and len(set(test.groups)) == 1 and test.groups[0]:
        notes.append(
            f"All test images belong to one group ({test.groups[0]}), so there is no interval."
        )
    return notes


def _about_normaliser(requested: str | None, names: tuple[str, ...]) -> list[str]:
    if requested is not None or set(EYES) <= set(names):
        return []
    return [
        f"No points called {' and '.join(EYES)}, so errors are in % of the image's diagonal; "
        "choose another length with --normaliser NAME1,NAME2 or --normaliser box."
    ]
