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
import stat
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from pathlib import Path

import numpy as np
from PIL import Image

from swapmark.data.archives import archive_entries
from swapmark.data.decoding import track
from swapmark.data.images import pillow_to_rgb
from swapmark.data.items import (
    IMAGE_SUFFIXES,
    Entry,
    Item,
    Skipped,
    as_text,
    is_hidden,
    is_image_name,
    is_video_name,
    left_out,
    problem_item,
    suffix_of,
    too_large,
)
from swapmark.data.pixels import ImageProblem
from swapmark.data.remote import remote_entries, remote_item
from swapmark.errors import InputError
from swapmark.files import is_url, read_regular

Source = str | os.PathLike | np.ndarray | Image.Image | Sequence
"""A path (folder, zip, tar, image file), an array, a Pillow image, or a list of such."""
# The settings by which a config.yaml is known to be a run's, and not that of another program.
_SECTIONS = {"method", "model", "views", "c3", "training"}
_RUN = "a run of swapmark, not pictures"
_ONE_URL = "the URL of no picture; the URL of a folder or archive is given alone"
_FRAMES_OF_A_VIDEO = (
    "Only `swapmark predict` reads videos. Make pictures of the frames, mkdir frames && ffmpeg -i "
    "VIDEO -vf fps=2 frames/%06d.png, and give the folder frames/."
)


def list_images(source: Source) -> list[Item]:
    """List the images of a folder, zip, tar (.gz, .bz2, .xz), file, array, or a list of things.

    A text file (.txt) has the path of a picture in each line, as seen from the working folder. In
    place of each path there may be a URL that fsspec knows, such as s3://bucket/photos.

    Arrays are (N, H, W) grey, (N, H, W, 3 or 4), or one colour image (H, W, 3 or 4). A list may mix
    paths of files, folders and archives, Pillow images, arrays of one image each, and items listed
    before. Folders and zips are sorted by name, tars and lists keep their order.
    Raises InputError, saying what was looked for and what was there, when there is no image.
    """
    return list_with_unread(source)[0]


def list_with_unread(source: Source, *, progress: bool = False) -> tuple[list[Item], list[Skipped]]:
    """What `list_images` gives, and apart from it what lies there and is not looked into.

    These are pictures of kinds that are not read, and runs. They are no items: beside a.png, into
    which it was turned, a.heic must not be looked up as `a`. `progress` tells how far it is.
    """
    if isinstance(source, str) and is_url(source):
        where, entries = source, _of_url(source, show=progress)
    elif isinstance(source, str | os.PathLike) and _is_list(Path(source)):
        where, entries = str(source), _listed(Path(source).expanduser())
    elif isinstance(source, str | os.PathLike):
        where, entries = str(source), _of_path(Path(source).expanduser(), show=progress)
    elif isinstance(source, np.ndarray):
        where, entries = f"the array of shape {source.shape}", _of_list(_split(source))
    elif isinstance(source, list | tuple | Image.Image):
        things = [source] if isinstance(source, Image.Image) else source
        where, entries = f"the list of {len(things)} entries", _of_list(things)
    else:
        raise InputError(
            f"Images were given as {type(source).__name__}; expected the path of a folder, zip, "
            "tar or image, an array, or a list of paths, Pillow images and arrays."
        )
    entries = list(entries)
    items = [entry for entry in entries if isinstance(entry, Item)]
    others = [entry for entry in entries if isinstance(entry, Skipped)]
    if not items:
        raise InputError(_nothing_found(where, others))
    return items, [entry for entry in others if entry.reason]


def _is_list(path: Path) -> bool:
    return suffix_of(path.name) == ".txt" and path.expanduser().is_file()


def _of_url(url: str, *, show: bool = False) -> Iterable[Entry]:
    if is_video_name(url):
        raise InputError(f"{url} is a video, and videos are read from files. Copy it here.")
    found = remote_entries(url)
    if isinstance(found, Path):
        archived = archive_entries(found)
        if archived is None:
            raise InputError(f"{url} is neither a picture nor a zip or tar, nor a folder.")
        return archived
    return sorted(track(found, None, "Listing files", show=show), key=lambda entry: entry[0])


def _of_path(path: Path, *, show: bool = False) -> Iterable[Entry]:
    if path.is_dir():
        if is_run(path):
            raise InputError(
                f"{path} is a run of swapmark. Give the folder or archive of the images that it "
                f"was trained on, see {path / 'images.json'}."
            )
        entries = track(_walk(path), None, "Listing files", show=show)
        return sorted(entries, key=lambda entry: entry[0])
    if not path.is_file():
        raise InputError(
            f"There is no file or folder {path} (looked in {Path.cwd()}). Give a folder, zip, tar "
            "or image file."
        )
    if is_video_name(path.name):
        raise InputError(f"{path} is a video; pictures were expected. {_FRAMES_OF_A_VIDEO}")
    archived = None if suffix_of(path.name) in IMAGE_SUFFIXES else archive_entries(path)
    return [_file_item(str(path), str(path))] if archived is None else archived


def _listed(path: Path) -> Iterator[Entry]:
    """The pictures whose paths are the lines of a text file, as `find -type f` prints them."""
    try:
        lines = read_regular(path).removeprefix(b"\xef\xbb\xbf").split(b"\n")
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror or error}.") from error
    for line in filter(None, (os.fsdecode(line.removesuffix(b"\r")) for line in lines)):
        if is_url(line):
            yield remote_item(line)
            continue
        place = os.path.expanduser(line)  # noqa: PTH111 - a Path would drop ./ and may be too long
        if os.path.isdir(place):  # noqa: PTH112
            yield problem_item(as_text(line), "a folder; list its pictures (find FOLDER -type f)")
        else:
            yield _file_item(place, line)


