"""The views of a step: a function of the generator alone, however the batch is shared out."""

from dataclasses import replace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from swapmark.data.views import Batch, ViewsConfig, jitter_colours, make_batch
from swapmark.data.warp import warp_images

STILL = ViewsConfig(rotation=0, scale=0, translation=0, warp=0, flip=0, colour=0)


def pictures(count: int = 4, size: int = 32) -> torch.Tensor:
    values = torch.rand(count, 3, size // 4, size // 4, generator=seeded(9))
    smooth = torch.nn.functional.interpolate(values, size=size, mode="bilinear")
    return (smooth * 255).to(torch.uint8).permute(0, 2, 3, 1).contiguous()


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def assert_same_batch(first: Batch, second: Batch, rows: slice = slice(None)) -> None:
    for name in ("images", "warped", "mask"):
        torch.testing.assert_close(
            getattr(first, name), getattr(second, name)[rows], atol=1e-5, rtol=0
        )
    for name in ("matrix", "shift", "displacements"):
        assert torch.equal(getattr(first.warp, name), getattr(second.warp, name)[rows])


def test_a_batch_depends_on_the_state_of_the_generator_alone():
    first, second = (make_batch(pictures(), ViewsConfig(), seeded(3)) for _ in range(2))
    assert_same_batch(first, second)
    other = make_batch(pictures(), ViewsConfig(), seeded(4))
    assert (first.images - other.images).abs().mean() > 0.01
    assert (first.warped - other.warped).abs().mean() > 0.01


@pytest.mark.parametrize("share", [slice(0, 2), slice(2, 4), slice(2, 6)])
def test_the_share_of_a_device_is_that_slice_of_the_whole_batch(share):
    images = pictures(6)
    whole = make_batch(images, ViewsConfig(), seeded())
    blank = torch.zeros_like(images)
    blank[share] = images[share]
    assert_same_batch(make_batch(blank, ViewsConfig(), seeded(), share=share), whole, share)


@pytest.mark.parametrize("flip", [0.0, 1.0])
def test_without_jitter_the_views_are_the_pictures_or_their_mirror_images(flip):
    images = pictures()
    batch = make_batch(images, replace(STILL, flip=flip), seeded())
    upright = images.permute(0, 3, 1, 2).float() / 255
    expected = upright.flip(-1) if flip else upright
    torch.testing.assert_close(batch.images, expected, atol=1e-5, rtol=0)
    torch.testing.assert_close(batch.warped, expected, atol=1e-5, rtol=0)
    assert batch.mask.min() == 1


@pytest.mark.parametrize("pairs", ["unpaired", "tps"])
def test_the_warp_of_a_batch_makes_the_warped_copy_of_the_view(pairs):
    batch = make_batch(pictures(), ViewsConfig(pairs=pairs, controls=5), seeded())
    assert torch.equal(warp_images(batch.images, batch.warp), batch.warped)
    assert (batch.images - batch.warped).abs().mean() > 0.01
    assert batch.warp.side == 5


def test_the_mask_hides_what_padding_made_up():
    # Pictures that grow brighter to the right: what padding mirrored grows darker.
    ramp = torch.arange(0, 256, 8, dtype=torch.uint8)[None, None, :, None].expand(8, 32, 32, 3)
    batch = make_batch(ramp, replace(STILL, translation=1.0), seeded())
    assert set(batch.mask.unique().tolist()) == {0.0, 1.0}
    rises = batch.images[:, :1].diff(dim=-1) > 1e-3
    level = batch.mask.amax(dim=2, keepdim=True)  # 1 in the columns that show the picture
    neighbours = (level[..., 1:] + level[..., :-1]).expand_as(rises)
    assert rises[neighbours == 2].all()
    assert not rises[neighbours == 0].any()
    assert 0.1 < (neighbours == 0).float().mean() < 0.9


def test_tps_pairs_keep_the_first_image_and_lend_it_to_the_second():
    alone = make_batch(pictures(), ViewsConfig(), seeded())
    pairs = make_batch(pictures(), ViewsConfig(pairs="tps"), seeded())
    assert torch.equal(pairs.images[0::2], alone.images[0::2])
    colours = pairs.images.mean(dim=(2, 3))
    own = (colours[1::2] - colours[0::2]).abs().mean()
    others = (colours[1::2] - colours[0::2].roll(1, dims=0)).abs().mean()
    assert own < others / 2


def test_a_tps_partner_is_masked_where_its_warp_leaves_the_picture():
    mask = make_batch(pictures(16), replace(STILL, flip=0.5, pairs="tps"), seeded()).mask
    assert mask[0::2].amin() == 1, "the first images show all of their pictures"
    assert mask[1::2].amin() == 0
    assert mask[1::2].amax() == 1
    assert 0.5 < mask[1::2].mean() < 0.98


@pytest.mark.parametrize(
    ("name", "value"),
    [("rotation", -1.0), ("warp", float("nan")), ("controls", 1), ("flip", 1.5)],
)
def test_strengths_out_of_their_bounds_are_refused(name, value):
    with pytest.raises(ValueError, match=name):
        ViewsConfig(**{name: value})


def test_each_gain_does_its_own_thing():
    images = 0.3 + 0.2 * torch.rand(1, 3, 6, 6, generator=seeded())

    def changed(**gains: float) -> torch.Tensor:
        order = ("red", "green", "blue", "contrast", "saturation")
        values = torch.tensor([[gains.get(name, 1.0) for name in order]])
        return jitter_colours(images, values)

    green = changed(green=1.4)
    torch.testing.assert_close(green[:, 1], images[:, 1] * 1.2)
    torch.testing.assert_close(green[:, [0, 2]], images[:, [0, 2]])
    flat = changed(contrast=0.5)
    torch.testing.assert_close(flat.mean(), images.mean())
    torch.testing.assert_close(flat.std(), images.std() / 2)
    grey = changed(saturation=0.0)
    torch.testing.assert_close(grey, images.mean(dim=1, keepdim=True).expand(-1, 3, -1, -1))


@settings(max_examples=25)
@given(st.integers(0, 2**31 - 1), st.floats(0, 1))
def test_jittered_colours_stay_colours_and_near_the_old_ones(seed, colour):
    grey = torch.full((8, 4, 4, 3), 128, dtype=torch.uint8)
    batch = make_batch(grey, replace(STILL, colour=colour), seeded(seed))
    assert batch.images.min() >= 0
    assert batch.images.max() <= 1
    # Channels change by half of `colour`; contrast and saturation then stretch their differences.
    most = colour / 2 * (1 + 4 / 3 * ((1 + colour) ** 2)) + 1e-4
    assert (batch.images / (128 / 255) - 1).abs().max() <= most
