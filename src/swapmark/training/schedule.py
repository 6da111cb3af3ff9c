"""Which images a step takes, and how fast it learns: pure functions of the seed and the step."""

import math

import numpy as np


def batch_indices(step: int, batch: int, count: int, seed: int) -> np.ndarray:
    """The images of a step, (batch,) indices below `count`: epoch after epoch, newly shuffled."""
    positions = np.arange(step * batch, (step + 1) * batch)
    chosen = np.empty(batch, dtype=np.int64)
    for epoch in np.unique(positions // count):
        order = np.random.default_rng([seed, int(epoch)]).permutation(count)
        here = positions // count == epoch
        chosen[here] = order[positions[here] % count]
    return chosen


def rate_factor(step: int, steps: int, warmup: int) -> float:
    """Factor on the learning rate at `step`: a linear rise, then a half cosine down to zero."""
    rise = min(1.0, (step + 1) / max(1, warmup))
    return rise * (0.5 + 0.5 * math.cos(math.pi * step / steps))
