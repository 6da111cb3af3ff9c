"""C³ against its equations, by nets of which everything is known, and on the real nets."""

import pytest
import torch
from tagged import PixelDistance, TaggedModel, pose_at, rounded, tagged_batch
from torch import Tensor, nn

from swapmark.data.augment import Batch, Strength, make_batch
from swapmark.data.warp import Warp
from swapmark.model.model import ModelConfig, SwapModel
from swapmark.objectives.c3 import C3, C3Config
from swapmark.objectives.imm import Imm
from swapmark.objectives.perceptual import PerceptualDistance

OFF = {
    "reconstruction": 0.0,
    "known_equivariance": 0.0,
    "separation": 0.0,
    "cycle": 0.0,
    "inverse": 0.0,
    "equivariance": 0.0,
}
ALL_ON = {
    "reconstruction": 1.0,
    "known_equivariance": 10.0,
    "separation": 1.0,
    "cycle": 1.0,
    "inverse": 10.0,
    "equivariance": 10.0,
}
PAPER = ("cycle", "inverse", "equivariance")
FULL = 1.0
"""The end of the run, where every term has its full weight."""

APPEARANCES, PLACES = [1.0, 2.0, 3.0, 4.0], [0.1, -0.2, 0.3, -0.4]
LENT = [1.5, 2.5, 3.5, 4.5]
"""What is read of the warped copies of these."""


def config(**changes) -> C3Config:
    return C3Config(**{**OFF, **changes})


def tagged_terms(model: TaggedModel, batch: Batch | None = None, **weights) -> dict[str, Tensor]:
    objective = C3(model, PixelDistance(), config(**weights)).eval()
    return objective(batch or tagged_batch(APPEARANCES, PLACES), FULL)


def exchanged(values: list[float]) -> list[float]:
    """What the partners have: 1, 0, 3, 2."""
    return [values[1], values[0], values[3], values[2]]


def shifted(values: list[float], by: float) -> list[float]:
    return [value + by for value in values]


def test_the_first_swap_paints_the_partner_s_appearance_in_the_own_pose():
    model = TaggedModel()
    tagged_terms(model, cycle=1.0)
    assert rounded(exchanged(LENT), PLACES) in model.painted  # I_ji = D(a_j, p_i)


def test_the_second_swap_crosses_back():
    model = TaggedModel(drift=0.05, aging=10)
    tagged_terms(model, cycle=1.0)
    # I_i' = D(a_i', p_i'), both read off painted images: a_i' off I_ij and p_i' off I_ji.
    assert rounded(shifted(LENT, 10), shifted(PLACES, 0.05)) in model.painted


def test_the_cycle_compares_the_second_swap_with_the_picture():
    terms = tagged_terms(TaggedModel(drift=0.05, aging=10), cycle=1.0)
    # Red is off by the warped copy's 0.5 and by 10, green by the drift, blue by 1.
    assert terms["cycle"].item() == pytest.approx((10.5**2 + 0.05**2 + 1) / 3)


def test_without_the_second_swap_the_first_is_compared_with_the_lender_of_its_appearance():
    model = TaggedModel(drift=0.05, aging=10)
    terms = tagged_terms(model, cycle=1.0, second_swap=False)
    assert not any(appearance > 5 for call in model.painted for appearance, _ in call)
    apart = [(0.1 + 0.2) ** 2, (0.3 + 0.4) ** 2]
    assert terms["cycle"].item() == pytest.approx((0.5**2 + 1) / 3 + sum(apart) / 2 / 3)


@pytest.mark.parametrize("second_swap", [True, False])
def test_the_mask_of_the_picture_that_is_compared_with_is_used(second_swap):
    """Of image 1, masked away, the copy is another 1.5 off: that must be what does not count."""
    batch = tagged_batch(APPEARANCES, [0.0] * 4)
    batch.warped[1, 0] += 1.5
    batch.mask[1] = 0
    terms = tagged_terms(TaggedModel(), batch, cycle=1.0, second_swap=second_swap)
    assert terms["cycle"].item() == pytest.approx(3 / 4 * (0.5**2 + 1) / 3)


def test_a_pose_that_survives_the_swap_costs_nothing():
    assert tagged_terms(TaggedModel(aging=10), inverse=1.0)["inverse"] < 1e-12


def test_a_pose_that_drifts_costs_the_squared_distance():
    terms = tagged_terms(TaggedModel(drift=0.05), inverse=1.0)
    assert terms["inverse"].item() == pytest.approx(0.05**2, rel=1e-3)


