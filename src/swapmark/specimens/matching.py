"""Bring landmarks and annotations of the same images together, by file name."""

import unicodedata
from dataclasses import dataclass, replace

import numpy as np

from swapmark.errors import InputError
from swapmark.types import Annotations, Landmarks


@dataclass(frozen=True)
class PairedPoints:
    """N images with K source and P target points in each, in pixels; for a map between them.

    `match` pairs discovered landmarks (source) with points marked by hand (target).
    """

    source: np.ndarray
    """(N, K, 2) points that the map is given."""
    target: np.ndarray
    """(N, P, 2) points that it predicts, NaN where not marked."""
    sizes: np.ndarray
    """(N, 2) width and height."""
    groups: tuple[str, ...]
    """N groups, empty where none."""
    files: tuple[str, ...]
    """N names of the images, as the annotations have them."""

    def __len__(self) -> int:
        return len(self.groups)

    @property
    def usable(self) -> np.ndarray:
        """(N, P): the target is marked, and so is all of the source."""
        return is_marked(self.target) & is_marked(self.source).all(axis=1, keepdims=True)

    def select(self, keep: np.ndarray) -> "PairedPoints":
        """The images where `keep` (N,) is set."""
        rows = np.flatnonzero(keep)
        groups = tuple(self.groups[row] for row in rows)
        files = tuple(self.files[row] for row in rows)
        return PairedPoints(self.source[keep], self.target[keep], self.sizes[keep], groups, files)

    def reversed(self) -> "PairedPoints":
        """The same images with source and target exchanged."""
        return replace(self, source=self.target, target=self.source)

    def without_source(self) -> "PairedPoints":
        """The same targets, with nothing to predict them from."""
        return replace(self, source=self.source[:, :0])


@dataclass(frozen=True)
class Matched:
    """The images that the map is fitted on, those it is scored on, and those left aside."""

    fit: PairedPoints
    test: PairedPoints
    missing: tuple[str, ...]
    """Annotated images that have no landmarks."""
    unmarked: int
    """Images of the two splits in which no point is marked."""


def is_marked(xy: np.ndarray) -> np.ndarray:
    """Whether points (..., 2) have both their numbers: (...).

    >>> is_marked(np.array([[1.0, 2.0], [np.nan, 2.0]])).tolist()
    [True, False]
    """
    return np.all(np.isfinite(xy), axis=-1)


def marked_rows(annotations: Annotations) -> np.ndarray:
    """Indices of the `fit` and `test` images in which at least one point is marked.

    Raises InputError if either split has none.

    >>> xy = np.array([[[1.0, 2.0]], [[1.0, 2.0]], [[np.nan, np.nan]], [[3.0, 4.0]]])
    >>> splits, files = ("fit", "train", "test", "test"), ("a", "b", "c", "d")
    >>> marked_rows(Annotations(("nose",), files, splits, ("",) * 4, xy)).tolist()
    [0, 3]
    """
    marked = is_marked(annotations.xy)
    rows = [
        i
        for i, split in enumerate(annotations.splits)
        if split in ("fit", "test") and any(marked[i])
    ]
    for split in ("fit", "test"):
        if not any(annotations.splits[i] == split for i in rows):
            raise InputError(_empty_split(split, annotations))
    return np.array(rows)


