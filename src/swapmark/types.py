"""The small typed results that the stages hand to one another and to users."""

import csv
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from swapmark.atomic import write_atomically
from swapmark.errors import InputError


def refuse_existing(path: Path, *, overwrite: bool) -> None:
    """Raise InputError if a file is there that nobody allowed to replace."""
    if path.exists() and not overwrite:
        raise InputError(
            f"{path} exists already. Choose another name, or pass overwrite=True "
            f"(--overwrite on the command line) to replace it."
        )


@dataclass(frozen=True)
class Skipped:
    """An image that could not be used, and why."""

    file: str
    reason: str


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

    @property
    def names(self) -> tuple[str, ...]:
        """landmark_1 … landmark_K, as in the tables."""
        return tuple(f"landmark_{k + 1}" for k in range(self.xy.shape[1]))

    def __len__(self) -> int:
        return len(self.paths)

    @property
    def columns(self) -> list[str]:
        """The header of the table: file, width, height, then x, y, confidence a landmark."""
        points = [f"{name}_{part}" for name in self.names for part in ("x", "y", "confidence")]
        return ["file", "width", "height", *points]

    def rows(self) -> list[list]:
        """One list an image, in the order of `columns`."""
        table = np.concatenate([self.xy, self.confidence[..., None]], axis=-1)
        return [
            [path, int(width), int(height), *values.tolist()]
            for path, (width, height), values in zip(
                self.paths, self.sizes, table.reshape(len(self), 3 * len(self.names)), strict=True
            )
        ]

    def to_csv(self, path: str | Path, *, overwrite: bool = False) -> Path:
        """Write one row an image; pixels and confidences with three decimals.

        Raises InputError if the file exists and `overwrite` is not set, and OutputError if it
        cannot be written.
        """
        path = Path(path)
        refuse_existing(path, overwrite=overwrite)
        return write_atomically(path, self._write_csv)

    def _write_csv(self, path: Path) -> None:
        # Names of files need not be valid text on every system.
        with path.open("w", newline="", encoding="utf-8", errors="backslashreplace") as file:
            writer = csv.writer(file)
            writer.writerow(self.columns)
            for name, width, height, *values in self.rows():
                writer.writerow([name, width, height, *(f"{value:.3f}" for value in values)])

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

    def __len__(self) -> int:
        return len(self.files)
