"""The map and its left-out errors, against solving the same problem the long way."""

import numpy as np
import pytest

from swapmark.specimens.regression import LinearMap
from swapmark.specimens.shrinkage import (
    Strength,
    _features,
    fit_points,
    left_out_errors,
    place_weights,
)

N, K, P = 12, 4, 3


@pytest.fixture
def specimens():
    """Landmarks (N, K, 2), points (N, P, 2) that depend on them but for noise, all used."""
    random = np.random.default_rng(0)
    landmarks = random.normal(size=(1, K, 2)) + 0.3 * random.normal(size=(N, K, 2))
    weights = random.normal(size=(P, K)) / K
    points = np.einsum("pk,nkc->npc", weights, landmarks) + 0.1 * random.normal(size=(N, P, 2))
    return landmarks, points, np.ones((N, P), bool)


def predict(fitted: LinearMap, landmarks: np.ndarray) -> np.ndarray:
    return fitted(landmarks.reshape(len(landmarks), -1))


def long_way(landmarks, points, strength, place, new):
    """One point (n, 2): penalised normal equations with the place weights as given."""
    moved = landmarks - landmarks.mean(axis=0)
    features = _features(landmarks, strength.separate)
    rest = points - np.einsum("k,nkc->nc", place, landmarks)
    target = (rest - rest.mean(axis=0)).reshape(-1)
    penalty = strength.ridge * (moved**2).sum() / (2 * landmarks.shape[1])
    gram = features.T @ features + penalty * np.eye(features.shape[1])
    solved = np.linalg.solve(gram, features.T @ target)
    both = np.concatenate([landmarks, new])
    row = _features(both, strength.separate) @ solved  # centred on the mean of both
    row = row.reshape(len(both), 2)
    at_new = row[len(landmarks) :] - row[: len(landmarks)].mean(axis=0)
    return np.einsum("k,nkc->nc", place, new) + rest.mean(axis=0) + at_new


@pytest.mark.parametrize("strength", [Strength(1.0, 0.1), Strength(0.25, 3.0), Strength(0.0, 0.01)])
def test_the_map_solves_the_penalised_normal_equations(specimens, strength):
    landmarks, points, used = specimens
    new = landmarks[:3] + 0.7
    found = predict(fit_points(landmarks, points, used, strength), new)
    place = place_weights(landmarks.mean(axis=0), points.mean(axis=0))
    for point in range(P):
        expected = long_way(landmarks, points[:, point], strength, place[point], new)
        assert found[:, point] == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize("clusters", [np.arange(N), np.arange(N) // 3, np.arange(N) % 5])
def test_left_out_errors_equal_leaving_out_and_solving_again(specimens, clusters):
    landmarks, points, used = specimens
    strengths = [Strength(0.5, ridge) for ridge in (0.01, 1.0)]
    ridges = [strength.ridge for strength in strengths]
    found = left_out_errors(landmarks, points, used, clusters, 0.5, ridges)
    place = place_weights(landmarks.mean(axis=0), points.mean(axis=0))
    moved = ((landmarks - landmarks.mean(axis=0)) ** 2).sum()
    for index, strength in enumerate(strengths):
        for cluster in np.unique(clusters):
            out = clusters == cluster
            seen = landmarks[~out]
            # The same penalty as with all specimens: it is a multiple of their sum of squares.
            same = strength.ridge * moved / ((seen - seen.mean(axis=0)) ** 2).sum()
            for point in range(P):
                expected = long_way(
                    seen, points[~out, point], Strength(0.5, same), place[point], landmarks[out]
                )
                distance = np.linalg.norm(expected - points[out, point], axis=-1)
                assert found[index, out, point] == pytest.approx(distance, abs=1e-9)


def test_a_linear_relation_is_recovered_exactly(specimens):
    landmarks, _, _ = specimens
    many = np.concatenate([landmarks, landmarks[::-1] * 1.3 + 0.2])
    matrix = np.random.default_rng(1).normal(size=(2 * K, P * 2))
    points = (many.reshape(len(many), -1) @ matrix + 0.5).reshape(len(many), P, 2)
    fitted = fit_points(many, points, np.ones(points.shape[:2], bool), Strength(1.0, 1e-12))
    new = np.random.default_rng(2).normal(size=(5, K, 2))
    expected = (new.reshape(5, -1) @ matrix + 0.5).reshape(5, P, 2)
    assert predict(fitted, new) == pytest.approx(expected, abs=1e-5)


def test_one_specimen_goes_along_with_every_shift_turn_and_stretch(specimens):
    landmarks, points, _ = specimens
    fitted = fit_points(landmarks[:1], points[:1], np.ones((1, P), bool), Strength(1.0, 1.0))
    affine, shift = np.array([[0.8, -0.7], [0.4, 1.3]]), np.array([0.3, -0.2])
    found = predict(fitted, landmarks[:1] @ affine + shift)
    assert found == pytest.approx(points[:1] @ affine + shift)


@pytest.mark.parametrize("still", ["all in one place", "on a line"])
def test_degenerate_landmarks_give_finite_weights(still):
    landmarks = np.zeros((3, K, 2))
    if still == "on a line":
        landmarks[..., 0] = np.arange(K)
        landmarks[..., 1] = 1e-6 * np.arange(K) ** 2
    points = np.random.default_rng(0).normal(size=(3, P, 2))
    fitted = fit_points(landmarks, points, np.ones((3, P), bool), Strength(1.0, 1.0))
    assert np.abs(fitted.weights).max() < 10
    assert predict(fitted, landmarks)[0] == pytest.approx(points.mean(axis=0))


def test_a_point_is_fitted_on_the_specimens_where_it_is_marked(specimens):
    landmarks, points, used = specimens
    used = used.copy()
    used[:5, 1] = False
    used[:, 2] = False
    points = np.where(used[..., None], points, np.nan)
    strength = Strength(1.0, 0.3)
    fitted = fit_points(landmarks, points, used, strength)
    alone = fit_points(landmarks[5:], points[5:, 1:2], used[5:, 1:2], strength)
    assert fitted.weights[1] == pytest.approx(alone.weights[0])
    assert fitted.offset[1] == pytest.approx(alone.offset[0])
    assert np.isnan(fitted.weights[2]).all()
    errors = left_out_errors(landmarks, points, used, np.arange(N), 1.0, [0.3])
    assert np.array_equal(np.isfinite(errors[0]), used)
    expected = left_out_errors(
        landmarks[5:], points[5:, 1:2], used[5:, 1:2], np.arange(N - 5), 1.0, [0.3]
    )
    assert errors[0, 5:, 1] == pytest.approx(expected[0, :, 0])


def test_a_point_marked_in_one_group_alone_has_no_left_out_error(specimens):
    landmarks, points, used = specimens
    errors = left_out_errors(landmarks, points, used, np.zeros(N, int), 1.0, [1.0])
    assert np.isnan(errors).all()
