"""What distinguishes the protocols."""

import numpy as np
import pytest

from swapmark.specimens.protocols import PROTOCOLS, predict_points

SQUARE = np.full((40, 2), 100.0)


def predict(name, source, target, sizes=SQUARE, new=None):
    used = np.ones(target.shape[:2], dtype=bool)
    new = source if new is None else new
    return predict_points(PROTOCOLS[name], source, target, used, sizes, new, sizes[: len(new)])


@pytest.mark.parametrize("scale", [0.5, 2.0])
def test_a_scaling_about_the_corner_is_exact_for_imm_and_not_for_zhang(scale):
    source = np.random.default_rng(1).uniform(20, 60, (40, 1, 2))
    target = (source + 0.5) * scale - 0.5
    np.testing.assert_allclose(predict("imm", source, target), target, atol=1e-8)
    assert np.abs(predict("zhang", source, target) - target).max() > 0.5


def test_a_scaling_about_the_centre_is_exact_for_zhang_and_not_for_imm():
    source = np.random.default_rng(2).uniform(20, 60, (40, 1, 2))
    target = (source - 49.5) * 0.5 + 49.5
    np.testing.assert_allclose(predict("zhang", source, target), target, atol=1e-8)
    assert np.abs(predict("imm", source, target) - target).max() > 0.5


def test_a_constant_shift_is_found_only_with_an_intercept():
    source = np.random.default_rng(3).uniform(20, 60, (40, 1, 2))
    target = source + np.array([15.0, -7.0])
    off = {name: np.abs(predict(name, source, target) - target).max() for name in PROTOCOLS}
    assert off["centred"] < 0.05  # the ridge shrinks a little
    assert off["imm"] > 1
    assert off["zhang"] > 1


def test_moving_every_image_by_a_constant_changes_centred_by_nothing():
    generator = np.random.default_rng(4)
    source = generator.uniform(20, 60, (40, 3, 2))
    target = source[:, :2] + generator.normal(0, 2, (40, 2, 2))
    shift = np.array([11.0, 5.0])
    moved = {name: predict(name, source + shift, target + shift) - shift for name in PROTOCOLS}
    np.testing.assert_allclose(moved["centred"], predict("centred", source, target), atol=1e-8)
    assert np.abs(moved["imm"] - predict("imm", source, target)).max() > 0.01
    assert np.abs(moved["zhang"] - predict("zhang", source, target)).max() > 0.01


def test_one_image_and_centred_predict_the_annotation_of_that_image():
    source = np.random.default_rng(5).uniform(20, 60, (40, 3, 2))
    target = np.array([[[30.0, 40.0]]])
    found = predict_points(
        PROTOCOLS["centred"], source[:1], target, np.ones((1, 1), bool), SQUARE[:1], source, SQUARE
    )
    np.testing.assert_allclose(found, np.broadcast_to(target, (40, 1, 2)))


@pytest.mark.parametrize("name", PROTOCOLS)
def test_the_unit_of_an_image_does_not_matter(name):
    generator = np.random.default_rng(6)
    source = generator.uniform(0, 90, (40, 2, 2))
    target = source[:, :1] * 0.7 + generator.normal(0, 2, (40, 1, 2)) + 10
    factor = generator.integers(1, 6, (40, 1, 1)).astype(float)

    def enlarge(xy):
        return (xy + 0.5) * factor - 0.5

    large = predict(name, enlarge(source), enlarge(target), SQUARE * factor[:, 0])
    np.testing.assert_allclose(large, enlarge(predict(name, source, target)), atol=1e-7)
