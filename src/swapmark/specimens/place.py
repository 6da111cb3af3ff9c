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

import numpy as np

from swapmark.specimens.protocols import LinearMap, shared_rows

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
MAX_PARTS = 10
"""Up to so many specimens (or groups) are left out one by one; more, in so many parts."""


def place_weights(landmarks: np.ndarray, points: np.ndarray) -> np.ndarray:
    """Least-norm weights (P, K), summing to 1, of mean landmarks (K, 2) for mean points (P, 2)."""
    centre = landmarks.mean(axis=0)
    spokes = landmarks - centre
    if not spokes.any():
        return np.full((len(points), len(landmarks)), 1 / len(landmarks))
    return 1 / len(landmarks) + (points - centre) @ np.linalg.pinv(spokes, rcond=FLAT)


def _features(moved: np.ndarray) -> np.ndarray:
    """(2n, 5K): x or y of each landmark alone, then both, in columns of their own for x and y."""
    n, count, _ = moved.shape
    own = np.einsum("ab,nd->nabd", np.eye(2), SEPARATE * moved.reshape(n, -1))
    both = [moved.swapaxes(1, 2), own.reshape(n, 2, 4 * count)]
    return np.concatenate(both, axis=2).reshape(2 * n, 5 * count)


class PlaceRegression:
    """From landmarks (n, K, 2) to m points (n, m, 2) that are marked in the same n specimens."""

    def __init__(self, landmarks: np.ndarray, points: np.ndarray):
        self.centre, self.mean = landmarks.mean(axis=0), points.mean(axis=0)
        self.place = place_weights(self.centre, self.mean)  # (m, K)
        rest = points - self.mean - np.einsum("mk,nkc->nmc", self.place, landmarks - self.centre)
        # (2n, m): what the place weights leave, x and y of a specimen one below the other
        self.rest = rest.swapaxes(1, 2).reshape(2 * len(points), -1)
        features = _features(landmarks - self.centre)
        self.left, self.values, self.right = np.linalg.svd(features, full_matrices=False)
        self.moved = ((landmarks - self.centre) ** 2).sum() / (2 * len(self.centre))

    def _kept(self, ridge: float) -> np.ndarray:
        """(r,): the share of each direction that a ridge leaves."""
        squared = self.values**2
        total = squared + ridge * self.moved
        return np.divide(squared, total, out=np.zeros_like(squared), where=total > 0)

    def fit(self, ridge: float) -> LinearMap:
        """The map, from x and y of each landmark to x and y of each point."""
        share = self._kept(ridge)
        share = np.divide(share, self.values, out=np.zeros_like(share), where=self.values > 0)
        solved = (self.right.T @ (share[:, None] * (self.left.T @ self.rest))).T  # (m, 5K)
        m, count = self.place.shape
        common = np.einsum("mk,ac->mkac", self.place + solved[:, :count], np.eye(2))
        own = solved[:, count:].reshape(m, 2, 2 * count).swapaxes(1, 2) * SEPARATE
        weights = common.reshape(m, 2 * count, 2) + own
        offset = self.mean - np.einsum("d,mdc->mc", self.centre.reshape(-1), weights)
        return LinearMap(weights, offset)

    def left_out(self, clusters: np.ndarray, ridge: float) -> np.ndarray:
        """Distance (n, m) of each point to the map fitted without its own cluster (n,).

        In closed form: with H the matrix that takes the targets to their fitted values, the
        residuals of left-out rows G are (I - H_GG)⁻¹ (their fitted residuals). The place weights
        are held fixed. NaN if there is one cluster alone.
        """
        n, m = len(clusters), self.rest.shape[1]
        errors = np.full((n, m), np.nan)
        groups = [np.flatnonzero(clusters == cluster) for cluster in np.unique(clusters)]
        kept, left = self._kept(ridge), self.left.reshape(n, 2, -1)
        residual = self.rest - (self.left * kept) @ (self.left.T @ self.rest)
        for size in {len(group) for group in groups if len(groups) > 1}:
            out = np.stack([group for group in groups if len(group) == size])
            rows = left[out].reshape(len(out), 2 * size, -1)
            hat = (rows * kept) @ rows.swapaxes(1, 2)
            hat += np.kron(np.ones((size, size)), np.eye(2)) / n  # the mean
            own = residual.reshape(n, 2, m)[out].reshape(len(out), 2 * size, m)
            answer = np.linalg.solve(np.eye(2 * size) - hat, own)
            errors[out] = np.linalg.norm(answer.reshape(len(out), size, 2, m), axis=2)
        return errors


def choose_ridge(parts: list[tuple[PlaceRegression, np.ndarray]]) -> float:
    """The ridge of the smallest mean left-out distance over regressions with their clusters (n,).

    One serves all points: with few specimens that is steadier than one for each.
    """
    of_ridges = [[part.left_out(own, ridge).ravel() for part, own in parts] for ridge in RIDGES]
    errors = np.array([np.concatenate(of_ridge) for of_ridge in of_ridges])
    means = errors[:, np.isfinite(errors[0])].sum(axis=1)
    return RIDGES[int(np.argmax(means <= means.min() * (1 + TIE)))]


def fit_place(
    landmarks: np.ndarray, points: np.ndarray, used: np.ndarray, clusters: np.ndarray
) -> LinearMap:
    """The map from landmarks (N, K, 2) to points (N, P, 2), with a ridge that these choose.

    Each point is fitted where `used` (N, P) is set, and is NaN if that is nowhere. `clusters` (N,)
    numbers what belongs together (a person, a recording); fewer than three choose no ridge.
    """
    parts = [
        (columns, clusters[rows], PlaceRegression(landmarks[rows], points[np.ix_(rows, columns)]))
        for rows, columns in shared_rows(used)
    ]
    many = len(np.unique(clusters[used.any(axis=1)])) >= 3
    ridge = choose_ridge([(part, own) for _, own, part in parts]) if many else FEW_RIDGE
    weights = np.full((points.shape[1], 2 * landmarks.shape[1], 2), np.nan)
    offset = np.full((points.shape[1], 2), np.nan)
    for columns, _, part in parts:
        fitted = part.fit(ridge)
        weights[columns], offset[columns] = fitted.weights, fitted.offset
    return LinearMap(weights, offset)


def leave_out_parts(clusters: np.ndarray, count: int, seed: int = 0) -> list[np.ndarray]:
    """At most `count` masks (N,) of what is left out together: whole clusters, evenly spread."""
    order = np.random.default_rng(seed).permutation(clusters.max() + 1)
    return [np.isin(clusters, part) for part in np.array_split(order, min(len(order), count))]
