"""Annotated images: points marked by hand, and the images that they belong to."""

import os
import zipfile
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from swapmark.data.archives import read_member
from swapmark.data.items import Item, is_hidden, problem_item, too_large
from swapmark.data.sources import Source, list_images
from swapmark.errors import InputError, one_line
from swapmark.points.csv import points_of_table
from swapmark.points.formats import FORMATS, format_to_read, read_points
from swapmark.points.rows import match_files
from swapmark.points.table import Points
from swapmark.points.text import read_table

TABLES = ("marks.csv", "landmarks.csv")
"""Names of the table in a folder or zip, the newest first."""


@dataclass(frozen=True)
class Annotated:
    """Images with points marked by hand."""

    points: Points
    """N rows; `split` is None where the table has none."""
    items: list[Item]
    """N images in the same order, under the names of the table."""
    notes: tuple[str, ...]
    """How images were found where their names differ from those in the table."""


def read_annotated(source: str | os.PathLike, images: Source | None = None) -> Annotated:
    """Read points marked by hand, and list their images.

    `source` is a zip or folder with images and marks.csv (or landmarks.csv), or a file of points in
    any format that `read_points` knows, with its images beside it; with `images`, a folder or
    archive, the pictures are looked for there. An image that is not there becomes an item that says
    so when it is read, and so ends among the skipped ones; for TPS, which needs the heights, it is
    an error. Raises InputError if nothing can be read, or no image at all is there.

    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     _ = Path(folder, "marks.csv").write_text("file,tip_x,tip_y\\na.png,1,2\\n")
    ...     _ = Path(folder, "a.png").write_bytes(b"content")
    ...     annotated = read_annotated(folder)
    >>> annotated.points, [item.name for item in annotated.items]
    (<Points: 1 image, 1 point each>, ['a.png'])
    """
    path = Path(source).expanduser()
    pictures, inside = path, PurePosixPath()
    if path.is_dir():
        points = read_points(_table_in(path), "csv")
    elif path.suffix.lower() == ".zip":
        points, inside = _read_zip(path)
    else:
        # Only TPS needs the images to be read: it counts from their bottom.
        heights = images if format_to_read(path) == "tps" else None
        pictures, points = path.parent, read_points(path, images=heights)
    if points.frame is not None:
        raise InputError(
            f"The points in {source} belong to frames of a video ({points.files[0]}). Save the "
            "marked frames as images, and name these in the table."
        )
    if images is not None:
        pictures, inside = images, PurePosixPath()
    there = list_images(pictures)
    wanted = [(inside / file).as_posix() for file in points.files]
    rows, notes = match_files(wanted, [item.name for item in there])
    if (rows < 0).all():
        raise InputError(
            f"None of the {len(points)} images named in {source} is in {pictures}: the first is "
            f"called {points.files[0]!r}, and the first image there {there[0].name!r}. Give their "
            "folder or archive with --images (images= in Python), or put them beside the table."
        )
    items = [
        problem_item(file, f"there is no such image in {pictures}")
        if row < 0
        else Item(file, there[row].fingerprint, there[row].read)
        for file, row in zip(points.files, rows, strict=True)
    ]
    return Annotated(points, items, notes)


def _table_in(folder: Path) -> Path:
    for name in TABLES:
        if (folder / name).is_file():
            return folder / name
    endings = {ending for known in FORMATS.values() for ending in known.endings}
    others = sorted(path.name for path in folder.iterdir() if path.suffix.lower() in endings)
    raise InputError(
        f"There is no {folder / TABLES[0]}. Put the marked points there under that name, or give "
        f"their file itself: in {folder} there is {', '.join(others[:5]) or 'none'}."
    )


def _read_zip(path: Path) -> tuple[Points, PurePosixPath]:
    """The points in a zip, and the folder inside it that the names of images start from."""
    expected = f"Expected a folder or zip with images and {' or '.join(TABLES)}."
    if not path.is_file():
        raise InputError(f"There is no {path}. {expected}")
    try:
        with zipfile.ZipFile(path) as archive:
            files = [file for file in archive.infolist() if not is_hidden(file.filename)]
            named = ([f for f in files if PurePosixPath(f.filename).name == t] for t in TABLES)
            tables = next(filter(None, named), [])
            if len(tables) != 1 or too_large(tables[0].file_size):
                raise InputError(f"{path} holds {len(tables)} tables, or a huge one. {expected}")
            content = read_member(archive, tables[0])
    except InputError:
        raise
    except Exception as error:  # of hostile bytes zipfile raises anything
        told = f"{path} cannot be read as a zip ({one_line(error)}). {expected}"
        raise InputError(told) from error
    table = PurePosixPath(tables[0].filename)
    return points_of_table(read_table(f"{path}/{table}", content)), table.parent
