"""Parquet, with the columns of the CSV: for large tables and for dataframes. Needs pyarrow.

Numbers keep all their bits; an unknown one is NaN (null is read too).
"""

import math
from pathlib import Path

import numpy as np

from swapmark.errors import InputError
from swapmark.files import write_atomically
from swapmark.points.csv import TEXT_COLUMNS, points_of_columns, sort_out
from swapmark.points.table import Points

NEEDED = "Parquet needs pyarrow, which is not installed: pip install 'swapmark[parquet]'"


def read_parquet(path: Path, images=None) -> Points:
    """Read a wide table; `images` is not needed.

    Raises InputError for a damaged file, missing pyarrow, and what `points_of_columns` refuses.
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
    index = "__index_level_"  # of a dataframe
    names = [name for name in table.column_names if not name.startswith(index)]
    of_text = {*TEXT_COLUMNS, *sort_out(str(path), names)[1]}
    columns = []
    for name in names:
        values = table[name].to_pylist()
        if name in of_text:
            columns.append((name, ["" if value is None else str(value) for value in values]))
            continue
        try:
            numbers = [math.nan if value is None else value for value in values]
            columns.append((name, np.array(numbers, np.float64)))
        except (TypeError, ValueError) as error:
            raise InputError(f"{path}: column {name} holds other things than numbers.") from error
    return points_of_columns(str(path), columns, [f"row {row + 1}" for row in range(len(table))])


def write_parquet(points: Points, path: Path) -> tuple[str, ...]:
    """Write a wide table; nothing is lost."""
    import pyarrow
    from pyarrow import parquet

    columns = zip(*points.rows(), strict=True) if len(points) else [() for _ in points.columns]
    arrays = pyarrow.table(
        {
            _text(name): [_text(v) if isinstance(v, str) else v for v in values]
            for name, values in zip(points.columns, columns, strict=True)
        }
    )
    write_atomically(path, lambda partial: parquet.write_table(arrays, partial))
    return ()


def _text(name: str) -> str:
    """Names of files need not be valid text on every system; as `write_cells` has it."""
    return name.encode("utf-8", "backslashreplace").decode()
