"""Parquet, with the columns of the CSV: for large tables and for dataframes. Needs pyarrow.

Numbers keep all their bits; an unknown one is NaN (null is read too).
"""

import math
from pathlib import Path

import numpy as np

from swapmark.errors import InputError
from swapmark.files import write_atomically
from swapmark.points.wide import TEXT_COLUMNS, further_columns, wide_from_columns
from swapmark.types import PointTable


def read_parquet(path: Path, images: Path | None = None) -> PointTable:
    """Read a wide table; `images` is not needed.

    Raises InputError for a damaged file, missing pyarrow, and what `wide_from_columns` refuses.

    >>> read_parquet(Path("absent.parquet"))
    Traceback (most recent call last):
    swapmark.errors.InputError: absent.parquet cannot be read as Parquet (...
    """
    parquet = _parquet()
    import pyarrow

    try:
        table = parquet.ParquetFile(path).read()
    except (pyarrow.ArrowException, OSError) as error:
        raise InputError(
            f"{path} cannot be read as Parquet ({error}). It may be incomplete; write it again."
        ) from error
    twice = sorted({name for name in table.column_names if table.column_names.count(name) > 1})
    if twice:
        raise InputError(f"{path} has columns that are there twice: {', '.join(twice)}.")
    of_text = {*TEXT_COLUMNS, *further_columns(table.column_names)}
    columns: dict[str, list[str] | np.ndarray] = {}
    for name, column in zip(table.column_names, table.columns, strict=True):
        if name.startswith("__index_level_"):  # the index of a dataframe
            continue
        values = column.to_pylist()
        columns[name] = (
            ["" if value is None else str(value) for value in values]
            if name in of_text
            else _numbers(path, name, values)
        )
    places = [f"row {row + 1}" for row in range(table.num_rows)]
    return wide_from_columns(str(path), columns, places)


def _numbers(path: Path, name: str, values: list) -> np.ndarray:
    try:
        return np.array([math.nan if value is None else value for value in values], np.float64)
    except (TypeError, ValueError) as error:
        raise InputError(f"{path}: column {name} holds other things than numbers.") from error


def write_parquet(table: PointTable, path: Path) -> tuple[str, ...]:
    """Write a wide table; nothing is lost. Raises InputError where pyarrow is missing.

    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     place = Path(folder, "a.parquet")
    ...     _ = write_parquet(PointTable(("a",), ("1.png",), np.zeros((1, 1, 2))), place)
    ...     read_parquet(place).files
    ('1.png',)
    """
    parquet = _parquet()
    import pyarrow

    columns = zip(*table.rows(), strict=True) if len(table) else [[] for _ in table.columns]
    arrays = pyarrow.table(
        {
            _text(name): [_text(v) if isinstance(v, str) else v for v in values]
            for name, values in zip(table.columns, columns, strict=True)
        }
    )
    write_atomically(path, lambda partial: parquet.write_table(arrays, partial))
    return ()


def _text(name: str) -> str:
    """Names of files need not be valid text on every system; as `write_rows` has it."""
    return name.encode("utf-8", "backslashreplace").decode()


def _parquet():
    try:
        import pyarrow.parquet
    except ImportError as error:
        raise InputError(
            "Parquet needs pyarrow, which is not installed: pip install 'swapmark[parquet]'"
        ) from error
    return pyarrow.parquet
