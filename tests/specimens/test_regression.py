"""The linear map against closed forms."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from swapmark.specimens.regression import fit_linear_map

seeds = st.integers(0, 2**32 - 1)


def all_used(targets):
    return np.ones(targets.shape[:2], dtype=bool)


@given(seed=seeds, n_inputs=st.integers(1, 6), n_points=st.integers(1, 4), intercept=st.booleans())
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


def test_ridge_predictions_do_not_depend_on_the_unit_or_on_repeating_the_images():
    generator = np.random.default_rng(2)
    x, y = generator.normal(size=(12, 3)), generator.normal(size=(12, 2, 2))
    once = fit_linear_map(x, y, all_used(y), intercept=True, ridge=0.1)(x)
    scaled = fit_linear_map(50 * x, y, all_used(y), intercept=True, ridge=0.1)(50 * x)
    xx, yy = np.concatenate([x, x]), np.concatenate([y, y])
    twice = fit_linear_map(xx, yy, all_used(yy), intercept=True, ridge=0.1)(x)
    np.testing.assert_allclose(scaled, once, atol=1e-12)
    np.testing.assert_allclose(twice, once, atol=1e-12)


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


def test_an_intercept_and_no_inputs_predict_the_mean():
    y = np.random.default_rng(5).normal(size=(7, 2, 2))
    found = fit_linear_map(np.zeros((7, 0)), y, all_used(y), intercept=True, ridge=0.1)
    np.testing.assert_allclose(found(np.zeros((3, 0))), np.broadcast_to(y.mean(0), (3, 2, 2)))


def test_constant_inputs_with_a_ridge_predict_the_mean():
    y = np.random.default_rng(6).normal(size=(7, 1, 2))
    found = fit_linear_map(np.full((7, 4), 3.0), y, all_used(y), intercept=True, ridge=0.1)
    np.testing.assert_allclose(found(np.full((1, 4), 3.0))[0], y.mean(0))
