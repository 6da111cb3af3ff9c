import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from swapmark.coordinates import pixels_to_unit, to_pixels, to_relative, unit_to_pixels

SIZE = np.array([200, 50])
sides = st.integers(1, 5000)
places = st.floats(-1e4, 1e4)


@pytest.mark.parametrize(
    ("pixel", "unit"),
    [
        ((-0.5, -0.5), (-1, -1)),
        ((199.5, 49.5), (1, 1)),
        ((99.5, 24.5), (0, 0)),
        ((0, 0), (-1 + 1 / 200, -1 + 1 / 50)),  # half a pixel in from the edges
    ],
)
def test_edges_are_at_one_and_pixel_centres_half_a_pixel_inside(pixel, unit):
    assert pixels_to_unit(np.array(pixel), SIZE).tolist() == pytest.approx(unit)
    assert unit_to_pixels(np.array(unit), SIZE).tolist() == pytest.approx(pixel)


@given(places, places, sides, sides)
def test_there_and_back_is_the_identity(x, y, width, height):
    size, xy = np.array([width, height]), np.array([x, y])
    back = unit_to_pixels(pixels_to_unit(xy, size), size)
    assert np.allclose(back, xy, atol=1e-6)


@given(places, sides, sides)
def test_resizing_keeps_unit_coordinates_and_follows_the_half_pixel_rule(x, old, new):
    moved = unit_to_pixels(pixels_to_unit(np.array([x]), old), new)
    assert moved == pytest.approx((x + 0.5) / old * new - 0.5, abs=1e-6)


def test_torch_agrees_with_numpy_and_with_its_own_sampling_grid():
    xy = np.array([[3.0, 7.0], [150.5, 20.0]])
    ours = pixels_to_unit(torch.from_numpy(xy), torch.from_numpy(SIZE))
    assert np.array_equal(ours.numpy(), pixels_to_unit(xy, SIZE))
    grid = torch.nn.functional.affine_grid(torch.eye(2, 3)[None], [1, 1, 50, 200], False)[0]
    pixels = torch.stack(torch.meshgrid(torch.arange(200.0), torch.arange(50.0), indexing="xy"), -1)
    assert torch.allclose(pixels_to_unit(pixels, torch.tensor([200.0, 50.0])), grid, atol=1e-6)


@given(
    seed=st.integers(0, 2**32 - 1),
    width=st.integers(1, 5000),
    height=st.integers(1, 5000),
    origin=st.sampled_from(["corner", "centre"]),
)
def test_relative_coordinates_go_there_and_back(seed, width, height, origin):
    xy = np.random.default_rng(seed).uniform(-10, 5000, (2, 3, 2))
    sizes = np.array([[width, height], [height, width]])
    np.testing.assert_allclose(to_pixels(to_relative(xy, sizes, origin), sizes, origin), xy)


def test_on_equal_square_images_relative_is_pixels_up_to_a_factor():
    xy = np.random.default_rng(0).uniform(0, 99, (40, 3, 2))
    np.testing.assert_allclose(to_relative(xy, np.full((40, 2), 100.0), "corner"), (xy + 0.5) / 100)
    np.testing.assert_allclose(
        to_relative(xy, np.full((40, 2), 100.0), "centre"), (xy - 49.5) / 100
    )


def test_a_longer_image_keeps_its_aspect():
    corners = np.array([[[-0.5, -0.5], [199.5, 49.5]]])
    relative = to_relative(corners, np.array([[200, 50]]), "corner")
    assert relative.tolist() == [[[0.0, 0.0], [1.0, 0.25]]]
