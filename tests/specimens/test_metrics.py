"""Normalised mean error and its bootstrap interval."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from swapmark.specimens.metrics import (
    bootstrap_interval,
    mean_error,
    mean_error_of_points,
    point_errors,
)


@given(angle=st.floats(0, 6.3), length=st.floats(1, 500), shift=st.floats(0, 50))
def test_a_known_shift_gives_a_known_error(angle, length, shift):
    target = np.random.default_rng(0).uniform(0, 100, (5, 3, 2))
    moved = target + shift * np.array([np.cos(angle), np.sin(angle)])
    errors = point_errors(moved, target, np.full(5, length))
    np.testing.assert_allclose(errors, 100 * shift / length, atol=1e-9)


def test_each_image_is_measured_in_its_own_length():
    target = np.zeros((2, 1, 2))
    errors = point_errors(target + np.array([3.0, 4.0]), target, np.array([10.0, 50.0]))
    assert errors[:, 0].tolist() == [50.0, 10.0]


def test_the_average_over_points_is_the_total_when_nothing_is_missing():
    errors = np.random.default_rng(1).exponential(size=(40, 6))
    assert mean_error_of_points(errors).mean() == pytest.approx(mean_error(errors))


@given(st.integers(0, 2**32 - 1))
def test_missing_errors_count_as_if_they_were_not_there(seed):
    generator = np.random.default_rng(seed)
    errors = generator.exponential(size=(10, 4))
    missing = generator.random((10, 4)) < 0.4
    missing[0, 0] = False
    kept = errors[~missing]
    assert mean_error(np.where(missing, np.nan, errors)) == pytest.approx(kept.mean())


def test_no_error_at_all_is_nan_without_a_warning():
    assert np.isnan(mean_error(np.full((3, 2), np.nan)))
    assert bootstrap_interval(np.full((3, 2), np.nan), ("",) * 3) is None


def test_the_interval_covers_the_true_mean_about_as_often_as_it_says():
    generator = np.random.default_rng(2)
    covered = 0
    for trial in range(200):
        errors = generator.exponential(5.0, size=(80, 1))
        interval = bootstrap_interval(errors, ("",) * 80, draws=300, seed=trial)
        assert interval is not None
        covered += interval[0] <= 5.0 <= interval[1]
    assert 175 <= covered <= 199  # 190 expected; a percentile interval is a little short


def test_the_interval_agrees_with_the_standard_error():
    errors = np.random.default_rng(3).normal(10, 2, size=(1000, 1))
    interval = bootstrap_interval(errors, ("",) * 1000, draws=4000)
    assert interval is not None
    half = 1.96 * errors.std() / np.sqrt(1000)
    np.testing.assert_allclose(interval, [errors.mean() - half, errors.mean() + half], atol=0.03)


def test_images_of_one_group_are_drawn_together():
    values = np.random.default_rng(4).normal(10, 2, size=10)
    repeated = np.repeat(values, 20)[:, None]
    groups = tuple(np.repeat([f"person {i}" for i in range(10)], 20))
    of_groups = bootstrap_interval(repeated, groups, seed=5)
    of_single = bootstrap_interval(values[:, None], ("",) * 10, seed=5)
    assert of_groups == pytest.approx(of_single)


def test_the_interval_is_seeded():
    errors = np.random.default_rng(6).exponential(size=(50, 2))
    first = bootstrap_interval(errors, ("",) * 50, seed=1)
    assert first == bootstrap_interval(errors, ("",) * 50, seed=1)
    assert first != bootstrap_interval(errors, ("",) * 50, seed=2)
