"""Several processes that train one model: one a device, each with its share of every batch."""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path

import torch
from accelerate import PartialState

from swapmark.data.sources import Source
from swapmark.errors import InputError, TrainingError

# Others wait this long for the one that decodes the images.
_PATIENCE = timedelta(hours=6)
# How long processes may take to save and end after Ctrl-C, and to end after one of them failed.
_SECONDS_TO_SAVE, _SECONDS_TO_FAIL = 60.0, 2.0


def under_torchrun() -> bool:
    """Whether this process is one of several that torchrun, or `start_processes`, started."""
    return "WORLD_SIZE" in os.environ and "RANK" in os.environ


def process_state() -> PartialState:
    """This process among the others: gloo on the CPU, NCCL on CUDA; alone unless under torchrun."""
    cpu = under_torchrun() and not torch.cuda.is_available()
    return PartialState(cpu=cpu, timeout=_PATIENCE)


def device_share(batch_size: int, index: int, count: int) -> slice:
    """The images of the global batch that process `index` of `count` takes: whole pairs, in order.

    Raises InputError if the batch cannot be shared so.

    >>> device_share(8, 1, 2)
    slice(4, 8, None)
    """
    if batch_size % (2 * count):
        raise InputError(
            f"training.batch_size is {batch_size}; with {count} devices it must be a multiple of "
            f"{2 * count}, so that each device gets whole pairs, such as "
            f"--set training.batch_size={2 * count * -(-batch_size // (2 * count))}."
        )
    each = batch_size // count
    return slice(index * each, (index + 1) * each)


def check_devices(devices: int, images: Source) -> None:
    """Raise InputError if this machine has not `devices` devices, or `images` can't be shared.

    On a machine without CUDA, processes share the CPU, as many as are asked for.
    """
    if devices < 1:
        raise InputError(f"devices is {devices}; expected at least 1.")
    here = torch.cuda.device_count()
    if here and devices > here:
        raise InputError(f"devices is {devices}, but this machine has {here} CUDA devices.")
    if not isinstance(images, str | os.PathLike):
        raise InputError("devices > 1 needs images as one path, so that every process can open it.")


def start_processes(images: Source, run: Path, devices: int, *, progress: bool) -> None:
    """Train the prepared `run` in one process a device of this machine, and wait for them.

    Raises KeyboardInterrupt, after all have saved and ended, on Ctrl-C, and TrainingError when
    one of them fails; that one has said why.
    """
    command = [
        *(sys.executable, "-m", "swapmark.training.worker"),
        *(str(images), str(run), *([] if progress else ["--quiet"])),
    ]
    common = {
        "MASTER_ADDR": "127.0.0.1",
        "MASTER_PORT": str(_free_port()),
        "WORLD_SIZE": str(devices),
        "LOCAL_WORLD_SIZE": str(devices),
    }
    threads = {"OMP_NUM_THREADS": str(max(1, (os.cpu_count() or 1) // devices))}
    interrupted = False
    # Workers see no Ctrl-C of the terminal (new session). They stop when their standard input
    # ends, which it also does when this process is killed.
    started: list[subprocess.Popen] = []
    try:
        for rank in range(devices):
            own = {"RANK": str(rank), "LOCAL_RANK": str(rank)}
            started.append(_start(command, threads | os.environ | common | own))
        while _running(started) and not _failed(started):
            time.sleep(0.1)
    except KeyboardInterrupt:
        interrupted = True
    finally:
        _end(started, _SECONDS_TO_FAIL if _failed(started) else _SECONDS_TO_SAVE)
    if interrupted:
        raise KeyboardInterrupt
    if failed := _failed(started):
        raise TrainingError(
            f"Training on {devices} devices ended with code {failed}; the reason is in the lines "
            f"above. What was saved is in {run}; go on with --resume."
        )


def _start(command: list[str], environment: Mapping[str, str]) -> subprocess.Popen:
    return subprocess.Popen(command, stdin=subprocess.PIPE, env=environment, start_new_session=True)


def _running(processes: list[subprocess.Popen]) -> bool:
    return any(process.poll() is None for process in processes)


def _failed(processes: list[subprocess.Popen]) -> int:
    """The first exit code that is not 0, or 0."""
    return next((process.returncode for process in processes if process.poll()), 0)


def _end(processes: list[subprocess.Popen], patience: float) -> None:
    """Ask every process that still runs to save and stop, and kill it when it does not."""
    for process in processes:
        if process.stdin:
            process.stdin.close()
    due = time.monotonic() + patience
    try:
        while _running(processes) and time.monotonic() < due:
            time.sleep(0.05)
    finally:
        for process in processes:
            process.kill()
            process.wait()


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]
