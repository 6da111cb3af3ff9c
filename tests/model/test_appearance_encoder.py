"""The three forms of appearance, and how much of the place each of them carries."""

import pytest
import torch
from torch import nn

from swapmark.model.appearance_encoder import AppearanceEncoder
from swapmark.model.heatmaps import gaussians
from swapmark.model.landmark_encoder import Pose

WIDTH = 8
SIDE = 6


class FirstMap(nn.Module):
    """Stands in for the fusion: passes the finest map on, so that every cell is seen alone."""

    def forward(self, features):
        return features[0]


def encoder(form: str) -> AppearanceEncoder:
    torch.manual_seed(0)
    whole = AppearanceEncoder((WIDTH, 4), WIDTH, form)
    whole.fusion = FirstMap()
    return whole


@pytest.fixture
def maps() -> torch.Tensor:
    return torch.randn(2, WIDTH, SIDE, SIDE, generator=torch.Generator().manual_seed(2))


@pytest.fixture
def pose() -> Pose:
    probabilities = torch.zeros(2, 2, SIDE, SIDE)
    probabilities[:, 0, 1, 2] = 1
    probabilities[:, 1, 4, 5] = 1
    points = torch.tensor([[-1 / 6, -1 / 2], [5 / 6, 1 / 2]]).expand(2, 2, 2)
    return Pose(probabilities, points, gaussians(points, SIDE, SIDE, 0.1))


def shuffled(maps: torch.Tensor) -> torch.Tensor:
    """The same cells, each in another place; the same permutation for every map."""
    order = torch.randperm(SIDE * SIDE, generator=torch.Generator().manual_seed(3))
    return maps.flatten(2)[..., order].unflatten(2, (SIDE, SIDE))


def test_a_vector_does_not_know_where_things_are(maps):
    vector = encoder("vector")
    assert vector([maps]).shape == (2, 1, WIDTH)
    torch.testing.assert_close(vector([shuffled(maps)]), vector([maps]))
    assert (vector([maps + 1]) - vector([maps])).abs().mean() > 0.1


def test_a_vector_is_placed_everywhere_alike(maps, pose):
    vector = encoder("vector")
    placed = vector.placed(vector([maps]), pose)
    assert placed.shape == (2, WIDTH, SIDE, SIDE)
    assert torch.equal(placed, placed[:, :, :1, :1].expand_as(placed))


def test_a_map_keeps_every_cell_in_its_place(maps, pose):
    spatial = encoder("map")
    appearance = spatial([maps])
    assert spatial.placed(appearance, pose) is appearance
    torch.testing.assert_close(spatial([shuffled(maps)]), shuffled(appearance))


def test_codes_of_landmarks_are_the_cells_under_their_heatmaps(maps, pose):
    parts = encoder("landmarks")
    codes = parts([maps], pose)
    assert codes.shape == (2, 3, WIDTH)
    cells = parts.project(maps)
    torch.testing.assert_close(codes[:, 0], cells[:, :, 1, 2])
    torch.testing.assert_close(codes[:, 1], cells[:, :, 4, 5])
    torch.testing.assert_close(codes[:, 2], cells.mean(dim=(-2, -1)))


def test_codes_of_landmarks_move_with_the_landmarks(maps, pose):
    parts = encoder("landmarks")
    moved = Pose(shuffled(pose.probabilities), pose.points, pose.gaussians)
    torch.testing.assert_close(parts([shuffled(maps)], moved), parts([maps], pose))


def test_codes_of_landmarks_are_placed_at_the_landmarks(maps, pose):
    parts = encoder("landmarks")
    codes = parts([maps], pose)
    placed = parts.placed(codes, pose)
    torch.testing.assert_close(placed[:, :, 1, 2], codes[:, 2] + codes[:, 0])
    torch.testing.assert_close(placed[:, :, 4, 5], codes[:, 2] + codes[:, 1])
    torch.testing.assert_close(placed[:, :, 5, 0], codes[:, 2])  # far from both


def test_codes_of_landmarks_need_a_pose(maps):
    with pytest.raises(AssertionError):
        encoder("landmarks")([maps])
