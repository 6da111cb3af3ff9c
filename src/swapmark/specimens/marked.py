"""The specimens that a user marked: their points, and the images that these belong to."""

import os
import shlex
import warnings
from collections import Counter
from pathlib import Path, PurePosixPath

from swapmark.data.items import Item, problem_item
from swapmark.data.sources import list_images
from swapmark.errors import InputError, counted
from swapmark.points.annotations import TABLE, read_annotations
from swapmark.points.formats import FORMATS, format_to_read, read_points
from swapmark.specimens.matching import match_names
from swapmark.types import Annotations, PointTable


def read_marked(
    annotated: str | os.PathLike, images: str | os.PathLike | None = None
) -> tuple[Annotations, list[Item]]:
    """The marked points of `annotated`, and an item for each of its images, in the same order.

    `annotated` is a zip or folder with images and landmarks.csv, or a file of points in any format
    that `swapmark.read_points` knows, with its images beside it; with `images`, a folder or
    archive, the pictures are looked for there by name. Without splits all images are `fit`. An
    image that is not there becomes an item that says so when it is read, and so ends among the
    skipped ones; for TPS, which needs the heights, it is an error.
    Raises InputError if nothing can be read, or no image at all is there.
    """
    path = Path(annotated).expanduser()
    if path.is_dir() and not (path / TABLE).is_file():
        _name_other_table(path)
    if _holds_images(path):
        annotations = read_annotations(path, default_split="fit")
    else:
        # Only TPS needs the images to be read: it counts from their bottom.
        heights = images if format_to_read(path) == "tps" else None
        annotations = table_annotations(read_points(path, images=heights))
    return annotations, find_items(annotations, place_of_images(path, images))


def place_of_images(annotated: Path, images: str | os.PathLike | None) -> Path:
    """The folder or archive in which the pictures of `annotated` are looked for.

    >>> place_of_images(Path("a/marks.tps"), None).as_posix()
    'a'
    """
    if images is not None:
        return Path(images).expanduser()
    return annotated if _holds_images(annotated) else annotated.parent


def _holds_images(annotated: Path) -> bool:
    return annotated.is_dir() or annotated.suffix.lower() == ".zip"


def _name_other_table(folder: Path) -> None:
    """Raise InputError that names the file of points in a folder, if there is just one."""
    endings = {ending for known in FORMATS.values() for ending in known.endings}
    tables = [path for path in sorted(folder.iterdir()) if path.suffix.lower() in endings]
    tables = [path for path in tables if _is_table(path)]
    if len(tables) == 1:
        raise InputError(
            f"There is no {folder / TABLE}, but there is {tables[0]}: give that file, "
            f"`swapmark fit RUN {shlex.quote(str(tables[0]))} …`, or rename it to {TABLE} if it is "
            f"a table of swapmark."
        )


def _is_table(path: Path) -> bool:
    """Whether it can be read as points; for TPS, which needs its images for that, by its ending."""
    try:
        if format_to_read(path) != "tps":
            with warnings.catch_warnings(action="ignore"):
                read_points(path)
    except (InputError, OSError):
        return False
    return True


def table_annotations(table: PointTable) -> Annotations:
    """A table of any file format as annotations; all its images are `fit` where it has no splits.

    Raises InputError for frames of a video, and for an image that is named twice.

    >>> import numpy as np
    >>> table_annotations(PointTable(("nose",), ("a.png",), np.ones((1, 1, 2)))).splits
    ('fit',)
    """
    if table.frames is not None:
        raise InputError(
            f"These points belong to frames of a video ({table.files[0] if table.files else ''}). "
            f"Save the marked frames as images, and name these in the table."
        )
    twice = [file for file, count in Counter(table.files).items() if count > 1]
    if twice:
        raise InputError(
            f"Marked more than once: {counted(len(twice), 'image')}, such as {twice[0]!r}. Keep "
            f"one row an image."
        )
    return Annotations(
        names=table.names,
        files=table.files,
        splits=table.splits or ("fit",) * len(table),
        groups=table.groups or ("",) * len(table),
        xy=table.xy.astype(float),
    )


def find_items(annotations: Annotations, images: str | os.PathLike) -> list[Item]:
    """An item for each annotated image, from a folder or archive, under the name in the table.

    A name fits if it is equal, or one is the end of the other; names in the table may lack their
    ending (.png). What is not there becomes an item that cannot be read. Raises InputError if no
    image is there, a name fits two, or two names fit one.
    """
    there = list_images(images)
    rows = match_names(tuple(item.name for item in there), list(annotations.files))
    missing = [file for file in annotations.files if file not in rows]
    if missing:
        left = [row for row in range(len(there)) if row not in rows.values()]
        stems = tuple(PurePosixPath(there[row].name).with_suffix("").as_posix() for row in left)
        rows |= {file: left[place] for file, place in match_names(stems, missing).items()}
    if not rows:
        first = annotations.files[0] if len(annotations) else "none"
        raise InputError(
            f"None of the {len(annotations)} marked images is in {images}: the first is called "
            f"{first!r}, and the first image there {there[0].name!r}. Give their folder or archive "
            f"with --images, or put them beside {TABLE}."
        )
    return [
        Item(file, there[rows[file]].fingerprint, there[rows[file]].read)
        if file in rows
        else problem_item(file, f"there is no such image in {images}")
        for file in annotations.files
    ]
