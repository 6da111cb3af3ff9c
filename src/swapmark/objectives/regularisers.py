"""Two terms on the points alone, which are not the paper's and keep the landmarks alive."""

import torch
from jaxtyping import Float
from torch import Tensor

from swapmark.data.warp import Warp, inverse_points, warp_points


def known_equivariance(
    points: Float[Tensor, "batch landmark 2"],
    points_in_copy: Float[Tensor, "batch landmark 2"],
    warp: Warp,
) -> Float[Tensor, ""]:
    """|p - W(q)|², where W is the known warp between a picture and its copy.

    A landmark whose place the copy does not show is left out: nothing found there could agree.
    """
    places = inverse_points(points.detach(), warp)
    shown = (places.abs().amax(dim=-1) <= 1).float()
    squared = (warp_points(points_in_copy, warp) - points).square().sum(dim=-1)
    return (squared * shown).mean()


def separation(points: Float[Tensor, "batch landmark 2"], width: float) -> Float[Tensor, ""]:
    """Mean over landmarks of Σ exp(-d² / (2·width²)) over the others (Zhang et al. 2018, eq. 2).

    `width` is in unit lengths; 0 for a single landmark.
    """
    squared = (points[:, :, None] - points[:, None]).square().sum(dim=-1)
    near = torch.exp(-squared / (2 * width**2))
    count = points.shape[1]
    return (near.sum(dim=(1, 2)) - count).mean() / count
