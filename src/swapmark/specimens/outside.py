"""Marks that lie far outside their picture: a sign that they belong to another one, in words."""

from collections.abc import Sequence

import numpy as np

from swapmark.coordinates import to_relative

FAR = 0.1
"""A mark may lie so far outside its picture, as a share of the longer side. The corner of something
that the edge cuts off may be marked a little beyond it; a table made at twice the size, or with y
upwards from 0, has marks beyond a tenth nearly everywhere."""


def note_outside(
    xy: np.ndarray, sizes: np.ndarray, files: Sequence[str], names: Sequence[str]
) -> list[str]:
    """A sentence about the marks that are far outside their picture; nothing where none is.

    Marks (N, P, 2) in pixels, NaN where a point is not marked, in N pictures of `sizes` (N, 2).

    >>> note_outside(np.array([[[30.0, -1.0]]]), np.array([[32, 32]]), ["a.png"], ["tip"])
    []
    """
    relative = to_relative(xy, sizes, "corner")
    edge = (sizes / sizes.max(axis=1, keepdims=True))[:, None]
    outside = np.maximum(-relative, relative - edge).max(axis=-1)  # (N, P)
    far = int((outside > FAR).sum())
    if not far:
        return []
    row, point = divmod(int(np.nanargmax(outside)), outside.shape[1])
    x, y = (round(value) for value in xy[row, point].tolist())
    width, height = (round(value) for value in sizes[row].tolist())
    return [
        f"Far outside their picture: {far} of {int(np.isfinite(outside).sum())} marks. The "
        f"farthest, {names[point]} in {files[row]}, is at ({x}, {y}) in a picture of {width} × "
        f"{height} px. Was it marked at another size, or with y upwards? Then correct the table."
    ]
