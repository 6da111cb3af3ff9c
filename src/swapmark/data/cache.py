"""Image sets ready for training: every image decoded once, kept as one memory-mapped array.

A set is a file of the cache, named by a hash of what went in: size, resize, and each item's name
and fingerprint. It holds the uint8 values of shape (N, size, size, 3), an index in JSON, and the
index's length in 8 bytes. The index says of each item its original [width, height], or why it
cannot be used. A set is made beside its place and put there whole; what a process had decoded when
it was stopped is gone on from. Processes that make the same one at once do not disturb one another.
Of a set that is larger than MAX_CACHED_BYTES only the index is kept, and its images are decoded
batch by batch.
"""

import hashlib
import itertools
import json
import mmap
import os
import shutil
import sys
import time
import uuid
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from errno import ENOSPC
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import BinaryIO

import numpy as np
import PIL
from filelock import FileLock, Timeout

from swapmark.data.decoding import load_item, stream_images, track
from swapmark.data.images import Placement
from swapmark.data.items import Item, Skipped
from swapmark.data.pixels import ImageProblem, Unreached
from swapmark.data.sources import Source, list_with_unread
from swapmark.errors import InputError, OutputError
from swapmark.files import cache_folder, sweep, write_rows, writing

MAX_CACHED_BYTES = 32 * 2**30
"""Sets whose squares take more than this are decoded on demand."""
LARGE_BYTES = 8 * 2**30
"""So are those of more than this for which the disk has no room."""
FORMAT_VERSION = 6  # part of the hash; counts up whenever decoding or the file changes
SPARE_BYTES = 64 * 2**20
"""Free space to leave on the disk, which also holds the index."""
NOTED = 512
"""Decoded images after which it is noted how far a set is."""
KEPT_SECONDS = 7 * 24 * 3600
"""What nobody went on with for so long is removed."""
_LEFT = (".*.begun*", ".*.lock", ".*.part-index", "fetched/*/*")
"""What a process that was killed leaves, and archives fetched from URLs."""
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
    pixels: mmap.mmap | None
    """uint8 (N, size, size, 3), mapped from the cache; None when images are decoded on demand."""

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
            shape = (len(self), self.size, self.size, 3)
            mapped = np.frombuffer(self.pixels, np.uint8, np.prod(shape)).reshape(shape)
            chosen = mapped[indices]
            if hasattr(mmap, "MADV_DONTNEED"):  # the system keeps the pages, this process does not
                self.pixels.madvise(mmap.MADV_DONTNEED)
            return chosen
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
    path = cache_folder() / _file_name(items, size, resize)
    if not _fits(path, len(items) * bytes_each):
        bytes_each = 0
        path = path.with_name(f"{path.name}-index")
    index = _read_index(path, len(items), bytes_each)
    if index is None:
        load = partial(load_item, size=size, resize=resize)
        index = _make_set(path, items, load, bytes_each, show=progress)
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
    pixels = None
    if bytes_each:
        with path.open("rb") as file:
            pixels = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    return ImageSet(size, used, placements, skipped, pixels)


def write_skipped(path: str | os.PathLike, skipped: Iterable[Skipped]) -> None:
    """Write the skipped files and their reasons as a table (file, reason).

    Raises OutputError if it cannot be written.
    """
    write_rows(Path(path), [Skipped._fields, *skipped])


def _file_name(items: list[Item], size: int, resize: str) -> str:
    """The name of a set: any change of what goes in gives another one."""
    digest = hashlib.blake2b(digest_size=16)
    # What could not be read yesterday may be readable by today's libraries.
    readers = [PIL.__version__, find_spec("tifffile") is not None]
    digest.update(json.dumps([FORMAT_VERSION, readers, size, resize]).encode())
    for item in items:
        digest.update(json.dumps([item.name, item.fingerprint]).encode())
    return f"{size}-{resize}-{digest.hexdigest()}"


def _fits(path: Path, needed: int) -> bool:
    """Whether the squares of a set are kept."""
    if needed <= LARGE_BYTES or needed > MAX_CACHED_BYTES or path.exists():
        return needed <= MAX_CACHED_BYTES
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        free = shutil.disk_usage(path.parent).free
    except OSError:
        return False
    return free >= needed - _size(_begun(path)) + SPARE_BYTES


def _begun(path: Path) -> Path:
    return path.with_name(f".{path.name}.begun")


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


