"""C³ on the real nets: every weight is trained, every term can be switched off and faded in."""

import pytest
import torch
from tagged import TERMS, config
from torch import Tensor, nn

from swapmark.data.views import Batch, ViewsConfig, make_batch
from swapmark.model.model import ModelConfig, SwapModel
from swapmark.objectives.c3 import C3, C3Config
from swapmark.objectives.imm import Imm
from swapmark.objectives.perceptual import PerceptualDistance

ALL_ON = dict.fromkeys(TERMS, 1.0) | {
    "known_equivariance": 10.0,
    "inverse": 10.0,
    "equivariance": 10.0,
    "nearby": 100.0,
}
LATE = ("swap", "cycle", "inverse", "equivariance", "nearby")


def small_model(**changes) -> SwapModel:
    torch.manual_seed(0)
    values = {"backbone": "plain", "backbone_width": 8, "landmark_width": 32, "decoder_width": 32}
    return SwapModel(ModelConfig(**{"landmarks": 3, "appearance_width": 16, **values, **changes}))


def views(count: int = 4, size: int = 64, **strength) -> Batch:
    source = torch.Generator().manual_seed(5)
    coarse = torch.rand(count, 3, size // 8, size // 8, generator=source)
    pictures = nn.functional.interpolate(coarse, size=size, mode="bicubic").clamp(0, 1)
    pixels = (pictures * 255).to(torch.uint8).permute(0, 2, 3, 1).contiguous()
    return make_batch(pixels, ViewsConfig(**strength), torch.Generator().manual_seed(6))


@pytest.fixture
def perceptual() -> PerceptualDistance:
    """With fixed running means, so that losses of different settings can be compared."""
    distance, images = PerceptualDistance(), views(2).images
    everywhere = torch.ones_like(images[:, :1])
    distance(distance.targets(images), torch.full_like(images, 0.5), everywhere, update=True)
    return distance


def assert_trained(module: nn.Module) -> None:
    for name, parameter in module.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.isfinite().all(), name
        assert parameter.grad.abs().max() > 0, name


@pytest.mark.parametrize(
    ("appearance", "pairs", "mirror_pairs"),
    [("map", "unpaired", 0), ("vector", "tps", 0), ("landmarks", "unpaired", 1)],
)
def test_the_whole_loss_trains_every_weight(perceptual, appearance, pairs, mirror_pairs):
    model = small_model(appearance=appearance)
    settings = config(**ALL_ON, mirror_pairs=mirror_pairs)
    terms = C3(model, perceptual, settings).train()(views(2, pairs=pairs))
    terms["loss"].backward()
    assert terms.keys() == {"loss", *TERMS}
    assert all(value.isfinite() for value in terms.values())
    assert_trained(model)
    assert not any(parameter.requires_grad for parameter in perceptual.parameters())


def test_the_default_settings_train_the_pretrained_nets(perceptual):
    model = small_model(backbone="efficientnet")
    C3(model, perceptual, C3Config()).train()(views(2))["loss"].backward()
    assert_trained(model)


def gradients(perceptual: PerceptualDistance, batch: Batch, **weights) -> Tensor:
    model = small_model(image_size=32)
    objective = C3(model, perceptual, config(**weights)).eval()
    objective(batch)["loss"].backward()
    return torch.cat([parameter.grad.flatten() for parameter in model.parameters()])


@pytest.mark.parametrize("name", TERMS)
def test_a_weight_of_zero_takes_all_influence_from_a_term(perceptual, name):
    """The gradient is a line in each weight: at 0 it is where that through two others says."""
    batch, weight = views(2, 32), ALL_ON[name]
    none, once, twice = (
        gradients(perceptual, batch, **{**ALL_ON, name: times * weight}) for times in (0, 1, 2)
    )
    influence = (once - none).norm()
    assert influence > 1e-3 * none.norm()
    assert (twice - once - (once - none)).norm() < 1e-2 * influence


@pytest.mark.parametrize("progress", [0.0, 0.3, 0.4, 0.5, 1.0])
def test_the_late_terms_fade_in_and_the_loss_is_the_weighted_sum(perceptual, progress):
    # Weights that make the terms about equally large, so that none is lost in the sum.
    weights = {**ALL_ON, "known_equivariance": 300.0, "inverse": 1e4, "equivariance": 30.0}
    weights["nearby"] = 3e4
    settings = C3Config(**weights, ramp_start=0.3, ramp_end=0.5)
    terms = C3(small_model(), perceptual, settings).eval()(views(2), progress)
    ramp = min(1.0, max(0.0, (progress - 0.3) / 0.2))
    present = set(TERMS) if ramp else set(TERMS) - set(LATE)
    assert terms.keys() == {"loss", *present}
    expected = sum(
        weights[name] * (ramp if name in LATE else 1) * terms[name].item() for name in present
    )
    assert all(weights[name] * terms[name] > 1e-3 * expected for name in present)
    assert terms["loss"].item() == pytest.approx(expected, rel=1e-5)
    assert [name for name, value in terms.items() if value.requires_grad] == ["loss"]


def test_reconstruction_alone_is_imm(perceptual):
    model, batch = small_model(), views(2)
    alone = C3(model, perceptual, config(reconstruction=1.0)).eval()(batch)["loss"]
    torch.testing.assert_close(alone, Imm(model, perceptual).eval()(batch)["loss"])


def test_running_means_move_in_training_alone_and_by_the_reconstruction(perceptual):
    batch, before = views(2), perceptual.running.clone()
    objective = C3(small_model(), perceptual, config(**ALL_ON))
    objective.eval()(batch)
    assert torch.equal(perceptual.running, before)
    objective.train()(batch)
    moved = perceptual.running.clone()
    assert not torch.equal(moved, before)
    perceptual.running.copy_(before)
    C3(small_model(), perceptual, config(reconstruction=1.0)).train()(batch)
    torch.testing.assert_close(perceptual.running, moved)


def test_the_consensus_filter_is_taught_by_known_warps(perceptual):
    torch.manual_seed(0)
    settings = config(equivariance=1.0, flow_consensus=True, flow_scale=1)
    objective = C3(small_model(), perceptual, settings).train()
    learned = objective.flow.filter
    assert learned is not None
    nn.init.normal_(learned.over_j.weight, std=0.1)  # off zero, where W2 gets no gradient
    batch = views(2)
    assert "flow" not in objective(batch, 0.0)
    terms = objective(batch)
    terms["loss"].backward()
    assert terms["flow"] > 0
    for layer in (learned.over_i, learned.over_j):
        assert layer.weight.grad.isfinite().all()
        assert layer.weight.grad.abs().max() > 0


def test_the_flow_trains_the_pose_alone(perceptual):
    model = small_model(image_size=32)
    terms = C3(model, perceptual, config(equivariance=1.0)).eval()(views(2, 32))
    terms["loss"].backward()
    trained = {name for name, value in model.named_parameters() if value.grad is not None}
    assert {name.split(".")[0] for name in trained if model.get_parameter(name).grad.any()} == {
        "backbone",
        "landmark_encoder",
    }
