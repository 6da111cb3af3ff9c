"""The three published ways to fit a linear map between landmarks, as data.

Papers differ in where coordinates start, whether the map has an intercept, and how strongly it is
regularised; the same landmarks get different errors, so each number carries its protocol's name.
Axes: N images, T new images, K points given, M points predicted.
"""

from dataclasses import dataclass

import numpy as np

from swapmark.coordinates import Origin, to_pixels, to_relative
from swapmark.specimens.regression import fit_linear_map


@dataclass(frozen=True)
class Protocol:
    """How coordinates are written and how the linear map between them is fitted."""

    origin: Origin
    """Where (0, 0) is: the outer top left corner of the image, or its centre."""
    intercept: bool
    """Whether both sides are centred on their mean over the fit images."""
    ridge: float
    """Ridge strength as a share of the largest diagonal entry of XᵀX; 0 is least squares."""
    words: str
    """The definition, for metrics.json and the table."""


PROTOCOLS: dict[str, Protocol] = {
    "imm": Protocol(
        "corner",
        intercept=False,
        ridge=0.0,
        words="coordinates from the top left corner of the image, no intercept, least squares",
    ),
    "zhang": Protocol(
        "centre",
        intercept=False,
        ridge=0.0,
        words="coordinates from the centre of the image, no intercept, least squares",
    ),
    "centred": Protocol(
        "centre",
        intercept=True,
        ridge=1e-3,
        words="coordinates from the centre of the image, centred on their mean over the fit "
        "images, ridge of 0.001 times the largest diagonal entry of XᵀX",
    ),
}
"""Jakab 2018, Zhang 2018, and Sanchez 2019 with Mallis 2020, in this order."""


def predict_points(
    protocol: Protocol,
    inputs: np.ndarray,
    targets: np.ndarray,
    used: np.ndarray,
    sizes: np.ndarray,
    new_inputs: np.ndarray,
    new_sizes: np.ndarray,
) -> np.ndarray:
    """Fit the map from `inputs` to `targets` and return its points (T, M, 2) on new images.

    All points are pixels: inputs (N, K, 2), targets (N, M, 2), new_inputs (T, K, 2); sizes (N, 2)
    and new_sizes (T, 2) are width and height. `used` (N, M) says which targets the fit may see; a
    point that is used nowhere comes back as NaN. With K = 0 and an intercept the prediction is
    the mean shape.

    >>> points = np.array([[[3.0, 4.0]], [[5.0, 9.0]], [[7.0, 2.0]]])
    >>> size, used = np.full((3, 2), 10), np.ones((3, 1), bool)
    >>> imm = PROTOCOLS["imm"]
    >>> predict_points(imm, points, points, used, size, points[:1], size[:1]).round(6).tolist()
    [[[3.0, 4.0]]]
    """

    def flat(points: np.ndarray, sizes: np.ndarray) -> np.ndarray:
        return to_relative(points, sizes, protocol.origin).reshape(len(points), -1)

    linear_map = fit_linear_map(
        flat(inputs, sizes),
        to_relative(targets, sizes, protocol.origin),
        used,
        intercept=protocol.intercept,
        ridge=protocol.ridge,
    )
    return to_pixels(linear_map(flat(new_inputs, new_sizes)), new_sizes, protocol.origin)