def _make_set(
    path: Path,
    items: list[Item],
    load: Callable[[Item], tuple[np.ndarray, Placement]],
    bytes_each: int,
    *,
    show: bool,
) -> Index:
    """Decode the items into a set, without their pixels if `bytes_each` is 0; returns its index.

    The pixels are appended to one file and the index to another, so that a later call goes on.
    """
    index: Index | None = None
    try:
        with writing(path):
            _make_room(path.parent, len(items) * bytes_each - _size(_begun(path)))
            with _beginning(path) as begun:
                index = _read_index(path, len(items), bytes_each)
                if index is None:
                    index = _go_on(begun, items, load, bytes_each, show=show)
                    begun.replace(path)
                    _index_of(begun).unlink(missing_ok=True)
    except OutputError as error:
        # Windows does not replace a file that a faster process made meanwhile and has mapped.
        if index is None or _read_index(path, len(items), bytes_each) is None:
            raise InputError(
                f"The image cache in {path.parent} cannot be written: {error.__cause__}. Set the "
                "environment variable SWAPMARK_CACHE to a folder with space that you may write to."
            ) from error
    return index


@contextmanager
def _beginning(path: Path) -> Iterator[Path]:
    """Where a set is made: where the one before was left off, or else in a place of our own.

    A lock of the system says whether another process is at it just now.
    """
    lock = FileLock(path.with_name(f".{path.name}.lock"))
    try:
        lock.acquire(blocking=False)
    except (Timeout, NotImplementedError, OSError):  # another is at it; a disk without locks
        begun = path.with_name(f".{path.name}.{uuid.uuid4().hex[:12]}.part")
        try:
            yield begun
        finally:
            for left in (begun, _index_of(begun)):
                left.unlink(missing_ok=True)
        return
    begun = _begun(path)
    try:
        yield begun
    except OSError:  # a full disk should get its room back
        for left in (begun, _index_of(begun)):
            left.unlink(missing_ok=True)
        raise
    finally:
        if path.exists():  # whoever comes later finds the set
            Path(lock.lock_file).unlink(missing_ok=True)
        lock.release()


def _index_of(begun: Path) -> Path:
    return begun.with_name(f"{begun.name}-index")


def _go_on(
    begun: Path,
    items: list[Item],
    load: Callable[[Item], tuple[np.ndarray, Placement]],
    bytes_each: int,
    *,
    show: bool,
) -> Index:
    """Append to what is begun until it is a whole set."""
    index = _read_begun(begun, len(items), bytes_each)
    if index and show:
        told = f"Going on after {len(index):,} of {len(items):,} images that are decoded."
        print(told, file=sys.stderr, flush=True)
    decoded = stream_images(items[len(index) :], load)
    shown = track(decoded, len(items), "Decoding images", show=show, done=len(index))
    noted = len(index)
    # Written, not mapped: a disk that fills up stops a write, but kills who writes to a map.
    with (
        _telling_what_is_kept(),
        begun.open("ab") as pixels,
        _index_of(begun).open("a", encoding="utf-8") as lines,
    ):
        for _, result in shown:
            if isinstance(result, Unreached):
                raise result.ends("The images decoded so far")
            if isinstance(result, ImageProblem):
                index.append(str(result))
            else:
                square, placement = result
                index.append([placement.width, placement.height])
                if bytes_each:
                    pixels.write(np.ascontiguousarray(square).data)
            if len(index) - noted >= NOTED:  # the pixels first: no line is of any that is not there
                _flush(pixels)
                lines.writelines(f"{json.dumps(entry)}\n" for entry in index[noted:])
                lines.flush()
                noted = len(index)
        text = json.dumps(index).encode()
        pixels.write(text + len(text).to_bytes(8, "little"))
        _flush(pixels)
    return index


@contextmanager
def _telling_what_is_kept() -> Iterator[None]:
    try:
        yield
    except KeyboardInterrupt:
        raise KeyboardInterrupt(
            "the images decoded so far are kept: the same command goes on from them"
        ) from None


def _flush(file: BinaryIO) -> None:
    file.flush()
    os.fsync(file.fileno())


def _read_begun(begun: Path, count: int, bytes_each: int) -> Index:
    """The index of what another process had decoded, and nothing else left in its files."""
    index: Index = []
    with suppress(OSError, ValueError, TypeError):  # none there, or cut off at its last line
        room = begun.stat().st_size
        for line in _index_of(begun).read_text(encoding="utf-8").splitlines()[:count]:
            entry = json.loads(line)
            if not isinstance(entry, str):
                _, _ = map(int, entry)
                room -= bytes_each
            if room < 0:
                break
            index.append(entry)
    usable = sum(not isinstance(entry, str) for entry in index)
    with begun.open("ab") as file:
        file.truncate(usable * bytes_each)
    with _index_of(begun).open("w", encoding="utf-8") as lines:
        lines.writelines(f"{json.dumps(entry)}\n" for entry in index)
    return index


def _make_room(folder: Path, bytes_needed: int) -> None:
    """Sweep the folder of the cache; raises OSError if the disk has no room for a new set."""
    folder.mkdir(parents=True, exist_ok=True)
    sweep(folder, "*")
    for left in itertools.chain.from_iterable(map(folder.glob, _LEFT)):
        with suppress(OSError):  # another process has finished or removed it
            if time.time() - left.stat().st_mtime >= KEPT_SECONDS:
                left.unlink()
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
