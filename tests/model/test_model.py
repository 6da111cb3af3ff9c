"""The whole model: any K, any multiple of 16, every form of appearance, odd widths."""

import pytest
import torch

from swapmark.model.model import ModelConfig, SwapModel

SMALL = {
    "backbone": "plain",
    "backbone_width": 4,
    "landmark_width": 16,
    "appearance_width": 8,
    "decoder_width": 16,
}


def small_model(**changes) -> SwapModel:
    torch.manual_seed(0)
    return SwapModel(ModelConfig(**{**SMALL, **changes}))


def random_images(size: int = 64, count: int = 2) -> torch.Tensor:
    return torch.rand(count, 3, size, size, generator=torch.Generator().manual_seed(size))


@pytest.mark.parametrize(
    ("size", "appearance", "landmarks"),
    [(64, "map", 4), (96, "vector", 1), (128, "landmarks", 7), (32, "landmarks", 40)],
)
@torch.no_grad()
def test_pictures_come_back_in_their_own_size_at_any_widths(size, appearance, landmarks):
    odd = {"landmark_width": 50, "appearance_width": 33, "decoder_width": 70, "backbone_width": 5}
    model = small_model(image_size=size, appearance=appearance, landmarks=landmarks, **odd)
    images = random_images(size)
    pose = model.pose(images)
    assert pose.points.shape == (2, landmarks, 2)
    assert pose.points.abs().max() <= 1
    assert pose.probabilities.shape == (2, landmarks, size // 4, size // 4)
    assert model.decode(model.appearance(images), pose).shape == images.shape


@torch.no_grad()
def test_an_image_is_treated_alike_in_any_batch():
    model, images = small_model(), random_images(count=3)
    together = model.pose(images).points
    alone = torch.cat([model.pose(image[None]).points for image in images])
    torch.testing.assert_close(together, alone, atol=1e-5, rtol=0)


@torch.no_grad()
def test_the_backbone_stays_in_single_precision_under_autocast():
    model, images = small_model(), random_images()
    expected = model.features(images)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        found = model.features(images)
        pose = model.pose(images)
        painted = model.decode(model.appearance(images), pose)
    for layer, other in zip(found, expected, strict=True):
        assert torch.equal(layer, other)
    assert pose.points.dtype == painted.dtype == torch.float32
    torch.testing.assert_close(pose.points, model.pose(images).points, atol=0.02, rtol=0)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *(("image_size", value) for value in (0, 16, 60, 65, 1040)),
        *(("landmarks", value) for value in (0, 1001)),
        *(("decoder_width", value) for value in (3, 4097)),
    ],
)
def test_sizes_that_cannot_be_built_are_refused(name, value):
    with pytest.raises(ValueError, match=f"{name} is {value}"):
        ModelConfig(**{name: value})
