"""Two processes on the CPU (gloo) train as one does, and end as one does."""

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from functools import partial
from pathlib import Path

import pytest
import torch

from swapmark.errors import InputError, TrainingError
from swapmark.training import processes
from swapmark.training.config import override, parse_settings
from swapmark.training.processes import (
    device_share,
    noting_stop,
    paths_for_processes,
    start_processes,
    tells_user,
    use_device,
)
from swapmark.training.run import Run
from swapmark.training.state import load_checkpoint
from swapmark.training.train import train

two_processes = pytest.mark.skipif(
    torch.cuda.is_available(), reason="two processes need two CUDA devices where there is one"
)
# A batch of four pairs, whose halves differ; the flow's filter gets no gradient in the first step.
SHARED = ("training.batch_size=8", "training.steps=6", "training.log_every=1")
SHARED += ("c3.flow_consensus=true", "c3.ramp_start=0.2", "c3.ramp_end=0.5")
# Far more than a machine under load takes, far less than a deadlock.
PATIENCE = 240


@pytest.fixture(scope="module")
def shared_settings(tiny_settings) -> dict:
    return override(tiny_settings, parse_settings(SHARED))


@pytest.fixture(scope="module")
def shared_run(tiny_faces, shared_settings, tmp_path_factory) -> Run:
    out = tmp_path_factory.mktemp("shared") / "run"
    return train(tiny_faces, out, config=shared_settings, devices=2, progress=False)


@pytest.fixture
def words(tiny_faces, shared_settings, tmp_path):
    """The words of `swapmark train` for such a run with some settings changed."""

    def with_settings(**changes) -> list:
        settings = tmp_path / "settings.yaml"
        settings.write_text(json.dumps(override(shared_settings, changes)))
        out = ("--out", tmp_path / "run", "--config", settings, "--quiet")
        return ["-m", "swapmark", "train", tiny_faces, *out]

    return with_settings


@two_processes
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
    states = [load_checkpoint(run.checkpoints)[0]["objective"] for run in (alone, shared_run)]
    assert any(name.startswith("flow.filter") for name in states[0])
    difference = torch.cat([(states[0][k] - states[1][k]).abs().flatten() for k in states[0]])
    assert difference.max() > 0, "halves round differently: the work was shared"
    # The weights have moved by 4e-5 on average. Single ones may differ: Adam makes whole steps of
    # gradients that are rounding.
    assert difference.mean() < 1e-6


