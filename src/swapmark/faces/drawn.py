"""Synthetic faces with known landmarks: the embedded data of the demo, the tests and the docs.

Image i of a seed is the same face whatever the count, the order and the size.
"""

import zipfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from PIL import Image

from swapmark.coordinates import unit_to_pixels
from swapmark.errors import InputError
from swapmark.faces.face import Face
from swapmark.faces.painting import (
    LANDMARK_NAMES,
    cluttered_background,
    face_landmarks,
    face_parts,
    paint,
    photograph,
    plain_background,
)
from swapmark.files import refuse_existing, write_atomically, writing
from swapmark.points.table import Points

TABLE = "marks.csv"


@dataclass(frozen=True)
class DrawnFaces:
    """Faces with the true place of every landmark."""

    images: np.ndarray
    """(N, size, size, 3) uint8."""
    points: Points
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
    >>> faces.images.shape, faces.points.xy.shape, faces.points.split.count("test")
    ((10, 32, 32, 3), (10, 5, 2), 1)
    """
    if count < 1 or size < 16:
        raise InputError(
            f"count is {count} and size is {size}; expected at least 1 face and 16 pixels."
        )
    if min(fit, test) < 0 or fit + test > 1:
        raise InputError(
            f"The shares fit={fit} and test={test} must be 0 or more and add up to at most 1."
        )
    images = np.empty((count, size, size, 3), np.uint8)
    xy = np.empty((count, len(LANDMARK_NAMES), 2))
    for index in range(count):
        images[index], xy[index] = draw_face(index, size=size, seed=seed, clutter=clutter)
    files = tuple(f"images/face-{index:05d}.png" for index in range(count))
    return DrawnFaces(images, Points(LANDMARK_NAMES, files, xy, split=_splits(count, fit, test)))


def draw_face(
    index: int, *, size: int = 64, seed: int = 0, clutter: bool = False
) -> tuple[np.ndarray, np.ndarray]:
    """Draw face `index` of a seed: uint8 (size, size, 3), and its landmarks (5, 2) in pixels."""
    random = np.random.default_rng([seed, index])
    face = Face(random)
    background = cluttered_background(random) if clutter else plain_background(random)
    drawing = paint(face_parts(face), size, background)
    return photograph(drawing, face, random), unit_to_pixels(face_landmarks(face), size)


def save_faces(faces: DrawnFaces, path: str | Path, overwrite: bool = False) -> Path:
    """Write images/*.png and marks.csv into a folder, or a zip if `path` ends in .zip.

    Coordinates are in pixels with two decimals; those of the train split are left empty, as in a
    real set. Raises InputError if something is at `path` already and `overwrite` is not set, and
    OutputError if it cannot be written.
    """
    path = Path(path)
    zipped = path.suffix.lower() == ".zip"
    if path.exists() and path.is_dir() == zipped:
        raise InputError(
            f"{path} is a {'folder' if zipped else 'file'}. A name that ends in .zip becomes a "
            "zip, any other a folder. Choose another name."
        )
    if not path.is_dir() or any(path.iterdir()):
        refuse_existing(path, overwrite=overwrite)
    if not zipped:
        with writing(path):
            _fill(faces, path)
        return path
    with TemporaryDirectory() as folder:
        _fill(faces, Path(folder))
        names = (*faces.points.files, TABLE)
        return write_atomically(path, lambda partial: _pack(Path(folder), names, partial))


def _fill(faces: DrawnFaces, folder: Path) -> None:
    (folder / "images").mkdir(parents=True, exist_ok=True)
    for old in (folder / "images").glob("face-*.png"):
        old.unlink()
    for file, image in zip(faces.points.files, faces.images, strict=True):
        Image.fromarray(image).save(folder / file, compress_level=3)
    is_train = np.array(faces.points.split) == "train"
    marked = np.where(is_train[:, None, None], np.nan, faces.points.xy.round(2))
    replace(faces.points, xy=marked).save(folder / TABLE, overwrite=True)


def _pack(folder: Path, names: Sequence[str], path: Path) -> None:
    with zipfile.ZipFile(path, "w") as archive:
        for name in names:  # with a fixed date: same bytes each time
            archive.writestr(zipfile.ZipInfo(name), (folder / name).read_bytes())


def _splits(count: int, fit: float, test: float) -> tuple[str, ...]:
    """Spread the splits so that image i has the same one whatever the count."""
    number = np.arange(count + 1)
    tested = np.floor(number * test + 1e-9)  # 1e-9: 10 * 0.1 may come out as 0.99…
    fitted = np.floor((number - tested) * (fit / (1 - test) if test < 1 else 0) + 1e-9)
    return tuple(
        "test" if is_test else "fit" if is_fit else "train"
        for is_test, is_fit in zip(np.diff(tested), np.diff(fitted), strict=True)
    )
