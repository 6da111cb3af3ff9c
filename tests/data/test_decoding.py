"""Decoding by several threads."""

import itertools
import threading
import time
from functools import partial

import numpy as np
import pytest

from swapmark.data import decoding
from swapmark.data.decoding import load_item, read_ahead, stream_images, track
from swapmark.data.items import Item
from swapmark.data.pixels import ImageProblem

LOAD = partial(load_item, size=8)


def grey_item(index: int, delay: float = 0.0, started: list | None = None) -> Item:
    def read() -> np.ndarray:
        if started is not None:
            started.append(index)
        time.sleep(delay)
        return np.full((8, 8), index, np.uint8)

    return Item(f"{index}", "", read)


def failing_item(error: Exception) -> Item:
    def read() -> bytes:
        raise error

    return Item("a", "", read)


def test_order_is_kept_whatever_finishes_first():
    items = [grey_item(index, delay=0.002 * (index % 3 == 0)) for index in range(60)]
    results = list(stream_images(items, LOAD, workers=4))
    assert [item.name for item, _ in results] == [str(index) for index in range(60)]
    values = [result[0][0, 0, 0] for _, result in results if not isinstance(result, ImageProblem)]
    assert values == list(range(60))


def test_only_a_few_are_decoded_ahead_and_threads_end_when_the_reader_stops():
    started: list[int] = []
    stream = stream_images((grey_item(i % 200, 0, started) for i in range(5000)), LOAD, workers=2)
    next(stream)
    time.sleep(0.1)
    assert len(started) <= 16
    stream.close()
    assert not [t for t in threading.enumerate() if t.name.startswith("swapmark-decode")]


def test_unreadable_items_become_problems_and_own_mistakes_do_not():
    vanished = failing_item(FileNotFoundError(2, "No such file or directory"))
    with pytest.raises(ImageProblem, match="No such file"):
        load_item(vanished, 8)
    (_, first), (_, second) = stream_images([vanished, grey_item(3)], LOAD)
    assert isinstance(first, ImageProblem)
    assert not isinstance(second, ImageProblem)
    with pytest.raises(ZeroDivisionError):
        list(stream_images([failing_item(ZeroDivisionError())], LOAD))


@pytest.mark.parametrize(
    ("total", "show", "said"),
    [
        (
            8,
            True,
            "Decoding: 7 of 8 (88%), 0.1/s, 0:00:20 left\n"
            "Decoding: 8 of 8 (100%), 0.1/s, 0:00:00 left\n",
        ),
        (None, True, "Decoding: 7\nDecoding: 8\n"),
        (8, False, ""),
    ],
)
def test_progress_is_plain_lines_without_a_terminal(capsys, monkeypatch, total, show, said):
    clock = itertools.count(0.0, 20.0)
    monkeypatch.setattr(decoding.time, "monotonic", lambda: next(clock))
    assert list(track("ab", total, "Decoding", show=show, done=6)) == ["a", "b"]
    assert capsys.readouterr().err == said


def test_one_thing_is_made_ahead_in_another_thread_and_no_more():
    made, threads = [], set()

    def things():
        for index in range(20):
            threads.add(threading.get_ident())
            made.append(index)
            yield index

    for index in read_ahead(things()):
        deadline = time.monotonic() + 5
        while len(made) < min(20, index + 2) and time.monotonic() < deadline:
            time.sleep(0.001)
        assert len(made) == min(20, index + 2)
    assert threads.isdisjoint({threading.get_ident()})


def test_what_goes_wrong_ahead_is_raised_after_what_came_before():
    def things():
        yield 1
        raise ZeroDivisionError

    ahead = read_ahead(things())
    assert next(ahead) == 1
    with pytest.raises(ZeroDivisionError):
        next(ahead)
