"""C³ against its equations, by nets of which everything is known."""

import pytest
import torch
from tagged import PixelDistance, TaggedModel, config, pose_at, rounded, tagged_batch
from torch import Tensor

from swapmark.data.views import Batch
from swapmark.data.warp import Warp
from swapmark.objectives.c3 import C3

APPEARANCES, PLACES = [1.0, 2.0, 3.0, 4.0], [0.1, -0.2, 0.3, -0.4]
LENT = [1.5, 2.5, 3.5, 4.5]
"""What is read of the warped copies of these."""


def tagged_terms(model: TaggedModel, batch: Batch | None = None, **weights) -> dict[str, Tensor]:
    objective = C3(model, PixelDistance(), config(**weights)).eval()
    return objective(batch or tagged_batch(APPEARANCES, PLACES))


def exchanged(values: list[float]) -> list[float]:
    """What the partners have: 1, 0, 3, 2."""
    return [values[1], values[0], values[3], values[2]]


def shifted(values: list[float], by: float) -> list[float]:
    return [value + by for value in values]


def test_the_second_swap_crosses_back_and_the_cycle_compares_it_with_the_picture():
    model = TaggedModel(drift=0.05, aging=10)
    terms = tagged_terms(model, cycle=1.0)
    assert rounded(exchanged(LENT), PLACES) in model.painted  # I_ji = D(a_j, p_i)
    # I_i' = D(a_i', p_i'), both read off painted images: a_i' off I_ij and p_i' off I_ji.
    assert rounded(shifted(LENT, 10), shifted(PLACES, 0.05)) in model.painted
    # Red is off by the warped copy's 0.5 and by 10, green by the drift, blue by 1.
    assert terms["cycle"].item() == pytest.approx((10.5**2 + 0.05**2 + 1) / 3)


def test_the_first_swap_is_compared_with_the_lender_of_its_appearance():
    model = TaggedModel(drift=0.05, aging=10)
    terms = tagged_terms(model, swap=1.0)
    assert not any(appearance > 5 for call in model.painted for appearance, _ in call)
    apart = [(0.1 + 0.2) ** 2, (0.3 + 0.4) ** 2]
    assert terms["swap"].item() == pytest.approx((0.5**2 + 1) / 3 + sum(apart) / 2 / 3)


@pytest.mark.parametrize("name", ["swap", "cycle"])
def test_the_mask_of_the_picture_that_is_compared_with_is_used(name):
    """Of image 1, masked away, the copy is another 1.5 off: that must be what does not count."""
    batch = tagged_batch(APPEARANCES, [0.0] * 4)
    batch.warped[1, 0] += 1.5
    batch.mask[1] = 0
    terms = tagged_terms(TaggedModel(), batch, **{name: 1.0})
    assert terms[name].item() == pytest.approx(3 / 4 * (0.5**2 + 1) / 3)


@pytest.mark.parametrize("drift", [0.0, 0.05])
def test_a_pose_that_drifts_in_the_swap_costs_the_squared_distance(drift):
    terms = tagged_terms(TaggedModel(drift=drift, aging=10), inverse=1.0)
    assert terms["inverse"].item() == pytest.approx(drift**2, rel=1e-3, abs=1e-12)


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


class FixedModel(TaggedModel):
    """Finds these landmarks in two images, whatever they show."""

    def __init__(self, points: Tensor):
        super().__init__()
        del self.landmark_encoder
        self.landmark_encoder = lambda features: pose_at(points)


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
        return objective(batch)["equivariance"].item() / stages

    assert equivariance(0.5) < 1e-3
    assert equivariance(0.0) == pytest.approx(0.5**2, rel=0.1)
    assert equivariance(0.25) == pytest.approx(0.25**2, rel=0.1)


def test_the_learned_flow_computes_the_enlarged_features_once_a_picture():
    distance, seen = PixelDistance(), []
    real = distance.targets
    distance.targets = lambda images, *found: (seen.append(images.shape[-1]), real(images))[1]
    settings = config(equivariance=1.0, flow_scale=2, flow_consensus=True)
    points = torch.zeros(2, 1, 2)
    images = torch.rand(2, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    batch = Batch(images, images, torch.ones(2, 1, 64, 64), Warp.identity(2))
    terms = C3(FixedModel(points), distance, settings)(batch)
    assert "flow" in terms
    assert seen.count(128) == 2, "of the pictures and of their warped copies"
