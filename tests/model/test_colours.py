"""Colours around landmarks and beyond them: what they know, and what they cannot."""

import torch

from swapmark.model.colours import GROUND, first_coat, pick_colours

SIDE = 64
RED, BLUE, GREEN = torch.eye(3)[[0, 2, 1]]


def disc(x: float, y: float) -> torch.Tensor:
    """A red disc on a wall that is blue on the left and green on the right."""
    line = (torch.arange(SIDE) + 0.5) * (2 / SIDE) - 1
    inside = ((line[:, None] - y) ** 2 + (line - x) ** 2).sqrt() < 0.45
    image = torch.where((line < 0)[None, None], BLUE[:, None, None], GREEN[:, None, None])
    return torch.where(inside, RED[:, None, None], image.expand(3, SIDE, SIDE))[None]


def at(x: float, y: float) -> torch.Tensor:
    return torch.tensor([[[x, y]]])


def test_a_landmark_has_the_colour_around_it_and_the_ground_that_of_the_rest():
    near, ground = pick_colours(disc(0.0, -0.1), at(0.0, -0.1))
    assert ground.shape == (1, 3, GROUND, GROUND)
    assert (near[0, 0] - RED).abs().max() < 0.15
    assert (ground[0, :, :, 0] - BLUE[:, None]).abs().max() < 0.05
    assert (ground[0, :, :, -1] - GREEN[:, None]).abs().max() < 0.05


def test_the_coat_follows_the_pose_that_it_is_given():
    colours = pick_colours(disc(0.0, -0.1), at(0.0, -0.1))
    coat = first_coat(colours, at(-0.3, 0.4), 16, 16)
    row, column = 11, 5  # 0.4 down, 0.3 left
    assert coat[0, 0, row, column] > 0.8
    assert (coat[0, :, 0, 0] - BLUE).abs().max() < 0.05
    assert (coat[0, :, 0, -1] - GREEN).abs().max() < 0.05


def test_what_landmarks_cover_is_filled_in_from_around_it():
    """The disc, covered by five landmarks, can hardly be seen in the ground: one alone is red."""
    image = disc(0.0, -0.1)
    five = torch.tensor([[[0.0, -0.1], [0.3, -0.1], [-0.3, -0.1], [0.0, 0.2], [0.0, -0.4]]])
    covered, alone = (pick_colours(image, points).ground[0, 0] for points in (five, at(0.9, 0.9)))
    assert alone.max() > 0.7
    assert covered.max() < 0.6 * alone.max()


def test_no_gradient_of_colours_moves_a_landmark():
    points = at(0.0, -0.1).requires_grad_()
    colours = pick_colours(disc(0.0, -0.1).requires_grad_(), points)
    first_coat(colours, points, 16, 16).sum().backward()
    assert points.grad is None
