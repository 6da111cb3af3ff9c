"""The blocks take any width, halve when asked to, and fuse maps at the finest resolution."""

import pytest
import torch

from swapmark.model.blocks import ConvBlock, PyramidFusion


@pytest.mark.parametrize("outputs", [1, 5, 16, 24, 50, 96, 100])
def test_any_number_of_channels_can_be_normalised(outputs):
    block = ConvBlock(3, outputs)
    maps = block(torch.randn(2, 3, 8, 8))
    assert maps.shape == (2, outputs, 8, 8)
    assert maps.min() >= 0


@pytest.mark.parametrize("kernel", [3, 7])
def test_stride_two_halves_the_resolution(kernel):
    assert ConvBlock(3, 16, kernel=kernel, stride=2)(torch.zeros(1, 3, 8, 12)).shape[2:] == (4, 6)


def test_a_block_treats_each_image_by_itself():
    torch.manual_seed(0)
    block, images = ConvBlock(3, 32), torch.randn(3, 3, 8, 8)
    alone = torch.cat([block(image[None]) for image in images])
    torch.testing.assert_close(block(images), alone, atol=1e-5, rtol=0)


def test_maps_are_fused_at_the_finest_resolution():
    fusion = PyramidFusion((2, 3, 4), 16)
    maps = [torch.zeros(1, 2, 16, 24), torch.zeros(1, 3, 8, 12), torch.zeros(1, 4, 4, 6)]
    assert fusion(maps).shape == (1, 16, 16, 24)


def test_each_of_the_fused_maps_counts():
    torch.manual_seed(0)
    fusion = PyramidFusion((2, 3, 4), 16)
    maps = [torch.randn(1, 2, 16, 16), torch.randn(1, 3, 8, 8), torch.randn(1, 4, 4, 4)]
    before = fusion(maps)
    for level in range(3):
        changed = [maps[i] + (i == level) * torch.randn_like(maps[i]) for i in range(3)]
        assert (fusion(changed) - before).abs().mean() > 0.05


def test_a_map_too_many_is_refused():
    fusion = PyramidFusion((2, 3), 8)
    with pytest.raises(ValueError, match="zip"):
        fusion([torch.zeros(1, 2, 4, 4), torch.zeros(1, 3, 2, 2), torch.zeros(1, 3, 1, 1)])
