"""A linear map from landmarks to marked points that makes sense from the first specimen on.

With no specimen to say otherwise, a point keeps its place *among* the landmarks: it is their
weighted mean, with the smallest weights that sum to 1 and put the mean landmarks onto the mean
point (its barycentric coordinates). It so follows every shift, turn and stretch of the object.
Ridge regression then corrects these weights as far as the specimens warrant: by one common number
for x and y of a landmark, and by one for each of the four ways from (x, y) to (x, y).

Axes: N specimens, K landmarks, P points, R = 5K features. Coordinates are relative (see
`swapmark.coordinates.to_relative`), from the centre of the image.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from swapmark.specimens.regression import LinearMap

FLAT = 0.1
"""Mean landmarks that spread less across than this share of their length count as on one line."""


@dataclass(frozen=True)
class Strength:
    """How firmly the weights are held at those of the place among the landmarks."""

    separate: float
    """How freely weights for x and y may differ, against their common part: 0 not at all."""
    ridge: float
    """Penalty, as a multiple of a landmark coordinate's mean sum of squares over specimens."""


def place_weights(landmarks: np.ndarray, points: np.ndarray) -> np.ndarray:
    """Least-norm weights (P, K), summing to 1, of mean landmarks (K, 2) for mean points (P, 2).

    >>> corners = np.array([[0.0, 0.0], [1.0, 0.0], [0.0, 1.0]])
    >>> place_weights(corners, np.array([[0.25, 0.5]])).round(6).tolist()
    [[0.25, 0.25, 0.5]]
    """
    centre = landmarks.mean(axis=0)
    spokes = landmarks - centre
    if not spokes.any():
        return np.full((len(points), len(landmarks)), 1 / len(landmarks))
    return 1 / len(landmarks) + (points - centre) @ np.linalg.pinv(spokes, rcond=FLAT)


@dataclass(frozen=True)
class _Solvable:
    """The regression of points that are marked in the same specimens, as a thin SVD."""

    rows: np.ndarray
    """Indices of the n specimens."""
    points: np.ndarray
    """Indices of the m points."""
    landmarks: np.ndarray
    """(n, K, 2)."""
    targets: np.ndarray
    """(n, m, 2)."""
    place: np.ndarray
    """(m, K), the weights that the ridge starts from."""
    left: np.ndarray
    """(2n, r), x and y of a specimen one below the other."""
    values: np.ndarray
    """(r,)."""
    right: np.ndarray
    """(r, R)."""
    rest: np.ndarray
    """(2n, m): what the place weights leave, minus its mean."""

    def kept(self, ridge: float) -> np.ndarray:
        """(r,): the share of each direction that a ridge leaves."""
        count = self.landmarks.shape[1]
        moved = ((self.landmarks - self.landmarks.mean(axis=0)) ** 2).sum() / (2 * count)
        squared = self.values**2
        total = squared + ridge * moved
        return np.divide(squared, total, out=np.zeros_like(squared), where=total > 0)


def _features(landmarks: np.ndarray, separate: float) -> np.ndarray:
    """(2n, 5K): x or y of each landmark alone, then both, in columns of their own for x and y."""
    moved = landmarks - landmarks.mean(axis=0)
    n, count, _ = moved.shape
    rows = np.zeros((n, 2, 5 * count))
    for axis in (0, 1):
        own = slice(count * (1 + 2 * axis), count * (3 + 2 * axis))
        rows[:, axis, :count] = moved[:, :, axis]
        rows[:, axis, own] = separate * moved.reshape(n, -1)
    return rows.reshape(2 * n, 5 * count)


