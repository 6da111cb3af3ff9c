import errno
import json
import signal

import pytest
import torch
from safetensors.torch import load_file

from swapmark.errors import OutputError, TrainingError
from swapmark.objectives.imm import Imm
from swapmark.training import loop
from swapmark.training.checkpoint import checkpoint_paths, load_checkpoint
from swapmark.training.monitor import LandmarkHealth
from swapmark.training.run import Run
from swapmark.training.schedule import rate_factor
from swapmark.training.train import read_config

QUICK = ("training.steps=6", "training.log_every=2", "method=imm")


TERMS = (
    *("loss", "reconstruction", "known_equivariance", "separation"),
    *("cycle", "inverse", "equivariance"),
)


def names(folder) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


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


def test_pictures_come_after_the_first_hundred_steps_and_at_intervals(
    train_tiny, monkeypatch, capsys
):
    collapsed = LandmarkHealth(0.01, 0.01, 0.1, 0.2, 0.2, following=0.05)
    monkeypatch.setattr(loop, "check_landmarks", lambda *_: collapsed)
    drawn, real = [], loop.draw_history

    def draw_history(run: Run) -> None:
        real(run)
        drawn.append([line["step"] for line in run.metrics()][-1])
        assert (run.path / "loss.png").exists()

    monkeypatch.setattr(loop, "draw_history", draw_history)
    run = train_tiny(
        *("method=imm", "training.steps=103", "training.batch_size=2"),
        *("training.log_every=25", "training.sample_every=60", "training.checkpoint_every=1000"),
        progress=True,
    )
    assert names(run.samples) == ["step-0000060.png", "step-0000100.png", "step-0000103.png"]
    assert drawn == [60, 100, 103], "not at every line of metrics: it takes a while"
    assert [line["step"] for line in run.metrics()] == [25, 50, 60, 75, 100, 103]
    printed = capsys.readouterr().err
    assert "step 25/103 · loss " in printed
    assert printed.count("Warning at step 100: the landmarks hardly follow the picture") == 1
    assert "Warning at step 75" not in printed, "it may still come"


def test_the_history_is_drawn_though_its_lines_are_rarer_than_the_pictures(train_tiny):
    run = train_tiny(*QUICK, "training.log_every=1000", "training.sample_every=4")
    assert [line["step"] for line in run.metrics()] == [4, 6]
    assert (run.path / "loss.png").exists()
    assert names(run.samples) == ["step-0000004.png", "step-0000006.png"]


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
    checkpoint = load_checkpoint(tiny_run.checkpoints)
    assert checkpoint is not None
    weights = load_file(tiny_run.model / "model.safetensors")
    for name, value in checkpoint[0]["average"].items():
        assert torch.equal(weights[name], value)
    name = "landmark_encoder.heatmaps.weight"
    assert not torch.equal(weights[name], checkpoint[0]["objective"][f"model.{name}"])
    without = train_tiny(*QUICK, "training.average=0")
    last = load_checkpoint(without.checkpoints)
    assert last is not None
    weights = load_file(without.model / "model.safetensors")
    assert torch.equal(weights[name], last[0]["objective"][f"model.{name}"])


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
    checkpoint = load_checkpoint(tiny_run.checkpoints)
    assert checkpoint is not None
    training = read_config(tiny_run).training
    backbone = training.learning_rate * training.backbone_rate
    groups = checkpoint[0]["optimizer"]["param_groups"]
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
    train_tiny, break_step, change, tmp_path
):
    break_step(5, change)
    run = Run(tmp_path / "run")
    with pytest.raises(TrainingError) as caught:
        train_tiny(*QUICK, "training.checkpoint_every=4", "training.learning_rate=0.004")
    assert "The loss is not a finite number at step 5" in str(caught.value)
    kept = run.checkpoints / "step-0000004.pt"
    assert f"The last good checkpoint is {kept}" in str(caught.value)
    assert "--set training.learning_rate=0.001)" in str(caught.value)
    assert names(run.checkpoints) == [kept.name]
    saved = load_checkpoint(run.checkpoints)
    assert saved is not None
    assert all(value.isfinite().all() for value in saved[0]["objective"].values())


def test_a_loss_that_is_no_number_from_the_start_says_that_nothing_was_saved(
    train_tiny, break_step, tmp_path
):
    break_step(1, lambda loss: loss * torch.nan)
    with pytest.raises(TrainingError, match=r"at step 1\. None was saved yet"):
        train_tiny(*QUICK)
    assert checkpoint_paths(tmp_path / "run" / "checkpoints") == []


@pytest.mark.parametrize("target", ["checkpoint", "history"])
def test_a_full_disk_stops_with_what_to_do_and_the_run_can_go_on(
    train_tiny, monkeypatch, tmp_path, target
):
    def full(*_, **__):
        raise OSError(errno.ENOSPC, "No space left on device")

    place = {
        "checkpoint": "swapmark.training.checkpoint.torch.save",
        "history": "swapmark.drawing.draw.Image.Image.save",
    }[target]
    settings = (*QUICK, "training.checkpoint_every=2", "training.sample_every=4")
    real, run = loop._log, Run(tmp_path / "run")

    def fill_after_the_third_step(*arguments):
        if checkpoint_paths(run.checkpoints):
            monkeypatch.setattr(place, full)
        real(*arguments)

    monkeypatch.setattr(loop, "_log", fill_after_the_third_step)
    with pytest.raises(OutputError, match=r"could not be written: .*No space left.*--resume"):
        train_tiny(*settings)
    assert names(run.checkpoints) == ["step-0000002.pt"]
    monkeypatch.undo()
    train_tiny(resume=True)
    assert [line["step"] for line in run.metrics()] == [2, 4, 6]


def test_ctrl_c_saves_after_the_step_and_the_run_goes_on_bit_for_bit(
    train_tiny, tiny_run, assert_same_run, monkeypatch, tmp_path
):
    real, run = Run.append_metrics, Run(tmp_path / "run")

    def interrupt(self, line):
        real(self, line)
        if line["step"] == 10:
            signal.raise_signal(signal.SIGINT)

    monkeypatch.setattr(Run, "append_metrics", interrupt)
    with pytest.raises(KeyboardInterrupt):
        train_tiny()
    assert names(run.checkpoints) == ["step-0000011.pt"], "the next step was the last"
    assert names(run.model) == ["README.md", "config.json", "model.safetensors"]
    assert (run.path / "loss.png").exists()
    monkeypatch.undo()
    train_tiny(resume=True)
    lines, expected = run.metrics(), tiny_run.metrics()
    # The stop adds a line for step 11, and what followed is the mean of steps 12 to 15.
    stopped, rest = lines.pop(2), lines[2]
    assert (stopped["step"], rest["step"]) == (11, 15)
    for name in ("loss", "reconstruction", "known_equivariance"):
        mean = (stopped[name] + 4 * rest[name]) / 5
        assert mean == pytest.approx(expected[2][name], rel=1e-5), "no step is lost"
    assert {**rest, **{name: expected[2][name] for name in TERMS}} == {
        **expected[2],
        "seconds": rest["seconds"],
    }
    lines[2] = expected[2]
    (run.path / "metrics.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    assert_same_run(run, tiny_run)


def test_ctrl_c_in_the_last_step_is_the_end_as_ever(train_tiny, monkeypatch):
    real = Run.append_metrics

    def interrupt(self, line):
        real(self, line)
        if line["step"] == 6:
            signal.raise_signal(signal.SIGINT)

    monkeypatch.setattr(Run, "append_metrics", interrupt)
    run = train_tiny(*QUICK)
    assert names(run.checkpoints) == ["step-0000006.pt"]
