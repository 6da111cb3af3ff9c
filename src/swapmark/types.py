"""The small typed results that the stages hand to one another and to users."""

import csv
import math
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from swapmark.data.items import Skipped
from swapmark.errors import InputError
from swapmark.files import refuse_existing, write_atomically


def refuse_one_place(table: Path, overlay: Path) -> None:
    """Raise InputError if the table and what is drawn would be one file."""
    if overlay.resolve() == table.resolve():
        raise InputError(f"{table} is named for both the table and the overlay; expected two.")


def default_names(count: int) -> tuple[str, ...]:
    """The names of points that were given none, such as learned landmarks.

    >>> default_names(2)
    ('landmark_1', 'landmark_2')
    """
    return tuple(f"landmark_{k + 1}" for k in range(count))


@dataclass(frozen=True)
class Landmarks:
    """Landmarks found in N images, K in each, in pixels of the original (EXIF-turned) image.

    >>> import numpy as np
    >>> points = Landmarks(np.zeros((1, 2, 2)), np.ones((1, 2)), ("a.png",), np.array([[64, 48]]))
    >>> len(points), points.names
    (1, ('landmark_1', 'landmark_2'))
    """

    xy: np.ndarray
    """(N, K, 2) pixel coordinates, (0, 0) being the centre of the top left pixel."""
    confidence: np.ndarray
    """(N, K) in [0, 1]: how concentrated the heatmap of each landmark is."""
    paths: tuple[str, ...]
    """N names of the images, as given: a path, or the name inside an archive."""
    sizes: np.ndarray
    """(N, 2) width and height of each image in pixels, after the EXIF turn."""
    skipped: tuple[Skipped, ...] = field(default=())
    """Images that could not be read."""
    names: tuple[str, ...] = ()
    """K names, as in the tables; landmark_1 … landmark_K unless given."""

    def __post_init__(self):
        count = self.xy.shape[1]
        if not self.names:
            object.__setattr__(self, "names", default_names(count))
        if len(self.names) != count:
            raise ValueError(f"names has {len(self.names)} entries; expected {count}")

    def __repr__(self) -> str:
        what = f"{self.xy.shape[1]} landmarks each, {len(self.skipped)} skipped"
        return f"<Landmarks: {len(self)} images, {what}>"

    def __len__(self) -> int:
        return len(self.paths)

    @property
    def columns(self) -> list[str]:
        """The header of the table: file, width, height, then x, y, confidence a landmark."""
        return self.table().columns

    def rows(self) -> list[list]:
        """One list an image, in the order of `columns`."""
        return self.table().rows()

    def table(self) -> "PointTable":
        """The same points as what file formats are written from."""
        return PointTable(
            self.names, self.paths, self.xy, confidence=self.confidence, sizes=self.sizes
        )

    def to_csv(self, path: str | Path, *, overwrite: bool = False) -> Path:
        """Write one row an image; pixels and confidences with three decimals.

        Raises InputError if the file exists and `overwrite` is not set, and OutputError if it
        cannot be written.
        """
        path = Path(path)
        refuse_existing(path, overwrite=overwrite)
        return write_atomically(path, lambda partial: write_rows(self.table(), partial, decimals=3))

    def to_pandas(self):
        """The same table as a pandas DataFrame (needs the extra `pandas`)."""
        import pandas

        return pandas.DataFrame(self.rows(), columns=self.columns)  # pyright: ignore[reportArgumentType]


@dataclass(frozen=True)
class Annotations:
    """Points marked by hand: P named points in each of N images, in pixels as in `Landmarks`."""

    names: tuple[str, ...]
    """P names of the points, in the order of the file."""
    files: tuple[str, ...]
    """N image names, relative to the annotation file."""
    splits: tuple[str, ...]
    """N splits: `train`, `fit` or `test`."""
    groups: tuple[str, ...]
    """N groups (person, recording) that never straddle splits; empty strings where none."""
    xy: np.ndarray
    """(N, P, 2) pixel coordinates; NaN where a point is not marked."""

    def __repr__(self) -> str:
        return f"<Annotations: {len(self)} images, {len(self.names)} points each>"

    def __len__(self) -> int:
        return len(self.files)


