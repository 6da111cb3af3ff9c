"""The linear map against closed forms, and what distinguishes the protocols."""

import numpy as np
import pytest

from swapmark.specimens.protocols import PROTOCOLS, fit_linear_map

SQUARE = np.full((40, 2), 100.0)


@pytest.fixture
def random():
    return np.random.default_rng(1)


def predict(name, source, target, sizes=SQUARE, used=None):
    used = np.ones(target.shape[:2], dtype=bool) if used is None else used
    return PROTOCOLS[name].predict(source, target, used, sizes, np.ones(len(source), bool))


def fitted(x, y, **options):
    return fit_linear_map(x, y, np.ones(y.shape[:2], dtype=bool), **options)


@pytest.mark.parametrize("scale", [0.5, 2.0])
@pytest.mark.parametrize(
    ("exact", "other", "origin"), [("imm", "zhang", -0.5), ("zhang", "imm", 49.5)]
)
def test_a_scaling_about_its_own_origin_alone_is_exact(random, exact, other, origin, scale):
    source = random.uniform(20, 60, (40, 1, 2))
    target = (source - origin) * scale + origin
    np.testing.assert_allclose(predict(exact, source, target), target, atol=1e-8)
    assert np.abs(predict(other, source, target) - target).max() > 0.5


def test_a_constant_shift_is_found_only_with_an_intercept(random):
    source = random.uniform(20, 60, (40, 1, 2))
    target = source + np.array([15.0, -7.0])
    off = {name: np.abs(predict(name, source, target) - target).max() for name in PROTOCOLS}
    assert off["centred"] < 0.05  # the ridge shrinks a little
    assert min(off["imm"], off["zhang"]) > 1


def test_moving_every_image_by_a_constant_changes_centred_by_nothing(random):
    source, shift = random.uniform(20, 60, (40, 3, 2)), np.array([11.0, 5.0])
    target = source[:, :2] + random.normal(0, 2, (40, 2, 2))
    change = {
        name: np.abs(
            predict(name, source + shift, target + shift) - shift - predict(name, source, target)
        ).max()
        for name in PROTOCOLS
    }
    assert change["centred"] < 1e-8
    assert min(change["imm"], change["zhang"]) > 0.01


def test_one_image_and_centred_predict_the_marks_of_that_image(random):
    source, target = random.uniform(20, 60, (40, 3, 2)), random.uniform(20, 60, (40, 1, 2))
    found = predict("centred", source, target, used=np.arange(40)[:, None] == 3)
    np.testing.assert_allclose(found[3], target[3])


@pytest.mark.parametrize("name", PROTOCOLS)
def test_the_unit_of_an_image_does_not_matter(random, name):
    source = random.uniform(0, 90, (40, 2, 2))
    target = source[:, :1] * 0.7 + random.normal(0, 2, (40, 1, 2)) + 10
    factor = random.integers(1, 6, (40, 1, 1)).astype(float)

    def enlarge(xy):
        return (xy + 0.5) * factor - 0.5

    large = predict(name, enlarge(source), enlarge(target), SQUARE * factor[:, 0])
    np.testing.assert_allclose(large, enlarge(predict(name, source, target)), atol=1e-7)


@pytest.mark.parametrize("intercept", [False, True])
@pytest.mark.parametrize(("inputs", "points"), [(1, 4), (6, 1), (4, 3)])
def test_an_exact_linear_relation_is_recovered(random, inputs, points, intercept):
    x, weights = random.normal(size=(30, inputs)), random.normal(size=(points, inputs, 2))
    offset = random.normal(size=(points, 2)) * intercept
    found = fitted(x, np.einsum("nd,mdc->nmc", x, weights) + offset, intercept=intercept)
    np.testing.assert_allclose(found.weights, weights, atol=1e-9)
    np.testing.assert_allclose(found.offset, offset, atol=1e-9)


def test_ridge_is_the_normal_equations_with_a_relative_strength(random):
    x, y = random.normal(size=(12, 3)), random.normal(size=(12, 2, 2))
    centred_x, centred_y = x - x.mean(0), (y - y.mean(0)).reshape(12, 4)
    gram = centred_x.T @ centred_x
    penalised = gram + 0.3 * gram.diagonal().max() * np.eye(3)
    expected = np.linalg.solve(penalised, centred_x.T @ centred_y)
    found = fitted(x, y, intercept=True, ridge=0.3)
    np.testing.assert_allclose(found.weights.swapaxes(0, 1).reshape(3, 4), expected, atol=1e-12)


def test_too_few_images_give_the_interpolating_solution_with_the_smallest_weights(random):
    x, y = random.normal(size=(4, 10)), random.normal(size=(4, 1, 2))
    found = fitted(x, y)
    np.testing.assert_allclose(found(x), y, atol=1e-10)
    np.testing.assert_allclose(found.weights[0], np.linalg.pinv(x) @ y[:, 0], atol=1e-10)


def test_each_point_is_fitted_on_the_images_where_it_is_used(random):
    x, y = random.normal(size=(20, 3)), random.normal(size=(20, 3, 2))
    used = random.random((20, 3)) < 0.7
    used[:, 2] = False
    y[~used] = np.nan
    found = fit_linear_map(x, y, used, intercept=True)
    for point in (0, 1):
        rows = used[:, point]
        alone = fitted(x[rows], y[rows, point : point + 1], intercept=True)
        np.testing.assert_allclose(found(x)[:, point], alone(x)[:, 0], atol=1e-10)
    assert np.isnan(found(x)[:, 2]).all()


@pytest.mark.parametrize("inputs", [0, 4])
def test_no_inputs_or_constant_ones_predict_the_mean(random, inputs):
    y = random.normal(size=(7, 2, 2))
    found = fitted(np.full((7, inputs), 3.0), y, intercept=True, ridge=0.1)
    assert found(np.full((1, inputs), 3.0))[0] == pytest.approx(y.mean(0))
