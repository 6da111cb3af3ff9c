"""Which place of one picture is which of another: the landmarks' warp, and the flow on top of it.

The flow module compares features cell by cell (`swapmark.model.flow`) and is coarse; the landmarks
are exact, and few. So picture a is first warped so that its landmarks fall onto those of b, and the
flow looks for what is left, nearby. Ours; the flow is that of Xu et al. 2020.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from swapmark.coordinates import pixels_to_unit, unit_to_pixels
from swapmark.data.images import Placement
from swapmark.data.spline import spline_map
from swapmark.data.warp import unit_grid
from swapmark.errors import InputError
from swapmark.model.flow import correlation, expected_places, flow_features, matches
from swapmark.predict.network import Network, Sight
from swapmark.predict.predict import Squares

MOST_CELLS = 64
"""A side; a pair of pictures takes the fourth power of it."""
By = Literal["both", "landmarks", "flow"]
TEMPERATURE = 0.05
NEARBY, ANYWHERE = 0.1, 0.3
"""Locality of the flow after the landmarks' warp, and without it; see docs/lab-notebook.md."""


class Correspondence(NamedTuple):
    """For each place of a picture b its place in a picture a."""

    places: np.ndarray
    """float32 (H, W, 2), x and y. Outside of a where b shows what a does not."""
    certainty: np.ndarray
    """float32 (H, W) in [0, 1]: the cosine of what the backbone sees at the two places."""


def correspond_squares(a: Sight, b: Sight, size: int, by: By = "both") -> list[Correspondence]:
    """For each of B squares of b, in cells at stride 4, the places in the one square of a.

    Places are unit coordinates of a's square. size: the side of the squares in pixels. by: the
    landmarks' warp, the flow, or `both`.
    """
    points_a, points_b = (pixels_to_unit(sight.xy, size) for sight in (a, b))
    features_a, features_b = _features(a, b)
    found = []
    for points, features in zip(points_b, features_b[:, None], strict=True):
        grid = unit_grid(*features.shape[-2:])
        if by != "flow":
            warped = spline_map(grid.reshape(-1, 2).numpy(), points, points_a[0])
            start = torch.from_numpy(warped).float().reshape(grid.shape)
        else:
            start = grid
        places = start
        if by != "landmarks":
            locality = ANYWHERE if by == "flow" else NEARBY
            shown = _at(start, features_a)
            match = matches(correlation(shown, features), TEMPERATURE, locality)
            places = _looked_up(_smoothed(expected_places(match)[0]), start)
        likeness = F.cosine_similarity(_at(places, features_a), features)[0]
        found.append(Correspondence(places.numpy(), likeness.clamp(0, 1).numpy()))
    return found


def correspond_pictures(
    network: Network, a: list[tuple[np.ndarray, Placement]], b: list[tuple[np.ndarray, Placement]]
) -> Correspondence:
    """The same for every pixel of one picture b, in pixels of one picture a.

    Each is given as the network's square and the picture's place there. Raises InputError where
    either is no single picture.
    """
    for pictures in (a, b):
        if len(pictures) != 1:
            raise InputError(f"There are {len(pictures)} pictures; expected one for each side.")
    ((square_a, place_a),), ((square_b, place_b),) = a, b
    sight_a, sight_b = network.see(square_a[None]), network.see(square_b[None])
    ((places, certainty),) = correspond_squares(sight_a, sight_b, network.image_size)
    # Pixels of b in unit coordinates of its square, where cells are looked up.
    pixels = np.stack(np.meshgrid(np.arange(place_b.width), np.arange(place_b.height)), axis=-1)
    unit = pixels_to_unit(place_b.to_model(pixels), network.image_size)
    at = torch.from_numpy(unit).float()
    in_square = _looked_up(at, torch.from_numpy(places)).numpy()
    in_a = place_a.to_original(unit_to_pixels(in_square, network.image_size))
    sure = _at(at, torch.from_numpy(certainty)[None, None])[0, 0].numpy()
    return Correspondence(in_a.astype(np.float32), sure)


@dataclass(frozen=True, eq=False)
class Carried:
    """Points of one picture, found in others by correspondence: a `Finder`."""

    names: tuple[str, ...]
    """P names of the points."""
    sight: Sight
    """What the network makes of the one picture."""
    marks: np.ndarray
    """(P, 2) in unit coordinates of its square."""
    by: By = "both"
    zoom: int = 1

    def find(
        self, network: Network, sight: Sight, pictures: Sequence[Squares]
    ) -> tuple[np.ndarray, np.ndarray]:
        """Points (B, P, 2) in pixels of the pictures, and how alike the places look (B, P)."""
        at = torch.from_numpy(self.marks).float()[None]
        found, certain = [], []
        for row, ((_, placement), *_) in enumerate(pictures):
            one = sight.take([row])
            ((places, certainty),) = correspond_squares(
                one, self.sight, network.image_size, self.by
            )
            at_a = _looked_up(at, torch.from_numpy(places))[0].numpy().astype(float)
            found.append(placement.to_original(unit_to_pixels(at_a, network.image_size)))
            certain.append(_at(at, torch.from_numpy(certainty)[None, None])[0, 0, 0].numpy())
        return np.stack(found), np.stack(certain).astype(float)


def _features(a: Sight, b: Sight) -> tuple[Tensor, Tensor]:
    """What the flow compares: the maps of both, each less its mean, side by side at stride 4."""
    maps = [np.concatenate(pair) for pair in zip(a.maps, b.maps, strict=True)]
    together = comparable(maps)
    if together.shape[-1] > MOST_CELLS:
        together = F.adaptive_avg_pool2d(together, MOST_CELLS)
    return together[: len(a.xy)], together[len(a.xy) :]


def comparable(maps: Sequence[np.ndarray]) -> Tensor:
    """What the flow compares of the backbone's maps, (B, h, w, C) each: (B, C', h, w)."""
    return flow_features([torch.from_numpy(level).permute(0, 3, 1, 2) for level in maps])


def _at(places: Tensor, maps: Tensor) -> Tensor:
    """The maps (1, c, h, w) at places (H, W, 2) in unit coordinates: (1, c, H, W)."""
    return F.grid_sample(maps, places[None], padding_mode="border", align_corners=False)


def _looked_up(at: Tensor, places: Tensor) -> Tensor:
    """Places (h, w, 2) of cells, looked up at (H, W, 2): how far they are off changes little."""
    off = (places - unit_grid(*places.shape[:2])).permute(2, 0, 1)[None]
    return at + _at(at, off)[0].permute(1, 2, 0)


def _smoothed(places: Tensor) -> Tensor:
    """Places (H, W, 2), how far each is off its own cell averaged over 3 by 3 cells."""
    own = unit_grid(*places.shape[:2])
    off = F.pad((places - own).permute(2, 0, 1)[None], (1, 1, 1, 1), mode="replicate")
    return own + F.avg_pool2d(off, 3, 1)[0].permute(1, 2, 0)
