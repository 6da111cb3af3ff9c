"""Points marked by hand: landmarks.csv and the images it speaks of.

The table has one row an image: `file` (relative to the table), `split` (train, fit or test),
perhaps `group`, then `<name>_x` and `<name>_y` for each point, in pixels with (0, 0) at the centre
of the top left pixel. Empty cells are points that are not marked.
"""

import csv
import io
import math
import os
import zipfile
from pathlib import Path, PurePosixPath

import numpy as np

from swapmark.data.archives import DAMAGED
from swapmark.data.items import Item
from swapmark.data.sources import list_images
from swapmark.errors import InputError
from swapmark.types import Annotations

TABLE = "landmarks.csv"
SPLITS = ("train", "fit", "test")
MAX_TABLE_BYTES = 256 * 2**20
EXPECTED = (
    "Expected a comma-separated table with the columns file, split (train, fit or test), perhaps "
    "group, and <name>_x, <name>_y for each point."
)


def read_annotations(source: str | os.PathLike) -> Annotations:
    """Read landmarks.csv from a zip, a folder, or by its own path.

    Raises InputError, with the line, for anything that is not as described above: unknown splits,
    half-marked points, cells that are not numbers, files named twice. Groups may straddle splits.

    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     _ = Path(folder, "landmarks.csv").write_text("file,split,a_x,a_y\\na.png,fit,1,2\\n")
    ...     annotations = read_annotations(folder)
    >>> annotations.names, annotations.files, annotations.xy.tolist()
    (('a',), ('a.png',), [[[1.0, 2.0]]])
    """
    where, text, _ = _locate(Path(source).expanduser())
    try:
        lines = list(csv.reader(io.StringIO(text, newline=""), strict=True))
    except csv.Error as error:
        raise InputError(f"{where} is not a readable table ({error}). {EXPECTED}") from error
    header = [name.strip() for name in lines[0]] if lines else []
    names = _point_names(where, header)
    rows = []
    for number, cells in enumerate(lines[1:], start=2):
        if not any(cell.strip() for cell in cells):
            continue
        if len(cells) != len(header):
            raise InputError(
                f"{where}, row {number}: {len(cells)} cells, but the header has {len(header)} "
                "columns. Give every row one cell a column, empty where a point is not marked."
            )
        rows.append((number, dict(zip(header, (cell.strip() for cell in cells), strict=True))))
    if not rows:
        raise InputError(f"{where} has a header but no rows. {EXPECTED}")
    _check_rows(where, rows)
    points = [[_point(where, number, row, name) for name in names] for number, row in rows]
    return Annotations(
        names=names,
        files=tuple(_plain_name(row["file"]) for _, row in rows),
        splits=tuple(row["split"] for _, row in rows),
        groups=tuple(row.get("group", "") for _, row in rows),
        xy=np.array(points, dtype=np.float64).reshape(len(rows), len(names), 2),
    )


def annotated_items(source: str | os.PathLike, annotations: Annotations) -> list[Item]:
    """List the images of the annotations, in their order, under their names.

    `source` is what `read_annotations` was given. Raises InputError for images that are not there.

    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     _ = Path(folder, "landmarks.csv").write_text("file,split,a_x,a_y\\nb.png,fit,1,2\\n")
    ...     _ = Path(folder, "b.png").write_bytes(b"content")
    ...     [item.name for item in annotated_items(folder, read_annotations(folder))]
    ['b.png']
    """
    path = Path(source).expanduser()
    where, _, base = _locate(path)
    found = {
        item.name: item
        for item in list_images(path.parent if path.suffix.lower() == ".csv" else path)
    }
    wanted = [(base / file).as_posix() for file in annotations.files]
    missing = [name for name in wanted if name not in found]
    if missing:
        raise InputError(
            f"{len(missing)} of the {len(wanted)} images named in {where} are not there: "
            f"{', '.join(missing[:5])}{' …' if len(missing) > 5 else ''}. Names are relative to "
            "the table; correct the column file, or put the images there."
        )
    return [
        Item(file, found[name].fingerprint, found[name].read)
        for file, name in zip(annotations.files, wanted, strict=True)
    ]


