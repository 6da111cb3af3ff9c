"""The wide table, a row an image: its columns, and how they become Points; and CSV, its text.

`file`, perhaps `frame`, `time`, `split`, `group`, `width`, `height` and `scale`, then `<name>_x`,
`<name>_y` and perhaps `<name>_confidence` for each point, in pixels with (0, 0) at the centre of
the top left pixel. `Points.columns` and `Points.rows` are the way back. Further columns, of species
or dates say, are left out with a warning, unless they look like one of these misspelt.
"""

import re
import warnings
from collections import Counter
from collections.abc import Sequence
from difflib import get_close_matches
from pathlib import Path

import numpy as np

from swapmark.errors import InputError, LeftOutWarning
from swapmark.files import write_rows
from swapmark.points.checks import check_points, plain_name, whole
from swapmark.points.table import Points
from swapmark.points.text import TextTable, read_text_table

TEXT_COLUMNS = ("file", "split", "group")
NUMBER_COLUMNS = ("frame", "time", "width", "height", "scale")
LIKE_A_POINT = re.compile(r"(?i:(.*[\W_])?[xyz]\d*|.*[\W_](confidence|likelihood))|.*[a-z][XYZ]\d*")
"""Further columns that are refused, as their points would vanish: tail_X, tail.x, tailX, x1."""
EXPECTED = (
    "Expected a table with the column file, perhaps frame, time, split (train, fit or test), "
    "group, width, height and scale, and <name>_x, <name>_y, perhaps <name>_confidence, for each "
    "point."
)


def read_csv(path: Path, images=None) -> Points:
    """Read a wide table; `images` is not needed. Raises InputError with the line."""
    return points_of_text(read_text_table(str(path), path.read_bytes()))


def write_csv(points: Points, path: Path) -> tuple[str, ...]:
    """Write a wide table: numbers read back exactly, unknown ones are empty cells."""
    write_cells([points.columns, *points.rows()], path)
    return ()


def write_cells(rows: list[list], path: Path) -> None:
    """Write rows of cells as CSV, NaN as an empty one."""
    write_rows(path, (["" if cell != cell else cell for cell in row] for row in rows))


def points_of_text(table: TextTable) -> Points:
    """The points of a text table; raises InputError, with the line, for what is not as above."""
    header = table.lines[0][1] if table.lines else []
    of_text = {*TEXT_COLUMNS, *sort_out(table.where, header)[1]}
    others = [place for place, column in enumerate(header) if column not in of_text]
    names = [header[place] for place in others]
    rows = table.lines[1:]
    numbers = [table.numbers(line, names, [cells[i] for i in others]) for line, cells in rows]
    values = iter(np.array(numbers, dtype=np.float64).reshape(len(rows), len(names)).T)
    columns = [
        (name, [cells[place] for _, cells in rows] if name in of_text else next(values))
        for place, name in enumerate(header)
    ]
    return points_of_columns(table.where, columns, [f"line {line}" for line, _ in rows])


def points_of_columns(
    where: str, named: Sequence[tuple[str, Sequence[str] | np.ndarray]], places: Sequence[str]
) -> Points:
    """The points of named columns: texts or float arrays (N,), NaN where nothing is known.

    `places` names the N rows in messages, as in "line 7". Warns of columns that are left out.
    """
    names, further = sort_out(where, [name for name, _ in named])
    columns = dict(named)
    if not places:
        raise InputError(f"{where} has a header but no rows. {EXPECTED}")
    unknown = np.full(len(places), np.nan)
    xy = [[columns[f"{name}_{axis}"] for axis in "xy"] for name in names]
    confidence = [columns.get(f"{name}_confidence", unknown) for name in names]
    has_confidence = any(f"{name}_confidence" in columns for name in names)
    sizes = np.stack([columns.get(side, unknown) for side in ("width", "height")], axis=-1)
    points = Points(
        names,
        tuple(plain_name(file) for file in columns["file"]),
        np.moveaxis(np.array(xy, dtype=np.float64), -1, 0),
        confidence=np.stack(confidence, axis=-1) if has_confidence else None,
        sizes=whole(sizes) if {"width", "height"} & set(columns) else None,
        split=tuple(columns["split"]) if "split" in columns else None,
        group=tuple(columns["group"]) if "group" in columns else None,
        scale=columns.get("scale"),  # pyright: ignore[reportArgumentType]
        frame=whole(columns["frame"]) if "frame" in columns else None,
        time=columns.get("time"),  # pyright: ignore[reportArgumentType]
    )
    check_points(points, where, places)
    if further:
        left_out = f"{where}: left out what is no point: {', '.join(further)}."
        warnings.warn(left_out, LeftOutWarning, stacklevel=2)
    return points


def sort_out(where: str, header: list[str]) -> tuple[tuple[str, ...], list[str]]:
    """The names of the points in the order of their x columns, and the columns of no meaning."""
    if "file" not in header:
        found = ", ".join(header[:8]) or "none"
        raise InputError(f"{where} has no column file; its columns are {found}. {EXPECTED}")
    if "" in header:
        raise InputError(
            f"{where}: column {header.index('') + 1} has no name. Name or delete it (it may be the "
            "index of a dataframe)."
        )
    names = tuple(name[:-2] for name in header if name.endswith("_x") and len(name) > 2)
    known = {*TEXT_COLUMNS, *NUMBER_COLUMNS, *(f"{name}_confidence" for name in names)}
    needed = {f"{name}_{axis}" for name in names for axis in "xy"}
    further = [name for name in header if name not in known and name not in needed]
    misspelt = {
        name
        for name in further
        if LIKE_A_POINT.fullmatch(name)
        or name.lower() in NUMBER_COLUMNS
        or get_close_matches(name.lower(), TEXT_COLUMNS, cutoff=0.8)
    }
    if odd := sorted((needed - set(header)) | misspelt):
        raise InputError(
            f"{where} has columns without partner or meaning: {', '.join(odd[:5])}. Give each "
            f"point both columns, and rename or delete what belongs to none. {EXPECTED}"
        )
    if twice := sorted(name for name, count in Counter(header).items() if count > 1):
        raise InputError(f"{where} has columns that are there twice: {', '.join(twice)}.")
    if not names:
        raise InputError(f"{where} has no point. {EXPECTED}")
    return names, further
