"""Warps of points and of images agree with each other and with the spline's definition."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from swapmark.coordinates import unit_to_pixels
from swapmark.data.warp import (
    Warp,
    control_grid,
    inside,
    inverse_points,
    random_warp,
    unit_grid,
    warp_grid,
    warp_images,
    warp_points,
)


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def scattered(batch: int, count: int, reach: float, seed: int = 0) -> torch.Tensor:
    return (2 * torch.rand(batch, count, 2, generator=seeded(seed)) - 1) * reach


def shifted(x: float, y: float) -> Warp:
    """output(u) = input(u + (x, y))."""
    still = Warp.identity(1)
    return Warp(still.matrix, torch.tensor([[x, y]]), still.displacements)


def blob(point: torch.Tensor, width: int, height: int, sigma: float = 1.5) -> torch.Tensor:
    """An image (1, 1, height, width) of a round blob at a point in unit coordinates."""
    x, y = unit_to_pixels(point, torch.tensor([width, height]))
    across = torch.exp(-((torch.arange(width) - x) ** 2) / (2 * sigma**2))
    down = torch.exp(-((torch.arange(height) - y) ** 2) / (2 * sigma**2))
    return (down[:, None] * across[None, :])[None, None]


def centroid(image: torch.Tensor) -> torch.Tensor:
    """Pixel coordinates (x, y) of the mass of a (height, width) image."""
    height, width = image.shape
    x = (image.sum(dim=0) * torch.arange(width)).sum()
    y = (image.sum(dim=1) * torch.arange(height)).sum()
    return torch.stack([x, y]) / image.sum()


def test_the_identity_changes_nothing():
    points = scattered(3, 5, 1.2)
    identity = Warp.identity(3)
    assert torch.equal(warp_points(points, identity), points)
    assert torch.equal(inverse_points(points, identity), points)
    images = torch.rand(3, 2, 16, 24, generator=seeded())
    torch.testing.assert_close(warp_images(images, identity), images, atol=2e-6, rtol=0)
    assert inside(identity, 16, 24).min() == 1


def test_an_affine_warp_is_the_matrix_and_the_shift():
    matrix = torch.tensor([[[0.9, -0.2], [0.1, 1.1]]])
    shift = torch.tensor([[0.3, -0.1]])
    warp = Warp(matrix, shift, torch.zeros(1, 16, 2))
    points = scattered(1, 7, 1.0)
    expected = points @ matrix[0].T + shift
    torch.testing.assert_close(warp_points(points, warp), expected)
    back = (points - shift) @ torch.linalg.inv(matrix[0]).T
    torch.testing.assert_close(inverse_points(points, warp), back)


@pytest.mark.parametrize("side", [2, 3, 5, 10])
def test_the_spline_interpolates_the_displacements_of_its_control_points(side):
    controls = control_grid(side)[None]
    moves = 0.1 * torch.randn(1, side * side, 2, generator=seeded())
    warp = Warp(torch.eye(2)[None], torch.zeros(1, 2), moves)
    assert warp.side == side
    torch.testing.assert_close(warp_points(controls, warp), controls + moves, atol=1e-5, rtol=0)


def test_the_spline_is_bookstein_s():
    """Against the textbook system of equations, solved by numpy in double precision."""
    side = 4
    controls = control_grid(side).double().numpy()
    moves = np.random.default_rng(0).normal(size=(side * side, 2)) * 0.1
    points = scattered(1, 9, 1.3)

    def terms(at):
        distance = np.linalg.norm(at[:, None] - controls[None], axis=-1)
        log = np.log(np.where(distance > 0, distance, 1.0))
        return distance**2 * log, np.hstack([np.ones((len(at), 1)), at])

    kernel, affine = terms(controls)
    system = np.block([[kernel, affine], [affine.T, np.zeros((3, 3))]])
    weights = np.linalg.solve(system, np.vstack([moves, np.zeros((3, 2))]))
    expected = points[0].numpy() + np.hstack(terms(points[0].double().numpy())) @ weights
    warp = Warp(torch.eye(2)[None], torch.zeros(1, 2), torch.from_numpy(moves).float()[None])
    np.testing.assert_allclose(warp_points(points, warp)[0].numpy(), expected, atol=1e-5)


@pytest.mark.parametrize(("height", "width"), [(16, 16), (12, 20)])
def test_the_precomputed_grid_equals_the_warp_of_each_pixel(height, width):
    warp = random_warp(2, seeded(), warp=0.05)
    pixels = unit_grid(height, width).reshape(1, -1, 2).expand(2, -1, -1)
    expected = warp_points(pixels, warp).reshape(2, height, width, 2)
    for _ in range(2):  # the first call computes the basis, the second takes it from the cache
        torch.testing.assert_close(warp_grid(warp, height, width), expected, atol=1e-5, rtol=0)


@settings(max_examples=25)
@given(st.integers(0, 2**31 - 1), st.floats(0, 0.6), st.sampled_from([0.0, 1.0]))
def test_the_inverse_undoes_the_warp_both_ways(seed, angle, flip):
    warp = random_warp(4, seeded(seed), rotation=angle * 50, scale=0.1, flip=flip)
    points = scattered(4, 6, 1.1, seed)
    there = warp_points(inverse_points(points, warp), warp)
    torch.testing.assert_close(there, points, atol=1e-4, rtol=0)
    back = inverse_points(warp_points(points, warp), warp)
    torch.testing.assert_close(back, points, atol=1e-4, rtol=0)


@pytest.mark.parametrize(("width", "height"), [(192, 192), (256, 144)])
@pytest.mark.parametrize("seed", range(6))
def test_a_point_goes_where_the_image_shows_it(seed, width, height):
    point = scattered(1, 1, 0.4, seed)
    warp = random_warp(1, seeded(seed), rotation=10, scale=0.1, flip=0.5)
    seen = warp_images(blob(point[0, 0], width, height), warp, padding="zeros")[0, 0]
    expected = unit_to_pixels(inverse_points(point, warp)[0, 0], torch.tensor([width, height]))
    error = (centroid(seen) - expected).norm()
    assert error < 0.1, f"{error:.3f} px off"


def test_a_positive_shift_takes_from_the_right():
    image = torch.arange(8.0).expand(1, 1, 4, 8)
    moved = warp_images(image, shifted(2 / 8, 0.0))  # one pixel
    torch.testing.assert_close(moved[..., :7], image[..., 1:])
    assert moved[0, 0, 0, 7] == 7  # mirrored at the edge
    assert warp_images(image, shifted(2 / 8, 0.0), padding="zeros")[0, 0, 0, 7] == 0


def test_inside_marks_the_pixels_that_show_the_input():
    shown = inside(shifted(0.5, 0.0), 4, 8)[0, 0]
    assert shown.tolist() == [[1, 1, 1, 1, 1, 1, 0, 0]] * 4
    assert inside(shifted(0.0, -0.5), 4, 8)[0, 0].tolist() == [[0] * 8, *[[1] * 8] * 3]


def test_random_warps_have_the_stated_standard_deviations():
    warp = random_warp(4000, seeded(), side=3, warp=0.02, rotation=7.0, scale=0.08, translation=0.3)
    determinant = torch.linalg.det(warp.matrix)
    angle = torch.rad2deg(torch.atan2(warp.matrix[:, 1, 0], warp.matrix[:, 0, 0]))
    measured = [warp.displacements.std(), angle.std(), determinant.log().std() / 2]
    assert [float(value) for value in measured] == pytest.approx([0.02, 7.0, 0.08], rel=0.05)
    assert warp.shift.std(dim=0).tolist() == pytest.approx([0.3, 0.3], rel=0.05)
    for values in (warp.displacements, warp.shift, angle):
        assert abs(values.mean()) < 0.05 * values.std()


def test_a_flip_mirrors_left_and_right_as_often_as_asked_for():
    still = {"warp": 0, "rotation": 0, "scale": 0, "translation": 0}
    image = torch.rand(2, 3, 6, 8, generator=seeded())
    mirrored = warp_images(image, random_warp(2, seeded(), flip=1.0, **still))
    torch.testing.assert_close(mirrored, image.flip(-1), atol=2e-6, rtol=0)
    share = (torch.linalg.det(random_warp(2000, seeded(), flip=0.3).matrix) < 0).float().mean()
    assert float(share) == pytest.approx(0.3, abs=0.03)


def test_autocast_moves_nothing():
    warp, points = random_warp(2, seeded()), scattered(2, 5, 1.0)
    images = torch.rand(2, 3, 16, 16, generator=seeded())
    plainly = [f(points, warp) for f in (warp_points, inverse_points)]
    plainly += [warp_grid(warp, 12, 12), warp_images(images, warp)]
    with torch.autocast("cpu", dtype=torch.bfloat16):
        cast = [f(points, warp) for f in (warp_points, inverse_points)]
        cast += [warp_grid(warp, 12, 12), warp_images(images, warp)]
    assert all(torch.equal(*pair) for pair in zip(plainly, cast, strict=True))
