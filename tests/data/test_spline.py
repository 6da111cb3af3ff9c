"""The spline through any points, against maps that are known."""

import numpy as np
import pytest

from swapmark.data.spline import fit_similarity, similar, spline_map

CONTROLS = np.array([[-0.5, -0.3], [0.4, -0.4], [0.5, 0.3], [-0.3, 0.5], [0.0, 0.1]])
PLACES = np.random.default_rng(0).uniform(-1, 1, (20, 2))


def test_a_similarity_is_found_and_kept_everywhere():
    a, b = fit_similarity(CONTROLS, similar(CONTROLS, 3 + 4j, 2 - 1j))
    assert abs(a - (3 + 4j)) < 1e-12
    assert abs(b - (2 - 1j)) < 1e-12
    moved = spline_map(PLACES, CONTROLS, similar(CONTROLS, 3 + 4j, 2 - 1j))
    assert np.allclose(moved, similar(PLACES, 3 + 4j, 2 - 1j))


def test_an_affine_map_is_kept_everywhere_from_three_controls_on():
    shear = np.array([[2.0, 0.7], [-0.2, 1.5]])
    for count in (3, 5):
        moved = spline_map(PLACES, CONTROLS[:count], CONTROLS[:count] @ shear + 9)
        assert np.allclose(moved, PLACES @ shear + 9, atol=1e-6)


def test_controls_go_to_their_targets():
    targets = CONTROLS + np.random.default_rng(1).normal(size=CONTROLS.shape) * 0.1
    assert np.abs(spline_map(CONTROLS, CONTROLS, targets) - targets).max() < 1e-3


@pytest.mark.parametrize(
    "controls",
    [
        np.array([[-0.5, -0.5], [0.0, 0.0], [0.5, 0.5]]),
        np.array([[-0.5, 0.0], [0.5, 0.0], [0.5, 0.0], [0.0, 0.4]]),
    ],
    ids=["on a line", "two in one place"],
)
def test_degenerate_controls_never_crush_what_is_around(controls):
    targets = controls + np.random.default_rng(2).normal(size=controls.shape) * 0.02
    moved = spline_map(PLACES, controls, targets)
    assert np.abs(moved - PLACES).max() < 0.2
