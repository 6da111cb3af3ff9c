"""The small terms against closed forms."""

import math

import pytest
import torch

from swapmark.model.heatmaps import gaussians
from swapmark.model.landmark_encoder import Pose
from swapmark.objectives.regularisers import concentration, separation


def row(*xs: float) -> torch.Tensor:
    """One image with landmarks on a line."""
    return torch.tensor([[[x, 0.0] for x in xs]])


def test_two_landmarks_at_a_known_distance():
    value = separation(row(0.0, 0.3), width=0.1)
    assert value.item() == pytest.approx(math.exp(-(0.3**2) / (2 * 0.1**2)))


def test_landmarks_on_top_of_one_another_are_the_worst():
    assert separation(row(0.2, 0.2, 0.2), width=0.1).item() == pytest.approx(2)
    assert separation(row(-0.9, 0.0, 0.9), width=0.1) < 1e-6
    assert separation(row(0.4), width=0.1) == 0


def test_separation_is_a_mean_over_images():
    both = torch.cat([row(0.0, 0.1), row(0.0, 0.4)])
    values = [separation(image[None], 0.2) for image in both]
    torch.testing.assert_close(separation(both, 0.2), sum(values) / 2)


def test_separation_pushes_landmarks_apart():
    points = row(0.0, 0.1).requires_grad_()
    separation(points, 0.1).backward()
    left, right = (-points.grad[0, :, 0]).tolist()
    assert left < 0 < right


def test_concentration_is_the_mean_variance():
    probabilities = torch.zeros(1, 2, 8, 8)
    probabilities[0, 0, 3, 3] = 1
    probabilities[0, 1, 3, 2] = probabilities[0, 1, 3, 6] = 0.5  # half a unit to both sides
    points = torch.tensor([[[-0.125, -0.125], [0.125, -0.125]]])
    pose = Pose(probabilities, points, gaussians(points, 8, 8, 0.2))
    assert concentration(pose).item() == pytest.approx((0 + 0.5**2) / 2)
