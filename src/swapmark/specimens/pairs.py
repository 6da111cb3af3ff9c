"""Found landmarks and marked points of the same images, brought together by file name."""

from dataclasses import dataclass, replace

import numpy as np

from swapmark.errors import InputError
from swapmark.points.rows import match_files
from swapmark.points.table import Points


@dataclass(frozen=True)
class Pairs:
    """N marked images: row by row their landmarks and their marked points."""

    found: Points
    """K landmarks, all finite."""
    marked: Points
    """P marked points, NaN where they are not."""
    rows: np.ndarray
    """(N,): where they are in the table of landmarks."""
    sizes: np.ndarray
    """(N, 2) width and height."""
    groups: np.ndarray
    """(N,) numbers: images of one group share one, an image without a group has its own."""
    missing: tuple[str, ...]
    """Marked images that have no landmarks."""
    unmarked: int
    """Images of the same splits in which no point is marked."""
    notes: tuple[str, ...]
    """How the names were brought together, where that is not plain."""

    @property
    def one_group(self) -> bool:
        """Whether there are several images, all of one group."""
        return len(self.groups) > 1 and not self.groups.any()

    @property
    def clusters(self) -> np.ndarray:
        """(N,) numbers of what is left out together: groups, or each image where there is one."""
        return np.arange(len(self.groups)) if self.one_group else self.groups


def pair(found: Points, marked: Points, *splits: str) -> Pairs:
    """Pair the marked images of `splits`, or all where there are none, with their landmarks.

    Raises InputError if no image of a split is in both, or landmarks or sizes are not finite.
    """
    split = np.array(marked.split or splits[:1] * len(marked))
    chosen, any_marked = np.isin(split, splits), marked.marked.any(axis=1)
    wanted = np.flatnonzero(chosen & any_marked)
    files = [marked.files[row] for row in wanted]
    match = match_files(files, found.files)
    rows, there = wanted[match.rows >= 0], match.rows[match.rows >= 0]
    for name in splits if marked.split else splits[:1]:
        if name not in split[rows]:
            raise InputError(
                f"No image{f' of split {name!r}' if marked.split else ''} has both a marked point "
                f"and landmarks. The first marked image is {files[0] if files else 'none'!r}, the "
                f"first with landmarks {found.files[0] if len(found) else 'none'!r}."
            )
    if found.sizes is None or not np.isfinite(found.sizes[there]).all():
        raise InputError("The landmarks lack the sizes of their images (width and height).")
    if not np.isfinite(found.xy[there]).all():
        raise InputError(
            "Some landmarks are not finite numbers, so nothing can be fitted to them. A model that "
            "diverged has to be trained again."
        )
    found, marked = found.take(there), marked.take(rows)
    labels = [group or row for row, group in enumerate(marked.group or ("",) * len(marked))]
    numbers = {label: number for number, label in enumerate(dict.fromkeys(labels))}
    return Pairs(
        found=replace(found, xy=found.xy.astype(float)),
        marked=replace(marked, xy=marked.xy.astype(float)),
        rows=there,
        sizes=np.asarray(found.sizes, dtype=float),
        groups=np.array([numbers[label] for label in labels]),
        missing=tuple(np.array(files)[match.rows < 0].tolist()),
        unmarked=int((chosen & ~any_marked).sum()),
        notes=match.notes,
    )
