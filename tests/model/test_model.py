"""The whole model: any K, any multiple of 16, every form of appearance, saved and read again."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

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


@pytest.mark.parametrize("size", [64, 96, 128])
@pytest.mark.parametrize("appearance", ["map", "vector", "landmarks"])
@torch.no_grad()
def test_pictures_come_back_in_their_own_size(size, appearance):
    model = small_model(image_size=size, appearance=appearance, landmarks=4)
    images = random_images(size)
    pose = model.pose(images)
    assert pose.points.shape == (2, 4, 2)
    assert pose.probabilities.shape == (2, 4, size // 4, size // 4)
    assert model.decode(model.appearance(images), pose).shape == images.shape


@settings(max_examples=5)
@given(landmarks=st.integers(1, 40))
@torch.no_grad()
def test_any_number_of_landmarks(landmarks):
    for appearance in ("map", "landmarks"):
        model = small_model(landmarks=landmarks, appearance=appearance, image_size=32)
        images = random_images(32)
        pose = model.pose(images)
        assert pose.points.shape == (2, landmarks, 2)
        assert pose.points.abs().max() <= 1
        assert model.decode(model.appearance(images), pose).shape == images.shape


@torch.no_grad()
def test_widths_need_not_be_multiples_of_anything():
    odd = {"landmark_width": 50, "appearance_width": 33, "decoder_width": 70, "backbone_width": 5}
    model = small_model(**odd)
    images = random_images()
    assert model.decode(model.appearance(images), model.pose(images)).shape == images.shape


@pytest.mark.parametrize("appearance", ["map", "vector", "landmarks"])
@torch.no_grad()
def test_a_model_filled_from_saved_weights_is_the_same_model(appearance, tmp_path):
    config = ModelConfig(**{**SMALL, "backbone": "efficientnet", "appearance": appearance})
    model, images = SwapModel(config), random_images()
    # Move the weights away from ImageNet's, so that only the file can explain the result.
    for parameter in model.parameters():
        parameter.add_(0.01 * torch.randn_like(parameter))
    torch.save(model.state_dict(), tmp_path / "weights.pt")
    other = SwapModel(config, pretrained=False)
    assert (other.pose(images).points - model.pose(images).points).abs().max() > 1e-3
    other.load_state_dict(torch.load(tmp_path / "weights.pt", weights_only=True))
    assert torch.equal(other.pose(images).points, model.pose(images).points)
    assert torch.equal(other.appearance(images), model.appearance(images))


@torch.no_grad()
def test_the_pose_may_be_handed_on_or_found_again():
    model, images = small_model(appearance="landmarks"), random_images()
    features = model.features(images)
    pose = model.landmark_encoder(features)
    assert torch.equal(model.appearance_of(features, pose), model.appearance_of(features))
    assert torch.equal(model.appearance(images), model.appearance_of(features))


@torch.no_grad()
def test_an_image_is_treated_alike_in_any_batch():
    model, images = small_model(), random_images(count=3)
    together = model.pose(images).points
    alone = torch.cat([model.pose(image[None]).points for image in images])
    torch.testing.assert_close(together, alone, atol=1e-5, rtol=0)


@torch.no_grad()
def test_training_mode_gives_the_same_landmarks():
    model, images = small_model(backbone="efficientnet"), random_images()
    expected = model.eval().pose(images).points
    assert torch.equal(model.train().pose(images).points, expected)


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


@pytest.mark.parametrize("size", [0, 16, 60, 65])
def test_a_size_the_nets_cannot_halve_four_times_is_refused(size):
    with pytest.raises(ValueError, match=f"image_size is {size}; expected a multiple of 16"):
        ModelConfig(image_size=size)


def test_no_landmarks_at_all_are_refused():
    with pytest.raises(ValueError, match="landmarks is 0; expected at least 1"):
        ModelConfig(landmarks=0)
