"""The perceptual distance: what it compares, and how its layers are weighed."""

import pytest
import torch
import torch.nn.functional as F

from swapmark.objectives.perceptual import PerceptualDistance

ALL = torch.ones(2, 1, 64, 64)
"""A mask that hides nothing."""


def smooth_images(count: int = 2, size: int = 64, seed: int = 0) -> torch.Tensor:
    coarse = torch.rand(
        count, 3, size // 8, size // 8, generator=torch.Generator().manual_seed(seed)
    )
    return F.interpolate(coarse, size=size, mode="bicubic").clamp(0, 1)


def blurred(images: torch.Tensor, cells: int) -> torch.Tensor:
    """A box blur over 2·cells + 1 pixels."""
    return F.avg_pool2d(images, 2 * cells + 1, 1, padding=cells, count_include_pad=False)


@pytest.fixture
def distance() -> PerceptualDistance:
    """With running means as after a first step, so that every layer counts about 1."""
    whole = PerceptualDistance()
    images = smooth_images()
    whole(whole.targets(images), blurred(images, 2), ALL, update=True)
    return whole


def test_an_image_is_at_no_distance_from_itself(distance):
    images = smooth_images()
    assert distance(distance.targets(images), images, ALL) == 0


def test_the_compared_maps_are_the_pixels_and_strides_4_8_and_16(distance):
    images = smooth_images()
    maps = distance.features(images)
    assert maps[0] is images
    assert [64 // layer.shape[-1] for layer in maps] == [1, 4, 8, 16]
    assert len(maps) == len(distance.running)


def test_a_layer_s_error_is_its_mean_square_over_its_running_mean(distance):
    images, other = smooth_images(), smooth_images(seed=1)
    targets, maps = distance.targets(images), distance.features(other)
    distance.running.copy_(torch.tensor([0.5, 2.0, 3.0, 4.0]))
    expected = sum(
        (target - layer).square().mean() / running
        for target, layer, running in zip(targets, maps, (0.5, 2.0, 3.0, 4.0), strict=True)
    )
    torch.testing.assert_close(distance(targets, other, ALL), expected)


def test_running_means_start_at_the_first_error_and_then_follow():
    distance, images = PerceptualDistance(), smooth_images()
    targets, expected = distance.targets(images), torch.zeros(4)
    for cells, update in ((1, True), (3, True), (6, False), (6, True)):
        other = blurred(images, cells)
        pairs = zip(targets, distance.features(other), strict=True)
        errors = torch.stack([(a - b).square().mean() for a, b in pairs]).detach()
        value = distance(targets, other, ALL, update=update)
        if cells == 1:
            assert value.item() == pytest.approx(4, rel=1e-4)
            expected = errors
        elif update:
            expected = 0.99 * expected + 0.01 * errors
        torch.testing.assert_close(distance.running, expected)


def test_a_mask_hides_a_change_from_the_deep_layers_too(distance):
    images = smooth_images()
    changed = images.clone()
    changed[..., :16] = 1 - changed[..., :16]
    mask = torch.ones(2, 1, 64, 64)
    mask[..., :32] = 0  # the maps see beyond their cells, hence the margin
    targets = distance.targets(images)
    assert distance(targets, changed, mask) < 0.1 * distance(targets, changed, ALL)


def test_an_image_counts_the_same_whatever_shares_its_batch(distance):
    images = smooth_images(4)
    other = blurred(images, 3)
    mask = torch.ones(4, 1, 64, 64)
    mask[1, :, :40] = 0
    together = distance(distance.targets(images), other, mask)
    halves = [
        distance(distance.targets(images[half]), other[half], mask[half])
        for half in (slice(0, 2), slice(2, 4))
    ]
    torch.testing.assert_close(together, sum(halves) / 2)


def test_an_image_without_a_single_pixel_in_the_mask_counts_nothing(distance):
    images = smooth_images()
    value = distance(distance.targets(images), blurred(images, 3), torch.zeros(2, 1, 64, 64))
    assert value == 0


def test_gradients_reach_the_image_and_not_the_network(distance):
    images = smooth_images()
    painted = blurred(images, 4).requires_grad_()
    targets = distance.targets(images.requires_grad_())
    assert not any(target.requires_grad for target in targets)
    distance(targets, painted, ALL).backward()
    assert painted.grad is not None
    assert painted.grad.abs().amax(dim=(1, 2, 3)).min() > 0
    assert not any(parameter.requires_grad for parameter in distance.parameters())


def test_the_network_stays_frozen_in_training_mode(distance):
    distance.train()
    assert distance.training
    assert not any(module.training for module in distance.network.modules())
