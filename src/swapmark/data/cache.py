"""Image sets ready for training: every image decoded once, kept as one memory-mapped array.

A set is a file of the cache, named by a hash of what went in: size, resize, and each item's name
and fingerprint. It holds the uint8 values of shape (N, size, size, 3), an index in JSON, and the
index's length in 8 bytes. The index says of each item its original [width, height], or why it
cannot be used. A set is written beside its place and put there whole, so processes that make the
same one at once do not disturb one another. Of a set that is larger than MAX_CACHED_BYTES only the
index is kept, and its images are decoded batch by batch.
"""

import hashlib
import json
import os
import shutil
from collections.abc import Iterable
from dataclasses import dataclass
from errno import ENOSPC
from functools import partial
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import PIL

from swapmark.data.decoding import load_item, stream_images, track
from swapmark.data.images import Placement
from swapmark.data.items import Item, Skipped
from swapmark.data.pixels import ImageProblem
from swapmark.data.sources import Source, list_with_unread
from swapmark.errors import InputError, OutputError
from swapmark.files import sweep, write_atomically, write_rows, writing

MAX_CACHED_BYTES = 8 * 2**30
"""Sets whose squares take more than this are decoded on demand."""
FORMAT_VERSION = 5  # part of the hash; counts up whenever decoding or the file changes
SPARE_BYTES = 64 * 2**20
"""Free space to leave on the disk, which also holds the index."""
Index = list[list[int] | str]


@dataclass(frozen=True, eq=False)
class ImageSet:
    """N images as uint8 squares, memory-mapped or decoded on demand; made by `load_images`."""

    size: int
    """Side of the squares in pixels."""
    items: list[Item]
    """N items, as in the source."""
    placements: list[Placement]
    """N placements: where each image lies in its square."""
    skipped: list[Skipped]
    """The images that could not be used."""
    pixels: np.ndarray | None
    """uint8 (N, size, size, 3), memory-mapped; None when images are decoded on demand."""

    def __len__(self) -> int:
        return len(self.items)

    @property
    def names(self) -> list[str]:
        """N names, as in `Item.name`."""
        return [item.name for item in self.items]

    def batch(self, indices: np.ndarray) -> np.ndarray:
        """Copy the images at `indices` (B,) as uint8 (B, size, size, 3).

        Raises InputError when an image decoded on demand is no longer what it was.
        """
        if self.pixels is not None:
            return np.asarray(self.pixels[indices])
        chosen, squares = [self.items[index] for index in indices], []
        load = partial(load_item, size=self.size, resize=self.placements[0].resize)
        for item, result in stream_images(chosen, load):
            if isinstance(result, ImageProblem):
                raise InputError(
                    f"{item.name} could be read when the set was checked but not now: {result}. "
                    "Leave the images in place while they are in use, and start again."
                ) from result
            squares.append(result[0])
        return np.stack(squares)


def load_images(
    source: Source, size: int, *, resize: str = "pad", progress: bool = False
) -> ImageSet:
    """Decode every image of a source into size × size squares, or find them in the cache.

    A set of more than MAX_CACHED_BYTES is checked once and then decoded on demand. Raises
    InputError when no image can be used or the cache cannot be written.
    """
    items, unread = list_with_unread(source, progress=progress)
    bytes_each = size * size * 3
    if len(items) * bytes_each > MAX_CACHED_BYTES:
        bytes_each = 0
    path = cache_folder() / _file_name(items, size, resize, keep_pixels=bytes_each > 0)
    index = _read_index(path, len(items), bytes_each)
    if index is None:
        decoded = stream_images(items, partial(load_item, size=size, resize=resize))
        shown = track(decoded, len(items), "Decoding images", show=progress)
        index = _make_set(path, shown, len(items), bytes_each)
    used, placements, skipped = [], [], []
    for item, entry in zip(items, index, strict=True):
        if isinstance(entry, str):
            skipped.append(Skipped(item.name, entry))
        else:
            used.append(item)
            width, height = entry
            placements.append(Placement(width, height, size, resize))
    skipped += unread
    if not used:
        first = "; ".join(f"{entry.file}: {entry.reason}" for entry in skipped[:5])
        raise InputError(
            f"None of the {len(skipped)} images that were given can be used ({first}). Give JPEG, "
            "PNG, WebP, TIFF or BMP files that an image viewer opens."
        )
    shape = (len(used), size, size, 3)
    pixels = np.memmap(path, np.uint8, "r", shape=shape) if bytes_each else None
    return ImageSet(size, used, placements, skipped, pixels)


