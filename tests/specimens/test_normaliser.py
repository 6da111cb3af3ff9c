"""Choosing the length that errors are measured in."""

import numpy as np
import pytest

from swapmark.errors import InputError
from swapmark.specimens.normaliser import choose_normaliser

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
        ("left_eye,right_eye", [50, np.nan, np.nan, np.nan]),
        (" nose , left_eye ", [np.hypot(10, 80), np.hypot(10, 80), 80, np.nan]),
        ("box", [np.sqrt(30 * 80), np.sqrt(10 * 80), np.nan, np.nan]),
        ("diagonal", [50, 100, 5, 10]),
    ],
)
def test_lengths_are_as_named_and_nan_where_undefined_or_zero(requested, expected):
    lengths = choose_normaliser(requested, FACE).lengths(MARKS, SIZES)
    np.testing.assert_allclose(lengths, expected)


def test_the_default_is_the_eyes_where_both_are_marked_else_the_diagonal():
    assert choose_normaliser(None, FACE).points == (0, 1)
    assert "diagonal" in choose_normaliser(None, ("left_eye", "nose")).words


@pytest.mark.parametrize(
    ("requested", "words"),
    [
        ("left_eie,right_eye", "Did you mean 'left_eye'"),
        ("diagnal", "Did you mean 'diagonal'"),
        ("nose", "two different points"),
        ("nose,nose", "two different points"),
        ("nose,left_eye,right_eye", "two different points"),
        ("", "left_eye, right_eye, nose"),
    ],
)
def test_an_unknown_normaliser_names_the_nearest_and_what_is_allowed(requested, words):
    with pytest.raises(InputError, match=words):
        choose_normaliser(requested, FACE)
