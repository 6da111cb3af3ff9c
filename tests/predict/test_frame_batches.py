import itertools
import weakref

import numpy as np
import pytest

from swapmark.data.frames import FrameSource, VideoFrame
from swapmark.data.items import Skipped
from swapmark.data.pixels import ImageProblem
from swapmark.errors import InputError
from swapmark.predict import frame_batches
from swapmark.predict.frame_batches import Selection, read_batches


def source(count: int, *, height: int = 8, step: float | None = 0.1) -> FrameSource:
    pixels = np.zeros((height, 8, 3), np.uint8)
    return FrameSource(
        "film",
        lambda: (
            VideoFrame(i, None if step is None else i * step, "film", pixels.copy)
            for i in range(count)
        ),
    )


def chosen(selection: Selection, frames: FrameSource) -> list[int]:
    return [frame.index for frame in selection.of(frames.frames()) if isinstance(frame, VideoFrame)]


@pytest.mark.parametrize(
    ("selection", "expected"),
    [
        (Selection(), list(range(10))),
        (Selection(every=4), [0, 4, 8]),
        (Selection(start=0.35), [4, 5, 6, 7, 8, 9]),
        (Selection(stop=0.25), [0, 1, 2]),
        (Selection(every=2, start=0.25, stop=0.75), [3, 5, 7]),
    ],
)
def test_the_frames_asked_for_are_chosen(selection, expected):
    assert chosen(selection, source(10)) == expected


def test_nothing_is_read_after_the_stop():
    endless = (VideoFrame(i, i / 10, "film", lambda: np.zeros(1)) for i in itertools.count())
    assert len(list(Selection(stop=1.0).of(endless))) == 10


def test_what_could_not_be_read_passes_the_selection():
    entry = Skipped("film", "damaged")
    assert list(Selection(every=5, start=100.0).of(iter([entry]))) == [entry]


def test_a_selection_that_makes_no_sense_is_refused():
    with pytest.raises(InputError, match="every is 0"):
        Selection(every=0)
    for name in ("start", "stop"):
        with pytest.raises(InputError, match=f"{name} is nan; expected a time"):
            Selection(**{name: float("nan")})
    with pytest.raises(InputError, match=r"start is 2\.0 and stop is 1\.0"):
        Selection(start=2.0, stop=1.0)


def test_frames_without_time_stamps_can_be_counted_but_not_cut_by_time():
    assert chosen(Selection(every=2), source(4, step=None)) == [0, 2]
    with pytest.raises(InputError, match="Frame 0 of film has no time stamp"):
        chosen(Selection(start=1.0), source(4, step=None))


def test_whole_frames_are_kept_only_to_be_drawn_upon_and_up_to_a_limit(monkeypatch):
    monkeypatch.setattr(frame_batches, "MAX_BATCH_BYTES", 3 * 8 * 100 * 3)
    without = list(read_batches(source(10, height=100), Selection(), image_size=16, batch_size=8))
    assert [len(batch.frames) for batch in without] == [8, 2]
    assert all(ready.pixels is None for batch in without for ready in batch.frames)
    kept = list(
        read_batches(
            source(10, height=100), Selection(), image_size=16, batch_size=8, keep_pixels=True
        )
    )
    assert [len(batch.frames) for batch in kept] == [3, 3, 3, 1]


def test_a_frame_that_cannot_be_read_is_listed_with_its_number():
    def fail():
        raise ImageProblem("too small")

    def frames():
        yield VideoFrame(7, 0.7, "film", fail)

    (batch,) = read_batches(FrameSource("film", frames), Selection(), image_size=16)
    assert batch.skipped == [Skipped("film", "frame 7: too small")]
    assert batch.frames == []


def test_the_source_is_closed_when_the_reader_stops_early():
    closed = []

    def frames():
        try:
            yield from source(100).frames()
        finally:
            closed.append(True)

    batches = read_batches(FrameSource("film", frames), Selection(), image_size=16, batch_size=2)
    next(batches)
    batches.close()
    assert closed == [True]


def test_batches_are_let_go():
    alive: list[weakref.ref] = []

    def read():
        pixels = np.zeros((8, 8, 3), np.uint8)
        alive.append(weakref.ref(pixels))
        return pixels

    def frames():
        return (VideoFrame(i, None, "film", read) for i in range(200))

    batches = read_batches(
        FrameSource("film", frames), Selection(), image_size=16, batch_size=4, keep_pixels=True
    )
    most = 0
    for _ in batches:
        most = max(most, sum(reference() is not None for reference in alive))
    assert len(alive) == 200
    assert most <= 2 * 4
