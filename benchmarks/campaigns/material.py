"""What the campaigns work on: drawn faces, an undisturbed run, tables, pictures of every kind."""

import io
import json
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import tifffile
from PIL import Image, ImageCms

from campaigns.commands import run
from swapmark.faces.drawn import draw_faces, save_faces

WIDTHS = {"backbone_width": 4, "landmark_width": 8, "appearance_width": 8, "decoder_width": 16}
STEPS = {"steps": 40, "log_every": 5, "checkpoint_every": 10, "sample_every": 20}
SETTINGS = {
    "model": {"backbone": "plain", "image_size": 32, "landmarks": 4, **WIDTHS},
    "training": {"batch_size": 4, "precision": "float32", **STEPS},
}
"""Runs of seconds in which something is written all the time."""
TABLES = {"csv": "csv", "tps": "tps", "dlc": "csv", "coco": "json", "parquet": "parquet"}
"""The formats of tables and their endings."""


@dataclass(frozen=True)
class Material:
    """Whole files in a folder that no campaign writes into."""

    folder: Path
    _seconds: dict[int, float] = field(default_factory=dict)

    @property
    def faces(self) -> Path:
        """24 drawn faces with marks.csv, in a zip."""
        return self.folder / "faces.zip"

    @property
    def photos(self) -> Path:
        """The same as a folder."""
        return self.folder / "photos"

    def training(self, out: Path, *, processes: int = 1) -> list[str | Path]:
        """The words of a command that trains on the faces."""
        shared = ["--devices", str(processes), "--device", "cpu"] if processes > 1 else []
        config = self.folder / "settings.yaml"
        return ["train", self.faces, "--out", out, "--config", config, "--quiet", *shared]

    def trained(self, processes: int = 1) -> Path:
        """An undisturbed run, of so many processes."""
        out = self.folder / f"run-{processes}"
        if processes not in self._seconds:
            began = time.monotonic()
            self._run(*self.training(out, processes=processes))
            self._seconds[processes] = time.monotonic() - began
        return out

    def seconds(self, processes: int = 1) -> float:
        """How long that took, from the start of the command to its end."""
        self.trained(processes)
        return self._seconds[processes]

    @cached_property
    def points(self) -> Path:
        """The landmarks of the photos as an undisturbed command writes them."""
        out = self.folder / "points.csv"
        self._run("predict", self.trained(), self.photos, "--out", out, "--quiet")
        return out

    @cached_property
    def tables(self) -> dict[str, bytes]:
        """The marks as a file of each format."""
        made = {}
        for name, ending in TABLES.items():
            path = self.folder / f"{name}.{ending}"
            words = ["--images", self.photos, "--to", name]
            self._run("convert", self.photos / "marks.csv", path, *words)
            made[name] = path.read_bytes()
        return made

    @cached_property
    def pictures(self) -> list[tuple[str, bytes]]:
        """A small picture of every kind that is read, and of some that are not, with its ending."""
        return list(_pictures())

    def _run(self, *words: str | Path) -> None:
        run(words, self.folder / "log.txt", self.folder / "cache")


def make_material(folder: Path) -> Material:
    """Draw the faces; what takes longer is made when it is first needed."""
    made = Material(folder)
    faces = draw_faces(24, size=32, seed=1, fit=0.5, test=0.5)
    save_faces(faces, made.faces)
    save_faces(faces, made.photos)
    (folder / "settings.yaml").write_text(json.dumps(SETTINGS))
    return made


def _pictures() -> Iterator[tuple[str, bytes]]:
    face = Image.fromarray(draw_faces(1, size=64, seed=3).images[0]).crop((0, 0, 64, 48))
    turned = Image.Exif()
    turned[0x0112] = 6
    for ending, modes, options in (
        ("png", ("1", "L", "LA", "P", "RGB", "RGBA", "I;16"), {}),
        ("png", ("RGB",), {"exif": turned}),
        ("jpg", ("L", "RGB", "CMYK"), {"quality": 80}),
        ("jpg", ("RGB",), {"progressive": True, "exif": turned}),
        ("webp", ("RGBA",), {"lossless": True}),
        ("webp", ("RGB",), {"quality": 70}),
        ("webp", ("RGB",), {"save_all": True, "append_images": [face]}),
        ("gif", ("P",), {}),
        ("bmp", ("1", "L", "P", "RGB", "RGBA"), {}),
        ("tif", ("CMYK", "RGBA", "LAB", "YCbCr", "I;16", "F"), {}),
        *(("tif", ("1",), {"compression": name}) for name in ("group3", "group4", "packbits")),
        *(("tif", ("RGB", "P"), {"compression": name}) for name in ("tiff_lzw", "tiff_deflate")),
        ("tif", ("RGB", "L"), {"compression": "jpeg"}),
        ("tif", ("RGB", "L"), {"compression": "lzma"}),
    ):
        for mode in modes:
            file = io.BytesIO()
            kind = {"jpg": "JPEG", "tif": "TIFF"}.get(ending, ending.upper())
            _in_mode(face, mode).save(file, kind, **options)
            yield ending, file.getvalue()
    for number in ("u1", "u2", "u4", "i2", "f2", "f4", "f8"):
        kinds: tuple[dict[str, Any], ...] = (
            {},
            {"compression": "zlib", "rowsperstrip": 8},
            {"planarconfig": "separate", "compression": "lzma"},
            {"tile": (32, 32), "compression": "zlib", "bigtiff": True},
            {"byteorder": ">", "photometric": "miniswhite"},
        )
        for options in kinds:
            values = np.asarray(face) * (1 / 255 if number[0] == "f" else 1)
            if "photometric" in options:
                values = values[..., 0]
            elif "planarconfig" in options:
                values = values.transpose(2, 0, 1).copy()
            file = io.BytesIO()
            tifffile.imwrite(file, values.astype(number), **{"photometric": "rgb", **options})
            yield "tif", file.getvalue()
    file = io.BytesIO()
    tifffile.imwrite(file, np.zeros((3, 48, 64), np.uint8), photometric="minisblack")
    yield "tif", file.getvalue()


def _in_mode(picture: Image.Image, mode: str) -> Image.Image:
    if mode == "I;16":
        return Image.fromarray(np.asarray(picture.convert("L"), np.uint16) * 200)
    if mode == "LAB":
        profiles = [ImageCms.createProfile(name) for name in ("sRGB", "LAB")]
        return ImageCms.buildTransform(profiles[0], profiles[1], "RGB", "LAB").apply(picture)
    return picture.convert(mode)
