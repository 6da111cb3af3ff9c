"""What every reader of points keeps to, whatever the format: plain names, and what is refused.

And what is refused once the pictures are known: marks of another size, turn or unit.
"""

import warnings
from collections.abc import Sequence
from pathlib import PurePosixPath

import numpy as np

from swapmark.errors import InputError, LeftOutWarning, counted
from swapmark.points.table import Points

SPLITS = ("train", "fit", "test")
MAX_COORDINATE = 1e9
"""Pixels; anything farther off is a mistake, such as columns in another order."""
BEYOND = 10
"""Marks that lie so many widths and heights away are no pixels of the picture."""


def plain_name(file: str) -> str:
    """The name with forward slashes and without ./ in front."""
    return PurePosixPath(file.replace("\\", "/")).as_posix() if file else ""


def check_points(points: Points, where: str, places: Sequence[str] = ()) -> None:
    """Raise InputError, with the row, for points that no format could keep.

    Images must have names and be there once (a frame of a video once); names of points must differ;
    a point has two finite coordinates or none; splits are those of `SPLITS`. `places` names the
    rows in messages, as in "line 7".
    """
    places = places or [f"row {row + 1}" for row in range(len(points))]
    if len(set(points.names)) < len(points.names) or not all(points.names):
        raise InputError(f"{where}: the points are {', '.join(points.names)}; name each once.")
    frames = [None] * len(points) if points.frame is None else points.frame.tolist()
    first: dict[tuple, int] = {}
    keys = zip(points.files, frames, strict=True)
    firsts = [first.setdefault(key, row) for row, key in enumerate(keys)]
    xy, frame = points.xy, np.zeros(0) if points.frame is None else points.frame
    problems = {
        "file is empty; expected an image's name": [file in ("", ".") for file in points.files],
        "it is in {first} already; keep one, or name them apart": [
            before < row for row, before in enumerate(firsts)
        ],
        "split is {split!r}; expected train, fit or test": [
            split not in SPLITS for split in points.split or ()
        ],
        "only one of {name}_x, {name}_y is given; fill both or none": np.isnan(xy).sum(axis=-1)
        == 1,
        "{name} is over 1e9 pixels off; expected a place in the image": (
            np.abs(xy) > MAX_COORDINATE
        ).any(axis=-1),
        "the frame is no whole number from 0": (frame < 0) | (frame % 1 != 0) | (frame > 2**53),
    }
    for field in ("confidence", "sizes", "scale", "time", "unlike"):
        if (values := getattr(points, field)) is not None:
            found = np.isinf(values).any(axis=tuple(range(1, values.ndim)))
            problems[f"infinity in the {field}; expected a number, or nothing"] = found
    for problem, found in problems.items():
        if np.any(found):
            row, *column = np.argwhere(found)[0]
            said = problem.format(
                first=places[firsts[int(row)]],
                split=points.split[row] if points.split else "",
                name=points.names[column[0]] if column else "",
            )
            raise InputError(f"{where}, {places[row]} ({points.files[row]}): {said}.")


def corner_as_missing(xy: np.ndarray, where: str) -> np.ndarray:
    """Points (N, P, 2) as they stand in a file, NaN at 0 0 if one image has several there.

    Programs write that for what is not marked yet. A warning tells how many they are.
    """
    zero = (xy == 0).all(axis=-1)
    if not (zero.sum(axis=1) > 1).any():
        return xy
    told = f"{where}: {counted(int(zero.sum()), 'point')} at 0 0 are read as missing."
    warnings.warn(told, LeftOutWarning, stacklevel=3)
    return np.where(zero[..., None], np.nan, xy)


def check_sizes(points: Points, sizes: np.ndarray) -> None:
    """Raise InputError where the table itself names other sizes than the pictures' (N, 2).

    `sizes` are those of the upright pictures, NaN where unknown. A pixel more or less is rounding.
    """
    if points.sizes is None:
        return
    given = np.asarray(points.sizes, dtype=float)
    other = np.flatnonzero(((given > 0) & (np.abs(given - sizes) > 1)).any(axis=1))
    if not len(other):
        return
    theirs, ours = given[other[0]], np.asarray(sizes[other[0]], dtype=float)
    if (theirs == ours[::-1]).all():
        cure = (
            "That is the unturned picture, as it is stored before its EXIF turn. Turn the marks as "
            f"the picture is turned (clockwise: x becomes {ours[0] - 1:.0f} - y and y becomes x; "
            f"the other way: x becomes y and y becomes {ours[1] - 1:.0f} - x) and swap width and "
            "height, or save the pictures upright and mark these"
        )
    else:
        x, y = ours / theirs
        cure = (
            "The marks were made at another size. Give the pictures that were marked, or convert "
            f"the marks (x becomes {x:.6g} (x + 0.5) - 0.5, y becomes {y:.6g} (y + 0.5) - 0.5) "
            "with width and height"
        )
    raise InputError(
        f"The table says {_size(theirs)} pixels for {points.files[other[0]]}, but the upright "
        f"picture has {_size(ours)}; {counted(len(other), 'image')} of {len(points)} differ so. "
        f"{cure}. If the marks are right, mend width and height in the table."
    )


def check_unit(points: Points, sizes: np.ndarray | None) -> None:
    """Raise InputError if marks cannot be pixels in pictures of `sizes` (N, 2), NaN if unknown."""
    marked = points.marked
    sizes = np.full((len(points), 2), np.nan) if sizes is None else np.asarray(sizes, dtype=float)
    sizes = np.where(sizes > 0, sizes, np.nan)
    heights = np.broadcast_to(sizes[:, None, 1], marked.shape)[marked]
    xy = points.xy[marked] + 0.5  # from the corner
    up = np.stack([xy[:, 0], heights - xy[:, 1]], axis=1)  # as TPS counts, which is in our y down
    if len(xy) > 1 and any((np.abs(way) <= 1.5).all() for way in (xy, up)):
        raise InputError(
            "All marks lie within a pixel of the corner. These are no pixels but shapes "
            "(aligned, of size 1), fractions of width and height, or a length such as "
            "millimetres. Give the pixels as they were marked; multiply fractions by width and "
            "height."
        )
    times = np.abs(points.xy / sizes[:, None]).max(axis=-1)[marked]
    times = float(np.median(times[np.isfinite(times)])) if np.isfinite(times).any() else 0.0
    if times > BEYOND:
        raise InputError(
            f"The marks lie some {times:.0f} times the picture away from its corner. "
            "These are no pixels of it, but a length such as micrometres, or places in a larger "
            "picture. Give the pixels as they were marked."
        )


def _size(size: np.ndarray) -> str:
    return " × ".join("?" if np.isnan(side) else f"{side:.0f}" for side in size)
