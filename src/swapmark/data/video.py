"""Frames in the order of time: of a video file, decoded by PyAV, or pictures in a folder."""

import os
import re
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from swapmark.data.decoding import decode_item
from swapmark.data.items import Item, Skipped
from swapmark.data.pixels import ImageProblem, check_size
from swapmark.data.sources import Source, list_with_unread
from swapmark.errors import InputError

SHORT_BY = 0.2
"""Seconds by which a video may end before its header says: audio and rounding account for less."""


@dataclass(frozen=True, slots=True)
class VideoFrame:
    """One frame, its pixels not yet made."""

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
    """A video, a folder of frames, or a camera of your own: anything that yields frames."""

    name: str
    """What to call it in messages."""
    frames: Callable[[], Frames]
    """Starts a generator at the first frame; it is closed when no more is wanted."""
    count: int | None = None
    """How many frames there are, about; None where unknown."""
    frame_rate: Fraction | None = None
    """Frames a second on average; None where unknown."""


def frames_of_images(source: Source, frame_rate: float) -> FrameSource:
    """The pictures of a folder, zip, tar or list as the frames of a video, `frame_rate` a second.

    Folders and archives are taken in natural order, so that frame2 comes before frame10; lists
    keep theirs. A picture that cannot be read keeps its place in time; one of a kind that is not
    read, such as a preview.gif beside the frames, has none.
    Raises InputError when there is no picture or the rate is not above zero.
    """
    if not 0 < frame_rate < float("inf"):
        raise InputError(f"frame_rate is {frame_rate}; expected frames a second, above 0.")
    items, unread = list_with_unread(source)
    named = isinstance(source, str | os.PathLike)
    if named:
        items = sorted(items, key=lambda item: natural_order(item.name))
    # 29.97 is meant as 30000/1001, the nearest simple fraction.
    rate = Fraction(frame_rate).limit_denominator(1001) or Fraction(frame_rate)

    def frames() -> Frames:
        yield from unread
        for index, item in enumerate(items):
            yield VideoFrame(index, index / frame_rate, item.name, partial(_pixels_of, item))

    return FrameSource(str(source) if named else "the pictures", frames, len(items), rate)


def _pixels_of(item: Item) -> np.ndarray:
    return decode_item(item)[0]


def natural_order(name: str) -> tuple[list, str]:
    """A key that sorts numbers inside names by their value."""
    parts = re.split(r"([0-9]+)", name.casefold())
    return [int(part) if position % 2 else part for position, part in enumerate(parts)], name


def import_av() -> Any:
    """PyAV, or InputError that says how to install it."""
    try:
        import av
    except ImportError as error:
        raise InputError(
            f"Videos need the package PyAV, which cannot be imported ({error}). "
            f"Install it with: pip install 'swapmark[video]'"
        ) from error
    return av


def open_video(path: str | Path) -> FrameSource:
    """Look at the header of a video; its `frames()` then decodes frame by frame.

    Times are the file's own time stamps in seconds. Frames are turned as the file says (phones
    store them turned); pixels that are not square stay as they are stored. Damage does not end
    the reading unless nothing can be read after it: it is yielded as `Skipped`, with the reason.
    Raises InputError when PyAV is missing, there is no such file, or it has no video in it.
    """
    path = Path(path).expanduser()
    with _opened(path) as (container, stream):
        rate, end = stream.average_rate, _announced_end(container, stream)
        count = stream.frames or (round(end * rate) if end and rate else None)
        return FrameSource(str(path), partial(_frames, path), count or None, rate or None)


@contextmanager
def _opened(path: Path) -> Iterator[tuple[Any, Any]]:
    """The opened file and its first stream of moving pictures."""
    av = import_av()
    if not path.is_file():
        raise InputError(f"There is no file {path} (looked in {Path.cwd()}). Give a video file.")
    try:
        # The whole path, for a name like `concat:a` would be taken for a protocol.
        container = av.open(str(path.resolve()), metadata_errors="replace")
    except av.FFmpegError as error:
        raise InputError(
            f"{path} cannot be opened as a video ({error.strerror}). It may be cut off, or still "
            f"being written; see whether a player shows it, and copy it again if not."
        ) from error
    with container:
        cover = av.stream.Disposition.attached_pic
        streams = [s for s in container.streams.video if not s.disposition & cover]
        if not streams or streams[0].codec_context is None:
            there = ", ".join(stream.type or "unknown" for stream in container.streams) or "none"
            raise InputError(
                f"{path} has no video that PyAV can decode (streams there: {there}). Copy it "
                f"again, or convert it first: ffmpeg -i {path} converted.mp4"
            )
        yield container, streams[0]


