"""From pictures and videos of any size to `Points`, in one way for both.

Pictures are decoded by several threads, a video frame by frame; either becomes a stream of squares
that is run in batches, so that the memory does not grow with the number of frames.
"""

import itertools
import os
from collections.abc import Generator, Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass

import numpy as np

from swapmark.data.decoding import read_ahead, stream_images, track
from swapmark.data.images import ImageProblem, Placement, resize_image
from swapmark.data.items import Skipped, is_video_name
from swapmark.data.sources import Source, list_with_unread
from swapmark.data.video import FrameSource, VideoFrame, frames_of_images, open_video
from swapmark.errors import InputError, RunError
from swapmark.points.table import Points, default_names
from swapmark.predict.network import Network


@dataclass(frozen=True, slots=True)
class _Picture:
    """A picture, or a frame of a video, as the network takes it."""

    name: str
    square: np.ndarray
    """uint8 (image_size, image_size, 3)."""
    placement: Placement
    """Where the picture lies in the square."""
    frame: int = -1
    time: float | None = None


def predict_points(
    network: Network,
    source: Source | FrameSource,
    *,
    batch_size: int = 64,
    workers: int | None = None,
    progress: bool = False,
    frame_rate: float | None = None,
    every: int = 1,
    start: float | None = None,
    stop: float | None = None,
) -> Points:
    """Find the landmarks in pictures, or in the frames of a video.

    source: a folder, zip, tar, file, list or array of pictures, or a video file.
    batch_size: pictures at once. workers: threads that decode pictures.
    frame_rate: takes the pictures for frames of a video, so many a second.
    every, start, stop: of a video, each n-th frame from `start` on and before `stop`, in seconds.

    What cannot be read is listed in `.skipped`. Raises InputError where nothing can be used or an
    option makes no sense, and RunError where the network gives what is no number.
    """
    if batch_size < 1:
        raise InputError(f"batch_size is {batch_size}; expected at least 1.")
    skipped: list[Skipped] = []
    video = _open_video(source, frame_rate)
    if video is not None:
        pictures = _of_video(network, video, (every, start, stop), skipped, progress=progress)
    elif (every, start, stop) == (1, None, None):
        pictures = _of_images(network, source, skipped, workers=workers, progress=progress)
    else:
        raise InputError(
            "every, start and stop are for videos. If the pictures are the frames of one, give "
            "their frame_rate, too (--frame-rate 25)."
        )
    found = []
    with closing(pictures):
        batches = iter(lambda: list(itertools.islice(pictures, batch_size)), [])
        with closing(read_ahead(batches)) as ready:
            for batch in ready:
                found.append(_find(network, batch))
    if not found:
        reasons = "; ".join(f"{entry.file}: {entry.reason}" for entry in skipped[:3])
        if video is None:
            raise InputError(f"None of the {len(skipped)} images can be used ({reasons}).")
        reasons = reasons or f"none lies from start {start} to stop {stop} (seconds)"
        raise InputError(f"No frame of {video.name} can be used ({reasons}).")
    files, xy, confidence, sizes, frame, time = zip(*found, strict=True)
    return Points(
        default_names(network.landmarks),
        tuple(itertools.chain(*files)),
        np.concatenate(xy),
        confidence=np.concatenate(confidence),
        sizes=np.concatenate(sizes),
        frame=None if video is None else np.concatenate(frame),
        time=None if video is None else np.concatenate(time),
        skipped=tuple(skipped),
        source=source,
    )


def _find(network: Network, batch: list[_Picture]) -> tuple:
    """Names, landmarks and confidence, sizes, frames and times of a batch."""
    xy, confidence = network.find(np.stack([picture.square for picture in batch]))
    broken = ~np.isfinite(np.concatenate([xy, confidence[..., None]], axis=-1)).all(axis=(1, 2))
    if broken.any():
        first = batch[int(broken.argmax())]
        where = first.name if first.frame < 0 else f"frame {first.frame} of {first.name}"
        raise RunError(
            f"The network gave what is no number (NaN) for {where}. Its weights are damaged: copy "
            f"the model again, or train it anew."
        )
    places = [picture.placement for picture in batch]
    return (
        [picture.name for picture in batch],
        np.stack([place.to_original(points) for place, points in zip(places, xy, strict=True)]),
        confidence,
        np.array([(place.width, place.height) for place in places]),
        np.array([picture.frame for picture in batch]),
        np.array([np.nan if picture.time is None else picture.time for picture in batch]),
    )


def _of_images(
    network: Network, source, skipped: list[Skipped], *, workers: int | None, progress: bool
) -> Generator[_Picture, None, None]:
    """The pictures that can be read; the others go to `skipped`."""
    items, unread = list_with_unread(source)
    stream = stream_images(items, network.image_size, resize=network.resize, workers=workers)
    for item, result in track(stream, len(items), "Finding landmarks", show=progress):
        if isinstance(result, ImageProblem):
            skipped.append(Skipped(item.name, str(result)))
        else:
            yield _Picture(item.name, *result)
    skipped += unread


def _of_video(
    network: Network, video: FrameSource, which: tuple, skipped: list[Skipped], *, progress: bool
) -> Generator[_Picture, None, None]:
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
            square = resize_image(pixels, network.image_size, network.resize)
            yield _Picture(frame.name, *square, frame.index, frame.time)


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
            time = 0.0 if frame.time is None else frame.time
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
