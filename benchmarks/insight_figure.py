"""The figure of docs/understand.md: swaps, parts and a correspondence of a run on drawn faces.

python benchmarks/insight_figure.py demo/run demo/faces.zip --out docs/images/swaps.jpg
"""

from pathlib import Path

import numpy as np
from cyclopts import run
from PIL import Image

import swapmark
from swapmark.data.sources import list_images
from swapmark.drawing.draw import save_image
from swapmark.drawing.sheets import contact_sheet, under_headings
from swapmark.insight.findings import see
from swapmark.insight.pictures import carried_maps
from swapmark.specimens.looks import read_squares

SIDE = 96
PARTS = 3


def main(model: str, images: str, *, out: Path, count: int = 6, seed: int = 3) -> None:
    """Draw the figure of `count` pictures in each row, chosen by `seed`."""
    detector = swapmark.load(model)
    items = list_images(images)
    rows = np.random.default_rng(seed).permutation(len(items))[: 2 * count - 1]
    chosen = [items[row] for row in rows]
    squares = [square for square, _ in read_squares(detector.network, chosen, 1)]
    looks, poses = squares[: count - 1], squares[count - 1 :]
    grid = [np.full((SIDE, SIDE, 3), 255, np.uint8), *map(_large, poses)]
    for look in looks:
        grid += map(_large, [look, *detector.swap([look], poses)])
    confidence = detector.network.find(np.stack(poses))[1].mean(axis=0)
    surest = [detector.names[k] for k in np.argsort(-confidence)[:PARTS]]
    parts = [crop for name in surest for crop in detector.parts(poses, name, size=SIDE)]
    network, shown = detector.network, np.stack(poses)
    maps, _ = carried_maps(shown, see(network, shown), network.image_size)
    maps = [_large(tile) for tile in maps]
    sheet = [
        under_headings(["Swaps: looks from the left, pose from above"], _rows(grid, count + 1)),
        under_headings([f"Parts: what lies around {', '.join(surest)}"], _rows(parts, count)),
        under_headings(["Correspondence: a map on the first, carried over"], _rows(maps, count)),
    ]
    width = max(part.shape[1] for part in sheet)
    beside = [((0, 0), (0, width - part.shape[1]), (0, 0)) for part in sheet]
    padded = [np.pad(p, pad, constant_values=255) for p, pad in zip(sheet, beside, strict=True)]
    save_image(np.concatenate(padded), out)


def _large(square: np.ndarray) -> np.ndarray:
    return np.asarray(Image.fromarray(square).resize((SIDE, SIDE), Image.Resampling.BICUBIC))


def _rows(tiles: list[np.ndarray], columns: int) -> np.ndarray:
    return contact_sheet(tiles, columns=columns)


if __name__ == "__main__":
    run(main)
