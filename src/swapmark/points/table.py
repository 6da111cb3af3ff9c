"""The one table of points: found by a model, mapped to a user's own, or marked by hand."""

import math
import os
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from swapmark.data.items import Skipped
from swapmark.errors import InputError, counted


def default_names(count: int) -> tuple[str, ...]:
    """The names of points that were given none, such as learned landmarks.

    >>> default_names(2)
    ('landmark_1', 'landmark_2')
    """
    return tuple(f"landmark_{k + 1}" for k in range(count))


def other_names(names: Sequence[str], instead: str) -> tuple[str, ...]:
    """The names of points, some of them changed as `instead` says: OLD=NEW, with commas between.

    Raises InputError where it says anything else, or no longer each point has its own name.

    >>> other_names(("landmark_1", "landmark_2"), "landmark_2=snout")
    ('landmark_1', 'snout')
    """
    pairs = [[name.strip() for name in part.split("=")] for part in instead.split(",")]
    if any(len(pair) != 2 or pair[0] not in names or not pair[1] for pair in pairs):
        raise InputError(
            f"The names are {instead!r}. Expected OLD=NEW with commas between them, such as "
            f"{names[0]}=snout; the points are {', '.join(names)}."
        )
    changed = tuple(dict(pairs).get(name, name) for name in names)
    if len(set(changed)) < len(changed):
        raise InputError(f"With {instead!r} two points would have one name. Name each once.")
    return changed