def cache_folder() -> Path:
    """Where decoded images are kept: SWAPMARK_CACHE, or `swapmark` in the user's cache folder.

    It may be deleted at any time and is then built anew.
    """
    caches = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    chosen = os.environ.get("SWAPMARK_CACHE") or f"{caches}/swapmark"
    return Path(chosen).expanduser().absolute()


def write_skipped(path: str | os.PathLike, skipped: Iterable[Skipped]) -> None:
    """Write the skipped files and their reasons as a table (file, reason).

    Raises OutputError if it cannot be written.
    """
    write_rows(Path(path), [Skipped._fields, *skipped])


def _file_name(items: list[Item], size: int, resize: str, *, keep_pixels: bool) -> str:
    """The name of a set: any change of what goes in gives another one."""
    digest = hashlib.blake2b(digest_size=16)
    # What could not be read yesterday may be readable by today's libraries.
    readers = [PIL.__version__, find_spec("tifffile") is not None]
    digest.update(json.dumps([FORMAT_VERSION, readers, size, resize, keep_pixels]).encode())
    for item in items:
        digest.update(json.dumps([item.name, item.fingerprint]).encode())
    return f"{size}-{resize}-{digest.hexdigest()}"


def _make_set(
    path: Path,
    decoded: Iterable[tuple[Item, tuple[np.ndarray, Placement] | ImageProblem]],
    count: int,
    bytes_each: int,
) -> Index:
    """Write `count` decoded items as a set, without their pixels if `bytes_each` is 0."""
    index: Index = []

    def write(partial: Path) -> None:
        # Written, not mapped: a disk that fills up stops a write, but kills who writes to a map.
        with partial.open("wb") as file:
            for _, result in decoded:
                if isinstance(result, ImageProblem):
                    index.append(str(result))
                    continue
                pixels, placement = result
                index.append([placement.width, placement.height])
                if bytes_each:
                    file.write(np.ascontiguousarray(pixels).data)
            text = json.dumps(index).encode()
            file.write(text + len(text).to_bytes(8, "little"))

    try:
        with writing(path):
            _make_room(path.parent, count * bytes_each)
            write_atomically(path, write)
    except OutputError as error:
        # Windows does not replace a file that a faster process made meanwhile and has mapped.
        if _read_index(path, count, bytes_each) is None:
            raise InputError(
                f"The image cache in {path.parent} cannot be written: {error.__cause__}. Set the "
                "environment variable SWAPMARK_CACHE to a folder with space that you may write to."
            ) from error
    return index


def _make_room(folder: Path, bytes_needed: int) -> None:
    """Sweep the folder of the cache; raises OSError if the disk has no room for a new set."""
    folder.mkdir(parents=True, exist_ok=True)
    sweep(folder, "*")
    free = shutil.disk_usage(folder).free
    if free < bytes_needed + SPARE_BYTES:
        needed = (bytes_needed + SPARE_BYTES) / 2**20
        message = f"{needed:,.0f} MiB are needed and {free / 2**20:,.0f} MiB are free"
        raise OSError(ENOSPC, message)


def _read_index(path: Path, count: int, bytes_each: int) -> Index | None:
    """The index of a set; None if the set is not there or is damaged."""
    try:
        with path.open("rb") as file:
            end = file.seek(-8, os.SEEK_END)
            length = int.from_bytes(file.read(8), "little")
            pixel_bytes = file.seek(end - length)
            index = json.loads(file.read(length))
            usable = sum(not isinstance(entry, str) for entry in index)
    except (OSError, ValueError, TypeError):
        return None
    is_whole = len(index) == count and pixel_bytes == usable * bytes_each
    return index if is_whole else None
