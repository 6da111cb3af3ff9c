"""The three published ways to fit a linear map between landmarks, as data.

Papers differ in where coordinates start, whether the map has an intercept, and how strongly it is
regularised; the same landmarks get different errors, so each number carries its protocol's name.
Axes: N images, T new images, K points given, M points predicted.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np

from swapmark.coordinates import pixels_to_unit, unit_to_pixels
from swapmark.evaluation.regression import fit_linear_map

Origin = Literal["corner", "centre"]


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


def to_relative(xy: np.ndarray, sizes: np.ndarray, origin: Origin) -> np.ndarray:
    """Pixels (N, P, 2) to coordinates from `origin` in units of each image's longer side.

    On square images of one size this is pixels up to a constant factor. `sizes` is (N, 2).

    >>> corner = np.array([[[-0.5, -0.5]]])
    >>> to_relative(corner, np.array([[64, 32]]), "centre").tolist()
    [[[-0.5, -0.25]]]
    """
    shift = 1.0 if origin == "corner" else 0.0
    return (pixels_to_unit(xy, sizes[:, None]) + shift) * _half_extent(sizes)


def to_pixels(relative: np.ndarray, sizes: np.ndarray, origin: Origin) -> np.ndarray:
    """The inverse of `to_relative`.

    >>> to_pixels(np.array([[[-0.5, -0.25]]]), np.array([[64, 32]]), "centre").tolist()
    [[[-0.5, -0.5]]]
    """
    shift = 1.0 if origin == "corner" else 0.0
    return unit_to_pixels(relative / _half_extent(sizes) - shift, sizes[:, None])


def _half_extent(sizes: np.ndarray) -> np.ndarray:
    """Half of each side over the longer side, (N, 1, 2)."""
    return (sizes / (2 * sizes.max(axis=-1, keepdims=True)))[:, None]


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