def _solvables(
    landmarks: np.ndarray, points: np.ndarray, used: np.ndarray, separate: float
) -> Iterator[_Solvable]:
    """One regression for each set of specimens in which some points are used (N, P)."""
    patterns, pattern_of_point = np.unique(used, axis=1, return_inverse=True)
    for index, chosen in enumerate(patterns.T):
        if not chosen.any():
            continue
        rows = np.flatnonzero(chosen)
        columns = np.flatnonzero(pattern_of_point.reshape(-1) == index)
        given, targets = landmarks[rows], points[np.ix_(rows, columns)]
        place = place_weights(given.mean(axis=0), targets.mean(axis=0))
        rest = targets - np.einsum("pk,nkc->npc", place, given)
        rest = (rest - rest.mean(axis=0)).swapaxes(1, 2).reshape(2 * len(rows), -1)
        left, values, right = np.linalg.svd(_features(given, separate), full_matrices=False)
        yield _Solvable(rows, columns, given, targets, place, left, values, right, rest)


def fit_points(
    landmarks: np.ndarray, points: np.ndarray, used: np.ndarray, strength: Strength
) -> LinearMap:
    """The map from landmarks (N, K, 2) to points (N, P, 2), each fitted where `used` (N, P) is set.

    A point that is used nowhere gets NaN.

    >>> landmarks = np.random.default_rng(0).normal(size=(1, 3, 2))
    >>> middle = landmarks.mean(axis=1, keepdims=True)
    >>> found = fit_points(landmarks, middle, np.ones((1, 1), bool), Strength(1.0, 1.0))
    >>> bool(np.allclose(found((landmarks + 5).reshape(1, 6)), middle + 5))
    True
    """
    count = landmarks.shape[1]
    weights = np.full((points.shape[1], 2 * count, 2), np.nan)
    offset = np.full((points.shape[1], 2), np.nan)
    for part in _solvables(landmarks, points, used, strength.separate):
        share = part.kept(strength.ridge)
        share = np.divide(share, part.values, out=np.zeros_like(share), where=part.values > 0)
        solved = part.right.T @ (share[:, None] * (part.left.T @ part.rest))  # (5K, m)
        common = part.place + solved[:count].T
        for index, point in enumerate(part.points):
            own = solved[count:, index].reshape(2, 2 * count).T * strength.separate
            weights[point] = np.kron(common[index][:, None], np.eye(2)) + own
        flat = part.landmarks.reshape(len(part.rows), -1)
        offset[part.points] = part.targets.mean(axis=0) - np.einsum(
            "d,mdc->mc", flat.mean(axis=0), weights[part.points]
        )
    return LinearMap(weights, offset)


def left_out_errors(
    landmarks: np.ndarray,
    points: np.ndarray,
    used: np.ndarray,
    clusters: np.ndarray,
    separate: float,
    ridges: Sequence[float],
) -> np.ndarray:
    """Distance (len(ridges), N, P) of each point to the map fitted without its own cluster.

    In closed form: with H the matrix that takes the targets to their fitted values, the residuals
    of left-out rows G are (I - H_GG)⁻¹ (their fitted residuals). The place weights are held fixed.
    `clusters` (N,) numbers what belongs together (a person, a recording). NaN where a point is not
    used, or used in its own cluster alone.
    """
    errors = np.full((len(ridges), *used.shape), np.nan)
    for part in _solvables(landmarks, points, used, separate):
        own = clusters[part.rows]
        n, m = part.targets.shape[:2]
        left, rest = part.left.reshape(n, 2, -1), part.rest.reshape(n, 2, m)
        groups = [np.flatnonzero(own == cluster) for cluster in np.unique(own)]
        if len(groups) < 2:
            continue
        for index, ridge in enumerate(ridges):
            kept = part.kept(ridge)
            fitted = (part.left * kept) @ (part.left.T @ part.rest)
            residual = rest - fitted.reshape(n, 2, m)
            for size in {len(group) for group in groups}:
                out = np.stack([group for group in groups if len(group) == size])  # (g, size)
                rows = left[out].reshape(len(out), 2 * size, -1)
                hat = (rows * kept) @ rows.swapaxes(1, 2)
                hat += np.kron(np.ones((size, size)), np.eye(2)) / n  # the mean
                answer = np.linalg.solve(
                    np.eye(2 * size) - hat, residual[out].reshape(len(out), 2 * size, m)
                )
                distance = np.linalg.norm(answer.reshape(len(out), size, 2, m), axis=2)
                errors[index, part.rows[out][..., None], part.points] = distance
    return errors
