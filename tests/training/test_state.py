import pytest
import torch

from swapmark.data.views import ViewsConfig, make_batch
from swapmark.errors import InputError, RunError
from swapmark.training.run import Run
from swapmark.training.state import State, make_accelerator, make_state


@pytest.fixture
def make(tiny_config):
    """Makes the state of a tiny run with some settings changed."""

    def with_settings(*settings: str) -> State:
        config = tiny_config(*settings)
        return make_state(config, make_accelerator(config))

    return with_settings


def test_the_same_seed_gives_the_same_weights_and_leaves_the_random_state_alone(make):
    torch.manual_seed(5)
    before = torch.random.get_rng_state()
    first = make("c3.flow_consensus=true").state_dict()["objective"]
    assert torch.equal(torch.random.get_rng_state(), before)
    torch.manual_seed(6)
    again = make("c3.flow_consensus=true").state_dict()["objective"]
    other = make("c3.flow_consensus=true", "training.seed=1").state_dict()["objective"]
    assert all(torch.equal(first[name], again[name]) for name in first | again)
    name = "model.decoder.colours.weight"
    assert not torch.equal(first[name], other[name])


def test_every_weight_that_is_not_frozen_is_trained_also_the_filter_of_the_flow(make):
    state = make("c3.flow_consensus=true")
    trained = {id(value) for value in state.trained}
    for name, value in state.objective.named_parameters():
        assert (id(value) in trained) == (not name.startswith("perceptual.")), name
    assert any("flow.filter" in name for name in state.state_dict()["objective"])


def test_the_backbone_has_its_own_rate(make):
    state = make("training.learning_rate=0.01", "training.backbone_rate=0.1")
    backbone, others = state.optimizer.param_groups
    assert (backbone["peak"], others["peak"]) == pytest.approx((0.001, 0.01))
    own = {id(value) for value in state.objective.model.backbone.parameters()}
    assert {id(value) for value in backbone["params"]} == own


@pytest.fixture
def lite_batch():
    pictures = torch.rand(2, 8, 8, 3, generator=torch.Generator().manual_seed(0))
    pictures = pictures.mul(255).byte().repeat_interleave(8, 1).repeat_interleave(8, 2)
    return make_batch(pictures, ViewsConfig(), torch.Generator().manual_seed(0))


LITE = ("model.backbone=efficientnet", "model.image_size=64")
FROZEN = (*LITE, "training.backbone_rate=0")


def test_a_frozen_backbone_stays_as_it_is(make, lite_batch):
    state = make(*FROZEN)
    before = {name: value.clone() for name, value in state.objective.state_dict().items()}
    state.objective(lite_batch, 1.0)["loss"].backward()
    state.optimizer.step()
    after = state.objective.state_dict()
    moved = {name for name, value in after.items() if not torch.equal(value, before[name])}
    assert "model.decoder.colours.weight" in moved
    assert not any(name.startswith("model.backbone.") for name in moved)


@pytest.mark.parametrize("method", ["c3", "imm"])
def test_features_of_a_frozen_backbone_serve_the_loss(make, lite_batch, method):
    """The terms are what they are with a network of its own for P, which is not asked again."""
    lite = (*FROZEN, f"method={method}", "c3.flow_scale=1")
    shared, own = make(*lite).objective, make(*lite).objective
    own.perceptual.shared = False
    terms, passes = [], []
    for objective in (shared, own):
        # Means that don't follow the errors, so that the terms are those of these targets.
        objective.perceptual.running.fill_(1.0)
        asked = []
        objective.perceptual.network.register_forward_hook(lambda *_, asked=asked: asked.append(1))
        found = objective.eval()(lite_batch, 1.0)
        terms.append({name: value.item() for name, value in found.items()})
        passes.append(len(asked))
    assert terms[0] == pytest.approx(terms[1], rel=1e-4)
    assert passes[0] == passes[1] - 1


@pytest.mark.parametrize("settings", [LITE, (*FROZEN, "training.precision=bfloat16")])
def test_features_that_are_not_those_of_the_loss_are_not_shared(make, settings):
    """Those of a trained backbone, and, with P in bfloat16, those in float32."""
    assert not make(*settings).objective.perceptual.shared


def test_a_checkpoint_holds_no_frozen_weights_and_fits_what_saved_it(make, tmp_path):
    state = make()
    state.step, state.seconds = 7, 1.5
    state.objective.perceptual.running.fill_(3.0)
    saved = state.state_dict()
    assert not any(name.startswith("perceptual.network") for name in saved["objective"])
    torch.save(saved, tmp_path / "state.pt")
    read = torch.load(tmp_path / "state.pt", weights_only=True)
    again = make("training.seed=9")
    again.restore(read, Run(tmp_path))
    assert (again.step, again.seconds) == (7, 1.5)
    assert torch.equal(again.objective.perceptual.running, torch.full((4,), 3.0))
    name = "decoder.colours.weight"
    assert torch.equal(again.objective.model.state_dict()[name], saved["average"][name])
    frozen = again.objective.perceptual.network.state_dict()
    assert all(
        torch.equal(value, state.objective.perceptual.network.state_dict()[name])
        for name, value in frozen.items()
    )


@pytest.mark.parametrize(
    "setting", ["model.landmarks=5", "c3.flow_consensus=true", "model.backbone=efficientnet"]
)
def test_a_checkpoint_of_other_networks_is_refused(make, tmp_path, setting):
    saved = make().state_dict()
    with pytest.raises(RunError, match=r"config\.yaml") as caught:
        make(setting).restore(saved, Run(tmp_path))
    assert len(str(caught.value)) < 600


@pytest.mark.parametrize("saved", [{}, {"step": 1}, {"step": 1, "seconds": 0.0, "objective": None}])
def test_something_else_in_a_checkpoint_is_refused(make, tmp_path, saved):
    with pytest.raises(RunError, match="checkpoints"):
        make().restore(saved, Run(tmp_path))


def test_the_average_follows_by_its_closed_form(make):
    state = make()
    weight = state.objective.model.decoder.colours.weight
    slow = state.average.decoder.colours.weight
    start = slow.clone()
    with torch.no_grad():
        weight.add_(1.0)
    state.step = 0
    state.update_average(0.99)  # min(0.99, 1 / 10) of the old one is kept
    assert torch.allclose(slow, start + 0.9)
    state.step = 10_000
    state.update_average(0.99)
    assert torch.allclose(slow, start + 0.9 + 0.01 * 0.1, atol=1e-6)
    state.update_average(0.0)
    assert torch.equal(slow, weight)


def test_runs_of_one_session_may_differ_in_precision(tiny_config):
    for precision, expected in (("float32", "no"), ("bfloat16", "bf16"), ("float32", "no")):
        config = tiny_config(f"training.precision={precision}")
        assert make_accelerator(config).mixed_precision == expected


def test_networks_that_cannot_be_built_are_an_error_of_the_user(make, monkeypatch):
    def fail(config):
        raise ValueError("width 7 cannot be grouped")

    monkeypatch.setattr("swapmark.training.state.SwapModel", fail)
    with pytest.raises(InputError, match="width 7"):
        make()
