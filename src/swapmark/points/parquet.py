"""Parquet, with the columns of the CSV: for large tables and for dataframes. Needs pyarrow.

Numbers keep all their bits; an unknown one is NaN (null is read too).
"""

from pathlib import Path

from swapmark.errors import InputError
from swapmark.files import write_atomically
from swapmark.points.csv import points_of_table
from swapmark.points.table import Points
from swapmark.points.text import Table, cell_of

NEEDED = "Parquet needs pyarrow, which is not installed: pip install 'swapmark[parquet]'"
INDEX = "__index_level_"
"""How columns begin that are the index of a dataframe."""


def read_parquet(path: Path, images=None, group: str = "group") -> Points:
    """Read a wide table; `images` is not needed.

    Raises InputError for a damaged file, missing pyarrow, and what `points_of_table` refuses.
    """
    try:
        import pyarrow
        from pyarrow import parquet
    except ImportError as error:
        raise InputError(NEEDED) from error
    try:
        table = parquet.ParquetFile(path).read()
    except (pyarrow.ArrowException, OSError) as error:
        raise InputError(
            f"{path} cannot be read as Parquet ({error}). It may be incomplete; write it again."
        ) from error
    # The names once: asking for all of them takes as long as there are columns.
    named = [(n, name) for n, name in enumerate(table.column_names) if not name.startswith(INDEX)]
    columns = [map(cell_of, table[n].to_pylist()) for n, _ in named]
    rows = [(f"row {row}", list(cells)) for row, cells in enumerate(zip(*columns, strict=True), 1)]
    header = ("the header", [name for _, name in named])
    return points_of_table(Table(str(path), [header, *rows]), group)


def write_parquet(points: Points, path: Path) -> tuple[str, ...]:
    """Write a wide table; nothing is lost."""
    import pyarrow
    from pyarrow import parquet

    columns = zip(*points.rows(), strict=True) if len(points) else [() for _ in points.columns]
    table = pyarrow.table(dict(zip(points.columns, map(list, columns), strict=True)))
    write_atomically(path, lambda partial: parquet.write_table(table, partial))
    return ()
