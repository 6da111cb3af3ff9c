"""Builds the sets of faces that the benchmarks use from the public archives of their makers.

    python benchmarks/prepare_faces.py --mtfl MTFL.zip --celeba img_align_celeba.zip --out sets

- MTFL.zip (Zhang et al. 2014, mmlab.ie.cuhk.edu.hk/projects/TCDCN.html) makes lfw.zip and aflw.zip,
  with five points that were marked by hand.
- img_align_celeba.zip (Liu et al. 2015, mmlab.ie.cuhk.edu.hk/projects/CelebA.html) makes
  faces-unlabelled.zip: the pictures of the numbers that we used, cut to the same place of the eyes
  in the median. Ours came from larger originals and from halved ones, so errors will differ a bit.

Which pictures, and their splits, stand in benchmarks/sets. The makers allow research alone, and
forbid to pass pictures on.
"""

import io
import sys
import zipfile
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from cyclopts import run
from PIL import Image

from swapmark.errors import InputError, SwapmarkError
from swapmark.files import refuse_existing, write_atomically
from swapmark.points.table import Points

SETS = Path(__file__).parent / "sets"
SIDE, QUALITY, DATE = 128, 80, (2026, 1, 1, 0, 0, 0)
NAMES = ("left_eye", "right_eye", "nose", "left_mouth", "right_mouth")
"""In the order of MTFL, which counts pixels from 1; left is the left of the picture."""


@dataclass(frozen=True)
class Made:
    """A set, and how it is made: its list, the folder in the archive, the square that is cut."""

    file: str
    listed: str
    folder: str
    left: float
    top: float
    side: float

    def cut(self, picture: bytes) -> bytes:
        """The square as a WebP."""
        box = (self.left, self.top, self.left + self.side, self.top + self.side)
        made, image = io.BytesIO(), Image.open(io.BytesIO(picture)).convert("RGB")
        image.resize((SIDE, SIDE), Image.Resampling.BICUBIC, box).save(
            made, "WEBP", quality=QUALITY
        )
        return made.getvalue()

    def place(self, xy: np.ndarray) -> np.ndarray:
        """Points (…, 2) of MTFL in pixels of the square, the first of which is 0."""
        return (xy - 0.5 - (self.left, self.top)) * SIDE / self.side - 0.5


LFW = Made("lfw.zip", "lfw.txt", "lfw_5590", 56.5, 65.5, 140)
AFLW = Made("aflw.zip", "aflw.txt", "AFLW", 0, 0, 150)
CELEBA = Made("faces-unlabelled.zip", "celeba.txt", "img_align_celeba", 19, 47, 140)


def main(*, mtfl: Path | None = None, celeba: Path | None = None, out: Path) -> None:
    """Write the sets into the folder `out`; one of the two archives will do."""
    if mtfl is None and celeba is None:
        raise InputError("No archive is given. Name one: --mtfl MTFL.zip, --celeba FILE.")
    if mtfl:
        for made in (LFW, AFLW):
            build(made, mtfl, out)
    if celeba:
        build(CELEBA, celeba, out)


def build(made: Made, source: Path, out: Path) -> None:
    """Cut the listed pictures, and write them with their marks, if the archive has any."""
    refuse_existing(out / made.file, overwrite=False)
    listed = [line.split() for line in (SETS / made.listed).read_text().splitlines()]
    with zipfile.ZipFile(source) as archive:
        # Archives have a folder of their own around all, or not.
        there = {"/".join(Path(name).parts[-2:]): name for name in archive.namelist()}
        wanted = [f"{made.folder}/{name}.jpg" for name, _ in listed]
        if missing := [name for name in wanted if name not in there]:
            raise InputError(
                f"{source} lacks {len(missing)} of {len(wanted)} pictures, such as {missing[0]}. "
                f"Get the archive again from the page named by --help."
            )
        marks = _marks(archive, there, wanted, source) if made is not CELEBA else None
        pictures = {
            f"images/{name}.webp": made.cut(archive.read(there[path]))
            for (name, _), path in zip(listed, wanted, strict=True)
        }
    table = b""
    if marks is not None:
        split = tuple(split for _, split in listed)
        hidden = (np.array(split) == "train")[:, None, None]
        xy = np.where(hidden, np.nan, made.place(marks).round(2))
        table = _csv(Points(NAMES, tuple(pictures), xy, split=split))
    files = {**({"landmarks.csv": table} if table else {}), **pictures}
    write_atomically(out / made.file, lambda path: _pack(files, path))
    print(f"{len(pictures):,} pictures: {out / made.file}")


def _marks(archive: zipfile.ZipFile, there: dict, wanted: list[str], source: Path) -> np.ndarray:
    """The marks (N, 5, 2) of the pictures in MTFL's tables: a path, x1 … x5, y1 … y5, and more."""
    found = {}
    for table in ("training.txt", "testing.txt"):
        ends = [name for name in archive.namelist() if name.split("/")[-1] == table]
        for line in archive.read(ends[0]).decode().splitlines() if ends else ():
            if cells := line.split():
                xy = np.array(cells[1:11], float).reshape(2, 5).T
                found[cells[0].replace("\\", "/")] = xy
    if missing := [name for name in wanted if name not in found]:
        raise InputError(
            f"{source}: training.txt and testing.txt have no marks of {len(missing)} of "
            f"{len(wanted)} pictures, such as {missing[0]}. Get the archive again."
        )
    return np.stack([found[name] for name in wanted])


def _csv(points: Points) -> bytes:
    with TemporaryDirectory() as folder:
        points.save(Path(folder, "t.csv"))
        return Path(folder, "t.csv").read_bytes()


def _pack(files: dict[str, bytes], path: Path) -> None:
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in files.items():  # with a fixed date: same bytes each time
            archive.writestr(zipfile.ZipInfo(name, DATE), content)


if __name__ == "__main__":
    try:
        run(main)
    except (SwapmarkError, OSError, zipfile.BadZipFile) as error:
        sys.exit(f"prepare_faces.py: {error}")
