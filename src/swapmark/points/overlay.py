"""`Points.draw`: points over their pictures on one sheet, or over every frame of their video."""

import os
from collections.abc import Iterator
from contextlib import closing, suppress
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np

from swapmark.data.images import resize_image
from swapmark.data.items import is_video_name
from swapmark.data.pixels import ImageProblem
from swapmark.data.sources import is_run, list_images
from swapmark.data.video import FrameSource, VideoFrame, frames_of_images, open_video
from swapmark.drawing.draw import draw_landmarks, draw_lines, picture_format, save_image
from swapmark.drawing.film import CONTAINERS, Film
from swapmark.drawing.sheets import contact_sheet, text_lines, under_headings
from swapmark.errors import InputError, counted
from swapmark.files import refuse_existing, write_atomically
from swapmark.points.rows import match_files
from swapmark.points.table import Points, default_names

TILE, ALONE = 256, 768
"""Side of the square that a picture is fitted into, in pixels of the sheet; of one all alone."""
COLUMNS = 6
LEGIBLE = 640
"""Width of a frame; names below one of twice the width are written twice as large."""
MOST = 36
"""Pictures on a sheet; of more, so many are taken at even distances."""


def draw_points(
    points: Points, path, *, images=None, marked: Points | None = None, overwrite: bool = False
) -> Path:
    """What `Points.draw` says: a sheet, or a video of the frames, by the ending of `path`.

    Pictures that can no longer be read are left out. Raises InputError if `path` does not do (see
    `check_drawing`) or the pictures are others, by name or by size, and OutputError if it cannot
    be written.
    """
    path = Path(path)
    images = points.source if images is None else images
    if not len(points):
        raise InputError(f"There are no points to draw to {path}: the table has no row.")
    check_drawing(path, images, frames=points.frame is not None, overwrite=overwrite)
    crosses = np.empty((len(points), 0, 2))
    if marked is not None:
        rows = match_files(points.files, marked.files).rows
        crosses = np.where((rows >= 0)[:, None, None], marked.xy[rows], np.nan)
    if path.suffix.lower() in CONTAINERS:
        return write_atomically(
            path, lambda partial: _draw_film(points, crosses, images, partial, path.suffix)
        )
    return save_image(_sheet(points, crosses, images), path)


def check_drawing(path: Path, images: Any, *, frames: bool, overwrite: bool) -> None:
    """Raise InputError if points cannot or should not be drawn to `path`.

    It cannot where the ending is neither a picture's nor, for points of `frames`, a video's, or
    what is there may not be replaced. It should not where it would be one of the pictures, or be
    taken for one later.
    """
    if path.suffix.lower() not in CONTAINERS:
        picture_format(path)
    elif not frames:
        raise InputError(
            f"{path} is a video, but the points are of pictures. Name a picture, such as "
            f"{path.with_suffix('.png')}, or find them as frames of a video, with a frame rate."
        )
    for image in images if isinstance(images, list | tuple) else [images]:
        if not isinstance(image, str | os.PathLike):
            continue
        given = Path(image).expanduser().resolve()
        if path.resolve() == given:
            raise InputError(f"{path} is what the points were found in. Choose another name.")
        above = [folder for folder in path.resolve().parents if folder.is_relative_to(given)]
        if given.is_dir() and above and not any(map(is_run, above)):
            raise InputError(
                f"{path} lies in {image}, where it would be taken for one of the pictures. "
                f"Choose a place outside."
            )
    refuse_existing(path, overwrite=overwrite)


def _sheet(points: Points, crosses: np.ndarray, images: Any) -> np.ndarray:
    """Up to `MOST` pictures with their points, under words that say what is shown."""
    source, rows = find_pictures(points, images)
    chosen = np.linspace(0, len(rows) - 1, min(MOST, len(rows))).round().astype(int)
    side = TILE if len(chosen) > 1 else ALONE
    tiles, captions = [], []
    for row, pixels in read_pictures(points, source, dict(list(rows.items())[k] for k in chosen)):
        square, placement = resize_image(pixels, side)
        xy, marks = (placement.to_model(places[row]) for places in (points.xy, crosses))
        tiles.append(_drawn(points, row, square, xy, marks))
        frame = None if points.frame is None else f"frame {int(points.frame[row])}"
        captions.append(frame or points.files[row])
    if not tiles:
        raise InputError(f"{points.files[0]}, and all else to be drawn, cannot be read any more.")
    words = [
        f"{len(tiles)} of {counted(len(points), 'picture' if points.frame is None else 'frame')}",
        *("same colour: same landmark", "plain borders: added"),
        *(["see-through: unsure"] if points.confidence is not None else []),
        *(["crosses: marked by hand"] if crosses.size else []),
    ]
    sheet = contact_sheet(tiles, COLUMNS, captions=captions)
    return under_headings(words, under_headings(_legend(points), sheet))


