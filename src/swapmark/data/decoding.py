"""Many items at once: decoded by several threads (Pillow lets go of the lock), in order."""

import os
import sys
import time
from collections import deque
from collections.abc import Generator, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice
from typing import Any, TypeVar

import numpy as np

from swapmark.data.images import Frame, decode_image, fit_image
from swapmark.data.items import Item
from swapmark.data.pixels import ImageProblem, array_to_rgb

SECONDS_BETWEEN_LINES = 10.0
Thing = TypeVar("Thing")


def default_workers() -> int:
    """Threads to decode with: the cores this process may use, at most 16.

    >>> 1 <= default_workers() <= 16
    True
    """
    if hasattr(os, "sched_getaffinity"):
        return min(16, len(os.sched_getaffinity(0)))
    return min(16, os.cpu_count() or 1)


def load_item(item: Item, size: int, fit: str = "pad") -> tuple[np.ndarray, Frame]:
    """Read one item as the model's square, uint8 (size, size, 3), and its frame.

    Large JPEGs are decoded at a fraction of their size that is still twice `size` or more.
    Raises ImageProblem when the item cannot be read or decoded.

    >>> load_item(Item("a", "", lambda: np.zeros((20, 40), np.uint8)), 16)[0].shape
    (16, 16, 3)
    """
    try:
        content = item.read()
    except OSError as error:
        raise ImageProblem(f"cannot be read: {error.strerror or error}") from error
    if isinstance(content, np.ndarray):
        return fit_image(array_to_rgb(content), size, fit)
    decoded = decode_image(content, draft_size=2 * size)
    return fit_image(decoded.pixels, size, fit, original_size=decoded.size)


def stream_images(
    items: Iterable[Item], size: int, *, fit: str = "pad", workers: int | None = None
) -> Iterator[tuple[Item, tuple[np.ndarray, Frame] | ImageProblem]]:
    """Decode items with `workers` threads, in their order, a few ahead of the reader.

    Yields each item with its square, uint8 (size, size, 3), and frame, or with the problem that
    keeps it from being used.

    >>> items = [Item("a", "", lambda: np.zeros((8, 8), np.uint8)), Item("b", "", lambda: b"")]
    >>> [(item.name, isinstance(result, ImageProblem)) for item, result in stream_images(items, 8)]
    [('a', False), ('b', True)]
    """
    workers = workers or default_workers()
    remaining = iter(items)
    executor = ThreadPoolExecutor(workers, thread_name_prefix="swapmark-decode")
    ahead: deque[tuple[Item, Future]] = deque()
    try:
        while True:
            for item in islice(remaining, 8 * workers - len(ahead)):
                ahead.append((item, executor.submit(_load_or_problem, item, size, fit)))
            if not ahead:
                return
            item, future = ahead.popleft()
            yield item, future.result()
    finally:
        executor.shutdown(cancel_futures=True)


def _load_or_problem(item: Item, size: int, fit: str) -> tuple[np.ndarray, Frame] | ImageProblem:
    try:
        return load_item(item, size, fit)
    except ImageProblem as problem:
        # Without the traceback, which would keep the decoder's memory alive on a long list.
        return problem.with_traceback(None)


def read_ahead(things: Iterator[Thing]) -> Generator[Thing, None, None]:
    """Pass things on, the next one already being made in a thread of its own.

    No more than two are alive: the one handed over and the next. What goes wrong in the thread is
    raised here.

    >>> list(read_ahead(iter("ab")))
    ['a', 'b']
    """
    end: Any = object()
    with ThreadPoolExecutor(1, thread_name_prefix="swapmark-ahead") as executor:
        coming = executor.submit(next, things, end)
        while (thing := coming.result()) is not end:
            coming = executor.submit(next, things, end)
            yield thing
            del thing


def track(things: Iterable[Thing], total: int | None, label: str, *, show: bool) -> Iterator[Thing]:
    """Pass things on while telling how far they are, on standard error; `total` if it is known.

    A progress bar on a terminal, else a plain line every 10 seconds; nothing unless `show`.

    >>> list(track("ab", 2, "letters", show=False))
    ['a', 'b']
    """
    if not show:
        yield from things
        return
    from rich.console import Console
    from rich.progress import track as rich_track

    console = Console(stderr=True)
    if console.is_terminal:
        yield from rich_track(things, label, total, console=console, transient=True)
        return
    due = time.monotonic() + SECONDS_BETWEEN_LINES
    for count, thing in enumerate(things, start=1):
        yield thing
        if time.monotonic() > due:
            share = f" of {total} ({count / total:.0%})" if total else ""
            print(f"{label}: {count}{share}", file=sys.stderr, flush=True)
            due = time.monotonic() + SECONDS_BETWEEN_LINES
