"""The decoder paints pictures of four times the resolution from appearance and Gaussians."""

import pytest
import torch

from swapmark.model.decoder import Decoder


@pytest.fixture
def decoder() -> Decoder:
    torch.manual_seed(0)
    return Decoder(appearance=6, landmarks=3, width=32)


def noise(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize(("height", "width"), [(8, 8), (16, 12)])
def test_pictures_are_four_times_as_large_and_hold_colours(decoder, height, width):
    images = decoder(3 * noise(2, 6, height, width), noise(2, 3, height, width, seed=1).exp())
    assert images.shape == (2, 3, 4 * height, 4 * width)
    assert images.min() >= 0
    assert images.max() <= 1
    assert images.std() > 0.01


def test_both_the_appearance_and_the_pose_are_painted(decoder):
    appearance, pose = noise(1, 6, 8, 8), noise(1, 3, 8, 8, seed=1)
    before = decoder(appearance, pose)
    assert (decoder(noise(1, 6, 8, 8, seed=2), pose) - before).abs().mean() > 0.01
    assert (decoder(appearance, noise(1, 3, 8, 8, seed=3)) - before).abs().mean() > 0.01
