"""CSV, the wide table that `swapmark predict` and hand-made annotations use: a row an image.

It holds all that a PointTable does. Numbers are written so that they read back exactly. See
`swapmark.tables` for the columns and for what is read.
"""

from pathlib import Path

from swapmark.files import write_atomically
from swapmark.points.text import read_text_table
from swapmark.points.wide import wide_from_text
from swapmark.types import PointTable, write_rows


def read_csv(path: Path, images: Path | None = None) -> PointTable:
    """Read a wide table; `images` is not needed. Raises InputError with the line.

    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     _ = Path(folder, "a.csv").write_text("file,nose_x,nose_y\\n1.png,2,3\\n")
    ...     read_csv(Path(folder, "a.csv")).names
    ('nose',)
    """
    return wide_from_text(read_text_table(str(path), path.read_bytes()))


def write_csv(table: PointTable, path: Path) -> tuple[str, ...]:
    """Write a wide table; nothing is lost.

    >>> import numpy as np
    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     write_csv(PointTable(("a",), ("1.png",), np.zeros((1, 1, 2))), Path(folder, "a.csv"))
    ()
    """
    write_atomically(path, lambda partial: write_rows(table, partial))
    return ()
