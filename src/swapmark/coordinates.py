"""Pixels and [-1, 1] coordinates: the half-pixel rule, in this one place.

Pixel coordinates put (0, 0) at the *centre* of the top left pixel, so an image of width w spans
[-0.5, w - 0.5]. Unit coordinates put -1 and 1 at the outer *edges* of the image
(`align_corners=False` in torch), whatever its resolution. Both are (x, y), x to the right and
y down. The functions take and return numpy arrays or torch tensors alike.

What is fitted between points is fitted in relative coordinates: units of each image's longer side,
from its outer corner or its centre, so that images of different sizes can be fitted together.
"""

from typing import Literal, TypeVar

import numpy as np

Origin = Literal["corner", "centre"]
Array = TypeVar("Array")  # numpy array or torch tensor of shape (..., 2)


def pixels_to_unit(xy: Array, size) -> Array:
    """Turn pixel coordinates (..., 2) into [-1, 1], given `size` = (width, height)."""
    return (xy + 0.5) / size * 2 - 1  # pyright: ignore[reportOperatorIssue]


def unit_to_pixels(unit: Array, size) -> Array:
    """Turn [-1, 1] coordinates (..., 2) into pixels, given `size` = (width, height)."""
    return (unit + 1) / 2 * size - 0.5  # pyright: ignore[reportOperatorIssue]


def to_relative(xy: np.ndarray, sizes: np.ndarray, origin: Origin) -> np.ndarray:
    """Pixels (N, P, 2) to coordinates from `origin` in units of each image's longer side.

    On square images of one size this is pixels up to a constant factor. `sizes` is (N, 2).
    """
    shift = 1.0 if origin == "corner" else 0.0
    return (pixels_to_unit(xy, sizes[:, None]) + shift) * _half_extent(sizes)


def to_pixels(relative: np.ndarray, sizes: np.ndarray, origin: Origin) -> np.ndarray:
    """The inverse of `to_relative`."""
    shift = 1.0 if origin == "corner" else 0.0
    return unit_to_pixels(relative / _half_extent(sizes) - shift, sizes[:, None])


def _half_extent(sizes: np.ndarray) -> np.ndarray:
    """Half of each side over the longer side, (N, 1, 2)."""
    return (sizes / (2 * sizes.max(axis=-1, keepdims=True)))[:, None]
