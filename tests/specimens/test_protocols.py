"""The linear map against closed forms, and what distinguishes the protocols."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from swapmark.specimens.protocols import PROTOCOLS, fit_linear_map

SQUARE = np.full((40, 2), 100.0)


def predict(name, source, target, sizes=SQUARE, used=None):
    used = np.ones(target.shape[:2], dtype=bool) if used is None else used
    return PROTOCOLS[name].predict(source, target, used, sizes, np.ones(len(source), bool))


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
    target = np.tile([[[30.0, 40.0]]], (40, 1, 1))
    found = predict("centred", source, target, used=np.arange(40)[:, None] == 3)
    np.testing.assert_allclose(found, target)


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


def all_used(targets):
    return np.ones(targets.shape[:2], dtype=bool)


@given(
    seed=st.integers(0, 2**32 - 1),
    n_inputs=st.integers(1, 6),
    n_points=st.integers(1, 4),
    intercept=st.booleans(),
)
@settings(max_examples=25, deadline=None)
def test_an_exact_linear_relation_is_recovered(seed, n_inputs, n_points, intercept):
    generator = np.random.default_rng(seed)
    x = generator.normal(size=(30, n_inputs))
    weights = generator.normal(size=(n_points, n_inputs, 2))
    offset = generator.normal(size=(n_points, 2)) * intercept
    y = np.einsum("nd,mdc->nmc", x, weights) + offset
    found = fit_linear_map(x, y, all_used(y), intercept=intercept)
    np.testing.assert_allclose(found.weights, weights, atol=1e-9)
    np.testing.assert_allclose(found.offset, offset, atol=1e-9)


def test_ridge_is_the_normal_equations_with_a_relative_strength():
    generator = np.random.default_rng(1)
    x, y = generator.normal(size=(12, 3)), generator.normal(size=(12, 2, 2))
    centred_x, centred_y = x - x.mean(0), (y - y.mean(0)).reshape(12, 4)
    gram = centred_x.T @ centred_x
    expected = np.linalg.solve(gram + 0.3 * gram.diagonal().max() * np.eye(3), centred_x.T) @ (
        centred_y
    )
    found = fit_linear_map(x, y, all_used(y), intercept=True, ridge=0.3)
    np.testing.assert_allclose(found.weights.swapaxes(0, 1).reshape(3, 4), expected, atol=1e-12)


def test_too_few_images_give_the_interpolating_solution_with_the_smallest_weights():
    generator = np.random.default_rng(3)
    x, y = generator.normal(size=(4, 10)), generator.normal(size=(4, 1, 2))
    found = fit_linear_map(x, y, all_used(y))
    np.testing.assert_allclose(found(x), y, atol=1e-10)
    np.testing.assert_allclose(found.weights[0], np.linalg.pinv(x) @ y[:, 0], atol=1e-10)


def test_each_point_is_fitted_on_the_images_where_it_is_used():
    generator = np.random.default_rng(4)
    x, y = generator.normal(size=(20, 3)), generator.normal(size=(20, 3, 2))
    used = generator.random((20, 3)) < 0.7
    used[:, 2] = False
    y[~used] = np.nan
    found = fit_linear_map(x, y, used, intercept=True)
    for point in (0, 1):
        rows = used[:, point]
        alone = fit_linear_map(
            x[rows], y[rows, point : point + 1], np.ones((rows.sum(), 1), bool), intercept=True
        )
        np.testing.assert_allclose(found(x)[:, point], alone(x)[:, 0], atol=1e-10)
    assert np.isnan(found(x)[:, 2]).all()


@pytest.mark.parametrize("inputs", [0, 4])
def test_no_inputs_or_constant_ones_predict_the_mean(inputs):
    y = np.random.default_rng(5).normal(size=(7, 2, 2))
    found = fit_linear_map(np.full((7, inputs), 3.0), y, all_used(y), intercept=True, ridge=0.1)
    expected = np.broadcast_to(y.mean(0), (2, 2, 2))
    np.testing.assert_allclose(found(np.full((2, inputs), 3.0)), expected)
