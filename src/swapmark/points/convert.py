"""From one format of point files to another."""

import os
import warnings
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from swapmark.errors import LeftOutWarning
from swapmark.files import refuse_existing
from swapmark.points.formats import format_to_write, read_points, write_points
from swapmark.points.image_sizes import image_sizes
from swapmark.types import PointTable


class Converted(NamedTuple):
    """What was converted, and what was not.

    >>> import numpy as np
    >>> Converted(PointTable(("a",), ("1.png",), np.zeros((1, 1, 2))), ()).lost
    ()
    """

    table: PointTable
    """The points as they were read."""
    lost: tuple[str, ...]
    """What the new file does not hold, in words."""


def convert(
    source: str | os.PathLike,
    target: str | os.PathLike,
    *,
    read_as: str | None = None,
    write_as: str | None = None,
    images: str | os.PathLike | None = None,
    overwrite: bool = False,
) -> Converted:
    """Read points from a file and write them into one of another format.

    `read_as` and `write_as` name the formats where the files do not tell; `images` is the folder,
    zip or tar of the images, which TPS needs, by default the folder of `source`. Raises as
    `read_points` and `write_points` do.

    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     source = Path(folder, "a.csv")
    ...     _ = source.write_text("file,group,nose_x,nose_y\\n1.png,p,2,3\\n")
    ...     convert(source, Path(folder, "a.txt")).lost
    ('the groups',)
    """
    source, target = Path(source).expanduser(), Path(target).expanduser()
    name = format_to_write(target, write_as)
    refuse_existing(target, overwrite=overwrite)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", LeftOutWarning)
        table = read_points(source, read_as, images)
    if name == "tps" and table.sizes is None:
        table = replace(table, sizes=image_sizes(table.files, source.parent, walk=False))
    lost = write_points(table, target, name, overwrite=overwrite)
    notes = []
    for warning in caught:
        if issubclass(warning.category, LeftOutWarning):
            notes.append(str(warning.message))
        else:
            warnings.warn_explicit(
                warning.message, warning.category, warning.filename, warning.lineno
            )
    return Converted(table, (*notes, *lost))
