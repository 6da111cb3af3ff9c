"""From pictures and videos of any size to `Points`, in one way for both.

Pictures are decoded by several threads, a video frame by frame; either becomes a stream of squares
that is run in batches. No more than two batches of pictures are in memory; of a frame, its points
stay.
"""

import itertools
import os
from collections.abc import Generator, Iterable, Iterator, Sequence
from contextlib import closing
from functools import partial
from typing import NamedTuple, Protocol, runtime_checkable

import numpy as np

from swapmark.data.decoding import load_at_sizes, read_ahead, stream_images, track
from swapmark.data.images import Placement, resize_image
from swapmark.data.items import Skipped, is_video_name
from swapmark.data.pixels import ImageProblem, Unreached
from swapmark.data.sources import Source, list_with_unread
from swapmark.data.video import FrameSource, VideoFrame, frames_of_images, open_video
from swapmark.errors import InputError, RunError
from swapmark.model.familiar import Familiar, pool
from swapmark.points.table import Points, default_names
from swapmark.predict.network import Network, Sight


class _Seen(NamedTuple):
    """What is kept of a picture, or of a frame of a video, once its landmarks are found."""

    name: str
    placement: Placement
    """Where the picture lies in the square."""
    frame: int = 0
    time: float | None = None


class UnusableError(InputError):
    """No picture can be used; `skipped` has the reasons."""

    def __init__(self, told: str, skipped: Sequence[Skipped]):
        super().__init__(told)
        self.skipped = tuple(skipped)


Squares = list[tuple[np.ndarray, Placement]]
"""Of one picture, uint8 (side, side, 3): the one that the network takes, and maybe a larger one."""
_Stream = Generator[tuple[_Seen, Squares], None, None]


@runtime_checkable
class Finder(Protocol):
    """What finds points of its own in what the network sees."""

    @property
    def names(self) -> tuple[str, ...]:
        """P names of the points."""
        ...

    @property
    def zoom(self) -> int:
        """How many times larger than the network's the square is that it looks at, too; else 1."""
        ...

    def find(
        self, network: Network, sight: Sight, pictures: Sequence[Squares]
    ) -> tuple[np.ndarray, np.ndarray]:
        """Points (B, P, 2) in pixels of the pictures, and their confidence (B, P)."""
        ...


