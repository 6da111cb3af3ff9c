"""Ctrl-C: noted at once, acted upon between two steps, in all processes at the same step."""

import signal
import threading

import torch
from accelerate import Accelerator


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
