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


def whole(values) -> np.ndarray:
    """Numbers as integers where all of them are whole."""
    values = np.asarray(values, dtype=np.float64)
    fits = np.isfinite(values).all() and (np.abs(values) < 2**53).all()
    return values.astype(np.int64) if fits and (values == np.rint(values)).all() else values


def check_points(points: Points, where: str, places: Sequence[str] = ()) -> None:
    """Raise InputError, with the row, for points that no format could keep.

    Images must have names and be there once (a frame of a video once); names of points must differ;
    a point has two finite coordinates or none; splits are those of `SPLITS`. `places` names the
    rows in messages, as in "line 7".
    """
    places = places or [f"row {row + 1}" for row in range(len(points))]
    if len(set(points.names)) < len(points.names) or not all(points.names):
        raise InputError(
            f"{where}: the points are called {', '.join(points.names)}; name each once."
        )
    seen: dict[tuple, str] = {}
    for row, (place, file) in enumerate(zip(places, points.files, strict=True)):
        if file in ("", "."):
            raise InputError(f"{where}, {place}: file is empty; expected an image's name.")
        if points.split is not None and points.split[row] not in SPLITS:
            raise InputError(
                f"{where}, {place}: split is {points.split[row]!r}; expected {', '.join(SPLITS)}."
            )
        key = (file, None if points.frame is None else float(points.frame[row]))
        if key in seen:
            raise InputError(
                f"{where}, {place}: {file} is in {seen[key]} already, and an image has one set of "
                "points. Keep one, or give the images different names."
            )
        seen[key] = place
    xy = points.xy
    problems = {
        "only one of {0}_x, {0}_y is given; fill both or none": np.isnan(xy).sum(axis=-1) == 1,
        "{0} is over 1e9 pixels off; expected a place in the image": (
            np.abs(xy) > MAX_COORDINATE
        ).any(axis=-1),
    }
    for name in ("confidence", "sizes", "scale", "time"):
        if (values := getattr(points, name)) is not None:
            problems[f"infinity in the {name}; expected a number, or nothing"] = np.isinf(values)
    if points.frame is not None:
        broken = (points.frame < 0) | (points.frame % 1 != 0)
        problems["the frame is no whole number from 0"] = broken
    for problem, found in problems.items():
        if found.any():
            row, *column = np.argwhere(found)[0]
            what = problem.format(points.names[column[0]] if column else "")
            raise InputError(f"{where}, {places[row]} ({points.files[row]}): {what}.")
