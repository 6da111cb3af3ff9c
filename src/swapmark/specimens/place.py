"""A linear map from landmarks to marked points that makes sense from the first specimen on.

With no specimen to say otherwise, a point keeps its place *among* the landmarks: it is their
weighted mean, with the smallest weights that sum to 1 and put the mean landmarks onto the mean
point (its barycentric coordinates). It so follows every shift, turn and stretch of the object.
Ridge regression then corrects these weights as far as the specimens warrant: by one common number
for x and y of a landmark, and more firmly by one for each of the four ways from (x, y) to (x, y).

The ridge is chosen by leave-one-out. An estimate that used the same left-out errors would flatter
itself, so `predict_left_out` predicts specimens that took no part in anything: neither in the
choice of the ridge nor in the means that the map starts from.

Axes: N specimens, K landmarks, P points, R = 5K features. Coordinates are relative (see
`swapmark.coordinates.to_relative`), from the centre of the image.
"""

from collections.abc import Sequence

import numpy as np

from swapmark.specimens.protocols import LinearMap, fit_linear_map, shared_rows

SEPARATE = 0.25
"""How freely weights for x and y may differ, against their common part. Measured on faces: 0 loses
0.2 % with 50 specimens and 0.7 % with 1,000, 1 loses 0.1 to 0.3 % with 5 to 20."""
FLAT = 0.1
"""Mean landmarks that spread less across than this share of their length count as on one line."""
FEW_RIDGE = 3.0
"""For fewer than three specimens, which cannot choose: what five to twenty faces chose."""
RIDGES = tuple(sign * 10.0**power for power in range(2, -6, -1) for sign in (1.0, 0.3))
"""From firm to loose, as multiples of a landmark coordinate's mean sum of squares."""
TIE = 1e-6
"""Means that differ by less than this share are equal, and the firmer ridge is taken."""
MAX_PARTS = 50
"""Up to so many specimens (or groups) are left out one by one; more, in so many parts."""


def place_weights(landmarks: np.ndarray, points: np.ndarray) -> np.ndarray:
    """Least-norm weights (P, K), summing to 1, of mean landmarks (K, 2) for mean points (P, 2)."""
    centre = landmarks.mean(axis=0)
    spokes = landmarks - centre
    if not spokes.any():
        return np.full((len(points), len(landmarks)), 1 / len(landmarks))
    return 1 / len(landmarks) + (points - centre) @ np.linalg.pinv(spokes, rcond=FLAT)


def _features(landmarks: np.ndarray) -> np.ndarray:
    """(2n, 5K): x or y of each landmark alone, then both, in columns of their own for x and y."""
    moved = landmarks - landmarks.mean(axis=0)
    n, count, _ = moved.shape
    rows = np.zeros((n, 2, 5 * count))
    for axis in (0, 1):
        own = slice(count * (1 + 2 * axis), count * (3 + 2 * axis))
        rows[:, axis, :count] = moved[:, :, axis]
        rows[:, axis, own] = SEPARATE * moved.reshape(n, -1)
    return rows.reshape(2 * n, 5 * count)


class _Regression:
    """What the place weights leave of m points that are marked in the same n specimens."""

    def __init__(self, landmarks: np.ndarray, points: np.ndarray):
        self.place = place_weights(landmarks.mean(axis=0), points.mean(axis=0))  # (m, K)
        rest = points - np.einsum("pk,nkc->npc", self.place, landmarks)
        # (2n, m), x and y of a specimen one below the other
        self.rest = (rest - rest.mean(axis=0)).swapaxes(1, 2).reshape(2 * len(points), -1)
        self.left, self.values, self.right = np.linalg.svd(
            _features(landmarks), full_matrices=False
        )
        self.moved = ((landmarks - landmarks.mean(axis=0)) ** 2).sum() / (2 * landmarks.shape[1])

    def kept(self, ridge: float) -> np.ndarray:
        """(r,): the share of each direction that a ridge leaves."""
        squared = self.values**2
        total = squared + ridge * self.moved
        return np.divide(squared, total, out=np.zeros_like(squared), where=total > 0)

    def weights(self, ridge: float) -> np.ndarray:
        """(m, 2K, 2), from x and y of each landmark to x and y of each point."""
        share = self.kept(ridge)
        share = np.divide(share, self.values, out=np.zeros_like(share), where=self.values > 0)
        solved = (self.right.T @ (share[:, None] * (self.left.T @ self.rest))).T  # (m, 5K)
        m, count = self.place.shape
        common = self.place + solved[:, :count]
        own = solved[:, count:].reshape(m, 2, 2 * count).swapaxes(1, 2) * SEPARATE
        return own + np.einsum("mk,ac->mkac", common, np.eye(2)).reshape(m, 2 * count, 2)

    def left_out(self, ridge: float, out: np.ndarray) -> np.ndarray:
        """(g, size, m): errors of g groups of `size` specimens, `out` (g, size), each left out.

        In closed form: with H the matrix that takes the targets to their fitted values, the
        residuals of left-out rows G are (I - H_GG)⁻¹ (their fitted residuals).
        """
        kept, (g, size) = self.kept(ridge), out.shape
        n, m = len(self.rest) // 2, self.rest.shape[1]
        residual = self.rest - (self.left * kept) @ (self.left.T @ self.rest)
        rows = self.left.reshape(n, 2, -1)[out].reshape(g, 2 * size, -1)
        hat = (rows * kept) @ rows.swapaxes(1, 2)
        hat += np.kron(np.ones((size, size)), np.eye(2)) / n  # the mean
        own = residual.reshape(n, 2, m)[out].reshape(g, 2 * size, m)
        answer = np.linalg.solve(np.eye(2 * size) - hat, own)
        return np.linalg.norm(answer.reshape(g, size, 2, m), axis=2)


