"""Frames in the order of time, whether they come from a video file or as pictures in a folder."""

import re
from collections.abc import Callable, Generator
from dataclasses import dataclass
from fractions import Fraction
from functools import partial

import numpy as np

from swapmark.data.images import decode_image
from swapmark.data.items import Item, Skipped
from swapmark.data.pixels import ImageProblem, array_to_rgb
from swapmark.data.sources import Source, list_with_unread
from swapmark.errors import InputError


@dataclass(frozen=True, slots=True)
class VideoFrame:
    """One frame, its pixels not yet made.

    >>> frame = VideoFrame(3, 0.1, "a.mp4", lambda: np.zeros((8, 8, 3), np.uint8))
    >>> frame.read().shape
    (8, 8, 3)
    """

    index: int
    """Place among all frames of the source, from 0."""
    time: float | None
    """Seconds, by the clock of the source; None where it has no time stamp."""
    name: str
    """Name of the video, or of the picture that holds the frame."""
    read: Callable[[], np.ndarray]
    """Returns the upright frame, uint8 (H, W, 3); raises ImageProblem."""


Frames = Generator[VideoFrame | Skipped, None, None]
"""Frames one by one, and among them entries of what could not be read."""


@dataclass(frozen=True)
class FrameSource:
    """A video, a folder of frames, or a camera of your own: anything that yields frames.

    >>> def noise():
    ...     for index in range(3):
    ...         pixels = np.random.default_rng(index).integers(0, 256, (8, 8, 3), np.uint8)
    ...         yield VideoFrame(index, index / 25, "noise", lambda pixels=pixels: pixels)
    >>> [frame.index for frame in FrameSource("noise", noise).frames()]
    [0, 1, 2]
    """

    name: str
    """What to call it in messages."""
    frames: Callable[[], Frames]
    """Starts a generator at the first frame; it is closed when no more is wanted."""
    count: int | None = None
    """How many frames there are, about; None where unknown."""
    frame_rate: Fraction | None = None
    """Frames a second on average; None where unknown."""
    time_base: Fraction | None = None
    """Times are multiples of this many seconds; None where unknown."""


def frames_of_images(source: Source, frame_rate: float) -> FrameSource:
    """The pictures of a folder, zip, tar or list as the frames of a video, `frame_rate` a second.

    Folders and archives are taken in natural order, so that frame2 comes before frame10; lists
    keep theirs. A picture that cannot be read keeps its place in time; one of a kind that is not
    read, such as a preview.gif beside the frames, has none.
    Raises InputError when there is no picture or the rate is not above zero.

    >>> source = frames_of_images([np.zeros((8, 8), np.uint8)] * 3, 2.0)
    >>> [(frame.index, frame.time) for frame in source.frames()]
    [(0, 0.0), (1, 0.5), (2, 1.0)]
    """
    if not 0 < frame_rate < float("inf"):
        raise InputError(f"frame_rate is {frame_rate}; expected frames a second, above 0.")
    items, unread = list_with_unread(source)
    if not isinstance(source, list | tuple | np.ndarray):
        items = sorted(items, key=lambda item: natural_order(item.name))
    # 29.97 is meant as 30000/1001: a time base of the nearest simple fraction.
    rate = Fraction(frame_rate).limit_denominator(1001)
    if rate == 0:
        rate = Fraction(frame_rate)

    def frames() -> Frames:
        yield from unread
        for index, item in enumerate(items):
            yield VideoFrame(index, index / frame_rate, item.name, partial(_pixels, item))

    name = "the pictures" if isinstance(source, list | tuple | np.ndarray) else str(source)
    return FrameSource(name, frames, len(items), rate, 1 / rate)


def natural_order(name: str) -> tuple[list, str]:
    """A key that sorts numbers inside names by their value.

    >>> sorted(["frame10.png", "frame2.png", "Frame1.png"], key=natural_order)
    ['Frame1.png', 'frame2.png', 'frame10.png']
    """
    parts = re.split(r"([0-9]+)", name.casefold())
    return [int(part) if position % 2 else part for position, part in enumerate(parts)], name


def _pixels(item: Item) -> np.ndarray:
    try:
        content = item.read()
    except OSError as error:
        raise ImageProblem(f"cannot be read: {error.strerror or error}") from error
    if isinstance(content, np.ndarray):
        return array_to_rgb(content)
    return decode_image(content).pixels
