import math
import re
from dataclasses import asdict

import pytest
import torch

from swapmark.data.warp import Warp, inverse_points, random_warp
from swapmark.model.model import ModelConfig, SwapModel
from swapmark.model.networks import Pose
from swapmark.training.config import Config
from swapmark.training.monitor import LandmarkHealth, check_landmarks, landmark_health

COUNT, SIZE = 16, 64


class BlobModel(SwapModel):
    """An ideal encoder: landmark k is where colour channel k is bright."""

    def __init__(self, landmarks: int = 3):
        small = dict.fromkeys(("landmark_width", "appearance_width", "decoder_width"), 4)
        super().__init__(ModelConfig(landmarks, SIZE, backbone="plain", backbone_width=2, **small))

    def pose(self, images) -> Pose:
        bright = (images[:, : self.config.landmarks] - 0.2).clamp_min(0) + 1e-9
        return self.landmark_encoder.pose(bright / bright.sum(dim=(2, 3), keepdim=True))


class ConstantModel(BlobModel):
    """A collapsed encoder: the same places, whatever the picture."""

    def pose(self, images) -> Pose:
        return super().pose(
            blobs(torch.tensor([[[-0.5, 0.0], [0.5, 0.0], [0.0, 0.5]]])).expand_as(images)
        )


def blobs(points: torch.Tensor) -> torch.Tensor:
    """Pictures (batch, 3, SIZE, SIZE) with a bright spot of colour k at points (batch, k, 2)."""
    line = (torch.arange(SIZE) + 0.5) / SIZE * 2 - 1
    x, y = line[None, None, None, :], line[None, None, :, None]
    squared = (x - points[..., 0, None, None]) ** 2 + (y - points[..., 1, None, None]) ** 2
    return torch.exp(-squared / (2 * 0.08**2))


def random_points(landmarks: int = 3, reach: float = 0.5) -> torch.Tensor:
    generator = torch.Generator().manual_seed(1)
    return (2 * torch.rand(COUNT, landmarks, 2, generator=generator) - 1) * reach


def health(points: torch.Tensor, moved: torch.Tensor | None = None) -> LandmarkHealth:
    warp = Warp.identity(len(points))
    return landmark_health(points, points if moved is None else moved, warp)


def test_an_ideal_encoder_follows_the_picture_and_gives_no_warning():
    found = check_landmarks(BlobModel(), blobs(random_points()))
    assert found.following == pytest.approx(1, abs=0.05)
    assert found.spread == pytest.approx(random_points().std(dim=0).mean().item(), abs=0.01)
    assert found.warnings() == {}


def test_constant_landmarks_are_a_collapse():
    found = check_landmarks(ConstantModel(), blobs(random_points()))
    assert found.following == pytest.approx(0, abs=0.01)
    assert found.spread == pytest.approx(0, abs=1e-6)
    assert list(found.warnings()) == ["collapse"]


def test_landmarks_that_are_anywhere_are_told_to_jump_about():
    points = torch.rand(64, 4, 2, generator=torch.Generator().manual_seed(0)) * 2 - 1
    found = landmark_health(points, points, random_warp(64, torch.Generator().manual_seed(2)))
    assert "jump about" in found.warnings()["collapse"]


def test_landmarks_on_the_same_place_are_crowded():
    points = random_points()
    points[:, 1] = points[:, 0] + 0.01
    assert list(check_landmarks(BlobModel(), blobs(points)).warnings()) == ["crowding"]


def test_what_to_try_are_settings_that_there_are():
    points = torch.zeros(4, 2, 2)
    found = landmark_health(points, points, random_warp(4, torch.Generator().manual_seed(2)))
    assert list(found.warnings()) == ["collapse", "crowding"]
    settings = asdict(Config())
    for section, name in re.findall(r"\b(c3|training)\.(\w+)", " ".join(found.warnings().values())):
        assert name in settings[section]


def test_one_landmark_has_no_neighbour_and_gives_no_warning():
    found = check_landmarks(BlobModel(landmarks=1), blobs(random_points(1)).expand(-1, 3, -1, -1))
    assert math.isnan(found.nearest)
    assert found.following == pytest.approx(1, abs=0.05)
    assert found.warnings() == {}


def test_spread_is_the_standard_deviation_over_images():
    points = torch.zeros(4, 2, 2)
    points[:, 0, 0] = torch.tensor([-0.3, -0.1, 0.1, 0.3])
    found = health(points)
    deviation = math.sqrt((2 * 0.3**2 + 2 * 0.1**2) / 3)
    assert found.spread == pytest.approx(deviation / 4)  # one of two axes of one of two landmarks
    assert found.spread_min == 0


def test_neighbours_and_coverage_against_a_closed_form():
    square = torch.tensor([[-0.9, -0.9], [0.9, -0.9], [-0.9, 0.9], [0.9, 0.8]])
    found = health(square.expand(2, 4, 2))
    assert found.nearest == pytest.approx((1.8 + 1.7 + 1.8 + 1.7) / 4)
    assert found.nearest_min == pytest.approx(1.7)
    assert found.coverage == 4 / 64
    outside = health(torch.tensor([[[1.5, 1.5], [1.0, 1.0]]]).expand(2, 2, 2))
    assert outside.coverage == 1 / 64, "a point outside counts for the cell at the edge"


@pytest.mark.parametrize("share", [0.0, 0.25, 1.0])
def test_following_is_the_share_of_the_way_that_landmarks_went(share):
    points = random_points()
    warp = random_warp(COUNT, torch.Generator().manual_seed(2))
    moved = points + share * (inverse_points(points, warp) - points)
    assert landmark_health(points, moved, warp).following == pytest.approx(share, abs=1e-5)


def test_checking_leaves_the_model_as_it_was_and_the_result_is_repeatable():
    model = BlobModel().train()
    state = torch.random.get_rng_state()
    first = check_landmarks(model, blobs(random_points()))
    assert model.training
    assert torch.equal(torch.random.get_rng_state(), state)
    assert check_landmarks(model, blobs(random_points())) == first
