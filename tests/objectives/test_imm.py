"""The TPS-paired baseline: which image lends what, and that everything is trained by it."""

import pytest
import torch
from tagged import PixelDistance, TaggedModel, rounded, tagged_batch

from swapmark.data.views import ViewsConfig, make_batch
from swapmark.model.model import ModelConfig, SwapModel
from swapmark.objectives.imm import Imm
from swapmark.objectives.perceptual import PerceptualDistance


def test_the_copy_lends_its_appearance_and_the_view_its_pose():
    model = TaggedModel()
    batch = tagged_batch([1.0, 2.0], [0.1, -0.3], warped_places=[0.6, 0.7])
    terms = Imm(model, PixelDistance()).eval()(batch)
    assert model.painted == [rounded([1.5, 2.5], [0.1, -0.3])]
    # Off by 0.5 in red and by 1 in blue, of three channels.
    assert terms["loss"].item() == pytest.approx((0.5**2 + 1) / 3)
    assert terms["reconstruction"] == terms["loss"]


@pytest.mark.parametrize("appearance", ["map", "vector", "landmarks"])
def test_every_trained_weight_gets_a_gradient(appearance):
    torch.manual_seed(0)
    model = SwapModel(ModelConfig(landmarks=3, appearance=appearance, decoder_width=32))
    objective = Imm(model, PerceptualDistance()).train()
    pictures = torch.randint(0, 256, (2, 64, 64, 3), dtype=torch.uint8)
    batch = make_batch(pictures, ViewsConfig(), torch.Generator().manual_seed(0))
    terms = objective(batch)
    terms["loss"].backward()
    assert terms["loss"].item() == pytest.approx(4, rel=1e-3)  # a first step: 1 a layer
    for name, parameter in model.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.isfinite().all(), name
        assert parameter.grad.abs().max() > 0, name
