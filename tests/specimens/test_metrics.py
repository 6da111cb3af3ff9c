"""The length that errors are measured in, their mean, its interval and its curve."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from swapmark.errors import InputError
from swapmark.specimens.metrics import (
    bootstrap_interval,
    choose_normaliser,
    learning_curve,
    mean_error,
    point_errors,
)


@given(angle=st.floats(0, 6.3), length=st.floats(1, 500), shift=st.floats(0, 50))
def test_a_known_shift_gives_a_known_error(angle, length, shift):
    target = np.random.default_rng(0).uniform(0, 100, (5, 3, 2))
    moved = target + shift * np.array([np.cos(angle), np.sin(angle)])
    errors = point_errors(moved, target, np.full(5, length))
    np.testing.assert_allclose(errors, 100 * shift / length, atol=1e-9)


def test_missing_errors_count_as_if_they_were_not_there():
    errors = np.array([[1.0, np.nan, 3.0], [np.nan, np.nan, 8.0]])
    assert mean_error(errors) == 4
    assert np.isnan(mean_error(np.full((3, 2), np.nan)))
    assert bootstrap_interval(np.full((3, 2), np.nan), np.arange(3)) is None


def test_the_interval_covers_the_true_mean_about_as_often_as_it_says():
    generator = np.random.default_rng(2)
    covered = 0
    for trial in range(200):
        errors = generator.exponential(5.0, size=(80, 1))
        interval = bootstrap_interval(errors, np.arange(80), draws=300, seed=trial)
        assert interval is not None
        covered += interval[0] <= 5.0 <= interval[1]
    assert 175 <= covered <= 199  # 190 expected; a percentile interval is a little short


def test_images_of_one_group_are_drawn_together():
    values = np.random.default_rng(4).normal(10, 2, size=10)
    of_groups = bootstrap_interval(np.repeat(values, 20)[:, None], np.repeat(range(10), 20), seed=5)
    of_single = bootstrap_interval(values[:, None], np.arange(10), seed=5)
    assert of_groups == pytest.approx(of_single)
    assert bootstrap_interval(values[:, None], np.zeros(10, int)) is None


FACE = ("left_eye", "right_eye", "nose")
MARKS = np.array(
    [
        [[10.0, 10.0], [40.0, 50.0], [20.0, 90.0]],
        [[10.0, 10.0], [np.nan, np.nan], [20.0, 90.0]],
        [[10.0, 10.0], [10.0, 10.0], [10.0, 90.0]],
        [[np.nan, np.nan]] * 3,
    ]
)
SIZES = np.array([[30, 40], [60, 80], [3, 4], [6, 8]])


@pytest.mark.parametrize(
    ("requested", "expected"),
    [
        (None, [50, np.nan, np.nan, np.nan]),
        ("left_eye,right_eye", [50, np.nan, np.nan, np.nan]),
        (" nose , left_eye ", [np.hypot(10, 80), np.hypot(10, 80), 80, np.nan]),
        ("box", [np.sqrt(30 * 80), np.sqrt(10 * 80), np.nan, np.nan]),
        ("diagonal", [50, 100, 5, 10]),
    ],
)
def test_lengths_are_as_named_and_nan_where_undefined_or_zero(requested, expected):
    lengths = choose_normaliser(requested, FACE).lengths(MARKS, SIZES)
    np.testing.assert_allclose(lengths, expected)


def test_the_diagonal_is_the_default_without_eyes():
    assert "diagonal" in choose_normaliser(None, ("left_eye", "nose")).words


@pytest.mark.parametrize(
    "requested",
    ["left_eie,right_eye", "diagnal", "nose", "nose,nose", "nose,left_eye,right_eye", ""],
)
def test_an_unknown_normaliser_names_what_is_allowed(requested):
    with pytest.raises(InputError, match=f"{requested!r}.*left_eye, right_eye, nose"):
        choose_normaliser(requested, FACE)


def test_a_curve_averages_what_is_known_over_nested_choices():
    asked = []

    def error(order, size):
        asked.append(order[0][:size].tolist())
        return np.nan if len(asked) == 1 else float(size)

    curve = learning_curve(error, [np.array([3, 5, 8, 9])], [1, 2, 4], draws=3, seed=0)
    assert [(row.draws, row.error) for row in curve] == [(2, 1), (3, 2), (3, 4)]
    assert all(asked[i + 3][:1] == asked[i] for i in range(3))
    assert {*asked[-1]} == {3, 5, 8, 9}
    assert learning_curve(lambda *_: np.nan, [np.arange(4)], [1], draws=1, seed=0) == ()
