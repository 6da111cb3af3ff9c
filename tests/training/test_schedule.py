import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from swapmark.training.schedule import batch_indices, rate_factor


@given(st.integers(1, 40), st.integers(1, 12), st.integers(0, 3))
def test_every_image_is_seen_once_an_epoch_also_when_batches_straddle_epochs(count, batch, seed):
    epochs = 3
    steps = math.ceil(epochs * count / batch)
    seen = np.concatenate([batch_indices(step, batch, count, seed) for step in range(steps)])
    for epoch in range(epochs):
        assert sorted(seen[epoch * count : (epoch + 1) * count]) == list(range(count))


def test_fewer_images_than_a_batch_repeat_evenly():
    counts = np.bincount(batch_indices(0, 32, 5, seed=0))
    assert sorted(counts) == [6, 6, 6, 7, 7]


def test_a_step_follows_from_seed_and_step_alone():
    assert np.array_equal(batch_indices(7, 8, 100, seed=1), batch_indices(7, 8, 100, seed=1))
    assert not np.array_equal(batch_indices(7, 8, 100, seed=1), batch_indices(7, 8, 100, seed=2))
    first, second = (batch_indices(epoch, 100, 100, seed=0) for epoch in (0, 1))
    assert not np.array_equal(first, second), "every epoch has its own order"


@pytest.mark.parametrize(
    ("step", "factor"),
    [
        (0, 1 / 10),
        (4, 5 / 10 * (0.5 + 0.5 * math.cos(math.pi * 0.04))),
        (25, 0.5 + 0.5 * math.cos(math.pi / 4)),
        (50, 0.5),
        (100, 0.0),
    ],
)
def test_the_rate_rises_linearly_and_falls_as_half_a_cosine(step, factor):
    assert rate_factor(step, 100, 10) == pytest.approx(factor, abs=1e-12)


def test_without_warmup_the_first_step_has_the_peak_rate():
    assert rate_factor(0, 100, 0) == 1.0
    rates = [rate_factor(step, 100, 0) for step in range(101)]
    assert rates == sorted(rates, reverse=True)
