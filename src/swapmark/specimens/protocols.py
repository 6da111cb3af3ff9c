"""Linear maps between points, and the three published ways to fit one, as data.

Papers differ in where coordinates start, whether the map has an intercept, and how strongly it is
regularised. The same landmarks get different errors, so each number carries its protocol's name.
Axes: N images, D input coordinates (2 for each given point), M predicted points.
"""

from dataclasses import dataclass

import numpy as np

from swapmark.coordinates import Origin, to_pixels, to_relative


@dataclass(frozen=True)
class LinearMap:
    """Calling it on inputs (N, D) gives points (N, M, 2)."""

    weights: np.ndarray
    """(M, D, 2); NaN for a point that was never seen."""
    offset: np.ndarray
    """(M, 2); zero without an intercept."""

    def __call__(self, inputs: np.ndarray) -> np.ndarray:
        return np.einsum("nd,mdc->nmc", inputs, self.weights) + self.offset


def shared_rows(used: np.ndarray) -> list[tuple[np.ndarray, np.ndarray]]:
    """Rows and points of `used` (N, M) that share one solution: points used in the same rows."""
    patterns, pattern_of_point = np.unique(used, axis=1, return_inverse=True)
    return [
        (np.flatnonzero(rows), np.flatnonzero(pattern_of_point.reshape(-1) == index))
        for index, rows in enumerate(patterns.T)
        if rows.any()
    ]


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
    """
    n_points, n_inputs = targets.shape[1], inputs.shape[1]
    weights = np.full((n_points, n_inputs, 2), np.nan)
    offset = np.full((n_points, 2), np.nan)
    for rows, points in shared_rows(used):
        x, y = inputs[rows], targets[np.ix_(rows, points)].reshape(len(rows), -1)
        x_mean, y_mean = x.mean(axis=0) * intercept, y.mean(axis=0) * intercept
        x, y = x - x_mean, y - y_mean
        if ridge > 0 and n_inputs:
            # Ridge is least squares with one more row a weight; steadier than normal equations.
            strength = ridge * (x**2).sum(axis=0).max()
            x = np.concatenate([x, np.sqrt(strength) * np.eye(n_inputs)])
            y = np.concatenate([y, np.zeros((n_inputs, y.shape[1]))])
        solution = np.linalg.lstsq(x, y, rcond=None)[0]
        weights[points] = solution.reshape(n_inputs, len(points), 2).swapaxes(0, 1)
        offset[points] = (y_mean - x_mean @ solution).reshape(-1, 2)
    return LinearMap(weights, offset)


@dataclass(frozen=True)
class Protocol:
    """How coordinates are written and how the linear map between them is fitted."""

    origin: Origin
    """Where (0, 0) is: the outer top left corner of the image, or its centre."""
    intercept: bool
    """Whether both sides are centred on their mean over the fit images."""
    ridge: float
    """Ridge strength as a share of the largest diagonal entry of XᵀX; 0 is least squares."""

    def predict(
        self,
        source: np.ndarray,
        target: np.ndarray,
        used: np.ndarray,
        sizes: np.ndarray,
        new: np.ndarray,
    ) -> np.ndarray:
        """Fit the map from source (N, K, 2) to target (N, M, 2); its points in the rows `new`.

        All points are pixels, sizes (N, 2) width and height. `used` (N, M) says which targets the
        fit may see. A point that is used nowhere comes back as NaN. With K = 0 and an intercept
        the prediction is the mean shape.
        """
        inputs = to_relative(source, sizes, self.origin).reshape(len(source), -1)
        targets = to_relative(target, sizes, self.origin)
        fitted = fit_linear_map(inputs, targets, used, intercept=self.intercept, ridge=self.ridge)
        return to_pixels(fitted(inputs[new]), sizes[new], self.origin)


PROTOCOLS = {
    "imm": Protocol("corner", intercept=False, ridge=0.0),
    "zhang": Protocol("centre", intercept=False, ridge=0.0),
    "centred": Protocol("centre", intercept=True, ridge=1e-3),
}
"""Jakab 2018, Zhang 2018, and Sanchez 2019 with Mallis 2020, in this order."""
