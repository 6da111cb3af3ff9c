import errno

import pytest
import torch
from safetensors.torch import load_file

from swapmark.errors import OutputError, TrainingError
from swapmark.objectives.imm import Imm
from swapmark.training import loop
from swapmark.training.config import read_config
from swapmark.training.monitor import LandmarkHealth
from swapmark.training.run import Run, checkpoint_paths
from swapmark.training.schedule import rate_factor
from swapmark.training.state import load_checkpoint

QUICK = ("training.steps=6", "training.log_every=2", "method=imm")


@pytest.fixture
def break_step(monkeypatch):
    """Makes the loss of one step of imm something else, by a function of the loss."""

    def at(step: int, change) -> None:
        forward, calls = Imm.forward, []

        def broken(self, *arguments):
            terms = forward(self, *arguments)
            calls.append(1)
            if len(calls) == step:
                terms["loss"] = change(terms["loss"])
            return terms

        monkeypatch.setattr(Imm, "forward", broken)

    return at


def test_pictures_and_a_checkpoint_come_after_the_first_hundred_steps_and_at_intervals(
    train_tiny, names, monkeypatch, capsys
):
    saved = []
    collapsed = LandmarkHealth(0.01, 0.01, 0.1, 0.2, 0.2, following=0.05)
    monkeypatch.setattr(loop, "check_landmarks", lambda *_: collapsed)
    run = train_tiny(
        *("method=imm", "training.steps=103", "training.batch_size=2"),
        *("training.log_every=25", "training.sample_every=60", "training.checkpoint_every=0"),
        progress=True,
        on_checkpoint=lambda _, step: saved.append(step),
    )
    assert saved == [100, 103]
    assert names(run.samples) == ["step-0000060.png", "step-0000100.png", "step-0000103.png"]
    assert [line["step"] for line in run.metrics()] == [25, 50, 60, 75, 100, 103]
    printed = capsys.readouterr().err
    assert "step 25/103 · loss " in printed
    assert printed.count("Warning at step 100") == 1
    assert "Warning at step 75" not in printed, "it may still come"


def test_metrics_are_means_over_the_steps_since_the_last_line(train_tiny):
    each = train_tiny(*QUICK, "training.log_every=1").metrics()
    pairs = train_tiny(*QUICK, overwrite=True).metrics()
    assert [line["step"] for line in pairs] == [2, 4, 6]
    for line, first, second in zip(pairs, each[::2], each[1::2], strict=True):
        assert line["loss"] == pytest.approx((first["loss"] + second["loss"]) / 2, rel=1e-5)
    assert all(line["seconds"] >= 0 and 0 < line["coverage"] <= 1 for line in each)


def test_small_terms_keep_six_digits(train_tiny, break_step):
    break_step(1, lambda loss: loss * 0 + 1.2345678e-5)
    (line,) = train_tiny(*QUICK, "training.steps=1").metrics()
    assert line["loss"] == 1.23457e-5


def test_a_term_that_fades_in_between_two_lines_is_in_the_second(train_tiny, tiny_run):
    lines = tiny_run.metrics()
    assert "cycle" not in lines[0], "the ramp starts after 4 of 40 steps"
    assert all("cycle" in line and "equivariance" in line for line in lines[1:])
    (line,) = train_tiny("training.steps=4", "training.log_every=4", "c3.ramp_start=0.5").metrics()
    assert line["cycle"] > 0.1, "the mean over the steps that had it"


def test_the_exported_model_is_the_moving_average(tiny_run, train_tiny):
    name = "landmark_encoder.heatmaps.weight"
    for run, averaged in ((tiny_run, True), (train_tiny(*QUICK, "training.average=0"), False)):
        saved = load_checkpoint(run.checkpoints)[0]
        weights = load_file(run.model / "model.safetensors")
        assert all(torch.equal(weights[k], value) for k, value in saved["average"].items())
        assert torch.equal(weights[name], saved["objective"][f"model.{name}"]) != averaged


def test_at_each_checkpoint_the_caller_finds_the_model_of_that_step(train_tiny):
    seen = []

    def look(run: Run, step: int) -> None:
        average = load_checkpoint(run.checkpoints)[0]["average"]
        weights = load_file(run.model / "model.safetensors")
        seen.append((step, checkpoint_paths(run.checkpoints)[0].name))
        assert all(torch.equal(weights[name], average[name]) for name in weights)

    train_tiny("training.steps=5", "training.checkpoint_every=2", on_checkpoint=look)
    assert seen == [(2, "step-0000002.pt"), (4, "step-0000004.pt"), (5, "step-0000005.pt")]


def test_the_learning_rate_follows_the_schedule(tiny_run):
    training = read_config(tiny_run.config).training
    backbone = training.learning_rate * training.backbone_rate
    groups = load_checkpoint(tiny_run.checkpoints)[0]["optimizer"]["param_groups"]
    assert {group["peak"] for group in groups} == {training.learning_rate, backbone}
    for group in groups:
        assert group["lr"] == pytest.approx(group["peak"] * rate_factor(39, 40, 100))


def test_half_precision_trains(train_tiny):
    run = train_tiny("training.steps=4", "training.log_every=2", "training.precision=bfloat16")
    assert [line["step"] for line in run.metrics()] == [2, 4]


@pytest.mark.parametrize(
    "change",
    [
        lambda loss: loss * torch.nan,
        lambda loss: loss * torch.inf,
        lambda loss: loss + (loss - loss.detach()).sqrt(),  # a finite loss, its gradient is not
    ],
    ids=["nan", "infinite", "gradient"],
)
def test_a_loss_that_is_no_number_stops_before_the_weights_are_touched(
    train_tiny, break_step, change, names, tmp_path
):
    break_step(5, change)
    run = Run(tmp_path / "run")
    with pytest.raises(TrainingError) as caught:
        train_tiny(*QUICK, "training.checkpoint_every=4", "training.learning_rate=0.004")
    kept = run.checkpoints / "step-0000004.pt"
    for said in ("step 5", str(kept), "training.learning_rate=0.001)"):
        assert said in str(caught.value)
    assert names(run.checkpoints) == [kept.name]
    saved = load_checkpoint(run.checkpoints)[0]["objective"]
    assert all(value.isfinite().all() for value in saved.values())


@pytest.mark.parametrize("target", ["torch.save", "PIL.Image.Image.save"])
def test_a_full_disk_stops_with_what_to_do_and_the_run_can_go_on(
    train_tiny, monkeypatch, stop_at, names, tmp_path, target
):
    def full(*_, **__):
        raise OSError(errno.ENOSPC, "No space left on device")

    settings = (*QUICK, "training.checkpoint_every=2", "training.sample_every=4")
    run = Run(tmp_path / "run")
    fill = stop_at(4, lambda: monkeypatch.setattr(target, full))
    with fill, pytest.raises(OutputError, match=r"No space left.*--resume"):
        train_tiny(*settings)
    assert names(run.checkpoints) == ["step-0000002.pt"]
    monkeypatch.undo()
    train_tiny(resume=True)
    assert [line["step"] for line in run.metrics()] == [2, 4, 6]
