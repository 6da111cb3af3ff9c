"""Drawn faces with known landmarks: the embedded data of the demo, the tests and the docs.

Image i of a seed is the same face whatever the count, the order and the size. What a face may be
is in `face_variety`, its shape in `face_geometry`, its parts and the painting in `face_drawing`.
"""

import csv
import io
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from swapmark.coordinates import unit_to_pixels
from swapmark.errors import InputError
from swapmark.faces.face_drawing import LANDMARK_NAMES, face_landmarks, face_parts, paint
from swapmark.faces.face_variety import (
    cluttered_background,
    photograph,
    plain_background,
    random_face,
)
from swapmark.files import write_atomically, writing
from swapmark.types import Annotations


@dataclass(frozen=True)
class DrawnFaces:
    """Faces with the true place of every landmark."""

    images: np.ndarray
    """(N, size, size, 3) uint8."""
    annotations: Annotations
    """All N images have coordinates here; `save_faces` leaves out those of the train split."""

    def __len__(self) -> int:
        return len(self.images)

    def __repr__(self) -> str:
        return f"<DrawnFaces: {len(self)} images of {self.images.shape[1]} px>"


def draw_faces(
    count: int,
    *,
    size: int = 64,
    seed: int = 0,
    clutter: bool = False,
    fit: float = 0.1,
    test: float = 0.1,
) -> DrawnFaces:
    """Draw `count` square face images, `size` pixels a side.

    clutter: random shapes and textures behind the head in place of a plain background.
    fit, test: the shares of the images in these splits, spread evenly; the rest is `train`.
    Raises InputError if an argument is out of its range.

    >>> faces = draw_faces(10, size=32)
    >>> faces.images.shape, faces.annotations.xy.shape, faces.annotations.splits.count("test")
    ((10, 32, 32, 3), (10, 5, 2), 1)
    """
    if count < 1:
        raise InputError(
            f"count is {count}; at least 1 face has to be drawn. Pass count=1 or more."
        )
    if size < 16:
        raise InputError(f"size is {size} px; a face needs at least 16. Pass size=16 or more.")
    if min(fit, test) < 0 or fit + test > 1:
        raise InputError(
            f"The shares fit={fit} and test={test} must be 0 or more and add up to at most 1. "
            f"Pass for example fit=0.1, test=0.1."
        )
    images = np.empty((count, size, size, 3), np.uint8)
    xy = np.empty((count, len(LANDMARK_NAMES), 2))
    for index in range(count):
        images[index], xy[index] = draw_face(index, size=size, seed=seed, clutter=clutter)
    annotations = Annotations(
        names=LANDMARK_NAMES,
        files=tuple(f"images/face-{index:05d}.png" for index in range(count)),
        splits=_splits(count, fit, test),
        groups=("",) * count,
        xy=xy,
    )
    return DrawnFaces(images, annotations)


def draw_face(
    index: int, *, size: int = 64, seed: int = 0, clutter: bool = False
) -> tuple[np.ndarray, np.ndarray]:
    """Draw face `index` of a seed: uint8 (size, size, 3), and its landmarks (5, 2) in pixels.

    >>> image, xy = draw_face(3, size=48)
    >>> bool((image == draw_faces(5, size=48).images[3]).all())
    True
    """
    random = np.random.default_rng([seed, index])
    face = random_face(random)
    background = cluttered_background(random) if clutter else plain_background(random)
    drawing = paint(face_parts(face), size, background)
    return photograph(drawing, face, random), unit_to_pixels(face_landmarks(face), size)


def save_faces(faces: DrawnFaces, path: str | Path, overwrite: bool = False) -> Path:
    """Write images/*.png and landmarks.csv into a folder, or a zip if `path` ends in .zip.

    Coordinates are in pixels with two decimals; those of the train split are left empty, as in a
    real set. Raises InputError if something is at `path` already and `overwrite` is not set, and
    OutputError if it cannot be written.

    >>> import tempfile
    >>> place = Path(tempfile.mkdtemp()) / "faces.zip"
    >>> zipfile.ZipFile(save_faces(draw_faces(2, size=16), place)).namelist()[-1]
    'landmarks.csv'
    """
    path = Path(path)
    zipped = path.suffix.lower() == ".zip"
    if path.exists() and path.is_dir() == zipped:
        raise InputError(
            f"{path} is a {'folder' if zipped else 'file'}, so the faces can't be written there: "
            f"a name that ends in .zip becomes a zip, any other a folder. Choose another name."
        )
    in_use = any(path.iterdir()) if path.is_dir() else path.exists()
    if in_use and not overwrite:
        raise InputError(
            f"{path} exists already. Choose another place, or pass overwrite=True "
            f"(--overwrite on the command line) to replace the faces in it."
        )
    if zipped:
        return write_atomically(path, lambda partial: _write_zip(faces, partial))
    with writing(path):
        (path / "images").mkdir(parents=True, exist_ok=True)
        for old in (path / "images").glob("face-*.png"):
            old.unlink()
        for name, data in _files(faces):
            (path / name).write_bytes(data)
    return path


def _write_zip(faces: DrawnFaces, path: Path) -> None:
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in _files(faces):
            archive.writestr(zipfile.ZipInfo(name), data)  # a fixed date: same bytes each time


def _files(faces: DrawnFaces) -> Iterator[tuple[str, bytes]]:
    """Names and contents of the files of a set, the table last."""
    marks = faces.annotations
    table = io.StringIO(newline="")
    writer = csv.writer(table, lineterminator="\n")
    writer.writerow(["file", "split", *(f"{name}_{axis}" for name in marks.names for axis in "xy")])
    for image, file, split, points in zip(
        faces.images, marks.files, marks.splits, marks.xy, strict=True
    ):
        picture = io.BytesIO()
        Image.fromarray(image).save(picture, "PNG", compress_level=3)
        yield file, picture.getvalue()
        marked = split != "train"
        row = [f"{value:.2f}" if marked else "" for value in points.ravel()]
        writer.writerow([file, split, *row])
    yield "landmarks.csv", table.getvalue().encode()


def _splits(count: int, fit: float, test: float) -> tuple[str, ...]:
    """Spread the splits so that image i has the same one whatever the count."""
    number = np.arange(count + 1)
    tested = np.floor(number * test + 1e-9)  # 1e-9: 10 * 0.1 may come out as 0.99…
    fitted = np.floor((number - tested) * (fit / (1 - test) if test < 1 else 0) + 1e-9)
    return tuple(
        "test" if is_test else "fit" if is_fit else "train"
        for is_test, is_fit in zip(np.diff(tested), np.diff(fitted), strict=True)
    )
