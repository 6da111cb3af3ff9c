"""Pictures of the report, as arrays: strips, heatmaps, colour maps, lines between places."""

from collections.abc import Sequence

import numpy as np
from PIL import Image

from swapmark.drawing.draw import draw_lines
from swapmark.drawing.sheets import contact_sheet
from swapmark.insight.correspondence import Correspondence, correspond_squares
from swapmark.predict.network import Sight

TILE = 160
"""Side of a picture shown, in pixels."""
SMALL = 72
"""Of one in a strip."""


def strip(tiles: Sequence[np.ndarray] | np.ndarray) -> np.ndarray:
    """Tiles, uint8 (N, H, W, 3), side by side."""
    return contact_sheet(tiles, columns=len(tiles))


def enlarged(squares: np.ndarray, side: int = SMALL) -> np.ndarray:
    """Squares, uint8 (N, h, h, 3), of another size."""
    return np.stack([_resized(square, side) for square in squares])


def heat_picture(heat: np.ndarray, plain: np.ndarray, side: int = SMALL) -> np.ndarray:
    """A mean heatmap (h, w) in red over the grey mean picture (side, side, 3)."""
    grey = np.repeat(plain.mean(axis=-1, keepdims=True), 3, axis=-1) * 0.6 + 90
    base = Image.fromarray(grey.clip(0, 255).astype(np.uint8)).resize((side, side))
    share = Image.fromarray((heat / heat.max() * 255).astype(np.uint8)).resize((side, side))
    alpha = np.asarray(share, float)[..., None] / 255
    return (np.asarray(base) * (1 - alpha) + np.array([220, 20, 40]) * alpha).astype(np.uint8)


def carried_maps(
    squares: np.ndarray, sight: Sight, size: int
) -> tuple[list[np.ndarray], np.ndarray]:
    """The first square's map of colours, carried over to the others; lines between it and the next.

    Gives N pictures (TILE, TILE, 3) and one of twice their size with both. size: of the squares.
    """
    first, others = sight.take([0]), sight.take(np.arange(1, len(squares)))
    side = len(sight.maps[0][0])
    line = (np.arange(side) + 0.5) * 2 / side - 1
    own = Correspondence(np.stack(np.meshgrid(line, line), axis=-1), np.ones((side, side)))
    carried = correspond_squares(first, others, size)
    pairs = zip(squares, [own, *carried], strict=True)
    maps = [_coloured(square, found) for square, found in pairs]
    return maps, _lines(squares[0], squares[1], carried[0])


def _lines(a: np.ndarray, b: np.ndarray, found: Correspondence, side: int = 2 * TILE) -> np.ndarray:
    """Two squares side by side, with lines between places of b and the same in a.

    The surest place of each of 4 × 4 parts of b, where it lies inside of a.
    """
    cells = len(found.certainty)
    numbers = np.arange(cells**2).reshape(cells, cells)
    bands = np.array_split(numbers, 4)
    parts = [part.ravel() for band in bands for part in np.array_split(band, 4, axis=1)]
    surest = np.array([part[found.certainty.ravel()[part].argmax()] for part in parts])
    places = found.places.reshape(-1, 2)[surest]
    kept = (np.abs(places) < 1).all(axis=1)
    start = (places[kept] + 1) / 2 * side
    end = (np.stack([surest % cells, surest // cells], axis=1)[kept] + 0.5) / cells * side
    tiles = [_resized(square, side) for square in (a, b)]
    return draw_lines(np.concatenate(tiles, axis=1), start, end + np.array([side, 0]))


def _coloured(square: np.ndarray, found: Correspondence, side: int = TILE) -> np.ndarray:
    """A square under the colours of the places that its cells correspond to, as certain as these.

    Dark lines are every sixth of the way across the first picture.
    """
    places = np.stack(
        [
            np.asarray(Image.fromarray(axis.astype(np.float32)).resize((side, side)))
            for axis in np.moveaxis(found.places, -1, 0)
        ],
        axis=-1,
    )
    sure = np.asarray(Image.fromarray(found.certainty.astype(np.float32)).resize((side, side)))
    share = np.clip((places + 1) / 2, 0, 1)
    colour = (
        np.stack([share[..., 0], 1 - np.abs(share.sum(axis=-1) - 1), share[..., 1]], axis=-1) * 255
    )
    near = np.abs((share * 6 + 0.5) % 1 - 0.5) < 0.04
    on_line = (near & (np.abs(places) < 0.98)).any(axis=-1)
    grey = np.asarray(Image.fromarray(square).convert("L").resize((side, side)), float)[..., None]
    alpha = (0.2 + 0.4 * sure)[..., None]
    mixed = grey * (1 - alpha) + colour * alpha
    mixed[on_line] *= 0.45
    return mixed.clip(0, 255).astype(np.uint8)


def _resized(square: np.ndarray, side: int) -> np.ndarray:
    return np.asarray(Image.fromarray(square).resize((side, side), Image.Resampling.BICUBIC))
