"""Which image belongs to which row of a table: by its name, as far as that is certain."""

from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path, PurePosixPath
from typing import NamedTuple
from unicodedata import normalize
from urllib.parse import unquote
from warnings import warn

import numpy as np

from swapmark.data.images import image_size
from swapmark.data.items import IMAGE_SUFFIXES, Item
from swapmark.data.pixels import ImageProblem
from swapmark.data.sources import Source, list_images, read_file
from swapmark.errors import InputError, LeftOutWarning, counted
from swapmark.points.checks import plain_name


class Match(NamedTuple):
    """What `match_files` found."""

    rows: np.ndarray
    """For each wanted name the index of its image, -1 where there is none."""
    notes: tuple[str, ...]
    """How names were matched where that is less than certain."""


def match_files(wanted: Sequence[str], there: Sequence[str]) -> Match:
    """Find the image of each wanted name among those that are there.

    Names fit if they are equal; else if one is the end of the other; else by their last part, where
    it is the only one of its kind. Then the same without the ending of what is there (a for a.png),
    and at last with the letters' case and their Unicode form (macOS splits letters from their
    accents) aside. A name that has found its image is nobody else's. Raises InputError where a name
    fits two images, or two names fit one.

    >>> match_files(["b.png", "c.png", "D"], ["faces/a.png", "faces/b.png", "d.png"]).rows.tolist()
    [1, -1, 2]
    """
    found: dict[str, int] = {}
    notes: dict[str, list[str]] = {}
    for note, rows_of in _ways(there):
        taken = set(found.values())
        owner: dict[int, str] = {}
        for name in dict.fromkeys(wanted):
            rows = [] if name in found else rows_of(name)
            if not rows or not taken.isdisjoint(rows):
                continue
            if len(rows) > 1:
                raise InputError(
                    f"{name!r} may be {there[rows[0]]!r} or {there[rows[1]]!r}. Name it with its "
                    "folder, or give only the folder or archive that is meant."
                )
            other = owner.setdefault(rows[0], name)
            if other != name:
                raise InputError(
                    f"{other!r} and {name!r} would both be {there[rows[0]]!r}. Keep the images in "
                    "their folders, so that each name has its own."
                )
            if note:
                notes.setdefault(note, []).append(f"{name!r} as {there[rows[0]]!r}")
        found |= {name: row for row, name in owner.items()}
    told = [
        f"Found {note}: {counted(len(names), 'image')}, such as {names[0]}."
        for note, names in notes.items()
    ]
    return Match(np.array([found.get(name, -1) for name in wanted], dtype=np.int64), tuple(told))


def _ways(there: Sequence[str]) -> Iterator[tuple[str, Callable[[str], list[int]]]]:
    """The ways to look a name up, the surest first, and what is said of those less sure."""
    for fold, aside in (
        (plain_name, ""),
        (_folded, "with letters' case or Unicode form aside"),
        (_unquoted, "with ?d= and %2F of a web address undone"),
    ):
        names = [fold(name) for name in there]
        for known in (names, [_without_ending(name) for name in names]):
            whole, ends = defaultdict(list), defaultdict(list)
            for row, name in enumerate(known):
                whole[name].append(row)
                for end in _ends(name):
                    ends[end].append(row)

            def equal(name, *, fold=fold, whole=whole):
                return whole.get(fold(name), [])

            def by_end(name, *, fold=fold, whole=whole, ends=ends):
                own, *shorter = _ends(fold(name))
                return ends.get(own, []) + [row for end in shorter for row in whole.get(end, [])]

            def by_last_part(name, *, fold=fold, ends=ends):
                return ends.get(_ends(fold(name))[-1], [])

            yield aside, equal
            yield aside, by_end
            yield aside or "by their bare names alone", by_last_part


def _ends(name: str) -> list[str]:
    """The name, then without its first folder, and so on to its last part."""
    parts = name.split("/")
    return ["/".join(parts[start:]) for start in range(len(parts))]


def _folded(name: str) -> str:
    return normalize("NFC", normalize("NFC", plain_name(name)).casefold())


def _unquoted(name: str) -> str:
    """As Label Studio names files: /data/local-files/?d=set1%2Fa.png is set1/a.png."""
    return _folded(unquote(name.rpartition("?d=")[2]))


def _without_ending(name: str) -> str:
    path = PurePosixPath(name)
    return path.with_suffix("").as_posix() if path.suffix.lower() in IMAGE_SUFFIXES else name


def image_sizes(
    files: Sequence[str], images: Source | None, *, beside: Path = Path()
) -> np.ndarray:
    """Width and height (N, 2) in pixels of the named images, after the EXIF turn.

    `images` is a folder or what else holds images. Without it they are looked for in the folder
    `beside`, but in no folder below it, which might take an hour, unless their names say so. Raises
    InputError for images that are not there or cannot be read.
    """
    items = _beside(files, beside) if images is None else list_images(images)
    images = beside if images is None else images
    rows, notes = match_files(files, [item.name for item in items])
    missing = [file for file, row in zip(files, rows, strict=True) if row < 0]
    if missing:
        raise InputError(
            f"The heights of {len(missing)} of {len(files)} images are not known: there is no "
            f"{', '.join(missing[:5])} in the folder {str(images)!r}. Name their folder or archive "
            "with --images (images= in Python)."
        )
    for note in notes:
        warn(note, LeftOutWarning, stacklevel=2)
    sizes = []
    for item in (items[row] for row in rows):
        try:
            sizes.append(_size(item))
        except (ImageProblem, OSError) as problem:
            told = f"The size of {item.name} in {images} is not known: {problem}"
            raise InputError(told) from problem
    return np.array(sizes, dtype=np.int64).reshape(len(files), 2)


def sizes_of(items: Sequence[Item]) -> np.ndarray:
    """Width and height (N, 2) of upright images, from their headers; NaN of what is unreadable."""
    sizes = np.full((len(items), 2), np.nan)
    for row, item in enumerate(items):
        with suppress(ImageProblem, OSError):
            sizes[row] = _size(item)
    return sizes


def _size(item: Item) -> tuple[int, int]:
    content = item.read()
    return content.shape[1::-1] if isinstance(content, np.ndarray) else image_size(content)


def _beside(files: Sequence[str], folder: Path) -> list[Item]:
    """The files right in a folder, and those that are named with folders below it, not outside."""
    names = [path.name for path in folder.iterdir() if path.is_file()]
    below = (file for file in dict.fromkeys(files) if "/" in file and not Path(file).anchor)
    names += [file for file in below if ".." not in Path(file).parts and (folder / file).is_file()]
    return [Item(name, name, partial(read_file, folder / name)) for name in names]
