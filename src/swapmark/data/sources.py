"""What the user points at, as one ordered list of items that can be read one by one.

Folders are walked (links followed, each folder once), without the runs of swapmark in them; files
in them count by their ending, hidden ones and macOS's `._` companions do not. Files that are named
singly or in a list are always tried.
What cannot be read becomes an item that says so when it is read, so that nothing is lost unseen.
Archives are in archives.py.
"""

import hashlib
import os
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path

import numpy as np

from swapmark.data import archives
from swapmark.data.items import (
    IMAGE_SUFFIXES,
    UNREAD_SUFFIXES,
    VIDEO_SUFFIXES,
    Item,
    Others,
    Skipped,
    check_bytes,
    is_image_name,
    is_video_name,
    problem_item,
)
from swapmark.errors import InputError

Source = str | os.PathLike | np.ndarray | Sequence
"""A path (folder, zip, tar, image file), an array, or a list of paths, of items or of arrays."""
# The settings by which a config.yaml is known to be a run's, and not that of another program.
_SECTIONS = {"method", "model", "views", "c3", "training"}
RUNS = "run of swapmark"
"""What such a folder among the pictures is counted as."""
FRAMES_OF_A_VIDEO = (
    "Make pictures of a video's frames (mkdir frames && ffmpeg -i VIDEO -vf fps=2 frames/%06d.png) "
    "and give the folder frames/. Only `swapmark predict` and swapmark.predict_video read videos."
)


def list_images(source: Source) -> list[Item]:
    """List the images of a folder, zip, tar (.gz, .bz2, .xz), file, list of those, or arrays.

    Arrays are (N, H, W) grey, (N, H, W, 3 or 4), one colour image (H, W, 3 or 4), or a list of
    images. Folders and zips are sorted by name, tars and lists keep their order.
    Raises InputError, saying what was looked for and what was there, when there is no image.

    >>> [item.name for item in list_images(np.zeros((2, 8, 8), np.uint8))]
    ['array-0', 'array-1']
    """
    return list_with_unread(source)[0]


def list_with_unread(source: Source) -> tuple[list[Item], list[Skipped]]:
    """What `list_images` gives, and apart from it what lies there and is not looked into.

    These are pictures of kinds that are not read, and runs. They are no items: beside a.png, into
    which it was turned, a.heic must not be looked up as `a`.

    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     for name in ("a.heic", "a.png", "notes.txt"):
    ...         Path(folder, name).touch()
    ...     [entry.file for entry in list_with_unread(folder)[1]]
    ['a.heic']
    """
    others = Others(list)
    if isinstance(source, str | os.PathLike):
        where = str(source)
        items = list(_items_of_path(Path(source).expanduser(), others))
    elif isinstance(source, np.ndarray):
        where = f"The array of shape {source.shape}"
        items = list(_items_of_arrays(_split_array(source)))
    elif isinstance(source, list | tuple):
        where = f"The list of {len(source)} entries"
        items = list(_items_of_list(source, others))
    else:
        raise InputError(
            f"Images given as {type(source).__name__}; expected the path of a folder, zip, tar or "
            "image, a list of paths, or numpy arrays."
        )
    if not items and not isinstance(source, str | os.PathLike) and not others:
        raise InputError(f"{where} holds no image; expected at least one.")
    if not items:
        raise InputError(_nothing_found(where, others))
    unread = [
        Skipped(name, f"the kind {kind} is not read; convert it to PNG or JPEG")
        for kind in UNREAD_SUFFIXES
        for name in sorted(others.get(kind, ()))
    ]
    runs = [
        Skipped(name, "a run of swapmark, with all that lies in it")
        for name in sorted(others.get(RUNS, ()))
    ]
    return items, unread + runs


def _items_of_path(path: Path, others: Others) -> Iterator[Item]:
    if path.is_dir():
        if is_run(path):
            raise InputError(
                f"{path} is a run of swapmark, and its pictures are loss.png and sample sheets. "
                f"Give the folder or archive of the images themselves; {path / 'images.json'} "
                "names those it was trained on."
            )
        yield from sorted(_walk(path, others), key=lambda item: item.name)
    elif not path.exists():
        raise InputError(
            f"There is no {path} (looked in {Path.cwd()}). Give a folder, zip, tar or image file."
        )
    elif not path.is_file():
        raise InputError(f"{path} is neither a folder nor a regular file.")
    elif path.suffix.lower() in IMAGE_SUFFIXES:
        yield _file_item(path, str(path))
    elif is_video_name(path.name):
        raise InputError(f"{path} is a video; pictures were expected. {FRAMES_OF_A_VIDEO}")
    elif archives.is_zip(path):
        yield from sorted(archives.zip_items(path, others), key=lambda item: item.name)
    elif archives.is_tar(path):
        yield from archives.tar_items(path, others)
    else:
        yield _file_item(path, str(path))


