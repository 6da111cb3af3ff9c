"""The wide table, a row an image: its columns, and how they become a PointTable.

`file`, perhaps `frame`, `time`, `split`, `group`, `width`, `height` and `scale`, then `<name>_x`,
`<name>_y` and perhaps `<name>_confidence` for each point, in pixels with (0, 0) at the centre of
the top left pixel. `PointTable.columns` and `PointTable.rows` are the way back. Further columns, of
species or dates say, are left out with a warning, unless they look like one of these misspelt.
"""

import re
import warnings
from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from pathlib import PurePosixPath

import numpy as np

from swapmark.errors import InputError, LeftOutWarning
from swapmark.points.text import TextTable
from swapmark.types import PointTable

MAX_COORDINATE = 1e9
"""Pixels; anything farther off is a mistake, such as columns in another order."""
SPLITS = ("train", "fit", "test")
TEXT_COLUMNS = ("file", "split", "group")
NUMBER_COLUMNS = ("frame", "time", "width", "height", "scale")
LIKE_A_POINT = re.compile(r"(?i:(.*[\W_])?[xyz]\d*|.*[\W_](confidence|likelihood))|.*[a-z][XYZ]\d*")
"""Further columns that are refused, as their points would vanish: tail_X, tail.x, tailX, x1."""
EXPECTED = (
    "Expected a table with the column file, perhaps frame, time, split (train, fit or test), "
    "group, width, height and scale, and <name>_x, <name>_y, perhaps <name>_confidence, for each "
    "point."
)


def wide_from_text(table: TextTable) -> PointTable:
    """The points of a text table.

    Raises InputError, with the line, for anything that is not as described above: misspelt columns,
    half-marked points, cells that are not numbers, images that are there twice.

    >>> from swapmark.points.text import read_text_table
    >>> wide_from_text(read_text_table("t.csv", b"file,a_x,a_y\\n1.png,1,2\\n")).xy.tolist()
    [[[1.0, 2.0]]]
    """
    header = table.lines[0][1] if table.lines else []
    point_names(table.where, header)
    table.check_widths(len(header))
    rows = table.lines[1:]
    of_text = {*TEXT_COLUMNS, *further_columns(header)}
    texts = [place for place, column in enumerate(header) if column in of_text]
    others = [place for place, column in enumerate(header) if column not in of_text]
    names = [header[place] for place in others]
    columns: dict[str, list[str] | np.ndarray] = {
        header[place]: [cells[place] for _, cells in rows] for place in texts
    }
    numbers = [table.numbers(line, names, [cells[i] for i in others]) for line, cells in rows]
    values = np.array(numbers, dtype=np.float64).reshape(len(rows), len(names))
    columns.update({name: values[:, place] for place, name in enumerate(names)})
    ordered = {name: columns[name] for name in header}
    return wide_from_columns(table.where, ordered, [f"line {line}" for line, _ in rows])


def wide_from_columns(
    where: str, columns: Mapping[str, list[str] | np.ndarray], places: Sequence[str]
) -> PointTable:
    """The points of columns: lists of text and float arrays (N,), NaN where nothing is known.

    `places` names the N rows in messages, as in "line 7". Warns of columns that are left out.
    Raises InputError as `wide_from_text`.

    >>> columns = {"file": ["1.png"], "a_x": np.array([1.0]), "a_y": np.array([2.0])}
    >>> wide_from_columns("t.parquet", columns, ["row 1"]).names
    ('a',)
    """
    names = point_names(where, list(columns))
    if not places:
        raise InputError(f"{where} has a header but no rows. {EXPECTED}")
    files = tuple(plain_name(file) for file in columns["file"])
    unknown = np.full(len(files), np.nan)
    xy = [[columns[f"{name}_{axis}"] for axis in "xy"] for name in names]
    confidence = [columns.get(f"{name}_confidence", unknown) for name in names]
    has_confidence = any(f"{name}_confidence" in columns for name in names)
    sizes = np.stack([columns.get(side, unknown) for side in ("width", "height")], axis=-1)
    table = PointTable(
        names,
        files,
        np.moveaxis(np.array(xy, dtype=np.float64), -1, 0),
        confidence=np.stack(confidence, axis=-1) if has_confidence else None,
        sizes=whole(sizes) if {"width", "height"} & set(columns) else None,
        splits=tuple(columns["split"]) if "split" in columns else None,
        groups=tuple(columns["group"]) if "group" in columns else None,
        scales=columns.get("scale"),  # pyright: ignore[reportArgumentType]
        frames=whole(columns["frame"]) if "frame" in columns else None,
        times=columns.get("time"),  # pyright: ignore[reportArgumentType]
    )
    check_table(table, where, places)
    if further := further_columns(list(columns)):
        warnings.warn(
            f"{where}: left out what is no point: {', '.join(further)}.",
            LeftOutWarning,
            stacklevel=2,
        )
    return table


