"""Crops of pictures around their points: what a landmark stands for."""

from collections.abc import Iterable, Iterator

import numpy as np
from PIL import Image

from swapmark.data.decoding import decode_item, stream_images
from swapmark.data.items import Item
from swapmark.data.pixels import ImageProblem
from swapmark.errors import InputError


def crop_parts(
    items: Iterable[Item], xy: np.ndarray, *, size: int, extent: float
) -> Iterator[np.ndarray]:
    """For each of N pictures, uint8 (P, size, size, 3): what lies around its points (N, P, 2).

    extent: the side of a crop, as a share of the picture's longer side. Crops reach past the edge
    by repeating it. Raises InputError where a picture cannot be read.
    """
    items = list(items)
    places = {id(item): points for item, points in zip(items, xy, strict=True)}

    def load(item: Item) -> np.ndarray:  # crops at once: whole pictures may be large
        pixels, original = decode_item(item, draft_size=round(size / extent))
        scale = np.array(pixels.shape[1::-1]) / original
        return _crops(pixels, (places[id(item)] + 0.5) * scale, size, extent)

    for item, loaded in stream_images(items, load):
        if isinstance(loaded, ImageProblem):
            raise InputError(f"{item.name} cannot be read: {loaded}.")
        yield loaded


def _crops(pixels: np.ndarray, places: np.ndarray, size: int, extent: float) -> np.ndarray:
    """Crops around places (P, 2), counted from the picture's corner."""
    side = extent * max(pixels.shape[:2])
    edge = int(np.ceil(side / 2)) + 1
    padded = Image.fromarray(np.pad(pixels, ((edge, edge), (edge, edge), (0, 0)), "edge"))
    highest = np.array(pixels.shape[1::-1])
    boxes = [
        tuple(np.concatenate([place - side / 2, place + side / 2]) + edge)
        for place in np.clip(places, 0, highest)
    ]
    crops = [padded.resize((size, size), Image.Resampling.BICUBIC, box=box) for box in boxes]
    return np.stack([np.asarray(crop) for crop in crops])
