"""Two processes on the CPU (gloo) train as one does, and end as one does."""

import os
import signal
import subprocess
import sys
import time
from functools import partial
from pathlib import Path

import pytest
import torch

from swapmark.errors import InputError, TrainingError
from swapmark.training import processes
from swapmark.training.checkpoint import load_checkpoint
from swapmark.training.processes import (
    check_devices,
    device_share,
    start_processes,
    under_torchrun,
)
from swapmark.training.run import Run
from swapmark.training.train import train

pytestmark = pytest.mark.skipif(
    torch.cuda.is_available(), reason="two processes need two CUDA devices where there is one"
)
# A batch of four pairs, whose halves differ; the flow's filter gets no gradient in the first step.
SHARED = ("training.batch_size=8", "training.steps=6", "training.log_every=1")
SHARED += ("c3.flow_consensus=true", "c3.ramp_start=0.2", "c3.ramp_end=0.5")
# Far more than a machine under load takes, far less than a deadlock.
PATIENCE = 120


@pytest.fixture(scope="module")
def shared_run(tiny_faces, tiny_settings, tmp_path_factory) -> Run:
    out = tmp_path_factory.mktemp("shared") / "run"
    settings = [*tiny_settings, *SHARED]
    return train(tiny_faces, out, settings=settings, devices=2, progress=False)


def wait_for(condition, process: subprocess.Popen) -> None:
    due = time.monotonic() + PATIENCE
    while not condition():
        assert process.poll() is None, "ended before it was to"
        assert time.monotonic() < due, "hangs"
        time.sleep(0.02)


def test_two_processes_train_as_one_does_on_the_same_global_batch(shared_run, train_tiny):
    alone = train_tiny(*SHARED)
    ours, theirs = alone.metrics(), shared_run.metrics()
    assert [line["step"] for line in theirs] == [1, 2, 3, 4, 5, 6]
    assert "flow" not in ours[0], "the filter has no part in the first step"
    for name, value in ours[0].items():
        if name not in ("seconds", "spread", "following"):
            assert theirs[0][name] == pytest.approx(value, rel=1e-5, abs=2e-6), name
    for one, other in zip(ours, theirs, strict=True):
        assert other["loss"] == pytest.approx(one["loss"], rel=1e-4)
    one, other = load_checkpoint(alone.checkpoints), load_checkpoint(shared_run.checkpoints)
    assert one is not None
    assert other is not None
    one, other = one[0]["objective"], other[0]["objective"]
    assert any(name.startswith("flow.filter") for name in one)
    difference = torch.cat([(one[name] - other[name]).abs().flatten() for name in one])
    assert difference.max() > 0, "halves round differently: the work was shared"
    # The weights have moved by 4e-5 on average. Single ones may differ: Adam makes whole steps of
    # gradients that are rounding.
    assert difference.mean() < 1e-6