def _frames(path: Path) -> Frames:
    """Every frame in the order of decoding, and what is wrong with the file where it turns up."""
    from av.sidedata.sidedata import Type

    index, told, last, seen, matrix = 0, 0, None, None, None
    with _opened(path) as (container, stream):
        stream.thread_type = "AUTO"
        # With one, frames that a cut has spoilt come out of the decoder as if they were whole.
        stream.codec_context.thread_count = min(16, max(2, os.cpu_count() or 1))
        interval = float(1 / stream.average_rate) if stream.average_rate else 0.0
        for frame in _decoded(container, stream):
            if isinstance(frame, str):
                told += 1
                yield Skipped(str(path), frame)
                continue
            time = frame.time
            if frame.is_corrupt:
                yield Skipped(str(path), f"frame {index} at {_clock(time)} is damaged")
            else:
                # Looked at only where it may differ: a frame and its side data hold on to each
                # other, and would stay in memory until the garbage collector comes.
                if seen != (seen := (frame.rotation, frame.width, frame.height)):
                    side = frame.side_data.get(Type.DISPLAYMATRIX)
                    matrix = None if side is None else np.frombuffer(bytes(side), np.int32)
                yield VideoFrame(index, time, str(path), partial(_pixels, frame, matrix))
            index, last = index + 1, last if time is None else time + interval
        end = _announced_end(container, stream) or 0.0
        if not index:
            yield Skipped(str(path), "holds no frame that can be decoded")
        elif last is not None and end - last > SHORT_BY:
            found = f"ends after {index} frames, at {last:.2f} s of the {end:.2f} s that its header"
            yield Skipped(str(path), f"{found} says; it is cut off or damaged")
        elif (promised := _announced_count(stream)) > index + told:
            empty = f"{promised - index - told} of the {promised} frames of its header are empty"
            why = "the picture stayed the same, or the camera dropped it"
            yield Skipped(str(path), f"{empty} ({why}): the others are numbered without them")


def _decoded(container, stream) -> Iterator[Any]:
    """PyAV's frames, and in words what cannot be read or decoded."""
    av = import_av()
    try:
        for packet in container.demux(stream):
            try:
                frames = packet.decode()
            except av.FFmpegError as error:
                where = _clock(packet.pts and float(packet.pts * packet.time_base))
                yield f"a packet at {where} is lost ({error.strerror}): later frames count too low"
                continue
            yield from frames
    except av.FFmpegError as error:
        yield f"cannot be read on: {error.strerror or error}"


def _pixels(frame, matrix: np.ndarray | None) -> np.ndarray:
    check_size(frame.width, frame.height)
    try:
        pixels = frame.to_ndarray(format="rgb24")
    except ValueError as error:  # a pixel format that cannot be converted
        raise ImageProblem(f"its pixels cannot be made RGB: {error}") from error
    return upright(pixels, matrix)


def upright(pixels: np.ndarray, matrix: np.ndarray | None) -> np.ndarray:
    """Turn and mirror a stored frame (H, W, 3) by the display matrix of its file.

    matrix: 9 numbers (a b u c d v x y w), of which a stored place (p, q) is shown at
    (a p + c q, b p + d q), ISO/IEC 14496-12, 6.2.2; None for an upright frame. Turns that are no
    multiple of 90 degrees are taken as the nearest one.
    """
    if matrix is None or not matrix[[0, 1, 3, 4]].any():
        return pixels
    a, b, c, d = matrix[[0, 1, 3, 4]].astype(float)
    if abs(b) + abs(c) > abs(a) + abs(d):
        pixels = pixels.swapaxes(0, 1)
        a, d = c, b
    return np.ascontiguousarray(pixels[:: -1 if d < 0 else 1, :: -1 if a < 0 else 1])


def _announced_end(container, stream) -> float | None:
    """When the video should end by its header, in seconds of its time stamps; None if unsaid."""
    start = float((stream.start_time or 0) * stream.time_base)
    if stream.duration:
        return start + float(stream.duration * stream.time_base)
    tag = stream.metadata.get("DURATION", "")  # Matroska: 00:01:02.500000000, the end's own time
    try:
        hours, minutes, seconds = (float(part) for part in tag.split(":"))
        return 3600 * hours + 60 * minutes + seconds
    except ValueError:
        pass
    if container.duration and len(container.streams) == 1:
        return start + container.duration / 1e6
    return None


def _announced_count(stream) -> int:
    """How many frames the header promises; 0 if unsaid. Cut frames of an edited mp4 do not count.

    Cameras write a chunk of length 0 for a frame that they dropped, and count it.
    """
    if not (stream.frames and stream.duration and stream.average_rate):
        return 0
    shown = round(stream.duration * stream.time_base * stream.average_rate)
    return min(stream.frames, shown)


def _clock(time: float | None) -> str:
    return "an unknown time" if time is None else f"{time:.2f} s"
