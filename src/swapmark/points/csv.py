"""The wide table, a row an image: its columns, and how they become Points; and CSV, its text.

`file`, perhaps `frame`, `time`, `split`, `group`, `width`, `height`, `scale`, `unlike` and
`fingerprint`, then `<name>_x`, `<name>_y` and perhaps `<name>_confidence` for each point, in pixels
with (0, 0) at the centre of the top left pixel. `Points.columns` and `Points.rows` are the way
back. Programs that number their points label them x1, x_1 or x01, in any order. Further columns, of
species or dates say, are left out with a warning, unless they look like one of these misspelt.
"""

import re
import warnings
from collections import Counter
from collections.abc import Iterable
from dataclasses import replace
from difflib import get_close_matches
from itertools import chain
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np

from swapmark.data.items import IMAGE_SUFFIXES
from swapmark.errors import InputError, LeftOutWarning
from swapmark.files import write_rows
from swapmark.points.checks import check_points, corner_as_missing, plain_name
from swapmark.points.imagej import a_row_an_image, is_of_imagej
from swapmark.points.table import Points
from swapmark.points.text import Table, number, read_table, thousands

TEXT_COLUMNS = ("file", "split", "group", "fingerprint")
FILE_TOO = ("image", "filename", "img")
"""What other programs call the column file, in capitals or not."""
NUMBERED = re.compile(r"(?i:([xy])_?(\d+))")
"""How programs that number their points label the parts of one."""
NUMBER_COLUMNS = ("frame", "time", "width", "height", "scale", "unlike")
PARTS = (
    re.compile(r"(?i:(?P<of>.*[\W_]|)(?P<part>[xyz])(?P<number>\d*))"),  # tail_X, x1
    re.compile(r"(?P<of>.*[a-z\d])(?P<part>[XYZ])(?P<number>\d*)"),  # tailX
    re.compile(r"(?i:(?P<part>[xyz])[\W_]+(?P<of>[^\W_].*))"),  # x_0, x_tail
    re.compile(r"(?i:(?P<of>.*)[\W_](?P<part>confidence|likelihood|scores?))"),
)
"""How programs name the parts of a point."""
EXPECTED = "Expected the column file, and <name>_x and <name>_y for each point."
OTHERS = (
    "Also read are TPS, DeepLabCut's CSV, COCO keypoints, Parquet and ImageJ's results. MorphoJ's "
    "own text is neither read nor written: MorphoJ opens TPS."
)


def read_csv(path: Path, images=None, group: str = "group") -> Points:
    """Read a wide table; `images` is not needed. Raises InputError with the line."""
    return points_of_table(read_table(str(path), path.read_bytes()), group)


def write_csv(points: Points, path: Path) -> tuple[str, ...]:
    """Write a wide table: numbers read back exactly, unknown ones are empty cells."""
    write_cells(chain([points.columns], points.rows()), path)
    return ()


def write_cells(rows: Iterable[list], path: Path) -> None:
    """Write rows of cells as CSV, NaN as an empty one."""
    write_rows(path, (["" if cell != cell else cell for cell in row] for row in rows))


def points_of_table(table: Table, group: str = "group") -> Points:
    """The points of a wide table, the column `group` of which holds their groups.

    Raises InputError, with the place, for what is not as above.
    """
    if table.rows and is_of_imagej(table.rows[0][1]):
        table = a_row_an_image(table)
    where, header = table.where, _with_points(table, _with_file(table)) if table.rows else []
    if group not in ("group", *header):
        raise InputError(
            f"{where} has no column {group!r} for the groups. Found {', '.join(header[:8])[:200]}. "
            "Name the column as it stands there."
        )
    names, further = _sort_out(where, header, group)
    if len(table.rows) < 2:
        raise InputError(f"{where} has a header but no rows. {EXPECTED}")
    places, rows = zip(*table.rows[1:], strict=True)
    columns = dict(zip(header, zip(*rows, strict=True), strict=True))

    def numbers(*wanted: str) -> np.ndarray | None:
        """(N, wanted), NaN where nothing is known; None if there is no such column."""
        if columns.keys().isdisjoint(wanted):
            return None
        cells = (cell for column in wanted for cell in columns.get(column, ()))
        if table.decimal_comma and (cell := thousands(cells)):
            raise InputError(
                f"{where}: {cell} beside numbers without a comma may be {cell.replace(',', '.')} "
                "or have a comma for thousands. Write numbers without signs of thousands."
            )
        values = np.full((len(rows), len(wanted)), np.nan)
        for place, column in enumerate(wanted):
            for row, cell in enumerate(columns.get(column, ())):
                try:
                    values[row, place] = number(cell, decimal_comma=table.decimal_comma)
                except ValueError as error:
                    raise InputError(
                        f"{where}, {places[row]}: {column} is {cell!r}; expected a number, "
                        "without signs of thousands, or nothing where it is not known."
                    ) from error
        return values

    xy = numbers(*(f"{name}_{axis}" for name in names for axis in "xy"))
    assert xy is not None  # there is a point
    single: dict[str, Any] = {name: numbers(name) for name in ("scale", "frame", "time", "unlike")}
    points = Points(
        names,
        tuple(map(plain_name, columns["file"])),
        corner_as_missing(xy.reshape(len(rows), len(names), 2), where),
        confidence=numbers(*(f"{name}_confidence" for name in names)),
        sizes=numbers("width", "height"),
        split=columns.get("split"),
        group=columns.get(group),
        fingerprint=columns.get("fingerprint"),
        **{name: values[:, 0] for name, values in single.items() if values is not None},
    )
    check_points(points, where, places)
    if further:
        left_out = f"{where}: left out what is no point: {', '.join(further)}."
        warnings.warn(left_out, LeftOutWarning, stacklevel=2)
    return points if points.frame is None else replace(points, frame=points.frame.astype(np.int64))


