"""Frames of a video, chosen, decoded and put together into the batches that a detector takes."""

import itertools
import math
from collections.abc import Generator, Iterator
from contextlib import closing
from dataclasses import dataclass, field

import numpy as np

from swapmark.data.decoding import track
from swapmark.data.frames import FrameSource, VideoFrame
from swapmark.data.images import Frame, fit_image
from swapmark.data.items import Skipped
from swapmark.data.pixels import ImageProblem
from swapmark.errors import InputError

MAX_BATCH_BYTES = 64 * 2**20
"""Whole frames, kept to be drawn upon, wait up to this size; then the batch is run early."""


@dataclass(frozen=True)
class Selection:
    """Which frames to use.

    >>> frames = [VideoFrame(i, i / 10, "a", lambda: np.zeros((8, 8, 3))) for i in range(10)]
    >>> [frame.index for frame in Selection(every=3, start=0.2).of(iter(frames))]
    [2, 5, 8]
    """

    every: int = 1
    """Each n-th frame, counted from the first one that lies in the time asked for."""
    start: float | None = None
    """Frames from this time on, in seconds."""
    stop: float | None = None
    """Frames before this time, in seconds."""

    def __post_init__(self):
        if self.every < 1:
            raise InputError(f"every is {self.every}; expected at least 1.")
        start, stop = self.start, self.stop
        for name, value in (("start", start), ("stop", stop)):
            if value is not None and math.isnan(value):
                raise InputError(f"{name} is {value}; expected a time in seconds.")
        if start is not None and stop is not None and not start < stop:
            raise InputError(
                f"start is {start} and stop is {stop} seconds; expected a start before the stop."
            )

    def of(self, frames: Iterator[VideoFrame | Skipped]) -> Iterator[VideoFrame | Skipped]:
        """The chosen frames, and all entries of what could not be read.

        Raises InputError at a frame without a time stamp if times were asked for.
        """
        inside = itertools.count()
        for frame in frames:
            if isinstance(frame, VideoFrame):
                if self._is_past(frame):
                    return
                if self._is_early(frame) or next(inside) % self.every:
                    continue
            yield frame

    def _is_early(self, frame: VideoFrame) -> bool:
        return self.start is not None and self._time(frame) < self.start

    def _is_past(self, frame: VideoFrame) -> bool:
        return self.stop is not None and self._time(frame) >= self.stop

    @staticmethod
    def _time(frame: VideoFrame) -> float:
        if frame.time is None:
            raise InputError(
                f"Frame {frame.index} of {frame.name} has no time stamp, so start and stop cannot "
                f"be used. Leave them out, or write the video anew: ffmpeg -i VIDEO new.mp4"
            )
        return frame.time


@dataclass(frozen=True, slots=True)
class ReadyFrame:
    """A frame as the net takes it."""

    frame: VideoFrame
    square: np.ndarray
    """uint8 (size, size, 3)."""
    place: Frame
    """Where the frame lies in the square."""
    pixels: np.ndarray | None
    """The whole frame, uint8 (H, W, 3), where it is to be drawn upon."""


@dataclass(frozen=True, slots=True)
class FrameBatch:
    """Frames to be run at once, and what could not be read among them."""

    frames: list[ReadyFrame] = field(default_factory=list)
    skipped: list[Skipped] = field(default_factory=list)

    @property
    def waiting_bytes(self) -> int:
        """Size of the whole frames in it."""
        return sum(ready.pixels.nbytes for ready in self.frames if ready.pixels is not None)


def read_batches(
    source: FrameSource,
    selection: Selection,
    *,
    image_size: int,
    fit: str = "pad",
    batch_size: int = 64,
    keep_pixels: bool = False,
    progress: bool = False,
) -> Generator[FrameBatch, None, None]:
    """Read the selected frames, at most `batch_size` or MAX_BATCH_BYTES of them at a time.

    >>> frame = VideoFrame(0, 0.0, "a", lambda: np.zeros((8, 8, 3), np.uint8))
    >>> source = FrameSource("a", lambda: (frame for _ in range(5)))
    >>> batches = read_batches(source, Selection(), image_size=16, batch_size=2)
    >>> [len(batch.frames) for batch in batches]
    [2, 2, 1]
    """
    batch = FrameBatch()
    with closing(source.frames()) as frames:
        told = track(frames, source.count, "Reading frames", show=progress)
        for frame in selection.of(told):
            if isinstance(frame, Skipped):
                batch.skipped.append(frame)
                continue
            try:
                pixels = frame.read()
            except ImageProblem as problem:
                batch.skipped.append(Skipped(frame.name, f"frame {frame.index}: {problem}"))
                continue
            square, place = fit_image(pixels, image_size, fit)
            kept = pixels if keep_pixels else None
            batch.frames.append(ReadyFrame(frame, square, place, kept))
            if len(batch.frames) >= batch_size or batch.waiting_bytes >= MAX_BATCH_BYTES:
                yield batch
                batch = FrameBatch()
    if batch.frames or batch.skipped:
        yield batch
