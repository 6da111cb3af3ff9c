"""The terms on points alone against closed forms."""

import math

import pytest
import torch

from swapmark.data.warp import Warp
from swapmark.objectives.regularisers import known_equivariance, separation


def row(*xs: float) -> torch.Tensor:
    """One image with landmarks on a line."""
    return torch.tensor([[[x, 0.0] for x in xs]])


def test_separation_is_the_mean_over_images_of_the_gaussians_of_the_distances():
    value = separation(row(0.0, 0.3), width=0.1)
    assert value.item() == pytest.approx(math.exp(-(0.3**2) / (2 * 0.1**2)))
    assert separation(row(0.2, 0.2, 0.2), width=0.1).item() == pytest.approx(2)
    assert separation(row(-0.9, 0.0, 0.9), width=0.1) < 1e-6
    assert separation(row(0.4), width=0.1) == 0
    both = torch.cat([row(0.0, 0.1), row(0.0, 0.4)])
    values = [separation(image[None], 0.2) for image in both]
    torch.testing.assert_close(separation(both, 0.2), sum(values) / 2)


def test_separation_pushes_landmarks_apart():
    points = row(0.0, 0.1).requires_grad_()
    separation(points, 0.1).backward()
    left, right = (-points.grad[0, :, 0]).tolist()
    assert left < 0 < right


def test_a_landmark_whose_place_the_copy_does_not_show_is_not_pulled():
    """A copy shifted so far that only the first landmark is still in it: the others' errors, which
    no pose found in the copy could mend, do not count."""
    still = Warp.identity(1)
    warp = Warp(still.matrix, torch.tensor([[0.5, 0.0]]), still.displacements)
    found = torch.tensor([[[0.4, 0.1], [-1.0, 0.0]]])  # the second belongs at -1.4
    error = known_equivariance(row(0.9, -0.9), found, warp)
    assert error.item() == pytest.approx(0.1**2 / 2)
