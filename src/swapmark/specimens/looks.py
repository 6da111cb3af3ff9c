"""What a network sees of marked pictures, in several views of each, for `refine` to learn from.

Views are turned, scaled, shifted and mirrored a little, with colours changed, so that few specimens
stand for many. Axes: N pictures, V views, K landmarks, P points; D channels of a description.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import islice
from typing import Any

import numpy as np
from PIL import Image

from swapmark.data.decoding import load_item, stream_images, track
from swapmark.data.images import Placement
from swapmark.data.items import Item
from swapmark.data.pixels import ImageProblem
from swapmark.errors import InputError
from swapmark.predict.network import Network
from swapmark.specimens.describe import describe, find_channels

MOST_VIEWS, FEWEST_VIEWS, ENOUGH = 8, 2, 800
"""Views of each picture: so many that pictures times views are ENOUGH, within the two others."""
TURN, SCALE, SHIFT, COLOUR = 8.0, 0.08, 0.03, 0.2
"""Standard deviations of turns (degrees), scales, and shifts (sides); strength of the colours."""
BATCH = 64


@dataclass(frozen=True)
class Looks:
    """The views of N pictures: the first is the picture itself, every second one is mirrored."""

    network: Network
    """What saw them."""
    items: tuple[Item, ...]
    """The pictures, to be looked at again."""
    placements: tuple[Placement, ...]
    """Where each picture lies in its square."""
    views: np.ndarray
    """(N, V, 2, 3): from a view to its square, in pixels from the outer corner."""
    gains: np.ndarray
    """(N, V, 5): of the three channels, the contrast and the saturation."""
    landmarks: np.ndarray
    """(N, V, K, 2) in pixels of the views."""
    maps: np.ndarray
    """float16 (N, V, H, W, D): descriptions of each place of the views."""
    channels: tuple[np.ndarray, ...]
    """What turns the network's maps into descriptions, see `describe`."""

    @property
    def size(self) -> int:
        """Side of the squares in pixels."""
        return self.placements[0].size

    @property
    def mirrored(self) -> np.ndarray:
        """(V,): which of the views are."""
        return np.arange(self.views.shape[1]) % 2 == 1

    def take(self, rows: np.ndarray, views: slice = slice(None)) -> "Looks":
        """The pictures `rows` alone, in some of their views."""
        return replace(
            self,
            items=tuple(self.items[row] for row in rows),
            placements=tuple(self.placements[row] for row in rows),
            views=self.views[rows, views],
            gains=self.gains[rows, views],
            landmarks=self.landmarks[rows, views],
            maps=self.maps[rows, views],
        )

    def into_views(self, xy: np.ndarray) -> np.ndarray:
        """Pixels of the pictures (N, P, 2) as pixels of the views (N, V, P, 2)."""
        back = self.into_squares(xy)[:, None] + 0.5 - self.views[:, :, None, :, 2]
        return np.einsum("nvij,nvpj->nvpi", np.linalg.inv(self.views[..., :2]), back) - 0.5

    def into_squares(self, xy: np.ndarray) -> np.ndarray:
        """Pixels of the pictures (N, ..., 2) as pixels of their squares."""
        each = [at.to_model(of) for at, of in zip(self.placements, xy, strict=True)]
        return np.reshape(each, xy.shape)

    def to_pictures(self, xy: np.ndarray) -> np.ndarray:
        """Pixels of squares (N, ..., 2), be they views or not, as pixels of their pictures."""
        each = [at.to_original(of) for at, of in zip(self.placements, xy, strict=True)]
        return np.reshape(each, xy.shape)


def together(looks: Sequence[Looks]) -> Looks:
    """Pictures that were looked at one after the other, in the views that all have."""
    views = slice(min(each.views.shape[1] for each in looks))
    looks = [each.take(np.arange(len(each.items)), views) for each in looks]
    first = looks[0]
    return replace(
        first,
        items=tuple(item for each in looks for item in each.items),
        placements=tuple(place for each in looks for place in each.placements),
        **{
            name: np.concatenate([getattr(each, name) for each in looks])
            for name in ("views", "gains", "landmarks", "maps")
        },
    )


