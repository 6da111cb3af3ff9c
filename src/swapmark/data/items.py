"""What every source of images is turned into: items, each with a name and a way to read it."""

from collections.abc import Callable
from pathlib import PurePosixPath
from typing import NamedTuple

import numpy as np

from swapmark.data.pixels import ImageProblem

IMAGE_SUFFIXES = (".bmp", ".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp")
VIDEO_SUFFIXES = (
    *(".3gp", ".avi", ".flv", ".gif", ".m2ts", ".m4v", ".mkv", ".mov", ".mp4", ".mpeg", ".mpg"),
    *(".mts", ".ogv", ".ts", ".webm", ".wmv"),
    *(".264", ".265", ".avc", ".h264", ".h265", ".hevc", ".mjpeg", ".mjpg"),  # raw streams
)
UNREAD_SUFFIXES = (
    *(".avif", ".eps", ".gif", ".heic", ".heif", ".jfif", ".jp2", ".jxl", ".psd", ".svg"),
    *(".arw", ".cr2", ".cr3", ".dng", ".nef", ".orf", ".raf", ".rw2"),  # raw, from cameras
    *(".czi", ".dcm", ".lif", ".nd2"),  # from microscopes and scanners
)
"""Pictures that are not read, and so are listed as skipped; not .pdf, which seldom is a picture."""
MAX_FILE_BYTES = 512 * 2**20
"""Larger files and archive members are not read: 120 million pixels of 4 bytes are less."""


class Item(NamedTuple):
    """One image that can be read: an encoded file, or an array of its pixels."""

    name: str
    """Path relative to the folder or archive; as given for single files; array-0, array-1 …"""
    fingerprint: str
    """Changes when the content does."""
    read: Callable[[], bytes | np.ndarray]
    """Returns the file's bytes or the array; raises ImageProblem or OSError. Thread-safe."""
    content: str = ""
    """Size or checksum, the same on every machine; empty where it cannot be read."""
    waits: bool = False
    """Whether reading it is waiting for a network, so that more threads than cores help."""


class Skipped(NamedTuple):
    """An image that could not be used, and why."""

    file: str
    reason: str


Entry = Item | Skipped
"""What lies in a folder or archive, name first; without a reason where nobody has to be told."""


def as_text(name: str) -> str:
    """A name with signs that are no valid text escaped: it goes into tables and onto screens."""
    return name.encode("utf-8", "backslashreplace").decode()


def suffix_of(name: str) -> str:
    """The ending of a file's name in small letters."""
    return PurePosixPath(name).suffix.lower()


def is_hidden(name: str) -> bool:
    """Whether a file inside a folder or archive is hidden, or macOS's companion of another."""
    parts = PurePosixPath(name).parts
    return "__MACOSX" in parts or any(p.startswith(".") and p not in (".", "..") for p in parts)


def is_image_name(name: str) -> bool:
    """Whether a file inside a folder or archive counts as an image."""
    return suffix_of(name) in IMAGE_SUFFIXES and not is_hidden(name)


def is_video_name(name: str) -> bool:
    """Whether a file is taken for a video, by its ending."""
    return suffix_of(name) in VIDEO_SUFFIXES


def left_out(name: str) -> Skipped:
    """The entry of a file that is no image; told are pictures of kinds that are not read."""
    kind = suffix_of(name)
    told = kind in UNREAD_SUFFIXES and not is_hidden(name)
    return Skipped(name, f"the kind {kind} is not read; convert it to PNG or JPEG" if told else "")


def problem_item(name: str, reason: str) -> Item:
    """An item that cannot be read, so that it ends on the list of skipped files."""

    def read() -> bytes:
        raise ImageProblem(reason)

    return Item(name, reason, read)


def too_large(size: int) -> str:
    """Why a file of `size` bytes is not read; empty where it is."""
    if size <= MAX_FILE_BYTES:
        return ""
    return f"{size / 2**20:,.0f} MiB is over the limit of {MAX_FILE_BYTES / 2**20:,.0f} MiB a file"


def evenly(count: int, most: int) -> np.ndarray:
    """At most `most` of the numbers up to `count`, at even distances."""
    return np.unique(np.linspace(0, count - 1, min(count, most)).astype(int))
