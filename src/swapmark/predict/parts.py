"""Prediction of more pictures than one wants to lose: part by part, by one process or many.

The pictures are listed by each process, and shared out by their places in the list, so that no
process needs to know of another. A part that is there is not made again.
"""

import os
import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple

from swapmark.data.decoding import track
from swapmark.data.folders import Folder
from swapmark.data.items import Item, Skipped
from swapmark.errors import InputError, counted
from swapmark.points.parts import Parts
from swapmark.points.table import Points
from swapmark.predict.predict import UnusableError


class Shard(NamedTuple):
    """Which of so many processes this one is, counted from 1."""

    number: int
    of: int


class PartMade(NamedTuple):
    """How many pictures of a part were found, skipped, and unlike the training pictures."""

    found: int
    skipped: int
    unlike: int


class PartsMade(NamedTuple):
    """What a call of `predict_parts` did."""

    folder: str
    shard: Shard
    pictures: int
    """All that were listed."""
    parts: int
    made: int
    """Parts that this call made."""
    missing: int
    """Parts that are not there yet."""
    found: int
    """Pictures, of the parts made, whose points were found."""
    skipped: int
    unlike: int
    """Pictures that look unlike the training pictures."""


def parse_shard(text: str | None, environment: Mapping[str, str] = os.environ) -> Shard:
    """The shard of `3/40`; by default that of a Slurm job array, or all.

    Raises InputError for anything else.

    >>> parse_shard("3/40", {}), parse_shard(None, {})
    (Shard(number=3, of=40), Shard(number=1, of=1))
    >>> job = {"SLURM_ARRAY_TASK_ID": "6", "SLURM_ARRAY_TASK_MIN": "2"}
    >>> parse_shard(None, job | {"SLURM_ARRAY_TASK_STEP": "2", "SLURM_ARRAY_TASK_COUNT": "4"})
    Shard(number=3, of=4)
    """
    if text is None and "SLURM_ARRAY_TASK_ID" in environment:
        task, first, step, count = (
            environment.get(f"SLURM_ARRAY_TASK_{name}", "")
            for name in ("ID", "MIN", "STEP", "COUNT")
        )
        if not all(map(str.isdecimal, (task, first, count))):
            raise InputError(
                "SLURM_ARRAY_TASK_ID is set, but MIN and COUNT are no numbers. Say which part of "
                "the work is this one's with --shard, such as --shard 3/40."
            )
        number = (int(task) - int(first)) // int(step or 1) + 1
        if number > int(count):
            raise InputError(
                f"The numbers of this Slurm job array have gaps (task {task} is number {number} of "
                f"{count}). Say the share with --shard, such as "
                f"--shard $SLURM_ARRAY_TASK_ID/40."
            )
        text = f"{number}/{count}"
    match = re.fullmatch(r"(\d{1,9})/(\d{1,9})", "1/1" if text is None else text)
    shard = Shard(*map(int, match.groups())) if match else Shard(0, 0)
    if not 1 <= shard.number <= shard.of:
        raise InputError(f"--shard is {text!r}; expected one of several, such as 1/40 … 40/40.")
    return shard


def predict_parts(
    make: Callable[[list[int]], Iterable[PartMade]],
    items: Sequence[Item],
    unread: Sequence[Skipped],
    parts: Parts,
    folder: Folder,
    shard: Shard,
    *,
    overwrite: bool = False,
    progress: bool = False,
) -> PartsMade:
    """Make the parts of this shard that are missing.

    make: makes the parts of these numbers. items: all pictures; unread: what is no item.
    Raises InputError where the folder holds anything else.
    """
    counts = Counter(item.name for item in items)
    if twice := [name for name, count in counts.items() if count > 1]:
        raise InputError(f"{twice[0]} is listed {counts[twice[0]]} times; list each picture once.")
    if overwrite and shard.of > 1:
        raise InputError("--overwrite would remove the other shards' parts. Remove the folder.")
    parts.open(folder, unread, overwrite=overwrite)
    # A part in which nothing could be read may have had no disk: it is tried again.
    mine = [n for n in parts.empty(folder) if n % shard.of == shard.number - 1]
    told = make(mine) if mine else []
    count, found, left_out, unlike = 0, 0, 0, 0
    for part in track(told, len(mine), "Parts of 1,024 pictures", show=progress):
        count += 1
        found, left_out, unlike = found + part.found, left_out + part.skipped, unlike + part.unlike
    if count and not found:
        raise InputError(
            f"None of the {counted(left_out, 'picture')} of the parts made can be used; reasons: "
            f"{folder}/{parts.reasons(mine[0])}. They are tried again at the next call."
        )
    numbers = (len(items), len(parts), count, len(parts.missing(folder)), found, left_out, unlike)
    return PartsMade(str(folder), shard, *numbers)


def as_rows(found: Points, parts: Parts) -> Points:
    """The points as the rows of a part: by its names, and with the model's mark where wanted."""
    marks = (parts.model[:16],) * len(found) if parts.fingerprint else None
    return replace(found, names=parts.names, fingerprint=marks)


def make_part(
    find: Callable[[list[Item]], Points],
    items: Sequence[Item],
    parts: Parts,
    folder: Folder,
    number: int,
) -> PartMade:
    """Find the points in the pictures of a part, by `find`, and write it."""
    try:
        points = find(list(items[parts.rows(number)]))
        skipped = points.skipped
    except UnusableError as nothing:
        points, skipped = None, nothing.skipped
    parts.write(folder, number, points, skipped)
    if points is None:
        return PartMade(0, len(skipped), 0)
    unlike = 0 if points.unlike is None else int((points.unlike > 1).sum())
    return PartMade(len(points), len(skipped), unlike)
