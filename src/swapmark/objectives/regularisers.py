"""Small terms that shape the landmarks: apart from one another, and each in one place."""

import torch
from jaxtyping import Float
from torch import Tensor

from swapmark.model.heatmaps import variances
from swapmark.model.landmark_encoder import Pose


def separation(points: Float[Tensor, "batch landmark 2"], width: float) -> Float[Tensor, ""]:
    """Mean over landmarks of Σ exp(-d²/2·width²) over the others (Zhang et al. 2018, eq. 2).

    `width` is in unit lengths; 0 for a single landmark.
    """
    squared = (points[:, :, None] - points[:, None]).square().sum(dim=-1)
    near = torch.exp(-squared / (2 * width**2))
    count = points.shape[1]
    return (near.sum(dim=(1, 2)) - count).mean() / count


def concentration(pose: Pose) -> Float[Tensor, ""]:
    """Mean variance of the heatmaps, in squared unit lengths (Zhang et al. 2018, eq. 1)."""
    return variances(pose.probabilities, pose.points).mean()
