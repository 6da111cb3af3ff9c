"""Do swapped pictures have the colours of the picture that lent its appearance?

    python benchmarks/swap_colours.py RUN IMAGES --out benchmarks/results/swap-colours.jsonl

Pairs of pictures are swapped by a whole model. Of each swap the mean colour around the landmarks
(object) and away from them (background) is compared with that of the lender, around its own
landmarks: the distance in CIE Lab. `pair` is the same distance between the two pictures, what one
would have if nothing were lent. `pose` is how far the landmarks found in the swap are from those
that it was painted with, in pixels; `apart` how far those of the two pictures are.
"""

import sys
from pathlib import Path

import numpy as np
import torch
from cyclopts import run

import swapmark
from harness.machine import append_line, circumstances
from swapmark.coordinates import pixels_to_unit
from swapmark.data.sources import list_images
from swapmark.model.heatmaps import gaussians
from swapmark.specimens.looks import read_squares

NEAR = 0.3
"""Width of the Gaussians that make up the object, in units of half the image side."""


def main(model: str, images: str, *, out: Path, pairs: int = 128, seed: int = 0) -> None:
    """Swap so many pairs both ways, and add a line to `out`."""
    detector = swapmark.load(model)
    items = list_images(images)
    rows = np.random.default_rng(seed).permutation(len(items))[: 2 * min(pairs, len(items) // 2)]
    squares = np.stack([s for s, _ in read_squares(detector.network, [items[r] for r in rows], 1)])
    partners = np.arange(len(squares)) ^ 1
    swapped = detector.swap(list(squares[partners]), list(squares))
    xy, found = (detector.predict(list(pictures)).xy for pictures in (squares, swapped))
    own, new = _colours(squares, xy), _colours(swapped, xy)
    lent = own[partners]

    def apart(one: np.ndarray, other: np.ndarray) -> float:
        return round(float(np.linalg.norm(one - other, axis=-1).mean()), 3)

    record = {
        "model": model,
        "images": Path(images).name,
        "pairs": len(squares) // 2,
        "seed": seed,
        "object": apart(new[:, 0], lent[:, 0]),
        "background": apart(new[:, 1], lent[:, 1]),
        "pair_object": apart(own[:, 0], lent[:, 0]),
        "pair_background": apart(own[:, 1], lent[:, 1]),
        "pose": apart(found, xy),
        "apart": apart(xy, xy[partners]),
        "size": squares.shape[1],
    }
    append_line(out, record | circumstances())
    print(record)


def _colours(squares: np.ndarray, xy: np.ndarray) -> np.ndarray:
    """(N, 2, 3): mean Lab around the landmarks, and away from them."""
    size = squares.shape[1]
    points = torch.from_numpy(pixels_to_unit(xy, size)).float()
    near = 1 - (1 - gaussians(points, size, size, NEAR)).prod(dim=1).numpy()
    lab = np.stack([_lab(square) for square in squares])
    shares = np.stack([near, 1 - near], axis=1)
    total = np.einsum("nrhw,nhwc->nrc", shares, lab)
    return total / shares.sum(axis=(2, 3))[..., None]


def _lab(square: np.ndarray) -> np.ndarray:
    """sRGB, D65, as CIE Lab (CIE 15:2004)."""
    rgb = square / 255
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    to_xyz = [[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]]
    xyz = linear @ np.array(to_xyz).T / [0.9505, 1, 1.089]
    f = np.where(xyz > 0.008856, np.cbrt(xyz), 7.787 * xyz + 16 / 116)
    x, y, z = np.moveaxis(f, -1, 0)
    return np.stack([116 * y - 16, 500 * (x - y), 200 * (y - z)], axis=-1)


if __name__ == "__main__":
    sys.exit(run(main))
