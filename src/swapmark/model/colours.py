"""Colours that the appearance carries: one a landmark, and a few of what lies beyond them. Ours.

The backbone's features hardly know colours, and a map of colours that is fine enough to paint with
lets the pose through. So the colours are averaged around each landmark, and away from all of them
in GROUND by GROUND cells, where the landmarks hide most of the object.
"""

from typing import NamedTuple

import torch
import torch.nn.functional as F
from einops import einsum, reduce
from jaxtyping import Float
from torch import Tensor

from swapmark.model.heatmaps import gaussians

REACH = 0.25
"""Width of the Gaussian under which a landmark's colour is averaged (`gaussians`)."""
GROUND = 4


class Colours(NamedTuple):
    """The colours of a batch of images, RGB in [0, 1]."""

    near: Float[Tensor, "batch landmark 3"]
    """The mean around each landmark."""
    ground: Float[Tensor, "batch 3 row column"]
    """The mean of GROUND by GROUND cells, of what is no landmark's."""


def pick_colours(
    images: Float[Tensor, "batch 3 height width"], points: Float[Tensor, "batch landmark 2"]
) -> Colours:
    """The colours around and beyond points in unit coordinates, which get no gradient."""
    images = F.avg_pool2d(images.float(), 4)
    near, away = _shares(points, *images.shape[-2:])
    each = einsum(near, images, "b k h w, b c h w -> b k c")
    each = each / reduce(near, "b k h w -> b k 1", "sum").clamp_min(1e-6)
    seen, share = (F.adaptive_avg_pool2d(maps, GROUND) for maps in (away * images, away))
    whole = _sum(seen) / _sum(share).clamp_min(1e-6)
    # A cell that the object hides has the mean of the others.
    return Colours(each, (seen + 0.05 * whole) / (share + 0.05))


def first_coat(
    colours: Colours, points: Float[Tensor, "batch landmark 2"], height: int, width: int
) -> Float[Tensor, "batch 3 height width"]:
    """The colours spread over a picture whose landmarks lie at `points`."""
    near, away = _shares(points, height, width)
    size = (height, width)
    # Three channels, last: torch enlarges those much faster, on a CPU and on a GPU.
    ground = colours.ground.contiguous(memory_format=torch.channels_last)
    ground = F.interpolate(ground, size=size, mode="bilinear", align_corners=False)
    coat = einsum(near, colours.near, "b k h w, b k c -> b c h w") + away * ground
    coat = coat / (reduce(near, "b k h w -> b 1 h w", "sum") + away)
    return coat.contiguous(memory_format=torch.channels_last)


def _shares(points: Tensor, height: int, width: int) -> tuple[Tensor, Tensor]:
    """How much each cell belongs to each landmark (b, k, h, w), and to none (b, 1, h, w)."""
    near = gaussians(points.detach().float(), height, width, REACH)
    return near, (1 - near).prod(dim=1, keepdim=True)


def _sum(maps: Tensor) -> Float[Tensor, "batch channel 1 1"]:
    return maps.sum(dim=(-2, -1), keepdim=True)
