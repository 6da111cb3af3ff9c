"""Least squares and ridge from D numbers an image to M points, each fitted where it is known.

Axes: N images, D input coordinates (2 for each given point), M predicted points.
"""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class LinearMap:
    """Calling it on inputs (N, D) gives points (N, M, 2)."""

    weights: np.ndarray
    """(M, D, 2); NaN for a point that was never seen."""
    offset: np.ndarray
    """(M, 2); zero without an intercept."""

    def __call__(self, inputs: np.ndarray) -> np.ndarray:
        return np.einsum("nd,mdc->nmc", inputs, self.weights) + self.offset


def fit_linear_map(
    inputs: np.ndarray,
    targets: np.ndarray,
    used: np.ndarray,
    *,
    intercept: bool = False,
    ridge: float = 0.0,
) -> LinearMap:
    """Fit inputs (N, D) to targets (N, M, 2), each point on the images where `used` (N, M) is set.

    With `intercept` both sides are centred on their mean over those images. `ridge` is the
    strength relative to the largest diagonal entry of XᵀX, so that it means the same in any unit
    and for any N (as in the codes of Sanchez 2019 and Mallis 2020). Where the images do not
    determine the map, the solution with the smallest weights is taken.

    >>> x = np.array([[1.0], [2.0], [3.0]])
    >>> y = np.stack([2 * x, 5 - x], axis=-1)
    >>> line = fit_linear_map(x, y, np.ones((3, 1), bool), intercept=True)
    >>> line(np.array([[10.0]])).round(6).tolist()
    [[[20.0, -5.0]]]
    """
    n_points, n_inputs = targets.shape[1], inputs.shape[1]
    weights = np.full((n_points, n_inputs, 2), np.nan)
    offset = np.full((n_points, 2), np.nan)
    # Points seen in the same images share one solution.
    patterns, pattern_of_point = np.unique(used, axis=1, return_inverse=True)
    for index, rows in enumerate(patterns.T):
        if not rows.any():
            continue
        points = np.flatnonzero(pattern_of_point.reshape(-1) == index)
        x, y = inputs[rows], targets[np.ix_(rows, points)]
        x_mean = x.mean(axis=0) if intercept else np.zeros(n_inputs)
        y_mean = y.mean(axis=0) if intercept else np.zeros((len(points), 2))
        solution = _solve(x - x_mean, (y - y_mean).reshape(len(x), -1), ridge)
        weights[points] = solution.reshape(n_inputs, len(points), 2).swapaxes(0, 1)
        offset[points] = y_mean - np.einsum("d,mdc->mc", x_mean, weights[points])
    return LinearMap(weights, offset)


def _solve(x: np.ndarray, y: np.ndarray, ridge: float) -> np.ndarray:
    """Weights (D, C) of the ridge regression of y (N, C) on x (N, D), of minimum norm."""
    n_inputs = x.shape[1]
    if ridge > 0 and n_inputs:
        strength = ridge * (x**2).sum(axis=0).max()
        # Ridge is least squares with one more row a weight; steadier than the normal equations.
        x = np.concatenate([x, np.sqrt(strength) * np.eye(n_inputs)])
        y = np.concatenate([y, np.zeros((n_inputs, y.shape[1]))])
    return np.linalg.lstsq(x, y, rcond=None)[0]