@dataclass(frozen=True, eq=False)
class Points:
    """P named points in each of N images, in pixels of the upright original image.

    Raises ValueError for fields whose shapes do not belong together.

    >>> points = Points(("nose",), ("a.png",), np.array([[[3.0, np.nan]]]))
    >>> points, points.marked.tolist()
    (<Points: 1 image, 1 point each>, [[False]])
    """

    names: tuple[str, ...]
    """P names of the points."""
    files: tuple[str, ...]
    """N names of the images: paths as given, or inside an archive; of a video's frames its name."""
    xy: np.ndarray
    """(N, P, 2) pixels, (0, 0) the centre of the top left one; NaN where a point is missing."""
    confidence: np.ndarray | None = None
    """(N, P) in [0, 1], NaN where unknown; None where the points have none (marked by hand)."""
    sizes: np.ndarray | None = None
    """(N, 2) width and height of each image in pixels, NaN where unknown; None if all are."""
    split: tuple[str, ...] | None = None
    """N splits, `train`, `fit` or `test`; None where the images are not split."""
    group: tuple[str, ...] | None = None
    """N groups (person, recording), empty where none; None where no image has one."""
    scale: np.ndarray | None = None
    """(N,) length of a pixel in the user's unit (SCALE of TPS), NaN where unknown."""
    frame: np.ndarray | None = None
    """(N,) index of the frame in its video; None for images."""
    time: np.ndarray | None = None
    """(N,) seconds since the start of the video; None for images."""
    unlike: np.ndarray | None = None
    """(N,) how unlike the model's training pictures each is, above 1 clearly; None if not known."""
    fingerprint: tuple[str, ...] | None = None
    """N fingerprints of the models that found the points; None if none is known."""
    skipped: tuple[Skipped, ...] = ()
    """Images that could not be read, and why."""
    source: Any = field(default=None, repr=False)
    """What the points were found in, for `draw`; None where that is not known."""

    def __post_init__(self):
        count, points = len(self.files), len(self.names)
        shapes = {
            "xy": (count, points, 2),
            "confidence": (count, points),
            "sizes": (count, 2),
            **dict.fromkeys(
                ("split", "group", "scale", "frame", "time", "unlike", "fingerprint"), (count,)
            ),
        }
        for name, shape in shapes.items():
            value = getattr(self, name)
            if value is not None and np.shape(value) != shape:
                raise ValueError(f"{name} has shape {np.shape(value)}; expected {shape}")

    def __repr__(self) -> str:
        skipped = f", {len(self.skipped)} skipped" if self.skipped else ""
        kind = "image" if self.frame is None else "frame"
        each = counted(len(self.names), "point")
        return f"<Points: {counted(len(self), kind)}, {each} each{skipped}>"

    def __len__(self) -> int:
        return len(self.files)

    @property
    def marked(self) -> np.ndarray:
        """(N, P): whether both coordinates of a point are there."""
        return np.asarray(np.isfinite(self.xy).all(axis=-1))

    def take(self, rows) -> "Points":
        """The same table with these rows only: N' indices, or a mask (N,).

        >>> points = Points(("a",), ("1.png", "2.png"), np.zeros((2, 1, 2)), split=("fit", "test"))
        >>> points.take([1]).split
        ('test',)
        """
        rows = np.arange(len(self))[rows]
        taken = {}
        for name, values in vars(self).items():
            if isinstance(values, np.ndarray) and name != "source":
                taken[name] = values[rows]
            elif name in ("files", "split", "group", "fingerprint") and values is not None:
                taken[name] = tuple(values[row] for row in rows)
        return replace(self, **taken)

    @property
    def columns(self) -> list[str]:
        """The header of the wide table: what is known of each image, then the points' columns."""
        parts = ("x", "y") if self.confidence is None else ("x", "y", "confidence")
        return [*self.about(), *(f"{name}_{part}" for name in self.names for part in parts)]

    def rows(self) -> list[list]:
        """One list an image, in the order of `columns`; NaN where something is not known."""
        parts = [self.xy] if self.confidence is None else [self.xy, self.confidence[..., None]]
        points = np.concatenate(parts, axis=-1, dtype=np.float64)
        points = points.reshape(len(self), len(self.names) * points.shape[-1]).tolist()
        about = zip(*self.about().values(), strict=True)
        return [[*first, *last] for first, last in zip(about, points, strict=True)]

    def about(self) -> dict[str, list]:
        """The columns that say something of an image as a whole, those that are known."""
        sizes = (None, None) if self.sizes is None else self.sizes.T
        found = {
            "file": list(self.files),
            "frame": self.frame,
            "time": self.time,
            "split": self.split,
            "group": self.group,
            "width": sizes[0],
            "height": sizes[1],
            "scale": self.scale,
            "unlike": self.unlike,
            "fingerprint": self.fingerprint,
        }
        columns = {
            name: values.tolist() if isinstance(values, np.ndarray) else list(values)
            for name, values in found.items()
            if values is not None
        }
        for name in ("frame", "width", "height"):
            if name in columns:
                columns[name] = [n if math.isnan(n) else int(n) for n in columns[name]]
        return columns

    def to_pandas(self):
        """The wide table as a pandas DataFrame (needs the extra `pandas`)."""
        import pandas

        return pandas.DataFrame(self.rows(), columns=self.columns)  # pyright: ignore[reportArgumentType]

    def save(
        self,
        path: str | os.PathLike,
        format: str | None = None,
        *,
        overwrite: bool = False,
        safe: bool = False,
    ) -> tuple[str, ...]:
        """Write the points into a file, and return in words what its format cannot hold.

        The format follows from the ending unless it is given: .csv, .tps, .json (COCO), .parquet;
        DeepLabCut's must be named, `dlc`. With `safe`, names in a CSV that a spreadsheet would take
        for formulas get an apostrophe in front. Raises InputError if the file exists and
        `overwrite` is not set or the format cannot hold the points, and OutputError if it cannot be
        written.
        """
        from swapmark.points.formats import write_points

        return write_points(self, path, format, overwrite=overwrite, safe=safe)

    def draw(
        self,
        path: str | os.PathLike,
        *,
        images: Any = None,
        marked: "Points | None" = None,
        overwrite: bool = False,
    ) -> Path:
        """Draw the points over up to 36 of their pictures, or over every frame of their video.

        `images` is what they were found in, by default `source`. `marked` are the same points
        marked by hand in the same images, drawn as crosses with a line to each. The ending of
        `path` tells what is written: a picture (.png, .jpg, .webp, .tif, .bmp), or, for a video,
        .mp4, .mov or .mkv.
        """
        from swapmark.points.overlay import draw_points

        return draw_points(self, path, images=images, marked=marked, overwrite=overwrite)

    def align(self):
        """Turn, scale and shift all specimens onto their mean shape: `Shapes`, with what varies.

        Images with fewer than three points are left out (`.left_out`); of the others missing points
        are no term of the sum of squares. Raises InputError where there is no mean shape.

        >>> xy = np.array([[[0.0, 0], [4, 0], [0, 3]], [[1, 1], [1, 9], [-5, 1]]])
        >>> shapes = Points(("a", "b", "c"), ("1.png", "2.png"), xy).align()
        >>> shapes, shapes.sizes.round(2).tolist(), shapes.distances.round(2).tolist()
        (<Shapes: 2 specimens, 3 points each>, [4.08, 8.16], [0.0, 0.0])
        """
        from swapmark.points.shapes import align_points

        return align_points(self)

    def warp_to_mean(self, images: Any = None, *, size: int = 256):
        """Warp each picture so that its points lie on the mean shape: `Warped`, with the average.

        `images` is what the points were found in, by default `source`. The pictures are uint8
        (N, size, size, 3); images with fewer than three points are left out (`.left_out`), and so
        are those that cannot be read. Raises InputError where the pictures are others.
        """
        from swapmark.points.average import warp_to_mean

        return warp_to_mean(self, images, size=size)
