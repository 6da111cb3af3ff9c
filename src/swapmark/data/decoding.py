"""Many items at once: decoded by several threads (Pillow lets go of the lock), in order."""

import os
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import nullcontext
from datetime import timedelta
from itertools import chain, islice
from typing import Any, TypeVar

import numpy as np

from swapmark.data.images import Placement, decode_image, resize_image
from swapmark.data.items import Item
from swapmark.data.pixels import ImageProblem, array_to_rgb

SECONDS_BETWEEN_LINES = 10.0
WAITING = 32
"""Threads for items that wait for a network."""


def _usual_workers() -> int:
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return min(16, cores or 1)


_DECODING = threading.BoundedSemaphore(_usual_workers())
"""Of the many that wait for a network, no more than usual may decode."""
Thing = TypeVar("Thing")


def decode_item(item: Item, *, draft_size: int | None = None) -> tuple[np.ndarray, tuple[int, int]]:
    """Read one item as upright 8-bit RGB, see `decode_image`; raises ImageProblem."""
    try:
        content = item.read()
    except OSError as error:
        raise ImageProblem(f"cannot be read: {error.strerror or error}") from error
    if isinstance(content, np.ndarray):
        pixels = array_to_rgb(content)
        return pixels, pixels.shape[1::-1]
    with _DECODING if item.waits else nullcontext():
        return decode_image(content, draft_size=draft_size)


def load_item(item: Item, size: int, resize: str = "pad") -> tuple[np.ndarray, Placement]:
    """Read one item as the network's square, uint8 (size, size, 3), and its place there.

    Large JPEGs are decoded at a fraction of their size that is still twice `size` or more.
    Raises ImageProblem when the item cannot be read or decoded.
    """
    ((square, placement),) = load_at_sizes(item, (size,), resize)
    return square, placement


def load_at_sizes(
    item: Item, sizes: Sequence[int], resize: str
) -> list[tuple[np.ndarray, Placement]]:
    """The same at several sizes, of which the last is the largest, decoded once."""
    pixels, original = decode_item(item, draft_size=2 * sizes[-1])
    return [resize_image(pixels, size, resize, original_size=original) for size in sizes]


def stream_images(
    items: Iterable[Item], load: Callable[[Item], Thing], workers: int | None = None
) -> Iterator[tuple[Item, Thing | ImageProblem]]:
    """Load items with `workers` threads, in their order, a few ahead of the reader.

    Without `workers` there is one for each core that this process may use, at most 16, and WAITING
    for items that wait for a network. Yields each item with what `load` makes of it, or with the
    ImageProblem that keeps it from being used.
    """
    remaining = iter(items)
    first = list(islice(remaining, 1))
    usual = WAITING if first and first[0].waits else _usual_workers()
    workers, remaining = workers or usual, chain(first, remaining)
    executor = ThreadPoolExecutor(workers, thread_name_prefix="swapmark-decode")
    ahead: deque[tuple[Item, Future]] = deque()
    try:
        while True:
            for item in islice(remaining, 8 * workers - len(ahead)):
                ahead.append((item, executor.submit(_load_or_problem, load, item)))
            if not ahead:
                return
            item, future = ahead.popleft()
            yield item, future.result()
    finally:
        executor.shutdown(cancel_futures=True)


def _load_or_problem(load: Callable[[Item], Thing], item: Item) -> Thing | ImageProblem:
    try:
        return load(item)
    except ImageProblem as problem:
        # Without the traceback, which would keep the decoder's memory alive on a long list.
        return problem.with_traceback(None)


def read_ahead(things: Iterator[Thing]) -> Generator[Thing, None, None]:
    """Pass things on, the next one already being made in a thread of its own.

    No more than two are alive: the one handed over and the next. What goes wrong in the thread is
    raised here.
    """
    end: Any = object()
    with ThreadPoolExecutor(1, thread_name_prefix="swapmark-ahead") as executor:
        coming = executor.submit(next, things, end)
        while (thing := coming.result()) is not end:
            coming = executor.submit(next, things, end)
            yield thing
            del thing


def track(
    things: Iterable[Thing], total: int | None, label: str, *, show: bool, done: int = 0
) -> Iterator[Thing]:
    """Pass things on while telling how far they are, on standard error; `total` if it is known.

    A progress bar on a terminal, else a plain line every 10 seconds, with how many a second and the
    time left; nothing unless `show`. `done` were made before.
    """
    if not show:
        yield from things
        return
    from rich.console import Console
    from rich.progress import track as rich_track

    console = Console(stderr=True)
    if console.is_terminal:
        yield from rich_track(things, label, total, completed=done, console=console, transient=True)
        return
    began = told = time.monotonic()
    for count, thing in enumerate(things, start=1):
        yield thing
        now = time.monotonic()
        if now > told + SECONDS_BETWEEN_LINES:
            rate, text = count / (now - began), f"{label}: {done + count}"
            if total:
                left = timedelta(seconds=round((total - done - count) / rate))
                text += f" of {total} ({(done + count) / total:.0%}), {rate:.1f}/s, {left} left"
            print(text, file=sys.stderr, flush=True)
            told = now
