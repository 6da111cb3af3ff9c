"""Landmarks of a video, frame by frame, in a memory that does not grow with its length."""

import csv
import os
from collections.abc import Callable
from contextlib import ExitStack, closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol, runtime_checkable

import numpy as np

from swapmark.data.decoding import read_ahead
from swapmark.data.frames import FrameSource, frames_of_images
from swapmark.data.items import Skipped, is_video_name
from swapmark.data.sources import Source
from swapmark.data.video import open_video
from swapmark.drawing.overlay import OverlayVideo, check_overlay_name
from swapmark.errors import InputError
from swapmark.files import refuse_existing, write_atomically
from swapmark.predict.frame_batches import FrameBatch, Selection, read_batches
from swapmark.specimens.point_map import PointMap, find_point_map
from swapmark.types import Landmarks, PointTable, refuse_one_place


@runtime_checkable
class FindsLandmarks(Protocol):
    """What is asked of a detector; `swapmark.load` gives one."""

    @property
    def image_size(self) -> int:
        """Side of the squares it sees, in pixels."""
        ...

    def predict_squares(self, squares: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """(B, K, 2) landmarks in pixels of the squares, and (B, K) confidences."""
        ...


@dataclass(frozen=True)
class VideoPoints:
    """What `predict_video` wrote; the points themselves are in the table.

    >>> VideoPoints(Path("points.csv"), None, 250, ("landmark_1",)).frames
    250
    """

    path: Path
    """The table."""
    overlay: Path | None
    """The overlay video, if one was asked for."""
    frames: int
    """Rows of the table."""
    names: tuple[str, ...]
    """Names of the points."""
    skipped: tuple[Skipped, ...] = field(default=())
    """What could not be read, and why."""


def predict_video(
    detector: FindsLandmarks,
    video: FrameSource | Source,
    out: str | os.PathLike,
    *,
    frame_rate: float | None = None,
    overlay: str | os.PathLike | None = None,
    overwrite: bool = False,
    batch_size: int = 64,
    every: int = 1,
    start: float | None = None,
    stop: float | None = None,
    points: str | PointMap | Callable[[Landmarks], Landmarks | PointTable] | None = None,
    progress: bool = False,
) -> VideoPoints:
    """Find the landmarks in the frames of a video, and write a table of a row a frame.

    video: a video file; with `frame_rate` (frames a second) a folder, zip, tar or list of pictures.
    out: the CSV: file, frame (counted from 0), time (seconds, as stamped in the file; empty where
    there is no stamp), width, height, then x, y, confidence a point, in pixels of the upright
    frame. overlay: a video (.mp4, .mov, .mkv) of the same frames with the points drawn on them.
    every: use each n-th frame. start, stop: seconds; frames from `start` on, before `stop`.
    points: written in place of the landmarks; the name that `swapmark fit` was given, the
    `.map` that it returned, or a function that turns the landmarks of a batch into points.

    Frames are read one by one, so that a video of any length fits in memory. Both files appear
    when all is done, or not at all. Raises InputError when the video cannot be opened, no frame
    of it can be used, an option makes no sense, or a file exists and `overwrite` is not set, and
    RunError when there is no such point map.

    >>> from tempfile import TemporaryDirectory
    >>> class Middle:
    ...     image_size = 16
    ...     def predict_squares(self, squares):
    ...         return np.full((len(squares), 1, 2), 7.5), np.ones((len(squares), 1))
    >>> with TemporaryDirectory() as folder:
    ...     frames = np.zeros((2, 24, 32, 3), np.uint8)
    ...     found = predict_video(Middle(), frames, Path(folder, "points.csv"), frame_rate=10)
    ...     print(found.path.read_text().splitlines()[-1])
    array-1,1,0.100000,32,24,15.500,11.500,1.000
    """
    if batch_size < 1:
        raise InputError(f"batch_size is {batch_size}; expected at least 1.")
    selection = Selection(every, start, stop)
    if isinstance(points, str | PointMap):
        points = find_point_map(getattr(detector, "folder", None), points).apply
    to_points = points
    out, drawn = Path(out), None if overlay is None else Path(overlay)
    _check_places(video, out, drawn, overwrite=overwrite)
    source = _open_frames(video, frame_rate)
    written: list[VideoPoints] = []

    def write(table: Path, picture: Path | None) -> None:
        batches = read_batches(
            source,
            selection,
            image_size=detector.image_size,
            fit=getattr(detector, "fit", "pad"),
            batch_size=batch_size,
            keep_pixels=picture is not None,
            progress=progress,
        )
        with ExitStack() as stack:
            file = table.open("w", newline="", encoding="utf-8", errors="backslashreplace")
            writer = _Writer(stack.enter_context(file))
            if picture is not None and drawn is not None:
                rate = source.frame_rate and source.frame_rate / every
                writer.overlay = stack.enter_context(
                    OverlayVideo(picture, drawn.suffix, frame_rate=rate, time_base=source.time_base)
                )
            stack.enter_context(closing(batches))
            for batch in stack.enter_context(closing(read_ahead(batches))):
                writer.skipped += batch.skipped
                if batch.frames:
                    found = find_landmarks(detector, batch)
                    writer.write(batch, found if to_points is None else to_points(found))
            if not writer.frames:
                raise InputError(_nothing_used(source, selection, writer.skipped))
        written.append(VideoPoints(out, drawn, writer.frames, writer.names, tuple(writer.skipped)))

    if drawn is None:
        write_atomically(out, lambda table: write(table, None))
    else:
        write_atomically(
            drawn,
            lambda picture: write_atomically(out, lambda table: write(table, picture)),
        )
    return written[0]


def find_landmarks(detector: FindsLandmarks, batch: FrameBatch) -> Landmarks:
    """The landmarks of a batch, in pixels of the upright frames."""
    xy, confidence = detector.predict_squares(np.stack([ready.square for ready in batch.frames]))
    places = [ready.place for ready in batch.frames]
    return Landmarks(
        xy=np.stack([place.to_original(points) for place, points in zip(places, xy, strict=True)]),
        confidence=confidence,
        paths=tuple(ready.frame.name for ready in batch.frames),
        sizes=np.array([(place.width, place.height) for place in places]),
    )


class _Writer:
    """Rows of the table and frames of the overlay, as the batches come."""

    def __init__(self, file):
        self.rows = csv.writer(file)
        self.overlay: OverlayVideo | None = None
        self.frames = 0
        self.names: tuple[str, ...] = ()
        self.skipped: list[Skipped] = []

    def write(self, batch: FrameBatch, points: Landmarks | PointTable) -> None:
        """Write a batch; the first one says the names of the points."""
        xy, confidence = np.asarray(points.xy), points.confidence
        if confidence is None:
            confidence = np.full(xy.shape[:2], np.nan)
        if not self.frames:
            self.names = tuple(points.names)
            columns = [f"{name}_{part}" for name in self.names for part in ("x", "y", "confidence")]
            self.rows.writerow(["file", "frame", "time", "width", "height", *columns])
        values = np.concatenate([xy, confidence[..., None]], axis=-1)
        for index, ready in enumerate(batch.frames):
            frame, place = ready.frame, ready.place
            time = "" if frame.time is None else f"{frame.time:.6f}"
            cells = ["" if np.isnan(value) else f"{value:.3f}" for value in values[index].flat]
            self.rows.writerow([frame.name, frame.index, time, place.width, place.height, *cells])
            if self.overlay is not None and ready.pixels is not None:
                self.overlay.add(ready.pixels, frame.time, xy[index], confidence[index])
        self.frames += len(batch.frames)


def _open_frames(video: FrameSource | Source, frame_rate: float | None) -> FrameSource:
    if isinstance(video, FrameSource):
        return video
    if isinstance(video, str | os.PathLike) and not Path(video).is_dir():
        if frame_rate is None:
            return open_video(Path(video))
        if is_video_name(str(video)):
            raise InputError(
                f"{video} has time stamps of its own: leave out frame_rate (--frame-rate), which "
                f"is for folders of frames."
            )
    if frame_rate is None:
        raise InputError(
            "Pictures become a video by their frame rate: pass frame_rate=25, say (--frame-rate 25 "
            "on the command line), or give a video file."
        )
    return frames_of_images(video, frame_rate)


def _check_places(
    video: FrameSource | Source, out: Path, drawn: Path | None, *, overwrite: bool
) -> None:
    """Refuse to write where something is that is needed."""
    if drawn is not None:
        check_overlay_name(drawn)
        refuse_one_place(out, drawn)
    for path in (out, drawn):
        if path is None:
            continue
        refuse_existing(path, overwrite=overwrite)
        if isinstance(video, str | os.PathLike) and path.resolve() == Path(video).resolve():
            raise InputError(f"{path} is the video itself. Choose another name to write to.")


def _nothing_used(source: FrameSource, selection: Selection, skipped: list[Skipped]) -> str:
    reasons = "; ".join(f"{entry.file}: {entry.reason}" for entry in skipped[:3])
    if not reasons and (selection.start, selection.stop) != (None, None):
        start = "the beginning" if selection.start is None else f"second {selection.start:g}"
        stop = "the end" if selection.stop is None else f"second {selection.stop:g}"
        reasons = f"none lies between {start} and {stop}; see start and stop"
    return f"No frame of {source.name} can be used ({reasons or 'there is none'})."