@two_processes
def test_under_torchrun_one_process_alone_writes_and_tells(
    shared_run, words, assert_same_run, tmp_path
):
    launch = ("-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2")
    done = subprocess.run(
        [sys.executable, *launch, *words()], capture_output=True, text=True, timeout=PATIENCE
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("swapmark predict") == 1, "one process says what comes next"
    assert_same_run(Run(tmp_path / "run"), shared_run)


@pytest.fixture
def going_on(words, tmp_path):
    """A run of two processes that has three lines of metrics."""
    run = Run(tmp_path / "run")
    long = {"training": {"steps": 100_000}, "c3": {"flow_consensus": False, "ramp_start": 0}}
    process = subprocess.Popen(
        [sys.executable, *words(**long), "--devices", "2"],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        # Where a script started the tests in the background, Ctrl-C is ignored, and by heirs too.
        preexec_fn=partial(signal.signal, signal.SIGINT, signal.SIG_DFL),
    )
    due = time.monotonic() + PATIENCE
    while len(run.metrics()) <= 2:
        assert process.poll() is None, "ended before it was to"
        assert time.monotonic() < due, "hangs"
        time.sleep(0.02)
    yield process
    process.kill()


@two_processes
def test_two_hosts_train_as_two_processes_of_one_do(words, shared_run, tmp_path):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    agent = [sys.executable, "-m", "torch.distributed.run", "--nnodes=2", "--nproc-per-node=1"]
    agent += ["--rdzv-backend=c10d", f"--rdzv-endpoint=127.0.0.1:{port}", "--rdzv-id=hosts"]
    run = [*agent, *words(), "--device", "cpu"]
    hosts = [subprocess.Popen(run, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    told = [host.communicate(timeout=PATIENCE)[0] for host in hosts]
    assert [host.returncode for host in hosts] == [0, 0]
    assert sum("The run is in" in text for text in told) == 1, "one speaks for both"
    for line, other in zip(Run(tmp_path / "run").metrics(), shared_run.metrics(), strict=True):
        assert line["loss"] == pytest.approx(other["loss"], rel=1e-5)


@two_processes
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_all_processes_after_saving(going_on, number, tiny_faces, tmp_path):
    run = Run(tmp_path / "run")
    os.kill(going_on.pid, number)
    told, _ = going_on.communicate(timeout=PATIENCE)
    assert going_on.returncode == 130
    assert told.count(f"swapmark train {tiny_faces} --out {run.path} --resume") == 1
    assert told.count("stopped") == 1
    assert "--resume --devices 2" in told
    assert "Traceback" not in told
    (checkpoint,) = run.checkpoints.iterdir()
    assert f"step {int(checkpoint.stem[5:])} is saved in {run.path}" in told
    assert checkpoint.name > "step-0000002.pt"


@two_processes
@pytest.mark.skipif(sys.platform != "linux", reason="finds the processes in /proc")
def test_when_one_process_is_killed_all_end_and_the_signal_is_told(going_on):
    children = Path(f"/proc/{going_on.pid}/task/{going_on.pid}/children").read_text().split()
    (second,) = [
        int(pid) for pid in children if b"\0RANK=1\0" in Path(f"/proc/{pid}/environ").read_bytes()
    ]
    os.kill(second, signal.SIGKILL)
    told, _ = going_on.communicate(timeout=PATIENCE)
    assert going_on.returncode == 2
    assert "process 2 was killed by SIGKILL" in told
    assert "Traceback" not in told


def test_before_the_first_step_too_the_end_of_another_process_is_told(
    tiny_faces, shared_settings, tmp_path, monkeypatch
):
    def reset(*_):
        raise RuntimeError("[gloo/transport/tcp/pair.cc:537] Read error: Connection reset by peer")

    monkeypatch.setattr("swapmark.training.loop.make_state", reset)
    with pytest.raises(TrainingError, match="Another process of this run has ended"):
        train(tiny_faces, tmp_path / "run", config=shared_settings, progress=False)


@two_processes
def test_when_one_process_fails_all_end_and_the_reason_is_told(train_tiny, tiny_faces, capfd):
    run = train_tiny("training.steps=1")
    for path in run.checkpoints.iterdir():
        path.unlink()
    run.checkpoints.rmdir()
    run.checkpoints.write_text("a file in the place of the folder")
    text = run.config.read_text().replace("steps: 1\n", "steps: 100000\n")
    run.config.write_text(text.replace("checkpoint_every: 20\n", "checkpoint_every: 1\n"))
    environment, handler = dict(os.environ), signal.getsignal(signal.SIGINT)
    with pytest.raises(TrainingError, match="reason is in the lines above") as caught:
        start_processes([str(tiny_faces)], run, 2, progress=False)
    assert "--resume" not in str(caught.value), "it would end so again"
    assert "step-0000001.pt" in capfd.readouterr().err
    assert (dict(os.environ), signal.getsignal(signal.SIGINT)) == (environment, handler)


def test_each_device_takes_whole_pairs_and_all_take_the_whole_batch():
    shares = [list(range(12))[device_share(12, index, 3)] for index in range(3)]
    assert shares == [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9, 10, 11]]
    with pytest.raises(InputError, match=r"batch_size is 12; with 4 devices .* multiple of 8"):
        device_share(12, 0, 4)


def test_more_devices_than_there_are_are_refused(monkeypatch, tmp_path):
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    assert paths_for_processes("photos", 2, None) == ["photos"]
    assert paths_for_processes([tmp_path, "photos"], 2, None) == [str(tmp_path), "photos"]
    with pytest.raises(InputError, match=r"devices is 3.* 2"):
        paths_for_processes("photos", 3, None)


def test_each_run_of_a_session_may_choose_its_device():
    for name in (None, "cpu", None):
        state = use_device(name)
        assert state.device.type == ("cpu" if name else use_device(None).device.type)
    for name in ("tpu", "meta", "cpu:0"):
        with pytest.raises(InputError, match=name):
            use_device(name)


@pytest.mark.parametrize(
    ("rank", "devices", "tells"),
    [(None, 1, True), (None, 2, True), ("0", 1, True), ("1", 1, False), ("0", 2, False)],
)
def test_of_several_processes_the_first_tells_and_none_that_train_started(
    monkeypatch, rank, devices, tells
):
    monkeypatch.delenv("RANK", raising=False)
    if rank:
        monkeypatch.setenv("RANK", rank)
    assert tells_user(devices) == tells


@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM", "SIGHUP"])
def test_a_signal_is_noted_and_told_and_a_second_one_stops_after_a_while(name, monkeypatch, capfd):
    number = getattr(signal, name)
    before = signal.signal(number, signal.default_int_handler)  # nohup makes tests ignore SIGHUP
    with noting_stop(tell=True) as asked:
        assert not asked.is_set()
        signal.raise_signal(number)
        signal.raise_signal(number)
        assert asked.is_set()
        monkeypatch.setattr(processes, "HASTE", 0.0)
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(number)
    assert signal.signal(number, before) == signal.default_int_handler
    assert capfd.readouterr().err.count("saving") == 1


def test_what_nohup_ignores_stays_ignored():
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with noting_stop(tell=False) as asked:
            signal.raise_signal(signal.SIGHUP)
        assert not asked.is_set()
    finally:
        signal.signal(signal.SIGHUP, before)


def test_a_thread_that_is_not_the_first_trains_without_watching_ctrl_c():
    before, seen = signal.getsignal(signal.SIGINT), []

    def watch():
        with noting_stop(tell=True) as asked:
            seen.append((asked.is_set(), signal.getsignal(signal.SIGINT)))

    thread = threading.Thread(target=watch)
    thread.start()
    thread.join()
    assert seen == [(False, before)]
