"""The device that computes, and what a batch that is split over several must agree on."""

import sys

import torch
from torch import Tensor

from swapmark.errors import InputError


def choose_device(name: str | None) -> torch.device:
    """The device `cuda`, `mps` or `cpu`; the best there is for None. InputError if it is absent."""
    if name is None:
        mps = sys.platform == "darwin" and torch.backends.mps.is_available()
        name = "cuda" if torch.cuda.is_available() else "mps" if mps else "cpu"
    refusal = f"device {name!r} is not available on this machine. Choose cuda, mps or cpu."
    try:
        device = torch.empty(0, device=name).device
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        raise InputError(refusal) from error
    if device.type not in ("cuda", "mps", "cpu"):  # such as meta, which computes nothing
        raise InputError(refusal)
    return device


@torch.no_grad()
def mean_over_devices(values: Tensor) -> Tensor:
    """The mean of `values` over all processes of a distributed run; `values` in any other.

    With equal shares of the batch, a mean over the share becomes the mean over the whole batch.
    Carries no gradient.
    """
    if not (torch.distributed.is_available() and torch.distributed.is_initialized()):
        return values.detach()
    total = values.detach().clone(memory_format=torch.contiguous_format)
    torch.distributed.all_reduce(total)
    return total / torch.distributed.get_world_size()
