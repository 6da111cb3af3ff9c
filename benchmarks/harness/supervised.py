"""A network trained on the marked specimens alone: DeepLabCut and SLEAP in miniature.

The backbone with ImageNet weights and the landmark encoder with a heatmap for each point, trained
on warped, turned, mirrored and coloured views until the error of a fifth of the specimens, which it
does not learn from, no longer falls. Axes: N pictures, P points.
"""

from copy import deepcopy
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from swapmark.coordinates import pixels_to_unit, unit_to_pixels
from swapmark.data.tensors import as_model_input
from swapmark.data.views import jitter_colours
from swapmark.data.warp import inverse_points, random_warp, warp_images
from swapmark.model.heatmaps import gaussians
from swapmark.model.model import ModelConfig, PoseModel

BATCH, RATE, BACKBONE_RATE = 8, 2e-3, 0.5
"""Views a step; the learning rate, and that of the backbone as a share of it."""
SIGMA = 0.1
"""Width of the target's Gaussian, exp(-d²/σ²), in units of half the image side."""
EVERY, PATIENCE, MOST = 20, 15, 900
"""Steps between looks at those left out; looks without a new best after which it ends; steps."""
ALONE = 100
"""Steps with a single specimen, when none can be left out."""
AVERAGE = 0.97
"""Weights are averaged over steps, as with a falling rate."""


def train(squares: np.ndarray, marks: np.ndarray, swap: np.ndarray | None, seed: int) -> PoseModel:
    """A network for the points `marks` (N, P, 2), in pixels of `squares`, NaN where not marked.

    squares: uint8 (N, side, side, 3). swap: which point each is in a mirror image; None if views
    must not be mirrored.
    """
    torch.manual_seed(seed)
    size, generator = squares.shape[1], torch.Generator().manual_seed(seed)
    images = as_model_input(torch.from_numpy(squares))
    points = torch.from_numpy(pixels_to_unit(marks, size)).float()
    order = torch.randperm(len(images), generator=generator)
    held = order[: max(2, len(images) // 5)] if len(images) > 2 else order[len(order) :]
    learn = order[len(held) :]

    network = PoseModel(ModelConfig(landmarks=marks.shape[1], image_size=size, sigma=SIGMA))
    backbone, head = network.backbone.parameters(), network.landmark_encoder.parameters()
    groups = [{"params": head}, {"params": backbone, "lr": RATE * BACKBONE_RATE}]
    optimizer = torch.optim.AdamW(groups, lr=RATE, weight_decay=1e-4)
    average: Any = AveragedModel(network, multi_avg_fn=get_ema_multi_avg_fn(AVERAGE))
    best, error, since = deepcopy(average.module), float("inf"), 0
    for step in range(1, (MOST if len(held) else ALONE) + 1):
        chosen = learn[torch.randint(len(learn), (BATCH,), generator=generator)]
        optimizer.zero_grad()
        _loss(network.train(), *_views(images[chosen], points[chosen], swap, generator)).backward()
        torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimizer.step()
        average.update_parameters(network)
        if len(held) and step % EVERY == 0:
            off = (_find(average.module, images[held]) - points[held]).norm(dim=-1).nanmean().item()
            since += 1
            if off < error:
                best, error, since = deepcopy(average.module), off, 0
            if since == PATIENCE:
                break
    return best if len(held) else average.module


def find(network: PoseModel, squares: np.ndarray) -> np.ndarray:
    """The points (N, P, 2) in pixels of `squares`."""
    units = _find(network, as_model_input(torch.from_numpy(squares)))
    return unit_to_pixels(units.double().numpy(), squares.shape[1])


def mirrored(names: tuple[str, ...]) -> np.ndarray | None:
    """Which point each is in a mirror image, by `left` and `right` in the names; None without."""
    other = [_other(name) for name in names]
    if other == list(names) or not set(other) <= set(names):
        return None
    return np.array([names.index(name) for name in other])


def _other(name: str) -> str:
    return "right".join(part.replace("right", "left") for part in name.split("left"))


def _find(network: PoseModel, images: Tensor) -> Tensor:
    network.eval()
    with torch.inference_mode():
        return torch.cat([network.pose(part).points for part in images.split(64)])


def _views(
    images: Tensor, points: Tensor, swap: np.ndarray | None, generator: torch.Generator
) -> tuple[Tensor, Tensor]:
    flip = 0.0 if swap is None else 0.5
    warp = random_warp(
        len(images),
        generator,
        side=4,
        warp=0.04,
        rotation=15,
        scale=0.12,
        translation=0.1,
        flip=flip,
    )
    there = inverse_points(points, warp)
    if swap is not None:
        mirror = torch.linalg.det(warp.matrix) < 0
        there = torch.where(mirror[:, None, None], there[:, torch.from_numpy(swap)], there)
    gains = 1 + 0.3 * (2 * torch.rand(len(images), 5, generator=generator) - 1)
    return warp_images(jitter_colours(images, gains), warp), there


def _loss(network: PoseModel, images: Tensor, points: Tensor) -> Tensor:
    """Distance of the points, and cross entropy of the heatmaps with a Gaussian at each."""
    pose = network.pose(images)
    known = points.isfinite().all(dim=-1) & (points.abs() < 1).all(dim=-1)
    points = torch.where(known[..., None], points, 0)
    height, width = pose.probabilities.shape[-2:]
    target = gaussians(points, height, width, SIGMA)
    target = target / target.sum(dim=(-2, -1), keepdim=True)
    entropy = -(target * pose.probabilities.clamp_min(1e-9).log()).sum(dim=(-2, -1))
    distance = (pose.points - points).norm(dim=-1)
    return (entropy * 0.1 + distance)[known].mean()
