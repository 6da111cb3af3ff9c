"""Several processes that train one model, one a device; and signals to stop, heeded by all."""

import logging
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta

import torch
from accelerate import PartialState

from swapmark.data.sources import Source
from swapmark.errors import InputError, TrainingError
from swapmark.model.devices import choose_device
from swapmark.training.run import Run

_PATIENCE = timedelta(hours=6)
"""Processes wait this long for the one that decodes the images."""
HASTE = 3.0
"""Within so many seconds a second Ctrl-C is one of impatience, and does not cut the saving."""
_STOPS = ("SIGINT", "SIGTERM", "SIGHUP")
_STOPPING = b"\nStopping after this step, and saving. Ctrl-C again, after 3 s, quits at once.\n"


def under_torchrun() -> bool:
    """Whether this process is one of those that torchrun started."""
    return "WORLD_SIZE" in os.environ and "RANK" in os.environ


def tells_user(devices: int) -> bool:
    """Whether this process says what became of a run: of several the first, or their starter."""
    rank = os.environ.get("RANK")  # `start_processes` gives its processes their number, too
    return rank is None or (rank == "0" and devices == 1)


def use_device(name: str | None) -> PartialState:
    """This process among the others, on `cuda`, `mps` or `cpu`: the best there is for None.

    Raises InputError for a device that is absent.
    """
    if name is not None and choose_device(name).type != name:  # Accelerate would take the first one
        raise InputError(
            f"device is {name!r}; training takes cuda, mps or cpu. To choose among several GPUs, "
            f"set CUDA_VISIBLE_DEVICES."
        )
    launched = under_torchrun()
    if not launched:
        PartialState._reset_state()  # an earlier run may have used another device
    # Processes on a CPU talk by gloo, which Accelerate has to be told.
    cpu = name == "cpu" or (launched and not torch.cuda.is_available())
    return PartialState(cpu=cpu, timeout=_PATIENCE)


def device_share(batch_size: int, index: int, count: int) -> slice:
    """The images of the global batch that process `index` of `count` takes: whole pairs, in order.

    Raises InputError if the batch cannot be shared so.
    """
    if batch_size % (2 * count):
        raise InputError(
            f"training.batch_size is {batch_size}; with {count} devices it must be a multiple of "
            f"{2 * count}, so that each device gets whole pairs, such as "
            f"--set training.batch_size={2 * count * -(-batch_size // (2 * count))}."
        )
    each = batch_size // count
    return slice(index * each, (index + 1) * each)


def paths_for_processes(
    images: Source, devices: int, on_checkpoint: Callable | None, device: str | None = None
) -> list[str]:
    """The paths of the images; raises InputError if `devices` processes cannot do the work.

    On a machine without CUDA, processes share the CPU, as many as are asked for.
    """
    here = 0 if device == "cpu" else torch.cuda.device_count()
    if devices < 1 or (here and devices > here):
        raise InputError(f"devices is {devices}; expected 1 to {here or 'the number of cores'}.")
    given = images if isinstance(images, list | tuple) else [images]
    paths = [os.fspath(path) for path in given if isinstance(path, str | os.PathLike)]
    if on_checkpoint or len(paths) < len(given):
        raise InputError(
            "Each device has a process of its own, which opens the images itself: with devices > 1 "
            "give images as paths, and no on_checkpoint."
        )
    return paths


def start_processes(
    images: list[str], run: Run, devices: int, *, device: str | None = None, progress: bool
) -> None:
    """Let torchrun train the prepared `run` in one process a device, and wait for all.

    Raises KeyboardInterrupt, after all have saved and ended, on Ctrl-C, and TrainingError when
    one of them fails; that one has said why, and the others are ended.
    """
    from torch.distributed.elastic.multiprocessing import SignalException
    from torch.distributed.elastic.multiprocessing.errors import ChildFailedError
    from torch.distributed.run import parse_args
    from torch.distributed.run import run as torchrun

    command = [
        *("--standalone", f"--nproc-per-node={devices}", "-m", "swapmark", "train", *images),
        *("--out", str(run.path), "--resume", f"--devices={devices}"),
        *(["--device", device] if device else []),
        *([] if progress else ["--quiet"]),
    ]
    # What torchrun changes here is put back; its log would tell at length what we say in a line.
    environment, logged = dict(os.environ), logging.root.manager.disable
    handlers = {number: signal.getsignal(number) for number in signal.valid_signals()}
    os.environ.setdefault("OMP_NUM_THREADS", str(max(1, (os.cpu_count() or 1) // devices)))
    os.environ.setdefault("TORCH_ELASTIC_SHUTDOWN_TIMEOUT", "60")  # seconds to save in
    logging.disable(logging.CRITICAL)
    try:
        torchrun(parse_args(command))
    except SignalException:
        raise KeyboardInterrupt from None
    except ChildFailedError as error:
        _, failure = error.get_first_failure()
        told = f"Training on {devices} devices ended. The reason is in the lines above."
        if failure.exitcode < 0:  # by a signal
            name = signal.Signals(-failure.exitcode).name
            memory = " (often for want of memory)" if name == "SIGKILL" else ""
            told = (
                f"Training on {devices} devices ended: process {failure.local_rank + 1} was killed "
                f"by {name}{memory}; {run.saved()}. Go on with --resume."
            )
        raise TrainingError(told) from None
    finally:
        logging.disable(logged)
        os.environ.clear()
        os.environ.update(environment)
        for number, handler in handlers.items():
            if signal.getsignal(number) != handler:
                signal.signal(number, handler)


@contextmanager
def with_others() -> Iterator[None]:
    """Turn the error of torch when another process of the run is gone into a TrainingError."""
    try:
        yield
    except RuntimeError as error:
        if not isinstance(error, torch.distributed.DistBackendError) and "gloo" not in str(error):
            raise
        raise TrainingError(
            "Another process of this run has ended; its own words say why."
        ) from None


@contextmanager
def noting_stop(*, tell: bool) -> Iterator[threading.Event]:
    """Ctrl-C, SIGTERM or SIGHUP sets the event while the context lasts, and says so at once.

    Another one raises KeyboardInterrupt, but not within `HASTE` seconds. What is ignored, such as
    SIGHUP under nohup, stays so.
    """
    asked, since = threading.Event(), 0.0

    def note(*_) -> None:
        nonlocal since
        if asked.is_set() and time.monotonic() - since >= HASTE:
            raise KeyboardInterrupt
        if not asked.is_set():
            asked.set()
            since = time.monotonic()
            if tell:
                _say_stopping()

    if threading.current_thread() is not threading.main_thread():
        yield asked
        return
    found = [getattr(signal, name) for name in _STOPS if hasattr(signal, name)]
    before = {number: signal.getsignal(number) for number in found}
    for number, handler in before.items():
        if handler is not signal.SIG_IGN or number == signal.SIGINT:
            signal.signal(number, note)
    try:
        yield asked
    finally:
        for number, handler in before.items():
            signal.signal(number, handler or signal.SIG_DFL)


def _say_stopping() -> None:
    """Not by print, which must not be entered again while it is at work."""
    try:
        os.write(2, _STOPPING)
    except OSError:  # the terminal was closed, and what is told while saving would fail
        os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
