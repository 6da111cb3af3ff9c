from dataclasses import replace

import numpy as np
import pytest

from swapmark.faces.face_geometry import around, edge_angle, in_front, project
from swapmark.faces.face_variety import random_face


@pytest.fixture
def straight():
    face = random_face(np.random.default_rng(0))
    return replace(face, yaw=0.0, pitch=0.0, roll=0.0, scale=1.0, centre=(0.0, 0.0))


def test_a_straight_view_keeps_x_and_y(straight):
    points = np.random.default_rng(0).normal(size=(9, 3))
    np.testing.assert_allclose(project(straight, points), points[:, :2], atol=1e-12)


def test_a_turn_to_the_right_moves_near_points_further_right(straight):
    turned = replace(straight, yaw=0.3)
    near, far = project(turned, np.array([[0.0, 0.0, 1.0], [0.0, 0.0, 0.5]]))
    np.testing.assert_allclose([near[0], far[0]], [np.sin(0.3), 0.5 * np.sin(0.3)])


def test_roll_turns_clockwise(straight):
    quarter = replace(straight, roll=np.pi / 2)
    np.testing.assert_allclose(project(quarter, np.array([[1.0, 0, 0]])), [[0, 1]], atol=1e-12)


def test_both_ways_of_naming_a_point_of_the_surface_agree(straight):
    angles, heights = np.linspace(-1.2, 1.2, 7), np.linspace(-0.8, 0.8, 7)
    points = around(straight, angles, heights)
    np.testing.assert_allclose(in_front(straight, points[:, 0], points[:, 1]), points, atol=1e-9)


@pytest.mark.parametrize("yaw", [-0.5, 0.0, 0.4])
def test_nothing_of_the_head_stands_out_over_its_edge(straight, yaw):
    turned = replace(straight, yaw=yaw)
    everywhere = project(turned, around(turned, np.linspace(-np.pi, np.pi, 721), 0.1))[:, 0]
    edge = edge_angle(turned)
    right, left = project(turned, around(turned, np.array([edge, edge - np.pi]), 0.1))[:, 0]
    np.testing.assert_allclose([left, right], [everywhere.min(), everywhere.max()], atol=1e-4)