def _walk(root: Path, others: Others) -> Iterator[Item]:
    """Every image below a folder, each real folder once."""
    unlisted: list[OSError] = []
    visited: set[str] = set()
    for folder, below, files in os.walk(root, followlinks=True, onerror=unlisted.append):
        real = os.path.realpath(folder)
        if real in visited:
            below.clear()
            continue
        visited.add(real)
        if "config.yaml" in files and is_run(Path(folder)):
            others[RUNS].append(Path(folder).relative_to(root).as_posix())
            below.clear()
            continue
        for file in files:
            path = Path(folder, file)
            name = path.relative_to(root).as_posix()
            if is_image_name(name, others):
                yield _file_item(path, name)
    for error in unlisted:
        folder = str(error.filename)
        yield problem_item(folder, f"the folder cannot be listed: {error.strerror}")


def is_run(path: Path) -> bool:
    """Whether config.yaml is there and a run's: other programs have files of that name, too.

    >>> is_run(Path("absent"))
    False
    """
    try:
        text = (path / "config.yaml").read_text(encoding="utf-8")
    except (OSError, ValueError):
        return False
    # Its keys alone, without a parser: another program's may be anything, and where landmarks are
    # predicted without torch there is none.
    return set(re.findall(r"^(\w+):", text, re.MULTILINE)) >= _SECTIONS


def _file_item(path: Path, name: str) -> Item:
    if not path.is_file():
        return problem_item(name, "not a regular file, or a link that leads nowhere")
    state = path.stat()
    # Whether it may be read counts too: a file is no longer skipped once the permission is given.
    version = (state.st_size, state.st_mtime_ns, os.access(path, os.R_OK))
    return Item(name, f"{path.resolve()} {version}", partial(read_file, path))


def read_file(path: Path) -> bytes:
    """All bytes of a file; raises ImageProblem if it is too large to be read."""
    check_bytes(path.stat().st_size)
    return path.read_bytes()


def _items_of_list(entries: Sequence, others: Others) -> Iterator[Item]:
    if all(isinstance(entry, np.ndarray) for entry in entries):
        yield from _items_of_arrays(entries)
        return
    for position, entry in enumerate(entries):
        if isinstance(entry, Item):  # chosen from what was listed before
            yield entry
            continue
        if not isinstance(entry, str | os.PathLike):
            raise InputError(
                f"Entry {position} of the list is a {type(entry).__name__}; expected a path (or "
                "numpy arrays throughout)."
            )
        path = Path(entry).expanduser()
        if not path.exists():
            yield problem_item(str(entry), "there is no such file")
            continue
        if is_video_name(path.name) and path.is_file():
            yield problem_item(str(entry), "a video, not a picture")
            continue
        if is_run(path):
            yield problem_item(str(entry), "a run of swapmark, not pictures")
            continue
        below = Others(list)
        for item in _items_of_path(path, below):
            inside = item.name != str(path)
            name = f"{entry}/{item.name}" if inside else str(entry)
            yield Item(name, item.fingerprint, item.read)
        for kind, names in below.items():
            others[kind] += [f"{entry}/{name}" for name in names]


def _split_array(array: np.ndarray) -> list[np.ndarray]:
    if array.ndim not in (3, 4):
        raise InputError(
            f"An array of shape {array.shape} is not a set of images; expected (N, H, W), "
            "(N, H, W, 3 or 4) or one colour image (H, W, 3 or 4)."
        )
    return [array] if array.ndim == 3 and array.shape[-1] in (3, 4) else list(array)


def _items_of_arrays(arrays: Sequence[np.ndarray]) -> Iterator[Item]:
    for position, array in enumerate(arrays):
        digest = hashlib.blake2b(np.ascontiguousarray(array).tobytes(), digest_size=16).hexdigest()
        # The array is bound now: a loop variable would be the last one by the time it is read.
        yield Item(
            f"array-{position}", f"{array.shape} {array.dtype} {digest}", partial(_same, array)
        )


def _same(array: np.ndarray) -> np.ndarray:
    return array


def _nothing_found(where: str, others: Others) -> str:
    counts = Counter({kind: len(names) for kind, names in others.items()})
    total = counts.total()
    kinds = ", ".join(f"{count} {kind}" for kind, count in counts.most_common(6))
    there = f"there were others ({kinds})" if total else "there was no file at all"
    advice = "Give a folder, zip, tar, image file or list of paths."
    if others.keys() & (set(UNREAD_SUFFIXES) - set(VIDEO_SUFFIXES)):
        advice = "Convert pictures of other kinds to PNG or JPEG."
    elif not others.keys().isdisjoint(VIDEO_SUFFIXES):
        advice = FRAMES_OF_A_VIDEO
    return (
        f"No images in {where}: looked for {' '.join(IMAGE_SUFFIXES)} in capitals or not, folders "
        f"inside included; {there}. {advice}"
    )
