import numpy as np
import pytest

from swapmark.drawing.colours import landmark_colours, seen_colours


def nearest_pair(count):
    """Least Oklab distance between two of the colours, to the eye that sees least."""
    seen = seen_colours(np.array(landmark_colours(count)))
    distances = np.linalg.norm(seen[:, :, None] - seen[:, None, :], axis=-1)
    return (distances + 9 * np.eye(count)).min()


@pytest.mark.parametrize("count", [0, 1, 7, 8, 31])
def test_as_many_colours_as_asked(count):
    colours = landmark_colours(count)
    assert len(set(colours)) == len(colours) == count
    assert all(0 <= part <= 255 for colour in colours for part in colour)


def test_a_landmark_keeps_its_colour_when_there_are_more():
    assert landmark_colours(40)[:9] == landmark_colours(9)


@pytest.mark.parametrize(("count", "least"), [(10, 0.06), (20, 0.045), (30, 0.03)])
def test_the_colour_blind_can_tell_them_apart(count, least):
    assert nearest_pair(count) > least  # 0.02 is about the least difference that is noticed


def test_all_stand_out_from_the_dark_outline():
    assert seen_colours(np.array(landmark_colours(40)))[0, :, 0].min() > 0.45


def test_grey_has_no_hue_to_any_eye():
    seen = seen_colours(np.array([[0, 0, 0], [128, 128, 128], [255, 255, 255]]))
    np.testing.assert_allclose(seen[..., 1:], 0, atol=1e-3)
    np.testing.assert_allclose(seen[:, [0, 2], 0], [[0, 1]] * 3, atol=1e-3)


def test_red_and_green_differ_less_to_the_red_blind():
    red, green = seen_colours(np.array([[200, 60, 60], [90, 130, 60]])).transpose(1, 0, 2)
    normal, red_blind, green_blind = np.linalg.norm(red - green, axis=-1)
    assert max(red_blind, green_blind) < 0.6 * normal
