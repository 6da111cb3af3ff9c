"""Image sets ready for training: every image decoded once, kept as one memory-mapped array.

The files are described in cache_files.py. A set that is larger than the memory allowed keeps only
the index there, and its images are decoded batch by batch.
"""

import csv
import os
import sys
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from swapmark.data.cache_files import (
    building_folder,
    cache_key,
    map_pixels,
    publish,
    read_index,
    write_set,
)
from swapmark.data.decoding import default_workers, load_item, stream_images, track
from swapmark.data.images import FIT_MODES, Frame
from swapmark.data.items import Item, Skipped
from swapmark.data.pixels import ImageProblem
from swapmark.data.sources import Source, list_with_unread
from swapmark.errors import InputError
from swapmark.files import write_atomically


@dataclass(frozen=True, eq=False)
class ImageSet:
    """N images as uint8 squares, in memory-mapped or on-demand form; made by `load_images`.

    >>> images = ImageSet(8, [], [], [], np.zeros((5, 8, 8, 3), np.uint8))
    >>> images.batch(np.array([0, 3])).shape
    (2, 8, 8, 3)
    """

    size: int
    """Side of the squares in pixels."""
    names: list[str]
    """N names, as in `Item.name`."""
    frames: list[Frame]
    """N frames: where each image sits in its square."""
    skipped: list[Skipped]
    """The images that could not be used."""
    pixels: np.ndarray | None
    """uint8 (N, size, size, 3), memory-mapped; None when images are decoded on demand."""
    items: list[Item] = field(default_factory=list)
    """N items when images are decoded on demand."""
    workers: int = 1
    """Threads that decode on demand."""

    def __len__(self) -> int:
        return len(self.items) if self.pixels is None else len(self.pixels)

    def batch(self, indices: np.ndarray) -> np.ndarray:
        """Copy the images at `indices` (B,) as uint8 (B, size, size, 3).

        Raises InputError when an image decoded on demand is no longer what it was.
        """
        if self.pixels is not None:
            return np.asarray(self.pixels[indices])
        with ThreadPoolExecutor(self.workers) as executor:
            return np.stack(list(executor.map(self._decode, np.asarray(indices).tolist())))

    def _decode(self, index: int) -> np.ndarray:
        item = self.items[index]
        try:
            return load_item(item, self.size, self.frames[index].mode)[0]
        except ImageProblem as problem:
            raise InputError(
                f"{item.name} could be read when the set was checked but not now: {problem}. Leave "
                "the images in place while they are in use, and start again."
            ) from problem


def load_images(
    source: Source,
    size: int,
    *,
    fit: str = "pad",
    cache_dir: str | os.PathLike | None = None,
    workers: int | None = None,
    progress: bool = True,
    memory_limit_gib: float = 8.0,
) -> ImageSet:
    """Decode every image of a source into size × size squares, or find them in the cache.

    `cache_dir` is `cache_folder()` unless given. A set of more than `memory_limit_gib` (GiB, N ×
    size × size × 3 bytes) is checked once and then decoded on demand. Raises InputError when no
    image can be used or the cache cannot be written.

    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     images = load_images(np.zeros((3, 20, 10), np.uint8), 16, cache_dir=folder)
    >>> len(images), images.names[0], images.frames[0].resized
    (3, 'array-0', (8, 16))
    """
    if size < 1 or fit not in FIT_MODES:
        raise InputError(f"size={size}, fit={fit!r}; expected size ≥ 1 and fit pad or crop.")
    items, unread = list_with_unread(source)
    workers = workers or default_workers()
    bytes_needed = len(items) * size * size * 3
    keep_pixels = bytes_needed <= memory_limit_gib * 2**30
    root = Path(cache_dir) if cache_dir is not None else cache_folder()
    folder = root / cache_key(items, size, fit, keep_pixels)
    index = read_index(folder, size, keep_pixels)
    if index is None:
        try:
            root.mkdir(parents=True, exist_ok=True)
            with building_folder(root, bytes_needed if keep_pixels else 0) as building:
                decoded = stream_images(items, size, fit=fit, workers=workers)
                shown = track(decoded, len(items), "Decoding images", show=progress)
                index = write_set(building, shown, keep_pixels)
                if not index.names:
                    raise InputError(_nothing_usable(source, index.skipped + unread))
                index = publish(building, folder, index, size, keep_pixels)
        except OSError as error:
            raise InputError(
                f"The image cache in {root} cannot be written: {error.strerror or error}. Set the "
                "environment variable SWAPMARK_CACHE to a folder with space that you may write to."
            ) from error
    frames = [Frame(width, height, size, fit) for width, height in index.sizes]
    skipped = index.skipped + unread
    if keep_pixels:
        pixels = map_pixels(folder, len(frames), size)
        return ImageSet(size, index.names, frames, skipped, pixels)
    used = [items[position] for position in index.positions]
    return ImageSet(size, index.names, frames, skipped, None, used, workers)


def _nothing_usable(source: Source, skipped: list[Skipped]) -> str:
    where = str(source) if isinstance(source, str | os.PathLike) else "what was given"
    reasons = "; ".join(f"{entry.file}: {entry.reason}" for entry in skipped[:5])
    more = f"; and {len(skipped) - 5} more" if len(skipped) > 5 else ""
    return (
        f"None of the {len(skipped)} images in {where} can be used ({reasons}{more}). Give JPEG, "
        "PNG, WebP, TIFF or BMP files that an image viewer opens."
    )


def cache_folder() -> Path:
    """Where decoded images are kept: SWAPMARK_CACHE, or `swapmark` in the user's cache folder.

    It may be deleted at any time and is then built anew.

    >>> cache_folder().is_absolute()
    True
    """
    if chosen := os.environ.get("SWAPMARK_CACHE"):
        return Path(chosen).expanduser().absolute()
    if sys.platform == "darwin":
        parent = Path.home() / "Library" / "Caches"
    elif sys.platform == "win32":
        parent = Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local")
    else:
        parent = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return parent.absolute() / "swapmark"


def write_skipped(path: str | os.PathLike, skipped: Iterable[Skipped]) -> None:
    """Write the skipped files and their reasons as a table (file, reason).

    Raises OutputError if it cannot be written.

    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     write_skipped(Path(folder, "skipped.csv"), [Skipped("a.png", "the file is empty")])
    ...     Path(folder, "skipped.csv").read_text().splitlines()
    ['file,reason', 'a.png,the file is empty']
    """

    def write(partial: Path) -> None:
        # Names of files need not be valid text on every system.
        with partial.open("w", newline="", encoding="utf-8", errors="backslashreplace") as file:
            writer = csv.writer(file)
            writer.writerow(["file", "reason"])
            writer.writerows([entry.file, entry.reason] for entry in skipped)

    write_atomically(Path(path), write)
