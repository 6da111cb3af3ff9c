import errno
import os

import pytest
import torch

from swapmark.data.views import ViewsConfig, make_batch
from swapmark.errors import OutputError, RunError
from swapmark.training.run import Run
from swapmark.training.state import (
    State,
    load_checkpoint,
    make_accelerator,
    make_state,
    save_checkpoint,
)

LITE = ("model.backbone=efficientnet", "model.image_size=64")
FROZEN = (*LITE, "training.backbone_rate=0")


class Exploit:
    """Unpickled, this makes the folder `hacked`."""

    def __reduce__(self):
        return os.mkdir, ("hacked",)


@pytest.fixture
def make(tiny_config):
    """Makes the state of a tiny run with some settings changed."""

    def with_settings(*settings: str) -> State:
        config = tiny_config(*settings)
        return make_state(config, make_accelerator(config))

    return with_settings


@pytest.fixture
def lite_batch():
    pictures = torch.rand(2, 8, 8, 3, generator=torch.Generator().manual_seed(0))
    pictures = pictures.mul(255).byte().repeat_interleave(8, 1).repeat_interleave(8, 2)
    return make_batch(pictures, ViewsConfig(), torch.Generator().manual_seed(0))


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


def test_every_weight_that_is_not_frozen_is_trained_the_backbone_at_its_own_rate(make):
    rates = ("training.learning_rate=0.01", "training.backbone_rate=0.1")
    state = make("c3.flow_consensus=true", *rates)
    trained = {id(value) for value in state.trained}
    for name, value in state.objective.named_parameters():
        assert (id(value) in trained) == (not name.startswith("perceptual.")), name
    assert any("flow.filter" in name for name in state.state_dict()["objective"])
    backbone, others = state.optimizer.param_groups
    assert (backbone["peak"], others["peak"]) == pytest.approx((0.001, 0.01))
    own = {id(value) for value in state.objective.model.backbone.parameters()}
    assert {id(value) for value in backbone["params"]} == own


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


def test_a_checkpoint_holds_no_frozen_weights_and_fits_what_saved_it(make, tmp_path):
    state = make()
    state.step, state.seconds = 7, 1.5
    state.objective.perceptual.running.fill_(3.0)
    saved = state.state_dict()
    assert not any(name.startswith("perceptual.network") for name in saved["objective"])
    save_checkpoint(tmp_path, saved, 7)
    again = make("training.seed=9")
    frozen = {k: v.clone() for k, v in again.objective.perceptual.network.state_dict().items()}
    again.restore(load_checkpoint(tmp_path)[0], Run(tmp_path))
    assert (again.step, again.seconds) == (7, 1.5)
    assert torch.equal(again.objective.perceptual.running, torch.full((4,), 3.0))
    name = "decoder.colours.weight"
    assert torch.equal(again.objective.model.state_dict()[name], saved["average"][name])
    kept = again.objective.perceptual.network.state_dict()
    assert all(torch.equal(value, frozen[name]) for name, value in kept.items())


@pytest.mark.parametrize(
    "setting", ["model.landmarks=5", "c3.flow_consensus=true", "model.backbone=efficientnet"]
)
def test_a_checkpoint_of_other_networks_is_refused(make, tmp_path, setting):
    one, other = make(), make(setting)
    for state, saved in ((one, other.state_dict()), (other, one.state_dict())):
        with pytest.raises(RunError, match=r"config\.yaml") as caught:
            state.restore(saved, Run(tmp_path))
        assert len(str(caught.value)) < 600


@pytest.mark.parametrize("saved", [{}, {"step": 1}, {"step": 1, "seconds": 0.0, "objective": None}])
def test_something_else_in_a_checkpoint_is_refused(make, tmp_path, saved):
    with pytest.raises(RunError, match="checkpoints"):
        make().restore(saved, Run(tmp_path))


def test_the_newest_two_checkpoints_are_kept_and_files_of_others(tmp_path, names):
    (tmp_path / "step-best.pt").write_text("mine")
    for step in (5, 10, 9_999_999, 10_000_000):
        save_checkpoint(tmp_path, {"step": step}, step)
    assert names(tmp_path) == ["step-10000000.pt", "step-9999999.pt", "step-best.pt"]
    assert load_checkpoint(tmp_path) == ({"step": 10_000_000}, tmp_path / "step-10000000.pt")
    assert load_checkpoint(tmp_path / "absent") is None


def test_a_truncated_checkpoint_falls_back_to_the_one_before(tmp_path):
    for step in (1, 2):
        newest = save_checkpoint(tmp_path, {"step": step, "x": torch.arange(1000)}, step)
    newest.write_bytes(newest.read_bytes()[:-500])
    state, path = load_checkpoint(tmp_path)
    assert (state["step"], path.name) == (1, "step-0000001.pt")
    path.write_bytes(b"damaged")
    with pytest.raises(RunError, match="2 checkpoints"):
        load_checkpoint(tmp_path)


def test_a_checkpoint_that_hides_a_program_does_not_run_it(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    torch.save({"step": Exploit()}, tmp_path / "step-0000002.pt")
    with pytest.raises(RunError):
        load_checkpoint(tmp_path)
    assert not (tmp_path / "hacked").exists()
    torch.load(tmp_path / "step-0000002.pt", weights_only=False)
    assert (tmp_path / "hacked").exists(), "the file would have done it"


@pytest.mark.parametrize(
    ("target", "failure"),
    [
        ("torch.save", RuntimeError("PytorchStreamWriter failed: No space left on device")),
        ("os.fsync", OSError(errno.ENOSPC, "No space left on device")),
    ],
)
def test_a_full_disk_keeps_the_checkpoint_before(tmp_path, names, monkeypatch, target, failure):
    def full(*_):
        raise failure

    save_checkpoint(tmp_path, {"step": 1}, 1)
    monkeypatch.setattr(target, full)
    with pytest.raises(OutputError, match="No space left on device"):
        save_checkpoint(tmp_path, {"step": 2}, 2)
    assert names(tmp_path) == ["step-0000001.pt"]
    assert load_checkpoint(tmp_path) == ({"step": 1}, tmp_path / "step-0000001.pt")