def _with_file(table: Table) -> list[str]:
    """The header with the column `file` under that name.

    It may have another usual one, or be the only one in which all cells end as pictures do.
    """
    header = table.rows[0][1]
    if "file" in header:
        return header
    other = [place for place, name in enumerate(header) if name.lower() in FILE_TOO]
    if not other:
        columns = enumerate(zip(*(row for _, row in table.rows[1:]), strict=True))
        other = [place for place, cells in columns if all(map(_is_picture, cells))]
        if len(other) == 1 and len(table.rows) > 1 and (name := header[other[0]]):
            told = f"{table.where}: no column file; the pictures are taken from {name!r}."
            warnings.warn(told, LeftOutWarning, stacklevel=4)
    if len(other) != 1:
        return header
    return [*header[: other[0]], "file", *header[other[0] + 1 :]]


def _is_picture(cell: str) -> bool:
    return PurePosixPath(cell).suffix.lower() in IMAGE_SUFFIXES


def _with_points(table: Table, header: list[str]) -> list[str]:
    """The header with x_1 as 1_x, if all points are labelled so, x and y of each number."""
    found = {name: match for name in header if (match := NUMBERED.fullmatch(name))}
    parts = Counter((match[2], match[1].lower()) for match in found.values())
    pairs = Counter((number, axis) for number in {number for number, _ in parts} for axis in "xy")
    named = any(name.endswith("_x") for name in header)  # beside these, x1 … y2 may be a box
    if "file" not in header or named or parts != pairs:
        return header
    if {number for number, _ in parts} == {"1", "2"}:
        told = f"{table.where}: x1, y1, x2, y2 are read as two points; a box has none."
        warnings.warn(told, LeftOutWarning, stacklevel=4)
    labels = {name: f"{match[2]}_{match[1].lower()}" for name, match in found.items()}
    return [labels.get(name, name) for name in header]


def _sort_out(
    where: str, header: list[str], group: str = "group"
) -> tuple[tuple[str, ...], list[str]]:
    """The names of the points in the order of their x columns, and the columns of no meaning."""
    names = tuple(name[:-2] for name in header if name.endswith("_x") and len(name) > 2)
    known = {*TEXT_COLUMNS, group, *NUMBER_COLUMNS, *(f"{name}_confidence" for name in names)}
    needed = {f"{name}_{axis}" for name in names for axis in "xy"}
    further = [name for name in header if name not in known and name not in needed]
    third, like = _parts_of_points(header)
    if third:
        raise InputError(
            f"{where} has points in three dimensions: {', '.join(third[:5])}. swapmark has points "
            "in pictures; delete these columns if x and y are pixels."
        )
    odd = {
        *(f"column {place} without a name" for place, name in enumerate(header, 1) if not name),
        *(f"{name} twice" for name, count in Counter(header).items() if count > 1),
        *(f"no {name}" for name in needed - set(header)),
        *(name for name in further if name in like or _is_misspelt(name)),
    }
    problems = ["no column file"] if "file" not in header else []
    if odd:
        problems.append(f"columns without partner or meaning: {', '.join(sorted(odd)[:5])}")
    elif not names:
        problems.append("no point: names, sizes and other measures are no coordinates")
    if problems:
        found = ", ".join(header[:8])[:200] or "none"
        raise InputError(
            f"{where} has {', and '.join(problems)}. Found {found}. {EXPECTED} Name each column "
            f"once, and rename (x_tail to tail_x, say) or delete the others. {OTHERS}"
        )
    return names, further


def _parts_of_points(header: list[str]) -> tuple[list[str], set[str]]:
    """Columns of a third dimension, and those that look like a part of a point, such as tail_X.

    A word after the letter, as in z-score, makes none unless another column is of the same point.
    """
    parts = {}
    for name in header:
        match = next(filter(None, (pattern.fullmatch(name) for pattern in PARTS)), None)
        if match:
            found = {"number": "", **match.groupdict()}
            of = found["of"].strip(" _-.()[]").lower() + found["number"]
            parts[name] = of, found["part"].lower(), match.re
    known = {(of, part) for of, part, _ in parts.values()}
    counts = Counter(of for of, _ in known)
    like, third = set(), []
    for name, (of, part, pattern) in parts.items():
        first_or_score = pattern in PARTS[2:]
        if first_or_score and not of.isdecimal() and counts[of] < 2:
            continue
        like.add(name)
        if part == "z" and (of.isdecimal() or not of or {(of, "x"), (of, "y")} <= known):
            third.append(name)
    return third, like


def _is_misspelt(name: str) -> bool:
    low = name.lower()
    return low in NUMBER_COLUMNS or bool(get_close_matches(low, TEXT_COLUMNS, cutoff=0.8))
