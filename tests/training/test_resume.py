"""A run that was killed goes on as if nothing had happened: bit for bit on the CPU."""

import signal
import subprocess
import sys

import pytest

from swapmark.training.run import Run
from swapmark.training.train import train

# Ends itself as `kill -9` does, when the line of step 30 has been written: the checkpoint of step
# 20 and the metrics of three lines more are on the disk.
KILLED = """
import os, signal, sys
from swapmark.training.run import Run
from swapmark.training.train import train

append = Run.append_metrics

def append_and_die(self, line):
    append(self, line)
    if line["step"] == 30:
        os.kill(os.getpid(), signal.SIGKILL)

Run.append_metrics = append_and_die
train(sys.argv[1], sys.argv[2], settings=sys.argv[3:], progress=False)
"""


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="a way to end a process of POSIX")
@pytest.mark.parametrize("method", ["c3", "imm"])
def test_a_killed_run_goes_on_bit_for_bit(
    method, tiny_faces, tiny_settings, tiny_run, train_tiny, assert_same_run, tmp_path
):
    settings = [*tiny_settings, f"method={method}"]
    run = Run(tmp_path / "killed")
    done = subprocess.run([sys.executable, "-c", KILLED, tiny_faces, run.path, *settings])
    assert done.returncode == -signal.SIGKILL
    assert [path.name for path in run.checkpoints.iterdir()] == ["step-0000020.pt"]
    assert [line["step"] for line in run.metrics()] == [5, 10, 15, 20, 25, 30]
    train(tiny_faces, run.path, resume=True, progress=False)
    assert [line["step"] for line in run.metrics()] == list(range(5, 41, 5))
    at_once = tiny_run if method == "c3" else train_tiny("method=imm")
    assert_same_run(run, at_once)


def test_metrics_are_the_same_where_checkpoints_fall_between_their_lines(
    train_tiny, assert_same_run, monkeypatch, tmp_path
):
    settings = ("method=imm", "training.steps=12", "training.checkpoint_every=7")
    real = Run.append_metrics

    def stop(self, line):
        real(self, line)
        if line["step"] == 10:
            raise ZeroDivisionError

    with monkeypatch.context() as patch:
        patch.setattr(Run, "append_metrics", stop)
        with pytest.raises(ZeroDivisionError):
            train_tiny(*settings)
    run = train_tiny(resume=True)
    assert [line["step"] for line in run.metrics()] == [5, 7, 10, 12]
    assert_same_run(run, train_tiny(*settings, out=tmp_path / "at once"))


def test_a_damaged_last_checkpoint_is_passed_over(
    train_tiny, tiny_run, assert_same_run, monkeypatch, tmp_path, capsys
):
    run, real = Run(tmp_path / "run"), Run.append_metrics

    def stop(self, line):
        real(self, line)
        if line["step"] == 30:
            raise ZeroDivisionError

    with monkeypatch.context() as patch:
        patch.setattr(Run, "append_metrics", stop)
        with pytest.raises(ZeroDivisionError):
            train_tiny()
    whole = (run.checkpoints / "step-0000020.pt").read_bytes()
    (run.checkpoints / "step-0000030.pt").write_bytes(whole[: len(whole) // 2])
    train_tiny(resume=True, progress=True)
    assert (
        "step-0000030.pt cannot be read; going on from step-0000020.pt" in capsys.readouterr().err
    )
    (run.checkpoints / "step-0000030.pt").unlink()
    assert_same_run(run, tiny_run)
