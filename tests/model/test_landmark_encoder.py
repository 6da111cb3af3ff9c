"""The landmark encoder: a pose is what its heatmaps say, and can be put in another order."""

import pytest
import torch

from swapmark.model.heatmaps import gaussians, soft_argmax
from swapmark.model.landmark_encoder import LandmarkEncoder


@pytest.fixture
def encoder() -> LandmarkEncoder:
    torch.manual_seed(0)
    return LandmarkEncoder((4, 6, 8), landmarks=3, width=16, sigma=0.2)


def pyramid(count: int = 2) -> list[torch.Tensor]:
    source = torch.Generator().manual_seed(1)
    return [
        torch.randn(count, channels, side, side, generator=source)
        for channels, side in ((4, 16), (6, 8), (8, 4))
    ]


def test_the_parts_of_a_pose_belong_together(encoder):
    pose = encoder(pyramid())
    assert pose.probabilities.shape == pose.gaussians.shape == (2, 3, 16, 16)
    torch.testing.assert_close(pose.probabilities.sum(dim=(-2, -1)), torch.ones(2, 3))
    assert torch.equal(pose.points, soft_argmax(pose.probabilities))
    assert torch.equal(pose.gaussians, gaussians(pose.points, 16, 16, 0.2))


def test_landmarks_start_apart(encoder):
    points = encoder(pyramid()).points
    assert torch.cdist(points, points)[:, 0, 1:].min() > 0.01


def test_a_pose_is_reordered_as_a_whole(encoder):
    pose = encoder(pyramid())
    swapped = pose[torch.tensor([1, 0])]
    for name in ("probabilities", "points", "gaussians"):
        assert torch.equal(getattr(swapped, name)[0], getattr(pose, name)[1])
        assert torch.equal(getattr(swapped, name)[1], getattr(pose, name)[0])


def test_confidence_tells_a_peak_from_a_flat_map(encoder):
    maps = torch.full((1, 2, 16, 16), 1 / 256)
    maps[0, 1] = 0
    maps[0, 1, 5, 11] = 1
    flat, sharp = encoder.confidence(encoder.pose(maps))[0].tolist()
    assert flat < 0.15
    assert sharp == pytest.approx(1)