def test_the_rebuilt_picture_has_its_own_pose_and_the_copy_s_appearance():
    model = TaggedModel()
    terms = tagged_terms(model, reconstruction=1.0)
    assert model.painted[0] == rounded(LENT, PLACES)
    assert terms["reconstruction"].item() == pytest.approx((0.5**2 + 1) / 3)


def test_the_known_warp_takes_the_copy_s_pose_to_the_picture_s():
    """A copy that shows everything 0.3 further left, and one that is another 0.1 off."""
    shown = shifted(PLACES, -0.3)
    still = Warp.identity(4)
    warp = Warp(still.matrix, torch.tensor([0.3, 0.0]).expand(4, 2), still.displacements)
    for error in (0.0, 0.1):
        tags = tagged_batch(APPEARANCES, PLACES, warped_places=shifted(shown, error))
        batch = Batch(images=tags.images, warped=tags.warped, mask=tags.mask, warp=warp)
        terms = tagged_terms(TaggedModel(), batch, known_equivariance=1.0)
        assert terms["known_equivariance"].item() == pytest.approx(error**2, abs=1e-7)


class FixedPoses(nn.Module):
    """Finds the same landmarks whatever it is shown."""

    def __init__(self, points: Tensor):
        super().__init__()
        self.points = points

    def forward(self, features):
        return pose_at(self.points)


class FixedModel(TaggedModel):
    """Two images with these landmarks, which the swaps leave alone."""

    def __init__(self, points: Tensor):
        super().__init__()
        self.landmark_encoder = FixedPoses(points)


