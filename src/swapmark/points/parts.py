"""A table in parts: a folder in which each thousand pictures have a file of their own.

`parts.json` says what the parts are of and how many there shall be. `part-00007.csv` is there whole
or not at all; `part-00007-skipped.csv`, written before it, has the pictures of that part that could
not be used, and `skipped.csv` what is not looked into at all.
"""

import csv
import hashlib
import io
import json
import re
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from swapmark.data.cache import write_skipped
from swapmark.data.folders import Folder
from swapmark.data.items import Item, Skipped
from swapmark.errors import InputError, counted
from swapmark.files import parse_json
from swapmark.points.table import Points

ROWS = 1024
"""Pictures a part: whole batches, so that the sums are those of a single table."""
RECORD, UNREAD, MOST = "parts.json", "skipped.csv", 10**6
"""The record of a folder; what is not looked into; more parts than so many are not believed."""
_OURS = re.compile(r"parts\.json|skipped\.csv|part-\d{5,}(-skipped\.csv|\.csv|\.parquet)")


@dataclass(frozen=True)
class Parts:
    """What the parts in a folder are of; two that differ do not go into one."""

    pictures: int
    each: int
    """Pictures a part."""
    listing: str
    """Digest of the pictures' names and sizes, in their order."""
    model: str
    """Fingerprint of what finds the points."""
    own_points: str
    """Digest of how own points are found; empty for landmarks."""
    names: tuple[str, ...]
    ending: str
    """Of the tables, .csv or .parquet."""
    fingerprint: bool = False
    """Whether each row has the model's."""

    @staticmethod
    def of(items: Sequence[Item], own_points: str = "", **others: Any) -> "Parts":
        """The parts of these pictures; own_points: all that was learned of them, in JSON."""
        names = hashlib.blake2b(digest_size=16)
        for item in items:
            names.update(f"{item.name}\0{item.content}\n".encode("utf-8", "surrogateescape"))
        own = hashlib.blake2b(own_points.encode(), digest_size=16).hexdigest()
        return Parts(len(items), ROWS, names.hexdigest(), own_points=own_points and own, **others)

    def __len__(self) -> int:
        return -(-self.pictures // self.each)

    def rows(self, number: int) -> slice:
        """The pictures of a part, counted from 0."""
        return slice(number * self.each, min((number + 1) * self.each, self.pictures))

    def table(self, number: int) -> str:
        """The name of a part's table."""
        return f"part-{number:05d}{self.ending}"

    def reasons(self, number: int) -> str:
        """The name of the list of a part's pictures that could not be used."""
        return f"part-{number:05d}-skipped.csv"

    def missing(self, folder: Folder) -> list[int]:
        """The parts that are not there yet."""
        there = folder.names()
        return [n for n in range(len(self)) if not self._is_done(folder, n, there)]

    def empty(self, folder: Folder) -> list[int]:
        """The parts without a table: not there yet, or no picture of theirs could be used."""
        there = folder.names()
        return [number for number in range(len(self)) if self.table(number) not in there]

    def _is_done(self, folder: Folder, number: int, there: set[str]) -> bool:
        """Whether a part has its table, or else none of its pictures could be used."""
        if self.table(number) in there or self.reasons(number) not in there:
            return self.table(number) in there
        part = self.rows(number)
        return len(_read_skipped(folder, self.reasons(number))) == part.stop - part.start

    def write(self, folder: Folder, number: int, found: Points | None, skipped: Sequence) -> None:
        """Write a part: its points, None where no picture could be used, and what was skipped."""
        self.check(folder)  # another process may have begun the folder anew
        if skipped:
            folder.write(self.reasons(number), lambda path: write_skipped(path, skipped))
        else:  # there may be one of a part that was cut off before its table
            folder.remove(self.reasons(number))
        if found is not None:
            folder.write(self.table(number), lambda path: found.save(path, overwrite=True))

    def open(self, folder: Folder, unread: Sequence[Skipped], *, overwrite: bool) -> None:
        """Make the folder, or go on in it; with `overwrite` the parts of others are removed.

        Raises InputError where it holds parts of anything else, or other files.
        """
        folder.open()
        if overwrite and is_parts(folder):  # else nothing in it is known to be ours
            read_record(folder)
            for name in filter(_OURS.fullmatch, folder.names()):
                folder.remove(name)
        if not is_parts(folder):
            names = [name for name in sorted(folder.names()) if not name.startswith(".")]
            if others := [name for name in names if not _OURS.fullmatch(name)]:
                raise InputError(
                    f"{folder} holds other files, such as {others[0]}. Give an --out that is empty "
                    f"or not there yet; a name with an ending, such as points.csv, is for a single "
                    f"table."
                )
            folder.create(RECORD, json.dumps(asdict(self), indent=1))
        self.check(folder)
        if unread:
            folder.write(UNREAD, lambda path: write_skipped(path, unread))

    def check(self, folder: Folder) -> None:
        """Raise InputError unless the folder has parts of the same."""
        there = read_record(folder)
        told = {
            "pictures": f"other pictures ({there.pictures:,} there, {self.pictures:,} here)",
            "each": f"another size ({there.each:,} pictures there, {self.each:,} here)",
            "listing": "other pictures (as many, of other names or contents)",
            "model": "another model, or of one trained further",
            "own_points": "other own points, or of such fitted otherwise",
            "names": f"other points ({', '.join(there.names[:3])} … there)",
            "ending": f"another format ({there.ending} there, {self.ending} here)",
            "fingerprint": "other columns (with or without --fingerprint)",
        }
        ours = asdict(self)
        if differs := [told[name] for name, value in asdict(there).items() if ours[name] != value]:
            raise InputError(
                f"{folder} has parts of {differs[0]}. Give another --out, or begin anew with "
                f"--overwrite, which removes them."
            )


def read_record(folder: Folder) -> Parts:
    """What the parts in a folder are of; raises FileNotFoundError, and InputError if damaged."""
    path = f"{folder}/{RECORD}"
    try:
        found = parse_json(folder.read(RECORD).decode())
        parts = Parts(**found | {"names": tuple(found["names"])})
        given = [parts.listing, parts.model, parts.own_points, *parts.names]
        valid = all(isinstance(text, str) for text in given)
        valid &= all(type(n) is int and 0 < n < 10**9 for n in (parts.pictures, parts.each))
        valid &= len(parts) <= MOST
        valid &= parts.ending in (".csv", ".parquet") and type(parts.fingerprint) is bool
    except FileNotFoundError:
        raise
    except (OSError, ValueError, TypeError, LookupError) as error:
        raise InputError(
            f"{path} cannot be read ({error}). Begin anew in another --out."
        ) from error
    if not valid:
        raise InputError(f"{path} is damaged. Begin anew in another --out.")
    return parts


def is_parts(folder: Folder) -> bool:
    """Whether a folder holds a table in parts."""
    return folder.has(RECORD)


def read_parts(folder: Folder, read: Callable[[Path], Points]) -> Points:
    """All parts in one table, `read` one by one; raises InputError where some are missing."""
    parts = read_record(folder)
    if missing := parts.missing(folder):
        raise InputError(
            f"{folder} lacks {counted(len(missing), 'part')} of {len(parts)}, such as "
            f"{parts.table(missing[0])}. Call the same `swapmark predict` again: it "
            f"makes those that are missing."
        )
    tables, skipped, there = [], [], folder.names()
    for number in range(len(parts)):
        if parts.reasons(number) in there:
            skipped += _read_skipped(folder, parts.reasons(number))
        if parts.table(number) in there:
            with folder.local(parts.table(number)) as path:
                tables.append(read(path))
    skipped += _read_skipped(folder, UNREAD) if UNREAD in there else []
    if not tables:
        raise InputError(f"No picture of {folder} could be used: see the lists of skipped ones.")
    return replace(_joined(tables, folder), skipped=tuple(skipped))


def _joined(tables: list[Points], folder: Folder) -> Points:
    first = tables[0]
    together: dict[str, Any] = {}
    if any(table.columns != first.columns for table in tables):
        raise InputError(
            f"{folder}: the parts do not all have the same columns. An .onnx file and a run made "
            f"them, say; begin anew in another --out."
        )
    for name, value in vars(first).items():
        values = [getattr(table, name) for table in tables]
        if name == "names" or value is None:
            continue
        if isinstance(value, np.ndarray):
            together[name] = np.concatenate(values)
        elif name != "skipped":
            together[name] = tuple(cell for part in values for cell in part)
    return replace(first, **together)


def _read_skipped(folder: Folder, name: str) -> list[Skipped]:
    text = io.StringIO(folder.read(name).decode(), newline="")
    return [Skipped(*row[:2]) for row in list(csv.reader(text))[1:]]
