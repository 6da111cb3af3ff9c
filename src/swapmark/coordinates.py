"""Pixels and [-1, 1] coordinates: the half-pixel rule, in this one place.

Pixel coordinates put (0, 0) at the *centre* of the top left pixel, so an image of width w spans
[-0.5, w - 0.5]. Unit coordinates put -1 and 1 at the outer *edges* of the image
(`align_corners=False` in torch), whatever its resolution. Both are (x, y), x to the right and
y down. The functions take and return numpy arrays or torch tensors alike.
"""

from typing import TypeVar

Array = TypeVar("Array")  # numpy array or torch tensor of shape (..., 2)


def pixels_to_unit(xy: Array, size) -> Array:
    """Turn pixel coordinates (..., 2) into [-1, 1], given `size` = (width, height).

    >>> import numpy as np
    >>> pixels_to_unit(np.array([-0.5, 63.5]), np.array([64, 64])).tolist()
    [-1.0, 1.0]
    """
    return (xy + 0.5) / size * 2 - 1  # pyright: ignore[reportOperatorIssue]


def unit_to_pixels(unit: Array, size) -> Array:
    """Turn [-1, 1] coordinates (..., 2) into pixels, given `size` = (width, height).

    >>> import numpy as np
    >>> unit_to_pixels(np.array([0.0, 0.0]), np.array([64, 64])).tolist()
    [31.5, 31.5]
    """
    return (unit + 1) / 2 * size - 0.5  # pyright: ignore[reportOperatorIssue]