@pytest.mark.parametrize(
    ("stages", "weights"), [(1, {}), (2, {"inverse": 1.0}), (2, {"cycle": 1.0})]
)
def test_the_flow_carries_the_partner_s_landmarks(stages, weights):
    """Image 1 is image 0 moved right by 2 of 8 cells, which is half a unit length."""
    first = torch.rand(1, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    images = torch.cat([first, first.roll(16, dims=-1)])
    batch = Batch(images, images, torch.ones(2, 1, 64, 64), Warp.identity(2))
    landmark = torch.tensor([[-0.25, 0.1]])

    def equivariance(moved_by: float) -> float:
        points = torch.stack([landmark, landmark + torch.tensor([moved_by, 0.0])])
        settings = config(
            equivariance=1.0,
            flow_scale=1,
            flow_temperature=0.01,
            flow_locality=10.0,
            **weights,
        )
        objective = C3(FixedModel(points), PixelDistance(), settings).eval()
        return objective(batch, FULL)["equivariance"].item() / stages

    assert equivariance(0.5) < 1e-3
    assert equivariance(0.0) == pytest.approx(0.5**2, rel=0.1)
    assert equivariance(0.25) == pytest.approx(0.25**2, rel=0.1)


def small_model(**changes) -> SwapModel:
    torch.manual_seed(0)
    values = {"backbone": "plain", "backbone_width": 8, "landmark_width": 32, "decoder_width": 32}
    return SwapModel(ModelConfig(**{"landmarks": 3, "appearance_width": 16, **values, **changes}))


def views(count: int = 4, size: int = 64, **strength) -> Batch:
    source = torch.Generator().manual_seed(5)
    coarse = torch.rand(count, 3, size // 8, size // 8, generator=source)
    pictures = nn.functional.interpolate(coarse, size=size, mode="bicubic").clamp(0, 1)
    pixels = (pictures * 255).to(torch.uint8).permute(0, 2, 3, 1).contiguous()
    return make_batch(pixels, Strength(**strength), torch.Generator().manual_seed(6))


@pytest.fixture
def perceptual() -> PerceptualDistance:
    """With fixed running means, so that losses of different settings can be compared."""
    distance, images = PerceptualDistance(), views(2).images
    distance(distance.targets(images), torch.full_like(images, 0.5), update=True)
    return distance


def assert_trained(module: nn.Module) -> None:
    for name, parameter in module.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.isfinite().all(), name
        assert parameter.grad.abs().max() > 0, name


@pytest.mark.parametrize("pairs", ["unpaired", "tps"])
@pytest.mark.parametrize("second_swap", [True, False])
@pytest.mark.parametrize("appearance", ["map", "vector", "landmarks"])
def test_the_whole_loss_trains_every_weight(perceptual, appearance, second_swap, pairs):
    model = small_model(appearance=appearance)
    settings = config(**ALL_ON, second_swap=second_swap)
    terms = C3(model, perceptual, settings).train()(views(2, pairs=pairs), FULL)
    terms["loss"].backward()
    assert terms.keys() == {"loss", *OFF}
    assert all(value.isfinite() for value in terms.values())
    assert_trained(model)
    assert not any(parameter.requires_grad for parameter in perceptual.parameters())


def test_the_default_settings_train_the_pretrained_nets(perceptual):
    model = small_model(backbone="efficientnet")
    C3(model, perceptual, C3Config()).train()(views(2), FULL)["loss"].backward()
    assert_trained(model)


def gradients(perceptual: PerceptualDistance, batch: Batch, **weights) -> Tensor:
    model = small_model(image_size=32)
    objective = C3(model, perceptual, config(**weights)).eval()
    objective(batch, FULL)["loss"].backward()
    return torch.cat([parameter.grad.flatten() for parameter in model.parameters()])


@pytest.mark.parametrize("name", list(OFF))
def test_a_weight_of_zero_takes_all_influence_from_a_term(perceptual, name):
    """The gradient is a line in each weight: at 0 it is where that through two others says."""
    batch, weight = views(2, 32), ALL_ON[name]
    none, once, twice = (
        gradients(perceptual, batch, **{**ALL_ON, name: times * weight}) for times in (0, 1, 2)
    )
    influence = (once - none).norm()
    assert influence > 1e-3 * none.norm()
    assert (twice - once - (once - none)).norm() < 1e-2 * influence


@pytest.mark.parametrize("progress", [0.0, 0.3, 0.4, 0.5, 0.6, 1.0])
def test_the_paper_s_terms_fade_in_and_the_loss_is_the_weighted_sum(perceptual, progress):
    # Weights that make the terms about equally large, so that none is lost in the sum.
    weights = {**ALL_ON, "known_equivariance": 300.0, "inverse": 1e4, "equivariance": 30.0}
    settings = C3Config(**weights, ramp_start=0.3, ramp_end=0.5)
    terms = C3(small_model(), perceptual, settings).eval()(views(2), progress)
    ramp = min(1.0, max(0.0, (progress - 0.3) / 0.2))
    present = set(OFF) if ramp else set(OFF) - set(PAPER)
    assert terms.keys() == {"loss", *present}
    expected = sum(
        weights[name] * (ramp if name in PAPER else 1) * terms[name].item() for name in present
    )
    assert all(weights[name] * terms[name] > 1e-3 * expected for name in present)
    assert terms["loss"].item() == pytest.approx(expected, rel=1e-5)
    assert [name for name, value in terms.items() if value.requires_grad] == ["loss"]


def test_a_ramp_may_start_and_end_at_once(perceptual):
    objective = C3(
        small_model(), perceptual, config(inverse=1.0, ramp_start=0.5, ramp_end=0.5)
    ).eval()
    assert "inverse" not in objective(views(2), 0.5)
    after = objective(views(2), 0.51)
    assert after["loss"].item() == pytest.approx(after["inverse"].item())


def test_reconstruction_alone_is_imm(perceptual):
    model, batch = small_model(), views(2)
    alone = C3(model, perceptual, config(reconstruction=1.0)).eval()(batch, FULL)["loss"]
    torch.testing.assert_close(alone, Imm(model, perceptual).eval()(batch)["loss"])


def test_running_means_move_in_training_alone_and_by_the_reconstruction(perceptual):
    batch, before = views(2), perceptual.running.clone()
    objective = C3(small_model(), perceptual, config(**ALL_ON))
    objective.eval()(batch, FULL)
    assert torch.equal(perceptual.running, before)
    objective.train()(batch, FULL)
    moved = perceptual.running.clone()
    assert not torch.equal(moved, before)
    perceptual.running.copy_(before)
    C3(small_model(), perceptual, config(reconstruction=1.0)).train()(batch, FULL)
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
    terms = objective(batch, FULL)
    terms["loss"].backward()
    assert terms["flow"] > 0
    for parameter in learned.parameters():
        assert parameter.grad is not None
        assert parameter.grad.isfinite().all()
    assert learned.over_i.weight.grad.abs().max() > 0
    assert learned.over_j.weight.grad.abs().max() > 0


def test_the_flow_trains_the_pose_alone(perceptual):
    model = small_model(image_size=32)
    terms = C3(model, perceptual, config(equivariance=1.0)).eval()(views(2, 32), FULL)
    terms["loss"].backward()
    trained = {name for name, value in model.named_parameters() if value.grad is not None}
    assert {name.split(".")[0] for name in trained if model.get_parameter(name).grad.any()} == {
        "backbone",
        "landmark_encoder",
    }


def test_a_step_is_reproduced_bit_for_bit(perceptual):
    batch = views(2, 32)
    first, second = (gradients(perceptual, batch, **ALL_ON) for _ in range(2))
    assert torch.equal(first, second)
