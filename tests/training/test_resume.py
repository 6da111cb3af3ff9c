"""A run that was killed goes on as if nothing had happened: bit for bit on the CPU."""

import json
import signal
import subprocess
import sys

import pytest

from swapmark.training import loop
from swapmark.training.run import Run
from swapmark.training.train import train

# Ends itself as `kill -9` does, when the line of step 30 has been written: the checkpoint of step
# 20 and the metrics of three lines more are on the disk.
KILLED = """
import json, os, signal, sys
from swapmark.training.run import Run
from swapmark.training.train import train

append = Run.append_metrics

def append_and_die(self, line):
    append(self, line)
    if line["step"] == 30:
        os.kill(os.getpid(), signal.SIGKILL)

Run.append_metrics = append_and_die
train(sys.argv[1], sys.argv[2], config=json.loads(sys.argv[3]), progress=False)
"""


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="a way to end a process of POSIX")
@pytest.mark.parametrize("method", ["c3", "imm"])
def test_a_killed_run_goes_on_bit_for_bit(
    method, tiny_faces, tiny_settings, tiny_run, train_tiny, assert_same_run, names, tmp_path
):
    run = Run(tmp_path / "killed")
    settings = json.dumps({**tiny_settings, "method": method})
    done = subprocess.run([sys.executable, "-c", KILLED, tiny_faces, run.path, settings])
    assert done.returncode == -signal.SIGKILL
    assert names(run.checkpoints) == ["step-0000020.pt"]
    assert [line["step"] for line in run.metrics()] == [5, 10, 15, 20, 25, 30]
    train(tiny_faces, run.path, resume=True, progress=False)
    assert [line["step"] for line in run.metrics()] == list(range(5, 41, 5))
    at_once = tiny_run if method == "c3" else train_tiny("method=imm")
    assert_same_run(run, at_once)


def test_metrics_are_the_same_where_checkpoints_fall_between_their_lines(
    train_tiny, assert_same_run, stop_at, tmp_path
):
    settings = ("method=imm", "training.steps=12", "training.checkpoint_every=7")
    with stop_at(10), pytest.raises(ZeroDivisionError):
        train_tiny(*settings)
    run = train_tiny(resume=True)
    assert [line["step"] for line in run.metrics()] == [5, 10, 12]
    assert_same_run(run, train_tiny(*settings, out=tmp_path / "at once"))


def test_checkpoints_by_the_clock_change_nothing(
    train_tiny, tiny_run, assert_same_run, stop_at, names, tmp_path, monkeypatch
):
    run = Run(tmp_path / "run")
    monkeypatch.setattr(loop, "CHECKPOINT_SECONDS", 0)
    with stop_at(15), pytest.raises(ZeroDivisionError):
        train_tiny("training.checkpoint_every=0")
    assert names(run.checkpoints) == ["step-0000013.pt", "step-0000014.pt"]
    train_tiny(resume=True)
    assert_same_run(run, tiny_run)


def test_a_damaged_last_checkpoint_is_passed_over(
    train_tiny, tiny_run, assert_same_run, stop_at, tmp_path, capsys
):
    run = Run(tmp_path / "run")
    with stop_at(30), pytest.raises(ZeroDivisionError):
        train_tiny()
    whole = (run.checkpoints / "step-0000020.pt").read_bytes()
    (run.checkpoints / "step-0000030.pt").write_bytes(whole[: len(whole) // 2])
    train_tiny(resume=True, progress=True)
    assert "step-0000030.pt cannot be read" in capsys.readouterr().err
    (run.checkpoints / "step-0000030.pt").unlink()
    assert_same_run(run, tiny_run)


def test_ctrl_c_saves_after_the_step_and_the_run_goes_on_bit_for_bit(
    train_tiny, tiny_run, assert_same_run, stop_at, names, tmp_path
):
    run = Run(tmp_path / "run")
    with stop_at(10, ctrl_c), pytest.raises(KeyboardInterrupt):
        train_tiny()
    assert names(run.checkpoints) == ["step-0000011.pt"], "the next step was the last"
    assert names(run.model) == ["README.md", "config.json", "model.safetensors"]
    assert (run.path / "loss.png").exists()
    train_tiny(resume=True)
    assert_same_run(run, tiny_run)


def test_ctrl_c_in_the_last_step_is_the_end_as_ever(train_tiny, stop_at, names):
    with stop_at(6, ctrl_c):
        run = train_tiny("method=imm", "training.steps=6")
    assert names(run.checkpoints) == ["step-0000006.pt"]


def ctrl_c() -> None:
    signal.raise_signal(signal.SIGINT)
