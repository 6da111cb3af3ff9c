"""A second look: points refined in windows on pictures that are larger than the network's square.

In a picture of 1,000 pixels one pixel of a square of 128 is eight. Around each point found so far a
window is cut from a larger square, of the size that the network takes, and in its middle the point
is refined by itself, as `refine` does. It takes the network once more for every point.
Axes: N pictures, V views, P points; D channels of a description.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

import numpy as np

from swapmark.predict.network import Network
from swapmark.specimens.describe import describe
from swapmark.specimens.looks import BATCH, Edged, Looks, read_squares, seen_through
from swapmark.specimens.refine import Refinement, Training, refine

ZOOMS = (8, 4, 2)
"""How many times larger than the network's square the one is that windows are cut from."""
REACH = 12.0
"""Standard deviation of points from their places in a window, in pixels; more is not refined."""
WINDOWS = 2000
"""Where there would be more to learn from, there are fewer views."""


@dataclass(frozen=True)
class CloserLook:
    """What refines points in windows."""

    zoom: int
    """How many times larger than the network's square the one is that windows are cut from."""
    refinements: tuple[Refinement, ...]
    """One for each of P points."""

    def apply(self, network: Network, squares: Sequence[np.ndarray], xy: np.ndarray) -> np.ndarray:
        """Points (B, P, 2) in pixels of the network's squares, moved by what `squares` show.

        squares: B of them, `zoom` times as large.
        """
        corners = _corners(xy, self.zoom, network.image_size)
        unchanged = np.eye(2, 3), np.ones(5)
        windows = (
            _window(Edged(square), network.image_size, corner, self.zoom, *unchanged)
            for square, of_points in zip(squares, corners, strict=True)
            for corner in of_points
        )
        maps = _describe(network, windows, self.refinements[0].channels)
        maps, size = maps.reshape(*xy.shape[:2], *maps.shape[1:]), network.image_size // 2
        middles = corners + size // 2
        inside = _into_windows(xy, middles, self.zoom)
        moved = [
            refinement.apply(maps[:, point], inside[:, point, None], size)[:, 0]
            for point, refinement in enumerate(self.refinements)
        ]
        return _from_windows(np.stack(moved, axis=1), middles, self.zoom)


def refine_closer(
    looks: Looks,
    truth: np.ndarray,
    used: np.ndarray,
    trainings: Sequence[Training],
    starts: Sequence[np.ndarray],
    left_out: np.ndarray,
    spread: float,
) -> tuple[list[np.ndarray], CloserLook] | None:
    """The points of each training, moved from `starts` (m, P, 2), and what the first has learned.

    All in pixels of the views: truth (N, V, P, 2), used (N, V, P) as for `refine`, left_out
    (N, P, 2) the points so far in pictures left out, `spread` how far these are off. None where
    pictures are too small, or points too far off.
    """
    sides = [max(place.width, place.height) for place in looks.placements]
    enough = np.median(sides) / looks.size
    zoom = next((zoom for zoom in ZOOMS if zoom <= enough and zoom * spread <= REACH), None)
    if zoom is None:
        return None
    count, _, points = truth.shape[:3]
    views = slice(max(1, min(WINDOWS // (count * points), 4)))
    looks, truth, used = looks.take(np.arange(count), views), truth[:, views], used[:, views]
    # Windows lie where the points are found: in the pictures themselves, as if these were new.
    centres = truth + np.random.default_rng(0).normal(0, spread, truth.shape)
    centres[:, 0] = np.where(np.isfinite(left_out), left_out, centres[:, 0])
    corners = _corners(centres, zoom, looks.size)

    def windows() -> Iterator[np.ndarray]:
        pictures = read_squares(looks.network, looks.items, zoom)
        rows = zip(pictures, corners, looks.views, looks.gains, strict=True)
        for (square, _), of_views, through, gains in rows:
            edged = Edged(square)
            for of_points, view, gain in zip(of_views, through, gains, strict=True):
                for corner in of_points:
                    yield _window(edged, looks.size, corner, zoom, view, gain)

    maps = _describe(looks.network, windows(), looks.channels)
    maps = maps.reshape(*truth.shape[:3], *maps.shape[1:])
    middles = corners + looks.size // 4
    inside = _into_windows(truth, middles, zoom)
    own = [middles[training.tested, 0] for training in trainings]
    moved = [_into_windows(xy, at, zoom) for xy, at in zip(starts, own, strict=True)]
    learned = []
    for point in range(points):
        one = slice(point, point + 1)
        refined, refinement = refine(
            maps[:, :, point],
            looks.channels,
            looks.size // 2,
            inside[:, :, one],
            used[:, :, one],
            trainings,
            [xy[:, one] for xy in moved],
            spread=zoom * spread,
        )
        learned.append(refinement)
        for xy, new in zip(moved, refined, strict=True):
            xy[:, one] = new
    back = [_from_windows(xy, at, zoom) for xy, at in zip(moved, own, strict=True)]
    return back, CloserLook(zoom, tuple(learned))


def _corners(centres: np.ndarray, zoom: int, size: int) -> np.ndarray:
    """Whole pixels (..., 2) of the larger square: where windows of `size` on `centres` begin."""
    return np.rint((centres + 0.5) * zoom - size / 2)


def _window(
    square: Edged, size: int, corner: np.ndarray, zoom: int, view: np.ndarray, gains: np.ndarray
) -> np.ndarray:
    """The window (size, size, 3) at a corner in a view of a larger square."""
    turn = view[:, :2]
    through = np.column_stack([turn, turn @ corner + zoom * view[:, 2]])
    return seen_through(square, size, through, gains)


def _describe(
    network: Network, windows: Iterator[np.ndarray], channels: Sequence[np.ndarray]
) -> np.ndarray:
    """Descriptions float16 (n, H, W, D) of the middle of each window, half its sides."""
    maps = []
    while batch := list(islice(windows, BATCH)):
        described = describe(network.see(np.stack(batch)).maps, channels)
        edge = described.shape[1] // 4
        maps.append(described[:, edge:-edge, edge:-edge].astype(np.float16))
    return np.concatenate(maps)


def _into_windows(xy: np.ndarray, middles: np.ndarray, zoom: int) -> np.ndarray:
    """Pixels of views (..., 2) as pixels of the middles of windows, which begin at `middles`."""
    return (xy + 0.5) * zoom - 0.5 - middles


def _from_windows(xy: np.ndarray, middles: np.ndarray, zoom: int) -> np.ndarray:
    """The inverse of `_into_windows`."""
    return (xy + middles + 0.5) / zoom - 0.5