def _legend(points: Points) -> list[str]:
    """Number and name of each point, where they were given names."""
    if points.names == default_names(len(points.names)):
        return []
    return [f"{number} {name}" for number, name in enumerate(points.names, start=1)]


def _draw_film(points: Points, crosses: np.ndarray, images: Any, path: Path, ending: str) -> None:
    """Write the frames one by one, each shown from its time on, names of points below it."""
    assert points.frame is not None
    source, rows = find_pictures(points, images)
    rate = source.frame_rate or Fraction(25)
    times = points.frame / float(rate)
    if points.time is not None:
        times = np.where(np.isnan(points.time), times, points.time)
    with Film(path, ending, rate) as film:
        for row, pixels in read_pictures(points, source, rows):
            drawn = _drawn(points, row, pixels, points.xy[row], crosses[row])
            width = drawn.shape[1]
            below = text_lines(_legend(points), width, size=max(1, width // LEGIBLE))
            film.add(np.concatenate([drawn, below]), float(times[row]))
        if film.stream is None:
            raise InputError(f"No frame of {source.name} can be read any more.")


def _drawn(points: Points, row: int, image: np.ndarray, xy, marks):
    """The picture of a row with its points, and its marks as crosses with a line to each."""
    confidence = None if points.confidence is None else points.confidence[row]
    if len(marks):
        image = draw_lines(image, xy, marks)
    image = draw_landmarks(image, xy, confidence=confidence, numbers=True)
    return draw_landmarks(image, marks, marker="cross") if len(marks) else image


def find_pictures(points: Points, images: Any) -> tuple[FrameSource, dict[int, int]]:
    """The video, or the pictures as one, and the row of the points of each frame in it.

    Raises InputError where they are others, or not known.
    """
    if images is None:
        raise InputError("It is not known what these points were found in: give images=.")
    if video := _video(images):
        frames = [] if points.frame is None else points.frame.tolist()
        rows = {int(number): row for row, number in enumerate(frames)}
        if len(rows) < len(points):
            raise InputError(f"{video.name} is a video, but the points are not of frames of one.")
        return video, rows
    items = list_images(images)
    names = [item.name for item in items]
    places = np.arange(len(points))
    if list(points.files) != names:  # as they were found: a name may be there twice
        places = match_files(points.files, names).rows
    there = np.flatnonzero(places >= 0).tolist()
    if not there:
        raise InputError(
            f"The points are of other pictures: their first is {points.files[0]}, the first to "
            f"draw on is {names[0]}. Give the pictures that they were found in."
        )
    return frames_of_images([items[places[row]] for row in there], 25), dict(enumerate(there))


def _video(images: Any) -> FrameSource | None:
    if isinstance(images, str | os.PathLike) and is_video_name(os.fspath(images)):
        return open_video(os.fspath(images))
    return images if isinstance(images, FrameSource) else None


def read_pictures(
    points: Points, source: FrameSource, rows: dict[int, int]
) -> Iterator[tuple[int, np.ndarray]]:
    """Row and whole picture of the frames with these numbers, as far as they can be read."""
    left = dict(rows)
    with closing(source.frames()) as frames:
        for frame in frames:
            if isinstance(frame, VideoFrame) and frame.index in left:
                row = left.pop(frame.index)
                with suppress(ImageProblem):
                    pixels = frame.read()
                    _check_size(points, row, pixels.shape[1::-1])
                    yield row, pixels
            if not left:
                return


def _check_size(points: Points, row: int, size: tuple[int, ...]) -> None:
    expected = None if points.sizes is None else tuple(points.sizes[row].tolist())
    if expected and not np.isnan(expected).any() and expected != size:
        raise InputError(
            f"{points.files[row]} has {size[0]} × {size[1]} pixels, but its points are of a "
            f"picture with {expected[0]:.0f} × {expected[1]:.0f}. Give what they were found in."
        )
