"""Tables of text as real programs write them: commas, semicolons or tabs, and their numbers.

UTF-8 with or without the mark that spreadsheets put in front, UTF-16 with its mark; line ends of
any system; `sep=;` as a first line; quoted cells. Decimal commas are read where commas do not
separate cells. Rows of empty cells are left out.
"""

import codecs
import csv
import io
import math
import re
from collections.abc import Sequence
from dataclasses import dataclass

from swapmark.errors import InputError

MAX_BYTES = 256 * 2**20
"""Larger tables are refused: a million images of 20 points are less."""
MISSING = frozenset({"", "na", "n/a", "nan", "null", "none"})
"""What stands for a number that is not known, in lower case."""
DECIMAL_COMMA = re.compile(r"[+-]?\d*,\d+(?:[eE][+-]?\d+)?")


@dataclass(frozen=True)
class TextTable:
    """The cells of a text file, without the spaces around them; as many in each line."""

    where: str
    """The file in words, for messages."""
    lines: list[tuple[int, list[str]]]
    """Number of the line (from 1; the last one of a cell with line breaks) and its cells."""
    decimal_comma: bool = False
    """Whether decimals may be written with commas."""

    def numbers(self, line: int, columns: Sequence[str], cells: Sequence[str]) -> list[float]:
        """The numbers of some cells of a line, NaN where they are missing."""
        values = []
        for column, cell in zip(columns, cells, strict=True):
            try:
                values.append(number(cell, decimal_comma=self.decimal_comma))
            except ValueError as error:
                raise InputError(
                    f"{self.where}, line {line}: {column} is {cell!r}; expected a number, or "
                    "nothing where it is not known."
                ) from error
        return values


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


def check_length(where: str, size: int) -> None:
    """Raise InputError for a file of more than MAX_BYTES."""
    if size > MAX_BYTES:
        raise InputError(
            f"{where} has {size / 2**20:,.0f} MiB; at most {MAX_BYTES / 2**20:,.0f} MiB of a table "
            "are read. Split it into several."
        )


def decode_text(where: str, content: bytes) -> str:
    """The text of a file in UTF-8, or UTF-16 if it begins with its mark."""
    utf16 = content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    try:
        text = content.decode("utf-16" if utf16 else "utf-8-sig")
    except UnicodeDecodeError as error:
        raise InputError(f"{where} is not UTF-8 text ({error}). Save it as CSV UTF-8.") from error
    if "\0" in text:
        raise InputError(f"{where} holds binary data; expected a text file.")
    return text


def read_text_table(where: str, content: bytes) -> TextTable:
    """Split the text of a file into cells, by what separates them most evenly."""
    text = decode_text(where, content)
    first, _, rest = text.partition("\n")
    declared = re.fullmatch(r'"?sep=(.)"?\r?', first)
    if declared:  # what Excel writes, and reads, in front
        text = "\n" + rest
    delimiter = declared[1] if declared else _delimiter(text)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    try:
        lines = [(reader.line_num, [cell.strip() for cell in cells]) for cells in reader]
    except csv.Error as error:
        raise InputError(
            f"{where}, line {reader.line_num}: not a readable table ({error}). Look for a quote "
            'that is not closed; a quote inside a cell is written twice, as "".'
        ) from error
    lines = [line for line in lines if any(line[1])]
    for line, cells in lines:
        if len(cells) != len(lines[0][1]):
            raise InputError(
                f"{where}, line {line}: {len(cells)} cells, but the first line has "
                f"{len(lines[0][1])}. Leave cells of missing points empty; where decimals have "
                "commas, separate the cells with semicolons or tabs."
            )
    return TextTable(where, lines, delimiter != ",")


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
