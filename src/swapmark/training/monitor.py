"""Watching the landmarks: do they move with the object, cover it, and stay apart?"""

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from swapmark.data.warp import Warp, inverse_points, random_warp, warp_images
from swapmark.model.model import SwapModel

COVERAGE_CELLS = 8


@dataclass(frozen=True)
class LandmarkHealth:
    """Numbers that show a collapse; lengths are unit lengths (the image is 2 wide)."""

    spread: float
    """Standard deviation of a landmark over images, mean over landmarks and axes."""
    spread_min: float
    """The same of the landmark that moves least."""
    coverage: float
    """Share of the 8 × 8 cells of the image that some landmark visits in some image."""
    nearest: float
    """Distance of a landmark to its nearest neighbour, mean over landmarks and images."""
    nearest_min: float
    """Mean over images of that distance for the most crowded landmark."""
    following: float
    """How far landmarks go along when the picture is warped: 1 fully, 0 not at all."""

    def warnings(self) -> dict[str, str]:
        """What is wrong, in words, with what to try; by the kind of trouble."""
        found = {}
        if self.following < 0.3:
            # 0.30 where landmarks jumped about, 0.05 to 0.10 in the runs of benchmarks/results.
            constant = self.spread < 0.2
            how = "are collapsing to constant places" if constant else "jump about between pictures"
            found["collapse"] = (
                f"the landmarks hardly follow the picture (following {self.following:.2f}, 1 is "
                f"ideal; spread {self.spread:.3f}): they {how}. Try a lower "
                f"training.learning_rate, the other --method, or, with c3, a larger "
                f"c3.known_equivariance and a later c3.ramp_start."
            )
        if self.nearest_min < 0.04:
            found["crowding"] = (
                f"at least two landmarks sit on the same place (nearest neighbour "
                f"{self.nearest_min:.3f} of an image 2 wide). Try fewer --landmarks or, with c3, "
                f"a larger c3.separation."
            )
        return found


def landmark_health(
    points: Float[Tensor, "image landmark 2"],
    warped_points: Float[Tensor, "image landmark 2"],
    warp: Warp,
) -> LandmarkHealth:
    """Health of landmarks found in images, and again in the images warped by `warp`.

    `following` is the least-squares slope of how far they moved on how far they should have.
    """
    spreads = points.std(dim=0).mean(dim=-1)
    cells = ((points + 1) / 2 * COVERAGE_CELLS).long().clamp(0, COVERAGE_CELLS - 1)
    visited = (cells[..., 1] * COVERAGE_CELLS + cells[..., 0]).unique()
    expected = inverse_points(points, warp) - points
    moved = warped_points - points
    following = (moved * expected).sum() / expected.square().sum().clamp_min(1e-9)
    if points.shape[1] > 1:
        distances = torch.cdist(points, points) + 9 * torch.eye(points.shape[1])
        nearest = distances.amin(dim=-1)
    else:
        nearest = torch.full(points.shape[:2], torch.nan)
    return LandmarkHealth(
        spread=float(spreads.mean()),
        spread_min=float(spreads.min()),
        coverage=len(visited) / COVERAGE_CELLS**2,
        nearest=float(nearest.mean()),
        nearest_min=float(nearest.mean(dim=0).min()),
        following=float(following),
    )


@torch.no_grad()
def check_landmarks(
    model: SwapModel, images: Float[Tensor, "image 3 height width"]
) -> LandmarkHealth:
    """Run the model on probe images, plain and under one fixed set of mild warps."""
    training = model.training
    model.eval()
    generator = torch.Generator().manual_seed(0)
    warp = random_warp(len(images), generator, rotation=10, scale=0.1, translation=0.1)
    points = model.pose(images).points.float().cpu()
    moved = model.pose(warp_images(images, warp.to(images.device))).points.float().cpu()
    model.train(training)
    return landmark_health(points, moved, warp)
