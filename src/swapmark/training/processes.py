"""Several processes that train one model, one a device; and Ctrl-C, which all must act upon."""

import logging
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import torch
from accelerate import Accelerator, PartialState

from swapmark.data.sources import Source
from swapmark.errors import InputError, TrainingError
from swapmark.model.devices import choose_device
from swapmark.training.run import Run

# Others wait this long for the one that decodes the images.
_PATIENCE = timedelta(hours=6)
# Set in the processes that `start_processes` starts, whose starter tells the user of the run.
_STARTED = "SWAPMARK_STARTED"


def under_torchrun() -> bool:
    """Whether this process is one of those that torchrun started."""
    return "WORLD_SIZE" in os.environ and "RANK" in os.environ


def tells_user() -> bool:
    """Whether this process says what became of a run: one alone does, and of several the first."""
    return os.environ.get("RANK", "0") == "0" and _STARTED not in os.environ


def use_device(name: str | None) -> PartialState:
    """Train on `cuda`, `mps` or `cpu`, by default the best there is. InputError if it is absent."""
    if name is not None:
        choose_device(name)
    if not under_torchrun():
        PartialState._reset_state()  # an earlier run may have used another device
    return process_state(cpu=name == "cpu")


def process_state(*, cpu: bool = False) -> PartialState:
    """This process among the others: gloo on the CPU, NCCL on CUDA; alone unless under torchrun.

    The first call of a run decides on the device.
    """
    cpu = cpu or (under_torchrun() and not torch.cuda.is_available())
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


def refuse_devices(
    devices: int, images: Source, on_checkpoint: Callable | None, device: str | None = None
) -> None:
    """Raise InputError if this machine has not `devices` devices, or they cannot get their work.

    On a machine without CUDA, processes share the CPU, as many as are asked for.
    """
    if devices < 1:
        raise InputError(f"devices is {devices}; expected at least 1.")
    here = torch.cuda.device_count()
    if here and devices > here and device != "cpu":
        raise InputError(f"devices is {devices}, but this machine has {here} CUDA devices.")
    if on_checkpoint:
        raise InputError("on_checkpoint is called with one device only. Leave it or devices out.")
    if not all(isinstance(path, str | os.PathLike) for path in _listed(images)):
        raise InputError("devices > 1 needs images as paths, so that every process can open them.")


def _listed(images: Source) -> Any:
    return [images] if isinstance(images, str | os.PathLike) else images


def start_processes(
    images: Source, run: Run, devices: int, *, device: str | None = None, progress: bool
) -> None:
    """Let torchrun train the prepared `run` in one process a device, and wait for all.

    Raises KeyboardInterrupt, after all have saved and ended, on Ctrl-C, and TrainingError when
    one of them fails; that one has said why, and the others are ended.
    """
    from torch.distributed.elastic.multiprocessing import SignalException
    from torch.distributed.elastic.multiprocessing.errors import ChildFailedError
    from torch.distributed.run import parse_args
    from torch.distributed.run import run as torchrun

    if progress and (device == "cpu" or not torch.cuda.is_available()):
        print(
            f"Note: without a CUDA device {devices} processes share the CPU, which may be "
            f"slower than one.",
            file=sys.stderr,
        )
    command = [
        *("--standalone", f"--nproc-per-node={devices}", "-m", "swapmark", "train"),
        *(os.fspath(path) for path in _listed(images)),
        *("--out", str(run.path), "--resume", *([] if progress else ["--quiet"])),
        *(["--device", device] if device else []),
    ]
    try:
        with _for_torchrun(devices):
            torchrun(parse_args(command))
    except SignalException:
        raise KeyboardInterrupt from None
    except ChildFailedError as error:
        _, failure = error.get_first_failure()
        raise TrainingError(
            f"Training on {devices} devices ended with code {failure.exitcode}; the reason is in "
            f"the lines above. What was saved is in {run.path}; go on with --resume."
        ) from None


@contextmanager
def _for_torchrun(devices: int) -> Iterator[None]:
    """The environment that the processes get; what torchrun changes here is put back afterwards.

    Its log is off: it would tell at length what we say in one line.
    """
    environment, logged = dict(os.environ), logging.root.manager.disable
    signals = [getattr(signal, name, None) for name in ("SIGINT", "SIGTERM", "SIGHUP", "SIGQUIT")]
    in_main_thread = threading.current_thread() is threading.main_thread()
    handlers = {number: signal.getsignal(number) for number in signals if number and in_main_thread}
    os.environ.setdefault("OMP_NUM_THREADS", str(max(1, (os.cpu_count() or 1) // devices)))
    os.environ.setdefault("TORCH_ELASTIC_SHUTDOWN_TIMEOUT", "60")  # seconds to save in
    os.environ[_STARTED] = "1"
    logging.disable(logging.CRITICAL)
    try:
        yield
    finally:
        logging.disable(logged)
        os.environ.clear()
        os.environ.update(environment)
        for number, handler in handlers.items():
            signal.signal(number, handler)


class Interrupt:
    """Ctrl-C noted while the context lasts; a second one stops at once (KeyboardInterrupt)."""

    def __init__(self):
        self.asked = False

    def __enter__(self) -> "Interrupt":
        self.previous = None
        if threading.current_thread() is threading.main_thread():
            self.previous = signal.signal(signal.SIGINT, self._note)
        return self

    def __exit__(self, *_) -> None:
        if self.previous is not None:
            signal.signal(signal.SIGINT, self.previous)

    def _note(self, *_) -> None:
        if self.asked:
            raise KeyboardInterrupt
        self.asked = True


def raised_anywhere(accelerator: Accelerator, *flags: bool) -> list[bool]:
    """Whether each flag is raised in some process: what all must act upon at the same step.

    Every process has to call this at the same place, or all wait for ever.
    """
    if accelerator.num_processes == 1:
        return list(flags)
    raised = torch.tensor(flags, dtype=torch.float32, device=accelerator.device)
    torch.distributed.all_reduce(raised)
    return [value > 0 for value in raised.tolist()]
