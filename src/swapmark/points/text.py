"""Tables of text as real programs write them: commas, semicolons or tabs, and their numbers.

UTF-8 with or without the mark that spreadsheets put in front, UTF-16 with its mark; line ends of
any system; `sep=;` as a first line; quoted cells. Decimal commas are read where commas do not
separate cells. Rows and columns of empty cells are left out.
"""

import codecs
import csv
import io
import math
import re
import warnings
from collections.abc import Iterable
from itertools import compress
from typing import NamedTuple

from swapmark.errors import InputError, LeftOutWarning

MISSING = frozenset({"", "na", "n/a", "nan", "null", "none"})
"""What stands for a number that is not known, in lower case."""
DECIMAL_COMMA = re.compile(r"[+-]?\d*,\d+(?:[eE][+-]?\d+)?")
THOUSANDS = re.compile(r"[+-]?[1-9]\d?[.,]\d{3}")
"""1,234, which may be 1234 or 1.234."""


class Table(NamedTuple):
    """Cells of text without the spaces around them; as many in each row."""

    where: str
    """The file in words, for messages."""
    rows: list[tuple[str, list[str]]]
    """Place, such as "line 7", and cells of each row; the first is the header."""
    decimal_comma: bool = False
    """Whether decimals may be written with commas."""


def number(cell: str, *, decimal_comma: bool) -> float:
    """The number in a cell, NaN where it is missing; raises ValueError for any other text."""
    if cell.lower() in MISSING:
        return math.nan
    if decimal_comma and DECIMAL_COMMA.fullmatch(cell):
        cell = cell.replace(",", ".")
    value = float(cell)
    if math.isinf(value) or "_" in cell:
        raise ValueError(cell)
    return value


def thousands(cells: Iterable[str]) -> str:
    """The first cell that may hold a sign of thousands, such as 1,234 beside 850; empty if none.

    So where all numbers with a sign have three digits behind it, and others have no sign at all.
    """
    known = {cell for cell in cells if cell.lower() not in MISSING}
    signed = sorted(cell for cell in known if "," in cell or "." in cell)
    doubtful = len(signed) < len(known) and all(map(THOUSANDS.fullmatch, signed))
    return signed[0] if signed and doubtful else ""


def cell_of(value) -> str:
    """A value of a file that is no text, as a cell; numbers keep all their bits."""
    return "" if value is None else str(value)


def decode_text(where: str, content: bytes, *, code_page: str = "") -> str:
    """The text of a file: UTF-16 if it begins with its mark, UTF-8, or else in the code page."""
    utf16 = content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    try:
        text = content.decode("utf-16" if utf16 else "utf-8-sig")
    except UnicodeDecodeError as error:
        if utf16 or not code_page:
            raise InputError(f"{where} is not UTF-8 text ({error}). Save it as UTF-8.") from error
        warnings.warn(f"{where}: no UTF-8, read as {code_page}.", LeftOutWarning, stacklevel=2)
        text = content.decode(code_page, errors="replace")
    if "\0" in text:
        raise InputError(f"{where} holds binary data; expected a text file.")
    return text


def read_table(where: str, content: bytes) -> Table:
    """Split the text of a file into cells, by what separates them most evenly."""
    text = decode_text(where, content)
    first, _, rest = text.partition("\n")
    declared = re.fullmatch(r'"?sep=(.)"?\r?', first)
    if declared:  # what Excel writes, and reads, in front
        text = "\n" + rest
    delimiter = declared[1] if declared else _delimiter(text)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    try:
        rows = [(f"line {reader.line_num}", [cell.strip() for cell in cells]) for cells in reader]
    except csv.Error as error:
        raise InputError(
            f"{where}, line {reader.line_num}: {error}. Look for a quote that is not closed; a "
            'quote inside a cell is written twice, as "".'
        ) from error
    rows = [row for row in rows if any(row[1])]
    for place, cells in rows:
        if len(cells) != len(rows[0][1]):
            raise InputError(
                f"{where}, {place}: {len(cells)} cells, but the first line has {len(rows[0][1])}. "
                "Leave cells of missing points empty; where decimals have commas, separate the "
                "cells with semicolons or tabs."
            )
    filled = [any(column) for column in zip(*(cells for _, cells in rows), strict=True)]
    if not all(filled):
        rows = [(place, list(compress(cells, filled))) for place, cells in rows]
    return Table(where, rows, delimiter != ",")


def _delimiter(text: str) -> str:
    """The first of tab, semicolon and comma that gives all of the first lines as many cells."""
    start = [line for line in text[:100_000].splitlines() if line.strip()][:10]
    if len(text) > 100_000 and len(start) > 1:
        start.pop()  # it may be cut
    for delimiter in "\t;,":
        try:
            widths = {len(cells) for cells in csv.reader(start, delimiter=delimiter)}
        except csv.Error:
            continue
        if len(widths) == 1 and widths != {1}:
            return delimiter
    return max(",\t;", key=start[0].count) if start else ","
