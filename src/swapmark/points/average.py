"""Pictures warped so that their points lie on the mean shape, and their average.

Where points mark the same place in every picture the average is sharp. It is sought in the frame of
a typical picture: as far around the mean shape as the pictures reach in the median.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from swapmark.data.images import Placement, resize_image
from swapmark.data.items import Skipped
from swapmark.data.spline import fit_similarity, similar, spline_basis, spline_map
from swapmark.errors import InputError
from swapmark.points.overlay import find_pictures, read_pictures
from swapmark.points.shapes import Shapes, align_points
from swapmark.points.table import Points


class Average:
    """The mean of pictures, of each pixel over those that have it.

    Raises InputError where `size` is no side of a picture.
    """

    def __init__(self, size: int):
        if not 8 <= size <= 4096:
            raise InputError(f"size is {size}; expected a side of pictures, 8 to 4096 pixels.")
        self.total, self.count = np.zeros((size, size, 3)), np.zeros((size, size, 1))

    def add(self, picture: np.ndarray, inside: np.ndarray) -> None:
        """picture: uint8 (size, size, 3); inside: (size, size), whether it shows something."""
        self.total += np.where(inside[..., None], picture, 0)
        self.count += inside[..., None]

    def picture(self) -> np.ndarray:
        """uint8 (size, size, 3), of one colour where no picture has anything."""
        mean = self.total / np.maximum(self.count, 1)
        all_over = self.total.sum(axis=(0, 1)) / max(self.count.sum(), 1)
        return np.rint(np.where(self.count > 0, mean, all_over)).astype(np.uint8)


class Specimen(NamedTuple):
    """One picture, as it is and warped to the mean shape."""

    row: int
    """Of the points of `Shapes`."""
    picture: np.ndarray
    """uint8 (size, size, 3), its longer side fitted into the square."""
    inside: np.ndarray
    """(size, size): what the picture covers; the rest has its mean colour."""
    warped: np.ndarray
    warped_inside: np.ndarray


@dataclass(frozen=True, eq=False, repr=False)
class Warped:
    """What `Points.warp_to_mean` gives; of pictures that could not be used, nothing."""

    files: tuple[str, ...]
    """N names of the pictures."""
    pictures: np.ndarray
    """uint8 (N, size, size, 3), warped to the mean shape."""
    average: np.ndarray
    """uint8 (size, size, 3), of the warped pictures."""
    plain_average: np.ndarray
    """The same of the pictures as they are."""
    left_out: tuple[Skipped, ...]
    """Pictures without a shape, and why."""

    def __repr__(self) -> str:
        return f"<Warped: {len(self.files)} pictures of {len(self.average)} × {len(self.average)}>"


def warp_to_mean(points: Points, images: Any = None, *, size: int = 256) -> Warped:
    """What `Points.warp_to_mean` says."""
    average, plain = Average(size), Average(size)
    shapes = align_points(points)
    rows, pictures = [], []
    for specimen in warp_pictures(shapes, images, size):
        average.add(specimen.warped, specimen.warped_inside)
        plain.add(specimen.picture, specimen.inside)
        rows.append(specimen.row)
        pictures.append(specimen.warped)
    files = tuple(shapes.points.files[row] for row in rows)
    found = np.stack(pictures)
    return Warped(files, found, average.picture(), plain.picture(), shapes.left_out)


def warp_pictures(shapes: Shapes, images: Any = None, size: int = 256) -> Iterator[Specimen]:
    """The pictures of the specimens one by one; those that cannot be read are passed over.

    `images` is what the points were found in, by default `source`. Raises InputError where the
    pictures are others or none can be read.
    """
    points = shapes.points
    source, rows = find_pictures(points, points.source if images is None else images)
    sizes = points.sizes
    if sizes is None or np.isnan(sizes).any():
        sizes = np.full((len(points), 2), np.nan)
        for row, pixels in read_pictures(points, source, rows):
            sizes[row] = pixels.shape[1::-1]
    known = np.isfinite(shapes.mean).all(axis=1)
    output = frame(shapes, sizes, size)
    basis = spline_basis(output, shapes.mean[known])
    row = None
    for row, pixels in read_pictures(points, source, rows):
        square, placement = resize_image(pixels, size)
        there = points.marked[row]
        columns = np.concatenate([there[known], [True] * 3])
        to = placement.to_model(points.xy[row][there])
        at = spline_map(output, shapes.mean[there], to, basis[:, columns]).reshape(size, size, 2)
        inside = _inside(placement, np.stack(np.meshgrid(*2 * [np.arange(size)]), axis=-1))
        warped, warped_inside = _sampled(square, at), _inside(placement, at)
        warped[~warped_inside] = np.rint(square[inside].mean(axis=0))
        yield Specimen(row, square, inside, warped, warped_inside)
    if row is None:
        raise InputError(f"{points.files[0]}, and all else to be warped, cannot be read any more.")


def frame(shapes: Shapes, sizes: np.ndarray, size: int) -> np.ndarray:
    """Places (size², 2) of the pixels to make, in the unit of the mean shape."""
    centres, sides = [], []
    for xy, there, picture in zip(shapes.points.xy, shapes.points.marked, sizes, strict=True):
        a, b = fit_similarity(xy[there], shapes.mean[there])
        centres.append(similar((picture - 1) / 2, a, b))
        sides.append(abs(a) * picture.max())
    line = (np.arange(size) + 0.5) / size - 0.5
    grid = np.stack(np.meshgrid(line, line), axis=-1).reshape(-1, 2)
    return np.nanmedian(centres, axis=0) + np.nanmedian(sides) * grid


def _inside(placement: Placement, at: np.ndarray) -> np.ndarray:
    """Whether places (..., 2) in the square lie in the picture, to the edge of its pixels."""
    original = placement.to_original(at)
    size = np.array([placement.width, placement.height])
    return np.asarray(((original >= -0.5) & (original <= size - 0.5)).all(axis=-1))


def _sampled(square: np.ndarray, at: np.ndarray) -> np.ndarray:
    """The square (size, size, 3) at places (h, w, 2), bilinear; outside as at its border."""
    at = np.clip(at, 0, len(square) - 1)
    corner = np.minimum(at.astype(int), len(square) - 2)
    x, y = np.moveaxis(corner, -1, 0)
    right, down = np.moveaxis((at - corner)[..., None], -2, 0)
    above = square[y, x] * (1 - right) + square[y, x + 1] * right
    below = square[y + 1, x] * (1 - right) + square[y + 1, x + 1] * right
    return np.rint(above * (1 - down) + below * down).astype(np.uint8)