@dataclass(frozen=True)
class PointTable:
    """Named points in N images, P in each: what every file format is read into and written from.

    >>> import numpy as np
    >>> table = PointTable(("nose",), ("a.png",), np.array([[[3.0, np.nan]]]))
    >>> len(table), table.marked.tolist()
    (1, [[False]])
    """

    names: tuple[str, ...]
    """P names of the points."""
    files: tuple[str, ...]
    """N image names; for frames of a video, the name of the video."""
    xy: np.ndarray
    """(N, P, 2) pixel coordinates as in `Landmarks`; NaN where a point is missing."""
    confidence: np.ndarray | None = None
    """(N, P) in [0, 1], NaN where unknown; None where the points have none (marked by hand)."""
    sizes: np.ndarray | None = None
    """(N, 2) width and height of each image in pixels, NaN where unknown; None if all are."""
    splits: tuple[str, ...] | None = None
    """N splits, `train`, `fit` or `test`; None where the images are not split."""
    groups: tuple[str, ...] | None = None
    """N groups (person, recording), empty where none; None where no image has one."""
    scales: np.ndarray | None = None
    """(N,) length of a pixel in the user's unit (SCALE of TPS), NaN where unknown."""
    frames: np.ndarray | None = None
    """(N,) index of the frame in its video; None for images."""
    times: np.ndarray | None = None
    """(N,) seconds since the start of the video; None for images."""

    def __post_init__(self):
        count, points = len(self.files), len(self.names)
        shapes = {
            "xy": (count, points, 2),
            "confidence": (count, points),
            "sizes": (count, 2),
            "scales": (count,),
            "frames": (count,),
            "times": (count,),
        }
        for name, shape in shapes.items():
            value = getattr(self, name)
            if value is not None and value.shape != shape:
                raise ValueError(f"{name} has shape {value.shape}; expected {shape}")
        for name in ("splits", "groups"):
            value = getattr(self, name)
            if value is not None and len(value) != count:
                raise ValueError(f"{name} has {len(value)} entries; expected {count}")

    def __repr__(self) -> str:
        return f"<PointTable: {len(self)} images, {len(self.names)} points each>"

    def __len__(self) -> int:
        return len(self.files)

    @property
    def marked(self) -> np.ndarray:
        """(N, P): whether both coordinates of a point are there."""
        return np.asarray(np.isfinite(self.xy).all(axis=-1))

    @property
    def columns(self) -> list[str]:
        """The header of the wide table: what is known of each image, then the points' columns."""
        parts = ("x", "y") if self.confidence is None else ("x", "y", "confidence")
        return [*self._about(), *(f"{name}_{part}" for name in self.names for part in parts)]

    def rows(self) -> list[list]:
        """One list an image, in the order of `columns`; NaN where something is not known."""
        parts = [self.xy] if self.confidence is None else [self.xy, self.confidence[..., None]]
        points = np.concatenate(parts, axis=-1, dtype=np.float64)
        points = points.reshape(len(self), len(self.names) * points.shape[-1]).tolist()
        about = zip(*self._about().values(), strict=True)
        return [[*first, *last] for first, last in zip(about, points, strict=True)]

    def _about(self) -> dict[str, list]:
        """The columns that say something of an image as a whole, those that are known."""
        sizes = (None, None) if self.sizes is None else self.sizes.T
        found = {
            "file": list(self.files),
            "frame": self.frames,
            "time": self.times,
            "split": self.splits,
            "group": self.groups,
            "width": sizes[0],
            "height": sizes[1],
            "scale": self.scales,
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


def write_rows(table: PointTable, path: Path, *, decimals: int | None = None) -> None:
    """Write a table as CSV: unknown numbers are empty cells, the others get `decimals`.

    Without `decimals` every number has as many digits as it takes to read it back exactly.

    >>> from tempfile import TemporaryDirectory
    >>> table = PointTable(("a",), ("1.png",), np.array([[[0.1, 2]]]))
    >>> with TemporaryDirectory() as folder:
    ...     write_rows(table, Path(folder, "t.csv"))
    ...     Path(folder, "t.csv").read_text().splitlines()
    ['file,a_x,a_y', '1.png,0.1,2.0']
    """

    def cell(value):
        if not isinstance(value, float):
            return value
        if math.isnan(value):
            return ""
        return repr(value) if decimals is None else f"{value:.{decimals}f}"

    # Names of files need not be valid text on every system.
    with path.open("w", newline="", encoding="utf-8", errors="backslashreplace") as file:
        writer = csv.writer(file)
        writer.writerow(table.columns)
        writer.writerows([cell(value) for value in row] for row in table.rows())