def test_torchrun_starts_the_same_and_one_process_alone_writes_and_tells(
    shared_run, tiny_faces, tiny_settings, assert_same_run, tmp_path
):
    run = Run(tmp_path / "run")
    settings = [word for text in (*tiny_settings, *SHARED) for word in ("--set", text)]
    done = subprocess.run(
        [
            *(sys.executable, "-m", "torch.distributed.run", "--standalone"),
            *("--nproc-per-node", "2", "-m", "swapmark", "train", tiny_faces),
            *("--out", run.path, "--quiet", *settings),
        ],
        capture_output=True,
        text=True,
        timeout=PATIENCE,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("The run is in") == 1
    assert_same_run(run, shared_run)


def test_ctrl_c_ends_all_processes_after_saving(tiny_faces, tiny_settings, tmp_path):
    run = Run(tmp_path / "run")
    settings = (*tiny_settings, *SHARED, "training.steps=100000")
    settings += ("c3.flow_consensus=false", "c3.ramp_start=0")  # as most users have it
    words = [word for text in settings for word in ("--set", text)]
    process = subprocess.Popen(
        [
            *(sys.executable, "-m", "swapmark", "train", tiny_faces, "--out", run.path),
            *("--devices", "2", "--quiet", *words),
        ],
        stderr=subprocess.PIPE,
        text=True,
        # Where a script started the tests in the background, Ctrl-C is ignored, and by heirs too.
        preexec_fn=partial(signal.signal, signal.SIGINT, signal.SIG_DFL),
    )
    wait_for(lambda: len(run.metrics()) > 2, process)
    os.kill(process.pid, signal.SIGINT)
    _, told = process.communicate(timeout=PATIENCE)
    assert process.returncode == 130
    assert f"swapmark train {tiny_faces} --out {run.path} --resume --devices 2" in told
    assert "Traceback" not in told
    (checkpoint,) = run.checkpoints.iterdir()
    assert checkpoint.name > "step-0000002.pt"


def test_a_process_whose_starter_is_gone_saves_and_ends(train_tiny, tiny_faces):
    run = train_tiny("training.steps=1")
    text = run.config.read_text().replace("steps: 1\n", "steps: 100000\n")
    run.config.write_text(text)
    process = subprocess.Popen(
        [sys.executable, "-m", "swapmark.training.worker", tiny_faces, run.path, "--quiet"],
        stdin=subprocess.PIPE,
    )
    wait_for(lambda: run.metrics()[-1]["step"] > 5, process)
    process.communicate(timeout=PATIENCE)  # closes its standard input, as the system would
    assert process.returncode == 130
    assert max(path.name for path in run.checkpoints.iterdir()) > "step-0000005.pt"


def test_when_one_process_fails_all_end_and_the_reason_is_told(train_tiny, tiny_faces, capfd):
    run = train_tiny("training.steps=1")
    for path in run.checkpoints.iterdir():
        path.unlink()
    run.checkpoints.rmdir()
    run.checkpoints.write_text("a file in the place of the folder")
    text = run.config.read_text().replace("steps: 1\n", "steps: 100000\n")
    run.config.write_text(text.replace("checkpoint_every: 20\n", "checkpoint_every: 1\n"))
    started = time.monotonic()
    with pytest.raises(TrainingError, match="on 2 devices ended with code 2; the reason is"):
        start_processes(tiny_faces, run.path, 2, progress=False)
    assert time.monotonic() - started < PATIENCE
    assert "step-0000001.pt could not be written" in capfd.readouterr().err


def test_each_device_takes_whole_pairs_and_all_take_the_whole_batch():
    shares = [device_share(12, index, 3) for index in range(3)]
    assert [list(range(12))[share] for share in shares] == [
        [0, 1, 2, 3],
        [4, 5, 6, 7],
        [8, 9, 10, 11],
    ]
    with pytest.raises(InputError, match=r"batch_size is 12; with 4 devices .* multiple of 8"):
        device_share(12, 0, 4)


def test_more_devices_than_there_are_is_refused(monkeypatch):
    monkeypatch.setattr(processes.torch.cuda, "device_count", lambda: 2)
    check_devices(2, "photos")
    check_devices(1, Path("photos"))
    with pytest.raises(InputError, match="devices is 3, but this machine has 2 CUDA devices"):
        check_devices(3, "photos")


def test_several_processes_on_a_cpu_are_said_to_be_slow(
    tiny_faces, tiny_settings, tmp_path, monkeypatch, capfd
):
    monkeypatch.setattr("swapmark.training.train.start_processes", lambda *_, **__: None)
    settings = [*tiny_settings, *SHARED]
    train(tiny_faces, tmp_path / "shared", settings=settings, devices=2, progress=True)
    assert "no CUDA device was found, so 2 processes share the CPU" in capfd.readouterr().err
    train(tiny_faces, tmp_path / "quiet", settings=settings, devices=2, progress=False)
    assert "CUDA" not in capfd.readouterr().err


def test_torchrun_is_known_by_its_environment(monkeypatch):
    monkeypatch.delenv("RANK", raising=False)
    monkeypatch.setenv("WORLD_SIZE", "2")
    assert not under_torchrun()
    monkeypatch.setenv("RANK", "0")
    assert under_torchrun()