def predict_points(
    network: Network,
    source: Source | FrameSource,
    finder: Finder | None = None,
    *,
    batch_size: int = 64,
    workers: int | None = None,
    progress: bool = False,
    frame_rate: float | None = None,
    every: int = 1,
    start: float | None = None,
    stop: float | None = None,
    familiar: Familiar | None = None,
    skip_unreached: bool = True,
) -> Points:
    """Find the landmarks, or the points of `finder`, in pictures or in the frames of a video.

    source: a folder, zip, tar, file, list or array of pictures, or a video file.
    batch_size: pictures at once. workers: threads that decode pictures.
    frame_rate: takes the pictures for frames of a video, so many a second.
    every, start, stop: of a video, each n-th frame from `start` on and before `stop`, in seconds.
    familiar: tells how unlike the training pictures each picture is.
    skip_unreached: a picture that a store does not give now is skipped, too; else an InputError.

    What cannot be read is listed in `.skipped`. Raises InputError where nothing can be used or an
    option makes no sense, and RunError where the network gives what is no number.
    """
    if batch_size < 1:
        raise InputError(f"batch_size is {batch_size}; expected at least 1.")
    skipped: list[Skipped] = []
    zoom = finder.zoom if finder else 1
    sides = (network.image_size, zoom * network.image_size)[: min(zoom, 2)]
    batch_size = max(1, batch_size // zoom)
    video = _open_video(source, frame_rate)
    if video is not None:
        pictures = _of_video(
            network, sides, video, (every, start, stop), skipped, progress=progress
        )
    elif (every, start, stop) == (1, None, None):
        pictures = _of_images(
            network,
            sides,
            source,
            skipped,
            workers=workers,
            progress=progress,
            skip_unreached=skip_unreached,
        )
    else:
        raise InputError(
            "every, start and stop are for videos. If the pictures are the frames of one, give "
            "their frame_rate, too (--frame-rate 25)."
        )
    seen: list[_Seen] = []
    found = []
    with closing(pictures):
        batches = iter(lambda: list(itertools.islice(pictures, batch_size)), [])
        with closing(read_ahead(batches)) as ready:
            for batch in ready:
                those, pictures_of = zip(*batch, strict=True)
                seen += those
                found.append(_find(network, finder, pictures_of, familiar))
    if not seen:
        reasons = "; ".join(f"{entry.file}: {entry.reason}" for entry in skipped[:3])
        if video is None:
            told = f"None of the {len(skipped)} images can be used ({reasons})."
            raise UnusableError(told, skipped)
        reasons = reasons or f"none lies from start {start} to stop {stop} (seconds)"
        raise InputError(f"No frame of {video.name} can be used ({reasons}).")
    xy, confidence, unlike = (np.concatenate(parts) for parts in zip(*found, strict=True))
    for one, places, sure in zip(seen, xy, confidence, strict=True):
        if not (np.isfinite(places).all() and np.isfinite(sure).all()):
            where = one.name if video is None else f"frame {one.frame} of {one.name}"
            raise RunError(
                f"The network gave what is no number (NaN) for {where}. Its weights are damaged: "
                f"copy the model again, or train it anew."
            )
    times = [np.nan if one.time is None else one.time for one in seen]
    return Points(
        finder.names if finder else default_names(network.landmarks),
        tuple(one.name for one in seen),
        xy,
        confidence=confidence,
        sizes=np.array([(one.placement.width, one.placement.height) for one in seen]),
        frame=None if video is None else np.array([one.frame for one in seen]),
        time=None if video is None else np.array(times),
        unlike=unlike if familiar else None,
        skipped=tuple(skipped),
        source=source,
    )


def _find(
    network: Network,
    finder: Finder | None,
    pictures: Sequence[Squares],
    familiar: Familiar | None,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Points (B, P, 2) in pixels of the pictures, their confidence (B, P), how unlike (B,)."""
    squares = np.stack([square for (square, _), *_ in pictures])
    sight = network.see(squares) if finder or familiar else Sight(*network.find(squares), ())
    unlike = familiar.distance(pool(sight.maps)) if familiar else np.zeros(len(squares))
    if finder:
        return *finder.find(network, sight, pictures), unlike
    xy, confidence, _ = sight
    placements = [placement for (_, placement), *_ in pictures]
    places = [place.to_original(at) for place, at in zip(placements, xy, strict=True)]
    return np.stack(places), confidence, unlike


def _of_images(
    network: Network,
    sides: Sequence[int],
    source,
    skipped: list[Skipped],
    *,
    workers: int | None,
    progress: bool,
    skip_unreached: bool,
) -> _Stream:
    """The pictures that can be read; the others go to `skipped`."""
    items, unread = list_with_unread(source, progress=progress)
    load = partial(load_at_sizes, sizes=sides, resize=network.resize)
    stream = stream_images(items, load, workers=workers)
    for item, result in track(stream, len(items), "Finding landmarks", show=progress):
        if isinstance(result, Unreached) and not skip_unreached:
            raise result.ends("The parts made")
        if isinstance(result, ImageProblem):
            skipped.append(Skipped(item.name, str(result)))
        else:
            yield _Seen(item.name, result[0][1]), result
    skipped += unread


def _of_video(
    network: Network,
    sides: Sequence[int],
    video: FrameSource,
    which: tuple,
    skipped: list[Skipped],
    *,
    progress: bool,
) -> _Stream:
    """The chosen frames that can be read; the others, and other damage, go to `skipped`."""
    with closing(video.frames()) as frames:
        told = track(frames, video.count, "Finding landmarks", show=progress)
        for frame in _chosen(told, *which):
            if isinstance(frame, Skipped):
                skipped.append(frame)
                continue
            try:
                pixels = frame.read()
            except ImageProblem as problem:
                skipped.append(Skipped(frame.name, f"frame {frame.index}: {problem}"))
                continue
            squares = [resize_image(pixels, side, network.resize) for side in sides]
            yield _Seen(frame.name, squares[0][1], frame.index, frame.time), squares


def _chosen(
    frames: Iterable[VideoFrame | Skipped], every: int, start: float | None, stop: float | None
) -> Iterator[VideoFrame | Skipped]:
    """Each n-th frame from `start` on and before `stop`, and all that could not be read."""
    if every < 1:
        raise InputError(f"every is {every}; expected at least 1.")
    first = -np.inf if start is None else start
    last = np.inf if stop is None else stop
    if not first < last:  # nor with NaN
        raise InputError(f"start is {start} and stop is {stop}; expected seconds, start < stop.")
    inside = itertools.count()
    for frame in frames:
        if isinstance(frame, VideoFrame):
            if frame.time is None and (start, stop) != (None, None):
                raise InputError(
                    f"Frame {frame.index} of {frame.name} has no time stamp, so start and stop "
                    f"cannot be used. Leave them out, or write the video anew with ffmpeg."
                )
            time = frame.time or 0.0
            if time >= last:
                return
            if time < first or next(inside) % every:
                continue
        yield frame


def _open_video(source, frame_rate: float | None) -> FrameSource | None:
    """The video that `source` is; None where it is pictures."""
    if isinstance(source, FrameSource):
        return source
    if isinstance(source, str | os.PathLike) and is_video_name(os.fspath(source)):
        if frame_rate is not None:
            raise InputError(f"{source} has times of its own; frame_rate is for pictures.")
        return open_video(os.fspath(source))
    return None if frame_rate is None else frames_of_images(source, frame_rate)
