"""The formats of point files by name: how a file's format is found out, read, and turned."""

import importlib.util
import os
import re
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from swapmark.data.folders import folder_at
from swapmark.data.items import too_large
from swapmark.data.sources import Source
from swapmark.errors import InputError
from swapmark.files import local_path, refuse_existing, safe_cell
from swapmark.points.checks import check_points, check_sizes, check_unit
from swapmark.points.coco import read_coco, write_coco
from swapmark.points.csv import EXPECTED, OTHERS, read_csv, write_csv
from swapmark.points.deeplabcut import read_deeplabcut, write_deeplabcut
from swapmark.points.parquet import NEEDED, read_parquet, write_parquet
from swapmark.points.parts import is_parts, read_parts
from swapmark.points.rows import image_sizes
from swapmark.points.table import Points, default_names
from swapmark.points.tps import read_tps, write_tps

LOST = {
    "names": "the names of the points (they become landmark_1 and so on)",
    "confidence": "the confidence of the points",
    "sizes": "width and height of the images",
    "split": "the splits",
    "group": "the groups",
    "scale": "the scale",
    "frame": "the frame numbers",
    "time": "the times",
    "unlike": "how unlike the training pictures they are",
    "fingerprint": "what found the points",
}
"""What is said of fields of Points that a format does not hold."""


class Format(NamedTuple):
    """How a format is read and written, the endings of its files, and what it holds."""

    read: Callable[..., Points]
    """Takes the file and, for formats that need them, the folder or archive of the images."""
    write: Callable[[Points, Path], tuple[str, ...]]
    """Returns, in words, what this file does not hold, though the format holds its kind."""
    endings: tuple[str, ...]
    holds: tuple[str, ...] = tuple(LOST)
    """Fields of Points that are kept besides files and xy."""


READ_AS_CSV = (".csv", ".tsv", ".txt")
FORMATS = {
    "csv": Format(read_csv, write_csv, READ_AS_CSV),
    "tps": Format(read_tps, write_tps, (".tps",), ("sizes", "scale", "frame")),
    "dlc": Format(read_deeplabcut, write_deeplabcut, (".csv",), ("names", "confidence", "frame")),
    "coco": Format(read_coco, write_coco, (".json",)),
    "parquet": Format(read_parquet, write_parquet, (".parquet", ".pq")),
}
OF_ENDING = {".tps": "tps", ".json": "coco", ".parquet": "parquet", ".pq": "parquet"}
"""Endings that tell the format alone."""
DECIMALS = {"xy": 3, "confidence": 3, "time": 6, "unlike": 2}
"""Of what a model found, in a CSV."""


def read_points(
    path: str | os.PathLike,
    format: str | None = None,
    images: Source | None = None,
    *,
    group: str | None = None,
) -> Points:
    """Read named points from a file: csv, tps, dlc (DeepLabCut), coco or parquet; or from parts.

    The format is guessed from the ending and the content unless it is given. `images` is the
    folder, zip or tar of the images: TPS needs their heights (by default they lie beside the file);
    for other formats their sizes are added, and compared with those in the file. `group` is the
    column of a CSV or Parquet file that holds the groups, if another than `group`. Warns
    (LeftOutWarning) of what a file holds but Points do not. Raises InputError, with file and line,
    for what cannot be read.

    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     _ = Path(folder, "a.csv").write_text("file,nose_x,nose_y\\n1.png,2,3\\n")
    ...     read_points(Path(folder, "a.csv")).xy.tolist()
    [[[2.0, 3.0]]]
    """
    if is_parts(folder := folder_at(path)):
        return read_parts(folder, partial(read_points, images=images, group=group))
    path = local_path(path)
    name = format_to_read(path, format)
    if group and name not in ("csv", "parquet"):
        raise InputError(
            f"{path} is of the format {name}, which has no column {group!r}. Turn it into CSV "
            f"(swapmark convert), and add the column there."
        )
    column = {"group": group} if group else {}
    try:
        points = FORMATS[name].read(path, images, **column)
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror or error}.") from error
    if images is not None and name != "tps" and (points.frame is None or points.sizes is None):
        sizes = image_sizes(points.files, images)
        check_sizes(points, sizes)
        points = replace(points, sizes=sizes)
    return points


def write_points(
    points: Points,
    path: str | os.PathLike,
    format: str | None = None,
    *,
    overwrite: bool = False,
    exact: bool = False,
    safe: bool = False,
) -> tuple[str, ...]:
    """Write points, and return in words what the format cannot hold.

    The format follows from the ending unless it is given: .csv, .tps, .json (coco), .parquet; dlc
    must be named. Numbers read back exactly, but in a CSV of points with confidences, as a model
    found them: these get three decimals unless they shall be `exact`. With `safe`, names in a CSV
    that a spreadsheet would take for formulas get an apostrophe in front. Raises InputError if the
    file exists and `overwrite` is not set or if the format cannot hold the points, and OutputError
    if it cannot be written.
    """
    path = local_path(path)
    name = format_to_write(path, format)
    refuse_existing(path, overwrite=overwrite)
    check_points(points, "The table")
    gone = [field for field in LOST if field not in FORMATS[name].holds]
    if points.names == default_names(len(points.names)):
        gone = [field for field in gone if field != "names"]
    lost = [LOST[field] for field in gone if getattr(points, field) is not None]
    # Names of files need not be valid text on every system.
    files = (file.encode("utf-8", "backslashreplace").decode() for file in points.files)
    changed: dict[str, Any] = {"files": tuple(files)}
    if safe and path.suffix.lower() not in FORMATS["csv"].endings:
        raise InputError(f"{path.name} is no CSV, for which `safe` (--safe) is. Leave it out.")
    if safe:
        texts = {"names": points.names, "files": changed["files"], "group": points.group}
        changed |= {name: tuple(map(safe_cell, text)) for name, text in texts.items() if text}
    if name == "csv" and points.confidence is not None and not exact:
        for field, decimals in DECIMALS.items():
            if (values := getattr(points, field)) is not None:
                changed[field] = np.round(values.astype(float), decimals)
    return (*lost, *FORMATS[name].write(replace(points, **changed), path))


