"""The formats of point files by name, and how a file's format is found out."""

import importlib.util
import os
import shlex
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from swapmark.errors import InputError
from swapmark.files import refuse_existing
from swapmark.points.coco import read_coco, write_coco
from swapmark.points.deeplabcut import read_deeplabcut, write_deeplabcut
from swapmark.points.image_sizes import image_sizes
from swapmark.points.morphoj import has_own_labels, read_morphoj, write_morphoj
from swapmark.points.parquet import read_parquet, write_parquet
from swapmark.points.table_csv import read_csv, write_csv
from swapmark.points.text import MISSING, check_length
from swapmark.points.tps import read_tps, write_tps
from swapmark.points.wide import check_table
from swapmark.types import Landmarks, PointTable


class Format(NamedTuple):
    """How a format is read and written, and the endings of its files."""

    read: Callable[[Path, Path | None], PointTable]
    """Takes the file and, for formats that need them, the folder or archive of the images."""
    write: Callable[[PointTable, Path], tuple[str, ...]]
    """Returns, in words, what the format cannot hold."""
    endings: tuple[str, ...]


FORMATS = {
    "csv": Format(read_csv, write_csv, (".csv", ".tsv", ".txt")),
    "tps": Format(read_tps, write_tps, (".tps",)),
    "dlc": Format(read_deeplabcut, write_deeplabcut, (".csv",)),
    "coco": Format(read_coco, write_coco, (".json",)),
    "morphoj": Format(read_morphoj, write_morphoj, (".txt", ".csv")),
    "parquet": Format(read_parquet, write_parquet, (".parquet", ".pq")),
}
WRITTEN = {
    ".csv": "csv",
    ".tps": "tps",
    ".json": "coco",
    ".txt": "morphoj",
    ".parquet": "parquet",
    ".pq": "parquet",
}
"""The format that an ending stands for when a file is written."""
START = 2**20
"""Bytes from which a format is guessed: two lines of thousands of points."""


def read_points(
    path: str | os.PathLike, format: str | None = None, images: str | os.PathLike | None = None
) -> PointTable:
    """Read named points from a file: csv, tps, dlc (DeepLabCut), coco, morphoj or parquet.

    The format is guessed from the ending and the content unless it is given. `images` is the
    folder, zip or tar of the images: TPS needs their heights (by default they lie beside the file);
    for other formats their sizes are added where the file has none. Warns (LeftOutWarning) of what
    a file holds but a PointTable does not. Raises InputError, with file and line, for what cannot
    be read.

    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     _ = Path(folder, "a.csv").write_text("file,nose_x,nose_y\\n1.png,2,3\\n")
    ...     read_points(Path(folder, "a.csv")).xy.tolist()
    [[[2.0, 3.0]]]
    """
    path = Path(path).expanduser()
    name = format_to_read(path, format)
    where = None if images is None else Path(images).expanduser()
    try:
        table = FORMATS[name].read(path, where)
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror or error}.") from error
    if where is not None and table.sizes is None:
        table = replace(table, sizes=image_sizes(table.files, where))
    return table


def write_points(
    table: PointTable | Landmarks,
    path: str | os.PathLike,
    format: str | None = None,
    *,
    overwrite: bool = False,
) -> tuple[str, ...]:
    """Write points, or what `predict` found, and return in words what the format cannot hold.

    The format follows from the ending unless it is given: .csv, .tps, .json (coco), .txt (morphoj),
    .parquet; dlc must be named. Raises InputError if the file exists and `overwrite` is not set or
    if the format cannot hold the points, and OutputError if the file cannot be written.

    >>> import numpy as np
    >>> from tempfile import TemporaryDirectory
    >>> table = PointTable(("nose",), ("1.png",), np.zeros((1, 1, 2)), groups=("fly 1",))
    >>> with TemporaryDirectory() as folder:
    ...     write_points(table, Path(folder, "a.txt"), "morphoj")
    ('the groups',)
    """
    path = Path(path).expanduser()
    name = format_to_write(path, format)
    refuse_existing(path, overwrite=overwrite)
    points = table.table() if isinstance(table, Landmarks) else table
    check_table(points, "The table")
    return FORMATS[name].write(points, path)