def _locate(path: Path) -> tuple[str, str, PurePosixPath]:
    """The table's place in words, its text, and the folder inside the source that it lies in."""
    if path.is_dir() or path.suffix.lower() == ".csv":
        table = path / TABLE if path.is_dir() else path
        if not table.is_file():
            raise InputError(
                f"There is no {table}. Give a folder or zip with images and {TABLE}, or the table."
            )
        _check_length(str(table), table.stat().st_size)
        return str(table), _text(str(table), table.read_bytes()), PurePosixPath()
    if not path.is_file():
        raise InputError(f"There is no {path}. Give a folder or zip with images and {TABLE}.")
    try:
        with zipfile.ZipFile(path) as archive:
            tables = [
                member
                for member in archive.infolist()
                if PurePosixPath(member.filename).name == TABLE
                and "__MACOSX" not in member.filename
            ]
            if len(tables) != 1:
                raise InputError(f"{path} holds {len(tables)} files called {TABLE}; expected one.")
            where = f"{path}/{tables[0].filename}"
            _check_length(where, tables[0].file_size)
            text = _text(where, archive.read(tables[0]))
    except (*DAMAGED, NotImplementedError, RuntimeError) as error:
        raise InputError(
            f"{path} cannot be read as a zip ({error}). Give a folder or zip with images and "
            f"{TABLE}, or the table itself."
        ) from error
    return where, text, PurePosixPath(tables[0].filename).parent


def _check_length(where: str, size: int) -> None:
    if size > MAX_TABLE_BYTES:
        raise InputError(
            f"{where} has {size / 2**20:,.0f} MiB; a table of at most "
            f"{MAX_TABLE_BYTES / 2**20:,.0f} MiB was expected. {EXPECTED}"
        )


def _text(where: str, content: bytes) -> str:
    try:
        return content.decode("utf-8-sig")  # spreadsheets put a mark in front
    except UnicodeDecodeError as error:
        raise InputError(f"{where} is not UTF-8 text ({error}). Save it as CSV UTF-8.") from error


def _point_names(where: str, header: list[str]) -> tuple[str, ...]:
    """The names of the points, in the order of their x columns."""
    missing = [name for name in ("file", "split") if name not in header]
    if missing:
        raise InputError(
            f"{where} has no column {' or '.join(missing)}; its columns are "
            f"{', '.join(header[:8]) or 'none'}. {EXPECTED}"
        )
    twice = sorted({name for name in header if header.count(name) > 1})
    points = [name for name in header if name not in ("file", "split", "group")]
    names = tuple(name[:-2] for name in points if name.endswith("_x"))
    expected = {f"{name}_{axis}" for name in names for axis in "xy"}
    odd = sorted(expected.symmetric_difference(points))
    if twice or odd or not names:
        problem = f"columns that are there twice: {', '.join(twice)}" if twice else "no point"
        if odd:
            problem = f"columns without partner or meaning: {', '.join(odd[:5])}"
        raise InputError(f"{where} has {problem}. {EXPECTED}")
    return names


def _check_rows(where: str, rows: list[tuple[int, dict[str, str]]]) -> None:
    """Raise InputError for an unknown split, or a file that is not named or named twice."""
    row_of_file: dict[str, int] = {}
    for number, row in rows:
        file, split = _plain_name(row["file"]), row["split"]
        if split not in SPLITS:
            raise InputError(
                f"{where}, row {number}: split is {split!r}; expected {', '.join(SPLITS)}."
            )
        if not row["file"]:
            raise InputError(f"{where}, row {number}: file is empty; expected an image's name.")
        if file in row_of_file:
            raise InputError(
                f"{where}, row {number}: {file} is in row {row_of_file[file]} already. Keep one."
            )
        row_of_file[file] = number


def _point(where: str, number: int, row: dict[str, str], name: str) -> tuple[float, float]:
    """One point of a row in pixels; NaN, NaN where its cells are empty."""
    x, y = (_number(where, number, row, f"{name}_{axis}") for axis in "xy")
    if math.isnan(x) != math.isnan(y):
        raise InputError(
            f"{where}, row {number}: only one of {name}_x, {name}_y is given; fill both or none."
        )
    return x, y


def _number(where: str, number: int, row: dict[str, str], column: str) -> float:
    try:
        value = float(row[column] or "nan")
    except ValueError:
        value = math.inf
    if math.isinf(value):
        raise InputError(
            f"{where}, row {number}: {column} is {row[column]!r}; expected a number of pixels, or "
            "nothing where the point is not marked."
        )
    return value


def _plain_name(file: str) -> str:
    """The name with forward slashes and without ./ in front."""
    return PurePosixPath(file.replace("\\", "/")).as_posix()
