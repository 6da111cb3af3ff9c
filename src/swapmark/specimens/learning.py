"""Maps and refinements learned from some specimens and tried on others, many times over.

Axes: N specimens, V views, K landmarks, P points, T examples: the specimens, and where it helps
their mirror images, too. All places are pixels of the pictures.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from swapmark.coordinates import to_pixels, to_relative
from swapmark.specimens.closer import CloserLook, refine_closer
from swapmark.specimens.looks import Looks
from swapmark.specimens.place import fit_place
from swapmark.specimens.protocols import LinearMap
from swapmark.specimens.refine import Refinement, Training, refine

ALIKE = 2.0
"""Mirror images are learned from, too, if the map finds the points there again: at most so many
times as far off as in pictures left out."""


@dataclass(frozen=True)
class Specimens:
    """Landmarks and marks of the same pictures."""

    landmarks: np.ndarray
    """(T, K, 2)"""
    marks: np.ndarray
    """(T, P, 2); NaN where a point is not marked."""
    sizes: np.ndarray
    """(T, 2) width and height."""
    clusters: np.ndarray
    """(T,) numbers of what is left out together."""
    count: int
    """N: the first examples are the specimens, those that follow their mirror images."""

    def fit(self, trainings: Sequence[Training]) -> tuple[list[LinearMap], list[np.ndarray]]:
        """The map of each training, and where it finds the points (m, P, 2) of those tested."""
        given = to_relative(self.landmarks, self.sizes, "centre")
        target = to_relative(self.marks, self.sizes, "centre")
        used, owner = np.isfinite(target.sum(axis=-1)), np.arange(len(given)) % self.count
        maps, found = [], []
        for training in trainings:
            rows, tested = training.learn[owner], training.tested
            fitted = fit_place(given[rows], target[rows], used[rows], self.clusters[rows])
            maps.append(fitted)
            found.append(mapped(fitted, self.landmarks[tested], self.sizes[tested]))
        return maps, found

    def with_mirror_images(self, looks: Looks, swap: np.ndarray) -> "Specimens":
        """The same and their mirror images, in which point p is where `swap[p]` was."""
        there = looks.into_views(self.marks)
        return replace(
            self,
            landmarks=np.concatenate([self.landmarks, looks.to_pictures(looks.landmarks[:, 1])]),
            marks=np.concatenate([self.marks, looks.to_pictures(there[:, 1, swap])]),
            sizes=np.tile(self.sizes, (2, 1)),
            clusters=np.tile(self.clusters, 2),
        )


def mapped(fitted: LinearMap, landmarks: np.ndarray, sizes: np.ndarray) -> np.ndarray:
    """Points (n, P, 2) of landmarks (n, K, 2) in pictures of `sizes`."""
    given = to_relative(landmarks, sizes, "centre").reshape(len(landmarks), 2 * landmarks.shape[1])
    return to_pixels(fitted(given), sizes, "centre")


def find_swap(
    looks: Looks, fitted: LinearMap, marks: np.ndarray, sizes: np.ndarray, usual: float
) -> np.ndarray | None:
    """Which point each becomes in a mirror image, (P,): a left eye the right one. None if unclear.

    The map `fitted` on the pictures (N) themselves is applied to the landmarks of their mirror
    images: a point becomes the one that the map finds in its place, if that holds both ways and it
    is not much farther off than `usual`, in pixels of the pictures.
    """
    found = mapped(fitted, looks.to_pictures(looks.landmarks[:, 1]), sizes)
    truth = looks.to_pictures(looks.into_views(marks)[:, 1])
    away = np.linalg.norm(found[:, :, None] - truth[:, None], axis=-1)  # (N, P, P)
    between = np.nanmedian(np.where(np.isnan(away).all(axis=0), np.inf, away), axis=0)
    swap = between.argmin(axis=1)
    itself = np.arange(len(swap))
    fits = np.median(between[itself, swap]) <= ALIKE * usual
    return swap if fits and (swap[swap] == itself).all() else None


@dataclass(frozen=True)
class Refined:
    """Points of several trainings after a look at their places, and what the first has learned."""

    points: list[np.ndarray]
    """(m, P, 2) each."""
    refinement: Refinement
    """Of the first look."""
    closer: CloserLook | None = None
    """Of the second, where there was one."""


def refine_points(
    looks: Looks,
    marks: np.ndarray,
    guess: np.ndarray,
    swap: np.ndarray | None,
    trainings: Sequence[Training],
    starts: Sequence[np.ndarray],
    folds: slice,
) -> Iterator[Refined]:
    """First the points refined from `starts`, (m, P, 2) a training, then by a second look.

    guess: (N, P, 2), where to look for points that are not marked. folds: the trainings that leave
    out each specimen once, and so say how far off the starts are. The second look, if pictures have
    the pixels for it, is taken after the first training and these alone.
    """
    if swap is None:
        looks = looks.take(np.arange(len(marks)), slice(None, None, 2))
        swap, mirrored = np.arange(marks.shape[1]), np.zeros(looks.views.shape[1], bool)
    else:
        mirrored = looks.mirrored
    marked = np.isfinite(marks.sum(axis=-1))
    used = np.where(mirrored[:, None], marked[:, None, swap], marked[:, None])
    truth = looks.into_views(np.where(marked[..., None], marks, guess))
    truth = np.where(mirrored[:, None, None], truth[:, :, swap], truth)
    target = looks.into_squares(marks)

    def squares(points: Sequence[np.ndarray]) -> list[np.ndarray]:
        rows = zip(trainings, points, strict=False)
        return [looks.take(training.tested).into_squares(xy) for training, xy in rows]

    def pictures(points: Sequence[np.ndarray]) -> list[np.ndarray]:
        rows = zip(trainings, points, strict=False)
        return [looks.take(training.tested).to_pictures(xy) for training, xy in rows]

    def spread_of(points: list[np.ndarray]) -> float:
        off = left_out(trainings[folds], points[folds], target) - target
        return float(np.sqrt(np.nanmean(off**2)))

    now = squares(starts)
    seen = looks.maps, looks.channels, looks.size, truth, used
    now, refinement = refine(*seen, trainings, now, spread=spread_of(now))
    yield Refined(pictures(now), refinement)
    few = slice(folds.stop)
    closer = refine_closer(
        *(looks, truth, used, trainings[few], now[few]),
        left_out=left_out(trainings[folds], now[folds], target),
        spread=spread_of(now),
    )
    if closer:
        yield Refined(pictures(closer[0]), refinement, closer[1])


def left_out(
    trainings: Sequence[Training], points: Sequence[np.ndarray], marks: np.ndarray
) -> np.ndarray:
    """(N, P, 2) as `marks`: the points (m, P, 2) of all that the trainings were tried on."""
    xy = np.full_like(marks, np.nan)
    for training, part in zip(trainings, points, strict=True):
        xy[training.tested] = part
    return xy