def look(
    network: Network,
    items: Sequence[Item],
    channels: tuple[np.ndarray, ...] | None = None,
    *,
    seed: int = 0,
    progress: bool = False,
) -> Looks:
    """See `items` in views drawn by `seed`, and describe them by `channels` or such as suit them.

    Raises InputError where one cannot be read.
    """
    count = int(np.clip(ENOUGH // len(items), FEWEST_VIEWS, MOST_VIEWS))
    random = np.random.default_rng(seed)
    size = network.image_size
    views = _random_views(len(items), count, size, random)
    gains = 1 + COLOUR * random.uniform(-1, 1, (len(items), count, 5))
    gains[:, :2] = 1
    placements: list[Placement] = []

    def squares() -> Iterator[np.ndarray]:
        shown = track(read_squares(network, items, 1), len(items), "Looking closer", show=progress)
        for (square, placement), those, colours in zip(shown, views, gains, strict=True):
            placements.append(placement)
            yield from map(partial(seen_through, Edged(square), size), those, colours)

    stream, landmarks, maps = squares(), [], []
    while batch := list(islice(stream, BATCH)):
        xy, _, levels = network.see(np.stack(batch))
        channels = channels or find_channels(levels)
        landmarks.append(xy)
        maps.append(describe(levels, channels).astype(np.float16))
    assert channels
    found, described = np.concatenate(landmarks), np.concatenate(maps)
    return Looks(
        network,
        tuple(items),
        tuple(placements),
        views,
        gains,
        found.reshape(len(items), count, *found.shape[1:]),
        described.reshape(len(items), count, *described.shape[1:]),
        channels,
    )


def _random_views(pictures: int, count: int, size: int, random: np.random.Generator) -> np.ndarray:
    """(N, V, 2, 3), see `Looks.views`: the picture, its mirror image, and turned ones of both."""
    normal = random.normal(size=(4, pictures, count))
    normal[:, :, :2] = 0
    angle, scale = np.radians(TURN) * normal[0], np.exp(SCALE * normal[1])
    mirror = np.where(np.arange(count) % 2, -1, 1)
    cosine, sine = scale * np.cos(angle), scale * np.sin(angle)
    turn = np.array([[cosine * mirror, -sine], [sine * mirror, cosine]]).transpose(2, 3, 0, 1)
    shift = size * (0.5 + SHIFT * normal[2:].transpose(1, 2, 0))
    shift -= turn @ np.array([size / 2, size / 2])
    return np.concatenate([turn, shift[..., None]], axis=-1)


def read_squares(network: Network, items: Sequence[Item], zoom: int) -> Iterator[Any]:
    """The squares of items, `zoom` times as large as the network's, with their placements."""
    load = partial(load_item, size=network.image_size * zoom, resize=network.resize)
    for item, loaded in stream_images(items, load):
        if isinstance(loaded, ImageProblem):
            raise InputError(f"{item.name} cannot be read: {loaded}.")
        yield loaded


class Edged:
    """A square, beyond whose edge is what is at the edge."""

    def __init__(self, square: np.ndarray):
        self.edge = edge = len(square) // 2
        self.image = Image.fromarray(np.pad(square, ((edge, edge), (edge, edge), (0, 0)), "edge"))


def seen_through(square: Edged, size: int, view: np.ndarray, gains: np.ndarray) -> np.ndarray:
    """A view (size, size, 3) of a square in other colours; see `Looks`."""
    numbers = (view + [[0, 0, square.edge]] * 2).ravel()
    image = square.image.transform(
        (size, size), Image.Transform.AFFINE, tuple(numbers), Image.Resampling.BICUBIC
    )
    pixels = np.asarray(image, np.float32) * (1 + (gains[:3] - 1) / 2)
    pixels = pixels.mean() + (pixels - pixels.mean()) * gains[3]
    grey = pixels.mean(axis=-1, keepdims=True)
    return np.rint(np.clip(grey + (pixels - grey) * gains[4], 0, 255)).astype(np.uint8)
