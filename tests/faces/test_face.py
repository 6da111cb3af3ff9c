from copy import copy

import numpy as np
import pytest

from swapmark.faces.face import Face

FACES = [Face(np.random.default_rng(seed)) for seed in range(300)]


def face(**changes) -> Face:
    """A face seen straight from the front, with these changes."""
    changed = copy(FACES[0])
    changes = {"yaw": 0.0, "pitch": 0.0, "roll": 0.0, "scale": 1.0, "centre": (0, 0), **changes}
    for name, value in changes.items():
        setattr(changed, name, value)
    return changed


def test_a_straight_view_keeps_x_and_y_and_a_roll_turns_clockwise():
    points = np.random.default_rng(0).normal(size=(9, 3))
    np.testing.assert_allclose(face().project(points), points[:, :2], atol=1e-12)
    turned = face(roll=np.pi / 2).project(np.array([[1.0, 0, 0]]))
    np.testing.assert_allclose(turned, [[0, 1]], atol=1e-12)


def test_a_turn_to_the_right_moves_near_points_further_right():
    near, far = face(yaw=0.3).project(np.array([[0.0, 0.0, 1.0], [0.0, 0.0, 0.5]]))
    np.testing.assert_allclose([near[0], far[0]], [np.sin(0.3), 0.5 * np.sin(0.3)])


def test_both_ways_of_naming_a_point_of_the_surface_agree():
    points = face().around(np.linspace(-1.2, 1.2, 7), np.linspace(-0.8, 0.8, 7))
    np.testing.assert_allclose(face().in_front(points[:, 0], points[:, 1]), points, atol=1e-9)


@pytest.mark.parametrize("yaw", [-0.5, 0.0, 0.4])
def test_nothing_of_the_head_stands_out_over_its_edge(yaw):
    turned = face(yaw=yaw)
    everywhere = turned.project(turned.around(np.linspace(-np.pi, np.pi, 721), 0.1))[:, 0]
    edges = np.array([turned.edge, turned.edge - np.pi])
    right, left = turned.project(turned.around(edges, 0.1))[:, 0]
    np.testing.assert_allclose([left, right], [everywhere.min(), everywhere.max()], atol=1e-4)


def test_every_kind_of_face_turns_up():
    assert {face.hair for face in FACES} == {"short", "long", "none"}
    for flag in ("glasses", "beard"):
        assert {getattr(face, flag) for face in FACES} == {True, False}
    assert min(face.mouth_open for face in FACES) == 0 < max(face.mouth_open for face in FACES)
    assert {face.light for face in FACES} == {-1.0, 1.0}
    lightness = [sum(face.skin) / 3 for face in FACES]
    assert min(lightness) < 80
    assert max(lightness) > 200
    yaw = np.array([face.yaw for face in FACES])
    assert -0.6 < yaw.min() < -0.4 < 0.4 < yaw.max() < 0.6, "no eye is lost"