def fit_place(
    landmarks: np.ndarray, points: np.ndarray, used: np.ndarray, ridge: float
) -> LinearMap:
    """The map from landmarks (N, K, 2) to points (N, P, 2), each fitted where `used` (N, P) is set.

    A point that is used nowhere gets NaN.
    """
    weights = np.full((points.shape[1], 2 * landmarks.shape[1], 2), np.nan)
    offset = np.full((points.shape[1], 2), np.nan)
    for rows, columns in shared_rows(used):
        given, target = landmarks[rows], points[np.ix_(rows, columns)]
        weights[columns] = _Regression(given, target).weights(ridge)
        centre = given.mean(axis=0).reshape(-1)
        offset[columns] = target.mean(axis=0) - np.einsum("d,mdc->mc", centre, weights[columns])
    return LinearMap(weights, offset)


def left_out_errors(
    landmarks: np.ndarray,
    points: np.ndarray,
    used: np.ndarray,
    clusters: np.ndarray,
    ridges: Sequence[float],
) -> np.ndarray:
    """Distance (len(ridges), N, P) of each point to the map fitted without its own cluster.

    The place weights are held fixed. `clusters` (N,) numbers what belongs together (a person, a
    recording). NaN where a point is not used, or used in its own cluster alone.
    """
    errors = np.full((len(ridges), *used.shape), np.nan)
    for rows, columns in shared_rows(used):
        groups = [np.flatnonzero(clusters[rows] == one) for one in np.unique(clusters[rows])]
        if len(groups) < 2:
            continue
        regression = _Regression(landmarks[rows], points[np.ix_(rows, columns)])
        for size in {len(group) for group in groups}:
            out = np.stack([group for group in groups if len(group) == size])
            for index, ridge in enumerate(ridges):
                found = regression.left_out(ridge, out)
                errors[index, rows[out][..., None], columns] = found
    return errors


def fit_chosen(
    landmarks: np.ndarray, points: np.ndarray, used: np.ndarray, clusters: np.ndarray
) -> tuple[LinearMap, float]:
    """The map with the ridge of the smallest mean left-out distance, and that ridge.

    It is `FEW_RIDGE` with less than 3 clusters. One ridge serves all points: with few specimens
    that is steadier than one for each.
    """
    ridge = FEW_RIDGE
    if len(np.unique(clusters[used.any(axis=1)])) >= 3:
        errors = left_out_errors(landmarks, points, used, clusters, RIDGES)
        known = np.isfinite(errors[0])
        if known.any():
            means = errors[:, known].mean(axis=1)
            ridge = RIDGES[int(np.argmax(means <= means.min() * (1 + TIE)))]
    return fit_place(landmarks, points, used, ridge), ridge


def leave_out_parts(clusters: np.ndarray, count: int, seed: int = 0) -> list[np.ndarray]:
    """At most `count` masks (N,) of what is left out together: whole clusters, evenly spread."""
    clusters_there = clusters.max(initial=-1) + 1
    order = np.random.default_rng(seed).permutation(clusters_there)
    parts = np.array_split(order, min(clusters_there, count)) if clusters_there else []
    return [np.isin(clusters, chosen) for chosen in parts]


def predict_left_out(
    landmarks: np.ndarray, points: np.ndarray, used: np.ndarray, clusters: np.ndarray
) -> tuple[np.ndarray, np.ndarray, int]:
    """Points (N, P, 2) by maps chosen and fitted on others, means (N, P, 2) of others, the parts.

    The means say where each point would be whatever the landmarks say. NaN where a point is marked
    in no other part.
    """
    found, means = np.full((2, *points.shape), np.nan)
    parts = leave_out_parts(clusters, MAX_PARTS)
    for out in parts:
        rest = ~out
        if not used[rest].any():
            continue
        fitted, _ = fit_chosen(landmarks[rest], points[rest], used[rest], clusters[rest])
        found[out] = fitted(landmarks[out].reshape(out.sum(), -1))
        nothing = np.zeros((rest.sum(), 0))
        means[out] = fit_linear_map(nothing, points[rest], used[rest], intercept=True).offset
    return found, means, len(parts)