def match(landmarks: Landmarks, annotations: Annotations) -> Matched:
    """Pair every marked `fit` and `test` image with its landmarks.

    Names match if they are equal, or if one is the end of the other ('images/a.png' and
    '/data/faces/images/a.png'). Raises InputError if a split is empty, no name or more than one
    matches, or landmarks are not finite.
    """
    wanted = marked_rows(annotations)
    row_of_path = match_names(landmarks.paths, [annotations.files[i] for i in wanted])
    found = np.array([i for i in wanted if annotations.files[i] in row_of_path], dtype=int)
    if not len(found):
        raise InputError(
            f"None of the {len(wanted)} annotated images has landmarks: the annotations call "
            f"their first image {annotations.files[wanted[0]]!r}, the landmarks "
            f"{landmarks.paths[0] if len(landmarks) else 'no image at all'!r}. "
            f"Find landmarks in the same folder or archive that the annotations belong to."
        )
    if not is_marked(landmarks.xy[[row_of_path[annotations.files[i]] for i in found]]).all():
        raise InputError(
            "Some landmarks are not finite numbers, so nothing can be fitted to them. Look at the "
            "table of landmarks; a model that diverged has to be trained again."
        )

    def images_of(split: str) -> PairedPoints:
        chosen = [i for i in found if annotations.splits[i] == split]
        if not chosen:
            raise InputError(
                f"None of the marked {split} images has landmarks, though {len(found)} others "
                f"have. Find landmarks in the {split} images too."
            )
        rows = [row_of_path[annotations.files[i]] for i in chosen]
        return PairedPoints(
            landmarks.xy[rows].astype(float),
            annotations.xy[chosen].astype(float),
            landmarks.sizes[rows].astype(float),
            tuple(annotations.groups[i] for i in chosen),
            tuple(annotations.files[i] for i in chosen),
        )

    return Matched(
        fit=images_of("fit"),
        test=images_of("test"),
        missing=tuple(
            annotations.files[i] for i in wanted if annotations.files[i] not in row_of_path
        ),
        unmarked=sum(split in ("fit", "test") for split in annotations.splits) - len(wanted),
    )


def match_names(paths: tuple[str, ...], files: list[str]) -> dict[str, int]:
    """The row of `paths` that each of `files` belongs to, where there is one.

    Names match if they are equal, or if one is the end of the other; a name in another Unicode form
    (macOS splits letters from their accents) is the same. A path that equals one file is no
    other's. Raises InputError where a file matches two paths, or two files match one.

    >>> match_names(("faces/a.png", "faces/b.png"), ["b.png", "c.png"])
    {'b.png': 1}
    """
    parts = [_parts(path) for path in paths]
    rows_of_last: dict[str, list[int]] = {}
    for row, part in enumerate(parts):
        rows_of_last.setdefault(part[-1], []).append(row)
    matches: dict[str, int] = {}
    exactly: dict[str, int] = {}
    for file in files:
        wanted = _parts(file)
        rows = []
        for row in rows_of_last.get(wanted[-1], []):
            shared = min(len(wanted), len(parts[row]))
            if wanted[-shared:] == parts[row][-shared:]:
                rows.append(row)
        exact = [row for row in rows if parts[row] == wanted]
        if exact:
            exactly[file] = exact[0]
        rows = exact or rows
        if len(rows) > 1:
            raise InputError(
                f"The annotated image {file!r} matches more than one image: "
                f"{paths[rows[0]]!r} and {paths[rows[1]]!r}. Give the folder or archive of the "
                f"annotated images alone, so that names are unique."
            )
        if rows:
            matches[file] = rows[0]
    taken = set(exactly.values())
    matches = {f: row for f, row in matches.items() if f in exactly or row not in taken}
    first: dict[int, str] = {}
    for file, row in matches.items():
        other = first.setdefault(row, file)
        if other != file:
            raise InputError(
                f"Two annotated images, {other!r} and {file!r}, match the same image, "
                f"{paths[row]!r}. Keep the images in their folders, so that each name has its own."
            )
    return matches


def _parts(path: str) -> tuple[str, ...]:
    """Folders and name of a path, whatever the system that it was written on."""
    parts = unicodedata.normalize("NFC", path).replace("\\", "/").split("/")
    return tuple(part for part in parts if part != ".")


def _empty_split(split: str, annotations: Annotations) -> str:
    count = {name: annotations.splits.count(name) for name in dict.fromkeys(annotations.splits)}
    there = ", ".join(f"{number} {name!r}" for name, number in count.items()) or "no row at all"
    purpose = "to fit the linear map on" if split == "fit" else "to score it on"
    return (
        f"No image with marked points has split {split!r}, {purpose}; the annotations have "
        f"{there}. Set the column 'split' of landmarks.csv to 'fit' for some images and to 'test' "
        f"for others."
    )
