"""The files of the image cache: one folder a set, complete or not there.

A folder is named by a hash of what went in (format, size, fit, and each item's name and
fingerprint) and holds `pixels.u8`, the uint8 values of shape (N, size, size, 3) one after the
other, and `index.json` with names, original sizes and skipped files. It is written beside its place
and moved there whole, so processes that build the same set at once do not disturb one another.
"""

import hashlib
import json
import os
import shutil
import time
import uuid
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field
from errno import ENOSPC
from importlib.util import find_spec
from pathlib import Path
from typing import IO

import numpy as np
import PIL

from swapmark.data.images import Frame
from swapmark.data.items import Item, Skipped
from swapmark.data.pixels import ImageProblem

FORMAT_VERSION = 1
"""Part of the hash; counts up whenever decoding or the files change."""
SPARE_BYTES = 64 * 2**20
"""Free space to leave on the disk, which also holds the index."""
ABANDONED_SECONDS = 24 * 3600
"""Half-built folders older than this were left by a process that was killed."""
PIXELS_FILE = "pixels.u8"
INDEX_FILE = "index.json"


@dataclass(frozen=True)
class Index:
    """What index.json holds about the N usable images of a set.

    >>> len(Index(["a.png"], [(40, 30)], [0]).names)
    1
    """

    names: list[str] = field(default_factory=list)
    """N names."""
    sizes: list[tuple[int, int]] = field(default_factory=list)
    """N original (width, height) in pixels."""
    positions: list[int] = field(default_factory=list)
    """N positions among the items that were listed."""
    skipped: list[Skipped] = field(default_factory=list)
    """The items that could not be used."""


def cache_key(items: list[Item], size: int, fit: str, keep_pixels: bool) -> str:
    """Name the folder of a set, so that any change of what goes in gives another name.

    >>> cache_key([], 64, "pad", True).startswith("64-pad-")
    True
    """
    digest = hashlib.blake2b(digest_size=16)
    # What could not be read yesterday may be readable by today's libraries.
    readers = [PIL.__version__, find_spec("tifffile") is not None]
    digest.update(json.dumps([FORMAT_VERSION, readers, size, fit, keep_pixels]).encode())
    for item in items:
        digest.update(json.dumps([item.name, item.fingerprint]).encode())
    return f"{size}-{fit}-{digest.hexdigest()}"


@contextmanager
def building_folder(root: Path, bytes_needed: int) -> Iterator[Path]:
    """A new folder in `root` to build a set in, gone afterwards whatever happens.

    Raises OSError if the disk has no room for `bytes_needed` or cannot be written.

    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as root, building_folder(Path(root), 1000) as folder:
    ...     folder.is_dir()
    True
    """
    free = shutil.disk_usage(root).free
    if free < bytes_needed + SPARE_BYTES:
        needed = (bytes_needed + SPARE_BYTES) / 2**20
        message = f"{needed:,.0f} MiB are needed and {free / 2**20:,.0f} MiB are free"
        raise OSError(ENOSPC, message)
    for left in root.glob("building-*"):
        if time.time() - left.stat().st_mtime > ABANDONED_SECONDS:
            shutil.rmtree(left, ignore_errors=True)
    folder = root / f"building-{uuid.uuid4().hex}"
    folder.mkdir()
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def write_set(
    folder: Path,
    decoded: Iterable[tuple[Item, tuple[np.ndarray, Frame] | ImageProblem]],
    keep_pixels: bool,
) -> Index:
    """Write the pixels (if kept) and the index of decoded items into `folder`.

    >>> from tempfile import TemporaryDirectory
    >>> item = Item("a.png", "", lambda: b"")
    >>> with TemporaryDirectory() as folder:
    ...     index = write_set(Path(folder), [(item, ImageProblem("the file is empty"))], True)
    >>> index.skipped
    [Skipped(file='a.png', reason='the file is empty')]
    """
    index = Index()
    # Written, not mapped: a disk that fills up stops a write, but kills whoever writes to a map.
    with (folder / PIXELS_FILE).open("wb") as file:
        for position, (item, result) in enumerate(decoded):
            if isinstance(result, ImageProblem):
                index.skipped.append(Skipped(item.name, str(result)))
                continue
            pixels, frame = result
            index.names.append(item.name)
            index.sizes.append((frame.width, frame.height))
            index.positions.append(position)
            if keep_pixels:
                file.write(np.ascontiguousarray(pixels).data)
        _to_disk(file)
    with (folder / INDEX_FILE).open("w", encoding="ascii") as file:
        json.dump(asdict(index), file)
        _to_disk(file)
    return index


def publish(building: Path, folder: Path, index: Index, size: int, keep_pixels: bool) -> Index:
    """Move a built set to its place, or take the one that another process put there meanwhile.

    A damaged set in that place is replaced. Returns the index of the set that is there.

    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as root, building_folder(Path(root), 0) as building:
    ...     index = write_set(building, [], True)
    ...     publish(building, Path(root, "set"), index, 8, True) is index
    True
    """
    while True:
        try:
            building.rename(folder)
            return index
        except OSError:
            if not folder.exists():
                raise
        other = read_index(folder, size, keep_pixels)
        if other is not None:
            return other
        # Renamed first: another process may be reading or replacing it at this moment.
        discarded = folder.with_name(f"building-discarded-{uuid.uuid4().hex}")
        with suppress(FileNotFoundError):
            folder.rename(discarded)
        shutil.rmtree(discarded, ignore_errors=True)


def read_index(folder: Path, size: int, keep_pixels: bool) -> Index | None:
    """Read the index of a set; None if the set is not there or is damaged.

    >>> read_index(Path("nowhere"), 64, True) is None
    True
    """
    try:
        content = json.loads((folder / INDEX_FILE).read_text(encoding="ascii"))
        skipped = [
            Skipped(str(entry["file"]), str(entry["reason"])) for entry in content["skipped"]
        ]
        sizes = [(int(width), int(height)) for width, height in content["sizes"]]
        index = Index(content["names"], sizes, content["positions"], skipped)
        pixel_bytes = (folder / PIXELS_FILE).stat().st_size
    except (OSError, ValueError, KeyError, TypeError):
        return None
    count = len(index.names)
    expected_bytes = count * size * size * 3 if keep_pixels else 0
    if not count or len(sizes) != count or len(index.positions) != count:
        return None
    return index if pixel_bytes == expected_bytes else None


def map_pixels(folder: Path, count: int, size: int) -> np.ndarray:
    """Map the pixels of a set, uint8 (count, size, size, 3), read-only.

    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     _ = Path(folder, PIXELS_FILE).write_bytes(bytes(12))
    ...     map_pixels(Path(folder), 1, 2).shape
    (1, 2, 2, 3)
    """
    shape = (count, size, size, 3)
    return np.memmap(folder / PIXELS_FILE, dtype=np.uint8, mode="r", shape=shape)


def _to_disk(file: IO) -> None:
    """Wait until the file is stored, so that a power cut cannot leave holes in a set."""
    file.flush()
    os.fsync(file.fileno())
