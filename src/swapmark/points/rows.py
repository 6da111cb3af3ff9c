"""Which image belongs to which row of a table (a stand-in, to be replaced)."""

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from swapmark.errors import InputError


@dataclass(frozen=True)
class Match:
    """For each wanted name its place among those that are there, -1 where none is."""

    rows: np.ndarray
    notes: tuple[str, ...] = ()


def match_files(wanted: Sequence[str], there: Sequence[str]) -> Match:
    """Names match if they are equal, or if one is the end of the other; exact ones win."""
    parts = [_parts(name) for name in there]
    rows, exact = [-1] * len(wanted), set()
    for place, file in enumerate(wanted):
        own = _parts(file)
        ends = [row for row, part in enumerate(parts) if _ends_alike(own, part)]
        same = [row for row in ends if parts[row] == own]
        if len(same or ends) > 1:
            raise InputError(f"{file!r} matches {there[ends[0]]!r} and {there[ends[1]]!r}.")
        if ends:
            rows[place] = (same or ends)[0]
        if same:
            exact.add(place)
    taken = {rows[place] for place in exact}
    rows = [-1 if i not in exact and row in taken else row for i, row in enumerate(rows)]
    found = [row for row in rows if row >= 0]
    if len(set(found)) < len(found):
        raise InputError("Two names match one image.")
    return Match(np.array(rows, dtype=int))


def _ends_alike(first: tuple[str, ...], second: tuple[str, ...]) -> bool:
    shared = min(len(first), len(second))
    return first[-shared:] == second[-shared:]


def _parts(path: str) -> tuple[str, ...]:
    return tuple(unicodedata.normalize("NFC", path).replace("\\", "/").split("/"))