def format_to_write(path: Path, format: str | None = None) -> str:
    """The format by its name or the ending of the file; raises InputError before any work is done.

    An ending that belongs to other formats is refused, as people and programs go by it.

    >>> format_to_write(Path("a.tps")), format_to_write(Path("a.csv"), "dlc")
    ('tps', 'dlc')
    """
    name = _known(format) if format else WRITTEN.get(path.suffix.lower())
    if name is None:
        raise InputError(
            f"The ending of {path.name} stands for no format; expected {', '.join(WRITTEN)}. "
            f"Choose another name, or name the format, one of {', '.join(FORMATS)}."
        )
    own, ending = FORMATS[name].endings, path.suffix.lower()
    others = [other for other, (_, _, endings) in FORMATS.items() if ending in endings]
    if others and name not in others:
        raise InputError(
            f"{path.name} has the ending of {' or '.join(others)}; a file of the format {name} "
            f"ends in {' or '.join(own)}. Name it {path.with_suffix(own[0])}, or choose the format "
            f"{others[0]}."
        )
    if name == "parquet" and importlib.util.find_spec("pyarrow") is None:
        raise InputError(
            "Parquet needs pyarrow, which is not installed: pip install 'swapmark[parquet]'"
        )
    return name


def format_to_read(path: Path, format: str | None = None) -> str:
    """The format by its name, or by the ending and the content of the file.

    Raises InputError for a file that is not there or whose format is not known.

    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     _ = Path(folder, "a.csv").write_text("scorer,s,s\\nbodyparts,a,a\\ncoords,x,y\\n")
    ...     format_to_read(Path(folder, "a.csv"))
    'dlc'
    """
    if not path.is_file():
        raise InputError(f"There is no file {path}. Name a file with points.")
    check_length(str(path), path.stat().st_size)
    if format:
        return _known(format)
    with path.open("rb") as file:
        start = file.read(START)
    ending = path.suffix.lower()
    fitting = [name for name, (_, _, endings) in FORMATS.items() if ending in endings]
    lines = _first_lines(start)
    name = fitting[0] if len(fitting) == 1 else _by_content(start, lines, ending)
    if not start.strip():
        raise InputError(f"{path} is empty; expected points.")
    if name is None:
        choices = ", ".join(fitting or FORMATS)
        raise InputError(
            f"The format of {path} is not known: {_what_is_missing(lines)} A DeepLabCut file "
            f"begins with scorer, MorphoJ's labels are ID, x1, y1, x2 … If it is one of {choices} "
            f"all the same, make it a table of swapmark first: swapmark convert "
            f"{shlex.quote(str(path))} marks.csv --from FORMAT (format= in Python)."
        )
    return name


def _first_lines(start: bytes) -> list[list[str]]:
    """The cells of the first two lines, whatever separates them; none of what is no text."""
    utf16 = start.startswith((b"\xff\xfe", b"\xfe\xff"))
    text = start.decode("utf-16" if utf16 else "utf-8-sig", errors="replace")
    if "\0" in text:
        return []
    lines = [
        line
        for line in text.splitlines()
        if line.strip() and not line.lower().strip('"').startswith("sep=")
    ]
    return [
        [cell.strip(' "') for cell in line.replace("\t", ",").replace(";", ",").split(",")]
        for line in lines[:2]
    ]


def _by_content(start: bytes, lines: list[list[str]], ending: str) -> str | None:
    """The format that the first bytes of a file, and the cells of its first lines, speak of."""
    if start.startswith(b"PAR1"):
        return "parquet"
    if not lines:
        return None
    cells = [[cell.lower() for cell in line] for line in lines]
    if cells[0][0] == "scorer":
        return "dlc"
    if "file" in cells[0]:
        return "csv"
    if cells[0][0].startswith("lm="):
        return "tps"
    if cells[0][0].startswith("{"):
        return "coco"
    # MorphoJ's lines are all alike: a name and numbers, perhaps labels above. In a .csv these must
    # be its own: tables of many programs (ImageJ's results, say) look the same but for them.
    name, *numbers = cells[-1]
    if not name or len(numbers) < 2 or not all(map(_is_number, numbers)):
        return None
    labelled = not all(map(_is_number, cells[0][1:]))
    return None if ending == ".csv" and labelled and not has_own_labels(cells[0]) else "morphoj"


def _what_is_missing(lines: list[list[str]]) -> str:
    """Why the first lines of a file are not those of a table of swapmark."""
    if not lines or len(lines[0]) < 2:
        return "neither its ending nor its first line tells. A CSV table has a column file."
    columns = ", ".join(cell or "(no name)" for cell in lines[0][:8])
    return (
        f"its first line is {columns}{', …' if len(lines[0]) > 8 else ''}: no column is called "
        "file. A table of swapmark has file, the name of the image, and NAME_x, NAME_y for each "
        "point."
    )


def _is_number(cell: str) -> bool:
    """Whether a cell holds a number, or what stands for a missing one."""
    if cell in MISSING:
        return True
    try:
        float(cell)
    except ValueError:
        return False
    return True


def _known(name: str) -> str:
    if name.lower() not in FORMATS:
        raise InputError(f"Unknown format {name!r}; expected one of {', '.join(FORMATS)}.")
    return name.lower()
