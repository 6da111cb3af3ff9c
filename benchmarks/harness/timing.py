"""How long a step takes on this machine, for budgets in minutes."""

import time
from statistics import median

import numpy as np
import torch

from swapmark.data.augment import make_batch
from swapmark.data.cache import ImageSet
from swapmark.training.config import Config
from swapmark.training.schedule import batch_indices
from swapmark.training.state import State, make_accelerator, make_state

WARMING = 3
TIMED = 9


def steps_in(minutes: float, config: Config, images: ImageSet) -> int:
    """The steps that fit into `minutes`; at least one.

    The terms that fade in cost time only from then on, so both kinds of step are timed.
    """
    accelerator = make_accelerator(config)
    state = make_state(config, accelerator)
    late = config.c3.ramp_start if config.method == "c3" else 0.0
    full = _median_seconds(state, accelerator, config, images, progress=1.0)
    plain = _median_seconds(state, accelerator, config, images, progress=0.0) if late else full
    return max(1, round(60 * minutes / (late * plain + (1 - late) * full)))


def _median_seconds(
    state: State, accelerator, config: Config, images: ImageSet, *, progress: float
) -> float:
    """The median time of a step of training at that share of the run."""
    seconds = []
    for step in range(WARMING + TIMED):
        started = time.perf_counter()
        indices = batch_indices(step, config.training.batch_size, len(images), 0)
        pictures = torch.from_numpy(np.ascontiguousarray(images.batch(indices)))
        generator = torch.Generator().manual_seed(step)
        batch = make_batch(pictures, config.views, generator, device=accelerator.device)
        loss = state.prepared(batch, progress)["loss"]
        state.optimizer.zero_grad(set_to_none=True)
        accelerator.backward(loss)
        torch.nn.utils.clip_grad_norm_(state.trained, config.training.clip)
        state.optimizer.step()
        state.update_average(config.training.average)
        loss.item()  # waits for the device
        seconds.append(time.perf_counter() - started)
    return median(seconds[WARMING:])
