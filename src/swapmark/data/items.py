"""What every source of images is turned into: items, each with a name and a way to read it."""

from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import PurePosixPath

import numpy as np

from swapmark.data.pixels import ImageProblem

IMAGE_SUFFIXES = (".bmp", ".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp")
VIDEO_SUFFIXES = (
    *(".3gp", ".avi", ".flv", ".gif", ".m2ts", ".m4v", ".mkv", ".mov", ".mp4", ".mpeg", ".mpg"),
    *(".mts", ".ogv", ".ts", ".webm", ".wmv"),
)
UNREAD_SUFFIXES = (
    *(".avif", ".eps", ".gif", ".heic", ".heif", ".jfif", ".jp2", ".jxl", ".psd", ".svg"),
    *(".arw", ".cr2", ".cr3", ".dng", ".nef", ".orf", ".raf", ".rw2"),  # raw, from cameras
    *(".czi", ".dcm", ".lif", ".nd2"),  # from microscopes and scanners
)
"""Pictures that are not read, and so are listed as skipped; not .pdf, which seldom is a picture."""
MAX_FILE_BYTES = 512 * 2**20
"""Larger files and archive members are not read: 120 million pixels of 4 bytes are less."""


Others = defaultdict[str, list[str]]
"""Names of the files that are not listed as images, by their ending."""


@dataclass(frozen=True)
class Item:
    """One image that can be read: an encoded file, or an array of its pixels.

    >>> Item("a.png", "7 bytes", lambda: b"content").read()
    b'content'
    """

    name: str
    """Path relative to the folder or archive; as given for single files; array-0, array-1 …"""
    fingerprint: str
    """Changes when the content does."""
    read: Callable[[], bytes | np.ndarray]
    """Returns the file's bytes or the array; raises ImageProblem or OSError. Thread-safe."""


@dataclass(frozen=True)
class Skipped:
    """An image that could not be used, and why."""

    file: str
    reason: str


def is_image_name(name: str, others: Others | None = None) -> bool:
    """Whether a file inside a folder or archive counts as an image; if not, it goes to `others`.

    >>> is_image_name("a/B.JPG"), is_image_name("a/notes.txt"), is_image_name(".thumbs/a.jpg")
    (True, False, False)
    """
    path = PurePosixPath(name)
    suffix = path.suffix.lower()
    hidden = any(part.startswith(".") and part not in (".", "..") for part in path.parts)
    hidden = hidden or "__MACOSX" in path.parts
    if suffix in IMAGE_SUFFIXES and not hidden:
        return True
    if others is not None:
        others["hidden" if hidden else suffix or "without ending"].append(name)
    return False


def is_video_name(name: str) -> bool:
    """Whether a file is taken for a video, by its ending.

    >>> is_video_name("films/mouse.MP4"), is_video_name("mouse.png")
    (True, False)
    """
    return PurePosixPath(name).suffix.lower() in VIDEO_SUFFIXES


def problem_item(name: str, reason: str) -> Item:
    """An item that cannot be read, so that it ends on the list of skipped files.

    >>> problem_item("a.png", "a link").read()
    Traceback (most recent call last):
    ...
    swapmark.data.pixels.ImageProblem: a link
    """

    def read() -> bytes:
        raise ImageProblem(reason)

    return Item(name, reason, read)


def check_bytes(size: int) -> None:
    """Raise ImageProblem if a file of `size` bytes is over MAX_FILE_BYTES.

    >>> check_bytes(1000)
    """
    if size > MAX_FILE_BYTES:
        raise ImageProblem(
            f"{size / 2**20:,.0f} MiB is over the limit of {MAX_FILE_BYTES / 2**20:,.0f} MiB a file"
        )
