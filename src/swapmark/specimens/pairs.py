"""Found landmarks and marked points of the same images, brought together by file name."""

from dataclasses import dataclass

import numpy as np

from swapmark.errors import InputError
from swapmark.points.rows import match_files
from swapmark.points.table import Points
from swapmark.specimens.metrics import number_clusters


@dataclass(frozen=True)
class Pairs:
    """N marked images with K landmarks and P marked points in each, in pixels."""

    landmarks: tuple[str, ...]
    """K names of the landmarks."""
    points: tuple[str, ...]
    """P names of the marked points."""
    found: np.ndarray
    """(N, K, 2) landmarks."""
    marks: np.ndarray
    """(N, P, 2) points marked by hand, NaN where they are not."""
    sizes: np.ndarray
    """(N, 2) width and height."""
    files: tuple[str, ...]
    """N names of the images, as the table of marks has them."""
    groups: tuple[str, ...]
    """N groups, empty where none."""
    split: np.ndarray | None
    """(N,) splits; None where the table has none."""
    missing: tuple[str, ...]
    """Marked images that have no landmarks."""
    unmarked: int
    """Images of the same splits in which no point is marked."""
    notes: tuple[str, ...]
    """How the names were brought together, where that is not plain."""

    @property
    def used(self) -> np.ndarray:
        """(N, P): whether a point is marked."""
        return np.isfinite(self.marks).all(axis=-1)

    @property
    def clusters(self) -> np.ndarray:
        """(N,): images of one group share a number; if all are of one group, each has its own."""
        return np.arange(len(self.groups)) if self.one_group else number_clusters(self.groups)

    @property
    def one_group(self) -> bool:
        """Whether there are several images, all of one group."""
        return len(self.groups) > 1 and len(set(self.groups)) == 1 and self.groups[0] != ""


def marked_rows(marked: Points, *splits: str) -> np.ndarray:
    """Indices of the images of `splits` in which a point is marked; of all if none has a split.

    Raises InputError where one of the splits has none.
    """
    there = np.array(marked.split or splits[:1] * len(marked))
    any_marked = marked.marked.any(axis=1)
    for split in splits if marked.split else splits[:1]:
        if not any_marked[there == split].any():
            counts = {name: marked.split.count(name) for name in marked.split or ()}
            raise InputError(
                f"No point is marked in any image of split {split!r}; the rows are {counts}. Mark "
                "some, or change the column split."
                if marked.split
                else f"No point is marked in any of the {len(marked)} images. Mark some."
            )
    return np.flatnonzero(any_marked & np.isin(there, splits))


def pair(found: Points, marked: Points, *splits: str) -> Pairs:
    """Pair the marked images of `splits`, or all where there are none, with their landmarks.

    Raises InputError if no image of a split is in both, or landmarks or sizes are not finite.
    """
    wanted = marked_rows(marked, *splits)
    files = [marked.files[row] for row in wanted]
    match = match_files(files, found.files)
    rows, there = wanted[match.rows >= 0], match.rows[match.rows >= 0]
    split = np.array(marked.split)[rows] if marked.split else None
    for name in splits if marked.split else splits[:1]:
        if not (len(rows) if split is None else (split == name).any()):
            raise InputError(
                f"None of the marked images{f' of split {name!r}' if marked.split else ''} has "
                f"landmarks: the first marked one is {files[0]!r}, the first with landmarks "
                f"{found.files[0] if len(found) else 'none'!r}. Find landmarks in the images that "
                "were marked."
            )
    if found.sizes is None or not np.isfinite(found.sizes[there]).all():
        raise InputError("The landmarks lack the sizes of their images (width and height).")
    if not np.isfinite(found.xy[there]).all():
        raise InputError(
            "Some landmarks are not finite numbers, so nothing can be fitted to them. A model that "
            "diverged has to be trained again."
        )
    candidates = sum(name in splits for name in marked.split or splits[:1] * len(marked))
    return Pairs(
        landmarks=found.names,
        points=marked.names,
        found=found.xy[there].astype(float),
        marks=marked.xy[rows].astype(float),
        sizes=found.sizes[there].astype(float),
        files=tuple(marked.files[row] for row in rows),
        groups=tuple(marked.group[row] if marked.group else "" for row in rows),
        split=split,
        missing=tuple(np.array(files)[match.rows < 0].tolist()),
        unmarked=candidates - len(files),
        notes=match.notes,
    )
