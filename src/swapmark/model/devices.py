"""What a batch that is split over several devices must agree on."""

import torch
from torch import Tensor


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
