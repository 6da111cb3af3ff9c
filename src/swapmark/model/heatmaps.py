"""Heatmaps to points and back: soft-argmax, Gaussian, confidence (Jakab et al. 2018, §3.1).

All points are unit coordinates (x, y) in [-1, 1] (see `swapmark.coordinates`); all maps are
(batch, landmark, height, width).
"""

import torch
from einops import rearrange
from jaxtyping import Float
from torch import Tensor


def cell_centres(length: int, device=None) -> Float[Tensor, " length"]:
    """Unit coordinates of the centres of `length` cells that tile [-1, 1]."""
    return (torch.arange(length, device=device, dtype=torch.float32) + 0.5) * (2 / length) - 1


def spatial_softmax(
    scores: Float[Tensor, "batch landmark height width"],
) -> Float[Tensor, "batch landmark height width"]:
    """Softmax over the cells of each map, in float32: non-negative, each map sums to 1."""
    flat = rearrange(scores.float(), "b k h w -> b k (h w)").softmax(dim=-1)
    return rearrange(flat, "b k (h w) -> b k h w", h=scores.shape[-2])


def soft_argmax(
    probabilities: Float[Tensor, "batch landmark height width"],
) -> Float[Tensor, "batch landmark 2"]:
    """Mean position of each probability map, in unit coordinates."""
    height, width = probabilities.shape[-2:]
    # Not as matrix products: autocast would round those, and so the points, to bfloat16.
    x = (probabilities.sum(dim=-2) * cell_centres(width, probabilities.device)).sum(dim=-1)
    y = (probabilities.sum(dim=-1) * cell_centres(height, probabilities.device)).sum(dim=-1)
    return torch.stack([x, y], dim=-1)


def gaussians(
    points: Float[Tensor, "batch landmark 2"], height: int, width: int, sigma: float
) -> Float[Tensor, "batch landmark height width"]:
    """A map per point: exp(-|u - point|² / σ²) at the cell centres u, peak 1, σ in unit lengths."""
    x = (cell_centres(width, points.device) - points[..., 0:1]) / sigma
    y = (cell_centres(height, points.device) - points[..., 1:2]) / sigma
    return torch.exp(-(y[..., :, None] ** 2) - x[..., None, :] ** 2)


def confidences(
    probabilities: Float[Tensor, "batch landmark height width"],
    points: Float[Tensor, "batch landmark 2"],
    sigma: float,
) -> Float[Tensor, "batch landmark"]:
    """How much of each map lies under the Gaussian drawn at its point: 1 for one sharp peak there.

    The expectation of exp(-|u - point|² / (2σ)²) under the map. Two separate peaks, whose mean
    lies between them, or a flat map give a value near 0. Our own choice: the paper has none.
    """
    height, width = probabilities.shape[-2:]
    return (probabilities * gaussians(points, height, width, 2 * sigma)).sum(dim=(-2, -1))