def _walk(root: Path) -> Iterator[Entry]:
    """Every file below a folder, each real folder once."""
    unlisted: list[OSError] = []
    visited: set[str] = set()
    for folder, below, files in os.walk(root, followlinks=True, onerror=unlisted.append):
        here, real = Path(folder), os.path.realpath(folder)
        if real in visited:
            below.clear()
        elif is_run(here):
            yield Skipped(here.relative_to(root).as_posix(), _RUN)
            below.clear()
        else:
            within = here.relative_to(root).as_posix()
            for file in files:  # there may be millions
                name = file if within == "." else f"{within}/{file}"
                if is_image_name(name):
                    yield _file_item(f"{folder}/{file}", name, f"{real}/{file}")
                else:
                    yield left_out(as_text(name))
        visited.add(real)
    for error in unlisted:
        name = as_text(str(error.filename))
        yield problem_item(name, f"the folder cannot be listed: {error.strerror}")


def is_run(path: Path) -> bool:
    """Whether config.yaml is there and a run's: other programs have files of that name, too."""
    try:
        text = read_regular(path / "config.yaml").decode()
    except (OSError, ValueError):
        return False
    # Its keys alone, without a parser: another program's may be anything, and where landmarks are
    # predicted without torch there is none.
    return set(re.findall(r"^(\w+):", text, re.MULTILINE)) >= _SECTIONS


def _file_item(path: str, name: str, real: str | None = None) -> Item:
    """The item of a file; `real`: its path without links, unless it is one itself."""
    name = as_text(name)
    try:
        state = os.lstat(path)
        if stat.S_ISLNK(state.st_mode) or real is None:
            state, real = Path(path).stat(), os.path.realpath(path)
    except (OSError, ValueError):  # no path at all, too
        state = None
    if state is None or not stat.S_ISREG(state.st_mode):
        return problem_item(name, "not a regular file, or a link that leads nowhere")
    # Whether it may be read counts too: a file is no longer skipped once the permission is given.
    version = (state.st_size, state.st_mtime_ns, os.access(path, os.R_OK))
    return Item(name, as_text(f"{real} {version}"), partial(read_file, path), str(state.st_size))


def read_file(path: str | os.PathLike) -> bytes:
    """All bytes of a file; raises ImageProblem if it is too large to be read."""
    path = Path(path)
    if problem := too_large(path.stat().st_size):
        raise ImageProblem(problem)
    return read_regular(path)


def _of_list(things: Sequence) -> Iterator[Entry]:
    arrays = 0
    for position, thing in enumerate(things):
        if isinstance(thing, Item):  # chosen from what was listed before
            yield thing
        elif isinstance(thing, np.ndarray | Image.Image):
            yield _array_item(thing, f"array-{arrays}")
            arrays += 1
        elif isinstance(thing, str | os.PathLike):
            yield from _of_listed_path(os.fspath(thing))
        else:
            raise InputError(
                f"Entry {position} of the list is a {type(thing).__name__}; expected a path, a "
                "Pillow image or a numpy array."
            )


def _of_listed_path(given: str) -> Iterator[Entry]:
    path = Path(given).expanduser()
    if is_url(given):
        yield remote_item(given) if is_image_name(given) else problem_item(given, _ONE_URL)
    elif not path.exists():
        yield problem_item(given, "there is no such file")
    elif is_video_name(path.name) and path.is_file():
        yield problem_item(given, "a video, not a picture")
    elif is_run(path):
        yield problem_item(given, _RUN)
    else:
        for entry in _of_path(path):
            name = entry[0]
            shown = as_text(given)
            name = shown if name == as_text(str(path)) else f"{shown}/{name}"
            is_item = isinstance(entry, Item)
            yield entry._replace(name=name) if is_item else entry._replace(file=name)


def _split(array: np.ndarray) -> list[np.ndarray]:
    if array.ndim not in (3, 4):
        raise InputError(
            f"An array of shape {array.shape} is not a set of images; expected (N, H, W), "
            "(N, H, W, 3 or 4) or one colour image (H, W, 3 or 4)."
        )
    return [array] if array.ndim == 3 and array.shape[-1] in (3, 4) else list(array)


def _array_item(thing: np.ndarray | Image.Image, name: str) -> Item:
    try:
        array = thing if isinstance(thing, np.ndarray) else pillow_to_rgb(thing)
    except ImageProblem as problem:
        return problem_item(name, str(problem))
    digest = hashlib.blake2b(np.ascontiguousarray(array).tobytes(), digest_size=16).hexdigest()
    return Item(name, f"{array.shape} {array.dtype} {digest}", lambda: array, digest)


def _nothing_found(where: str, others: list[Skipped]) -> str:
    names = [entry.file for entry in others]
    kinds = ["hidden" if is_hidden(name) else suffix_of(name) or "without ending" for name in names]
    counts = ", ".join(f"{count} {kind}" for kind, count in Counter(kinds).most_common(6))
    told = [f"{entry.file}: {entry.reason}." for entry in others if entry.reason]
    if any(map(is_video_name, names)):
        told.append(_FRAMES_OF_A_VIDEO)
    advice = " ".join(told[:1] + told[1:][-1:]) or (
        "Give a folder, zip, tar, image file or a list of them."
    )
    return (
        f"No images in {where}: looked for {' '.join(IMAGE_SUFFIXES)} in capitals or not, folders "
        f"inside included; found {counts or 'no file at all'}. {advice}"
    )
