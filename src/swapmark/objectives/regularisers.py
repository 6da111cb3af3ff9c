"""A small term that keeps the landmarks apart."""

import torch
from jaxtyping import Float
from torch import Tensor


def separation(points: Float[Tensor, "batch landmark 2"], width: float) -> Float[Tensor, ""]:
    """Mean over landmarks of Σ exp(-d² / (2·width²)) over the others (Zhang et al. 2018, eq. 2).

    `width` is in unit lengths; 0 for a single landmark.
    """
    squared = (points[:, :, None] - points[:, None]).square().sum(dim=-1)
    near = torch.exp(-squared / (2 * width**2))
    count = points.shape[1]
    return (near.sum(dim=(1, 2)) - count).mean() / count
