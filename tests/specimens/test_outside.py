"""Marks that cannot belong to their picture are told, those just beyond its edge are not."""

import numpy as np
import pytest

from swapmark.specimens.outside import note_outside

SIZES = np.array([[200, 100], [50, 80]])


def note(*marks) -> list[str]:
    xy = np.full((2, 2, 2), np.nan)
    for (row, point), place in marks:
        xy[row, point] = place
    return note_outside(xy, SIZES, ["a.png", "b.png"], ["nose", "tail"])


def test_the_farthest_is_measured_by_the_longer_side_of_its_own_picture():
    (said,) = note(((0, 0), (10, 20)), ((0, 1), (260.4, 50)), ((1, 1), (3, -40)))
    assert said.startswith("Far outside their picture: 2 of 3 marks. The farthest, tail in b.png,")
    assert "is at (3, -40) in a picture of 50 × 80 px." in said


@pytest.mark.parametrize("beyond", [(219.4, 50), (-20.4, 50), (100, 119.4), (100, -20.4)])
def test_a_mark_is_far_from_a_tenth_of_the_longer_side_on(beyond):
    middle = np.array([99.5, 49.5])
    assert note(((0, 0), beyond)) == []
    assert len(note(((0, 0), middle + (np.array(beyond) - middle) * 1.01))) == 1


def test_nothing_is_said_of_points_that_are_not_marked():
    assert note() == []
