"""What every reader of points keeps to, whatever the format: plain names, and what is refused."""

from collections.abc import Sequence
from pathlib import PurePosixPath

import numpy as np

from swapmark.errors import InputError
from swapmark.points.table import Points

SPLITS = ("train", "fit", "test")
MAX_COORDINATE = 1e9
"""Pixels; anything farther off is a mistake, such as columns in another order."""


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
    for field in ("confidence", "sizes", "scale", "time"):
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