class Converted(NamedTuple):
    """What was converted, and what was not."""

    table: Points
    """The points as they were read."""
    lost: tuple[str, ...]
    """What the new file does not hold, in words; what reading left out is a LeftOutWarning."""


def convert(
    source: str | os.PathLike,
    target: str | os.PathLike,
    *,
    read_as: str | None = None,
    write_as: str | None = None,
    images: Source | None = None,
    overwrite: bool = False,
    safe: bool = False,
) -> Converted:
    """Read points from a file and write them into one of another format, all digits kept.

    `read_as` and `write_as` name the formats where the files do not tell; `images` is the folder,
    zip or tar of the images, which TPS needs, by default the folder of `source`. Raises as
    `read_points` and `write_points` do, and InputError for marks that cannot be pixels.

    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     source = Path(folder, "a.csv")
    ...     _ = source.write_text("file,group,nose_x,nose_y\\n1.png,p,2,3\\n")
    ...     convert(source, Path(folder, "b.csv"), write_as="dlc").lost
    ('the groups',)
    """
    target = local_path(target)
    name = format_to_write(target, write_as)
    refuse_existing(target, overwrite=overwrite)
    points = read_points(source, read_as, images)
    if name == "tps" and points.sizes is None:
        beside = local_path(source).parent
        points = replace(points, sizes=image_sizes(points.files, None, beside=beside))
    check_unit(points, points.sizes)
    lost = write_points(points, target, name, overwrite=overwrite, exact=True, safe=safe)
    return Converted(points, lost)


def format_to_write(path: Path, format: str | None = None) -> str:
    """The format by its name or the ending of the file; raises InputError before any work is done.

    An ending that belongs to other formats is refused, as people and programs go by it.
    """
    ending = path.suffix.lower()
    name = _known(format) if format else {".csv": "csv", **OF_ENDING}.get(ending)
    if name is None:
        raise InputError(
            f"The ending of {path.name} stands for no format; expected .csv, "
            f"{', '.join(OF_ENDING)}. Or name the format, one of {', '.join(FORMATS)}."
        )
    others = [other for other, known in FORMATS.items() if ending in known.endings]
    if others and name not in others:
        raise InputError(
            f"{path.name} has the ending of {' or '.join(others)}; expected the format "
            f"{others[0]}, or a name such as {path.with_suffix(FORMATS[name].endings[0])}."
        )
    if name == "parquet" and importlib.util.find_spec("pyarrow") is None:
        raise InputError(NEEDED)
    return name


def format_to_read(path: Path, format: str | None = None) -> str:
    """The format by its name, or by the content and the ending of the file.

    Raises InputError for a file that is not there or whose format is not known.
    """
    if not path.is_file():
        raise InputError(f"There is no file {path}. Name a file with points.")
    if problem := too_large(path.stat().st_size):
        raise InputError(f"{path}: {problem}. Split it.")
    if format:
        return _known(format)
    with path.open("rb") as file:
        start = file.read(2**20)  # a header of thousands of points
    if not start.strip():
        raise InputError(f"{path} is empty; expected points.")
    cells, ending = _first_cells(start), path.suffix.lower()
    first = cells[0].replace(" ", "")
    if start.startswith(b"PAR1"):
        return "parquet"
    if first == "scorer":
        return "dlc"
    if first.startswith(("{", "lm=")):
        return "coco" if first[0] == "{" else "tps"
    if "file" not in cells and ending in OF_ENDING:
        return OF_ENDING[ending]
    if "file" in cells or ending in READ_AS_CSV or {"label", "x", "y"} <= set(cells):
        return "csv"  # whose reader says what is wrong with the columns
    raise InputError(
        f"The format of {path} is not known: its first line holds {str(cells[:8])[:200]}. "
        f"{EXPECTED} {OTHERS}"
    )


def _first_cells(start: bytes) -> list[str]:
    """The cells of the first line in lower case, whatever separates them."""
    utf16 = start.startswith((b"\xff\xfe", b"\xfe\xff"))
    text = start.decode("utf-16" if utf16 else "utf-8-sig", errors="replace")
    lines = (line for line in text.lower().splitlines() if line.strip(' ,;\t"'))
    first = next((line for line in lines if not line.strip('"').startswith("sep=")), "")
    return [cell.strip(' "') for cell in re.split("[,;\t]", first)]


def _known(name: str) -> str:
    if name.lower() not in FORMATS:
        raise InputError(f"Unknown format {name!r}; expected one of {', '.join(FORMATS)}.")
    return name.lower()