def check_table(table: PointTable, where: str, places: Sequence[str] = ()) -> None:
    """Raise InputError, with the row, for a table that no format could keep.

    Images must have names and be there once (a frame of a video once); names of points must differ;
    a point has two finite coordinates or none; splits are those of `SPLITS`.

    >>> check_table(PointTable(("a",), ("1.png",), np.array([[[1.0, 2.0]]])), "t.csv")
    """
    places = places or [f"row {row + 1}" for row in range(len(table))]
    if len(set(table.names)) < len(table.names) or not all(table.names):
        raise InputError(
            f"{where}: the points are called {', '.join(table.names)}; name each once."
        )
    seen: dict[tuple, str] = {}
    for row, (place, file) in enumerate(zip(places, table.files, strict=True)):
        if file in ("", "."):
            raise InputError(f"{where}, {place}: file is empty; expected an image's name.")
        if table.splits is not None and table.splits[row] not in SPLITS:
            raise InputError(
                f"{where}, {place}: split is {table.splits[row]!r}; expected {', '.join(SPLITS)}."
            )
        key = (file, None if table.frames is None else float(table.frames[row]))
        if key in seen:
            raise InputError(
                f"{where}, {place}: {file} is in {seen[key]} already, and an image has one set of "
                "points. Keep one, or give the images different names."
            )
        seen[key] = place
    if table.frames is not None and (table.frames < 0).any() | (table.frames % 1 != 0).any():
        row = int(np.argmax((table.frames < 0) | (table.frames % 1 != 0)))
        raise InputError(
            f"{where}, {places[row]}: frame is {table.frames[row]}; expected a number from 0."
        )
    for field in ("confidence", "sizes", "scales", "times"):
        values = getattr(table, field)
        if values is not None and np.isinf(values).any():
            row = int(np.argwhere(np.isinf(values))[0][0])
            raise InputError(
                f"{where}, {places[row]} ({table.files[row]}): infinity in the {field}; expected a "
                "number, or nothing where it is not known."
            )
    half = np.isnan(table.xy).any(axis=-1) != np.isnan(table.xy).all(axis=-1)
    far = (np.abs(table.xy) > MAX_COORDINATE).any(axis=-1)
    for problem, found in (
        ("only one of {0}_x, {0}_y is given; fill both or none", half),
        ("{0} is over 1e9 pixels off; expected a place in the image", far),
    ):
        if found.any():
            row, point = np.argwhere(found)[0]
            what = problem.format(table.names[point])
            raise InputError(f"{where}, {places[row]} ({table.files[row]}): {what}.")


def point_names(where: str, header: list[str]) -> tuple[str, ...]:
    """The names of the points in a header, in the order of their x columns.

    Raises InputError for columns that are there twice, have no partner, or seem misspelt.

    >>> point_names("t.csv", ["file", "nose_x", "nose_y"])
    ('nose',)
    """
    if "file" not in header:
        found = ", ".join(header[:8]) or "none"
        raise InputError(f"{where} has no column file; its columns are {found}. {EXPECTED}")
    twice = sorted({name for name in header if header.count(name) > 1})
    names = _stems(header)
    expected = {f"{name}_{axis}" for name in names for axis in "xy"}
    if "" in header:
        raise InputError(
            f"{where}: column {header.index('') + 1} has no name. Name or delete it (a spreadsheet "
            "may add one at the end, a dataframe its index in front)."
        )
    misspelt = {
        name
        for name in further_columns(header)
        if LIKE_A_POINT.fullmatch(name)
        or name.lower() in NUMBER_COLUMNS
        or get_close_matches(name.lower(), TEXT_COLUMNS, cutoff=0.8)
    }
    odd = sorted((expected - set(header)) | misspelt)
    if twice or odd or not names:
        problem = f"columns that are there twice: {', '.join(twice)}" if twice else "no point"
        if odd:
            problem = (
                f"columns without partner or meaning: {', '.join(odd[:5])}. Give each point both "
                "columns, and rename or delete what belongs to none"
            )
        raise InputError(f"{where} has {problem}. {EXPECTED}")
    return names


def further_columns(header: list[str]) -> list[str]:
    """The columns that are neither of an image nor of a point.

    >>> further_columns(["file", "species", "nose_x", "nose_y"])
    ['species']
    """
    parts = {f"{name}_{part}" for name in _stems(header) for part in ("x", "y", "confidence")}
    return [name for name in header if name not in {*TEXT_COLUMNS, *NUMBER_COLUMNS, *parts}]


def _stems(header: list[str]) -> tuple[str, ...]:
    return tuple(name[:-2] for name in header if name.endswith("_x") and len(name) > 2)


def plain_name(file: str) -> str:
    """The name with forward slashes and without ./ in front.

    >>> plain_name(".\\\\images\\\\a.png")
    'images/a.png'
    """
    return PurePosixPath(file.replace("\\", "/")).as_posix() if file else ""


def whole(values) -> np.ndarray:
    """Numbers as integers where all of them are whole.

    >>> whole(np.array([640.0, 480.0])).tolist(), whole(np.array([640.0, np.nan])).tolist()
    ([640, 480], [640.0, nan])
    """
    values = np.asarray(values, dtype=np.float64)
    fits = np.isfinite(values).all() and (np.abs(values) < 2**53).all()
    return values.astype(np.int64) if fits and (values == np.rint(values)).all() else values
