"""The encoders and the decoder: what they carry, at which size, and how poses are put together."""

import pytest
import torch
from torch import nn

from swapmark.model.heatmaps import gaussians, soft_argmax
from swapmark.model.networks import (
    Appearance,
    AppearanceEncoder,
    Decoder,
    LandmarkEncoder,
    Pose,
    PyramidFusion,
)

WIDTH, SIDE = 8, 6


def noise(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def test_each_of_the_fused_maps_counts_at_the_finest_resolution():
    torch.manual_seed(0)
    fusion = PyramidFusion((2, 3, 4), 16)
    maps = [noise(1, 2, 16, 24), noise(1, 3, 8, 12), noise(1, 4, 4, 6)]
    before = fusion(maps)
    assert before.shape == (1, 16, 16, 24)
    for level in range(3):
        changed = [maps[i] + (i == level) * noise(*maps[i].shape, seed=1) for i in range(3)]
        assert (fusion(changed) - before).abs().mean() > 0.05


@pytest.fixture
def finder() -> LandmarkEncoder:
    torch.manual_seed(0)
    return LandmarkEncoder((4, 6, 8), landmarks=3, width=16, sigma=0.2)


PYRAMID = [noise(2, 4, 16, 16), noise(2, 6, 8, 8, seed=1), noise(2, 8, 4, 4, seed=2)]


def test_the_parts_of_a_pose_belong_together_and_landmarks_start_apart(finder):
    pose = finder(PYRAMID)
    assert pose.probabilities.shape == (2, 3, 16, 16)
    assert torch.equal(pose.points, soft_argmax(pose.probabilities))
    assert torch.equal(pose.gaussians, gaussians(pose.points, 16, 16, 0.2))
    assert torch.pdist(pose.points[0]).min() > 0.005


def test_confidence_tells_a_peak_from_a_flat_map(finder):
    maps = torch.full((1, 2, 16, 16), 1 / 256)
    maps[0, 1] = 0
    maps[0, 1, 5, 11] = 1
    flat, sharp = finder.confidence(finder.pose(maps))[0].tolist()
    assert flat < 0.15
    assert sharp == pytest.approx(1)


class FirstMap(nn.Module):
    """Stands in for the fusion: passes the finest map on, so that every cell is seen alone."""

    def forward(self, features):
        return features[0]


def encoder(form: str) -> AppearanceEncoder:
    torch.manual_seed(0)
    whole = AppearanceEncoder((WIDTH, 4), WIDTH, form)
    whole.fusion = FirstMap()
    return whole


MAPS = noise(2, WIDTH, SIDE, SIDE, seed=2)
IMAGES = torch.rand(2, 3, 4 * SIDE, 4 * SIDE, generator=torch.Generator().manual_seed(4))


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


def looks(encoder: AppearanceEncoder, maps: torch.Tensor, pose: Pose) -> torch.Tensor:
    return encoder(IMAGES, [maps], pose).looks


def placed_looks(encoder: AppearanceEncoder, appearance: Appearance, pose: Pose) -> torch.Tensor:
    return encoder.placed(appearance, pose)[0]


def test_a_vector_does_not_know_where_things_are(pose):
    vector = encoder("vector")
    found = looks(vector, MAPS, pose)
    assert found.shape == (2, 1, WIDTH)
    torch.testing.assert_close(looks(vector, shuffled(MAPS), pose), found)
    assert (looks(vector, MAPS + 1, pose) - found).abs().mean() > 0.1
    placed = placed_looks(vector, vector(IMAGES, [MAPS], pose), pose)
    assert torch.equal(placed, placed[:, :, :1, :1].expand(2, WIDTH, SIDE, SIDE))


def test_a_map_keeps_every_cell_in_its_place(pose):
    spatial = encoder("map")
    appearance = spatial(IMAGES, [MAPS], pose)
    assert placed_looks(spatial, appearance, pose) is appearance.looks
    torch.testing.assert_close(looks(spatial, shuffled(MAPS), pose), shuffled(appearance.looks))


def test_codes_of_landmarks_are_the_cells_under_their_heatmaps_and_move_with_them(pose):
    parts = encoder("landmarks")
    codes = looks(parts, MAPS, pose)
    cells = parts.project(MAPS)
    expected = torch.stack([cells[..., 1, 2], cells[..., 4, 5], cells.mean(dim=(-2, -1))], dim=1)
    torch.testing.assert_close(codes, expected)
    moved = Pose(shuffled(pose.probabilities), pose.points, pose.gaussians)
    torch.testing.assert_close(looks(parts, shuffled(MAPS), moved), codes)


def test_codes_of_landmarks_are_placed_at_the_landmarks(pose):
    parts = encoder("landmarks")
    appearance = parts(IMAGES, [MAPS], pose)
    codes, placed = appearance.looks, placed_looks(parts, appearance, pose)
    torch.testing.assert_close(placed[:, :, 1, 2], codes[:, 2] + codes[:, 0])
    torch.testing.assert_close(placed[:, :, 4, 5], codes[:, 2] + codes[:, 1])
    torch.testing.assert_close(placed[:, :, 5, 0], codes[:, 2])  # far from both


@pytest.mark.parametrize("form", ["map", "vector", "landmarks"])
def test_the_appearance_of_some_images_is_theirs(form, pose):
    whole = encoder(form)(IMAGES, [MAPS], pose)
    swapped = whole.of([1, 0])
    for part, other in zip(
        (whole.looks, *whole.colours), (swapped.looks, *swapped.colours), strict=True
    ):
        assert torch.equal(part.flip(0), other)


def test_the_decoder_paints_the_appearance_and_the_pose_four_times_as_large():
    torch.manual_seed(0)
    decoder = Decoder(appearance=6, landmarks=3, width=32)
    given = noise(2, 6, 16, 12), torch.rand(2, 3, 16, 12), noise(2, 3, 16, 12, seed=1)
    before = decoder(*given)
    assert before.shape == (2, 3, 64, 48)
    assert 0 <= before.min() < before.max() <= 1
    for changed in range(3):
        others = [part.flip(0) if n == changed else part for n, part in enumerate(given)]
        assert (decoder(*others) - before).abs().mean() > 0.01
