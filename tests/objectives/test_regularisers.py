"""The separation of landmarks against closed forms."""

import math

import pytest
import torch

from swapmark.objectives.regularisers import separation


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
