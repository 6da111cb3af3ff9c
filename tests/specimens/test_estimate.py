"""The estimate of the error is that of specimens that took no part in anything."""

import numpy as np
import pytest

from swapmark.specimens import estimate
from swapmark.specimens.estimate import (
    FEW,
    RIDGES,
    SEPARATE,
    choose_strength,
    fit_chosen,
    number_clusters,
    predict_left_out,
)
from swapmark.specimens.shrinkage import left_out_errors

N, K, P = 15, 3, 2


@pytest.fixture
def specimens():
    random = np.random.default_rng(3)
    landmarks = random.normal(size=(1, K, 2)) + 0.3 * random.normal(size=(N, K, 2))
    points = landmarks[:, :P] * 0.5 + 0.2 * random.normal(size=(N, P, 2))
    return landmarks, points, np.ones((N, P), bool)


def test_the_strength_is_that_of_the_smallest_left_out_error(specimens):
    clusters = np.arange(N)
    chosen = choose_strength(*specimens, clusters)
    means = {
        (separate, ridge): errors.mean()
        for separate in SEPARATE
        for ridge, errors in zip(
            RIDGES, left_out_errors(*specimens, clusters, separate, RIDGES), strict=True
        )
    }
    assert means[chosen.separate, chosen.ridge] <= min(means.values()) * (1 + 1e-5)


def test_many_exact_specimens_choose_a_loose_strength_and_noise_a_firm_one():
    random = np.random.default_rng(0)
    landmarks = random.normal(size=(60, K, 2))
    used, clusters = np.ones((60, 1), bool), np.arange(60)
    crossed = landmarks[:, :1, ::-1] * 2  # x from y and y from x
    assert choose_strength(landmarks, crossed, used, clusters).ridge == min(RIDGES)
    still = landmarks.mean(axis=1, keepdims=True) + 0.1 * random.normal(size=(60, 1, 2))
    assert choose_strength(landmarks, still, used, clusters).ridge >= 0.1


@pytest.mark.parametrize("count", [1, 2])
def test_one_or_two_specimens_choose_nothing(specimens, count):
    landmarks, points, used = (array[:count] for array in specimens)
    fitted, strength = fit_chosen(landmarks, points, used, np.arange(count))
    assert strength == FEW
    assert np.isfinite(fitted.weights).all()


def test_each_specimen_is_predicted_by_what_the_others_choose_and_fit(specimens):
    landmarks, points, used = specimens
    clusters = number_clusters(("a", "a", "b", *[""] * (N - 3)))
    found = predict_left_out(landmarks, points, used, clusters)
    assert found.parts == N - 1
    for out in ([0, 1], [2], [7]):
        rest = np.setdiff1d(np.arange(N), out)
        fitted, _ = fit_chosen(landmarks[rest], points[rest], used[rest], clusters[rest])
        assert found.points[out] == pytest.approx(fitted(landmarks[out].reshape(len(out), -1)))
        for row in out:
            assert found.mean_shape[row] == pytest.approx(points[rest].mean(axis=0))


def test_a_left_out_specimen_has_no_say_in_its_own_prediction(specimens):
    landmarks, points, used = specimens
    before = predict_left_out(landmarks, points, used, np.arange(N))
    points[4] += 100  # would change the choice and every mean
    after = predict_left_out(landmarks, points, used, np.arange(N))
    assert after.points[4] == pytest.approx(before.points[4])
    assert after.mean_shape[4] == pytest.approx(before.mean_shape[4])
    assert np.abs(after.mean_shape[5] - before.mean_shape[5]).min() > 1


def test_pure_noise_is_not_estimated_better_than_it_is():
    """The errors by which the strength is chosen flatter; those that are reported do not."""
    random = np.random.default_rng(0)
    chosen, reported = [], []
    for _ in range(30):
        landmarks, points = random.normal(size=(2, 8, K, 2))
        used, clusters = np.ones((8, K), bool), np.arange(8)
        strength = choose_strength(landmarks, points, used, clusters)
        ridges = [strength.ridge]
        errors = left_out_errors(landmarks, points, used, clusters, strength.separate, ridges)
        chosen.append(errors.mean())
        found = predict_left_out(landmarks, points, used, clusters).points
        reported.append(np.linalg.norm(found - points, axis=-1).mean())
    assert np.mean(reported) > 1.03 * np.mean(chosen)


def test_a_point_marked_once_has_no_prediction_where_it_is_left_out(specimens):
    landmarks, points, used = specimens
    used[1:, 1] = False
    points[1:, 1] = np.nan
    found = predict_left_out(landmarks, points, used, np.arange(N))
    assert np.isnan(found.points[0, 1]).all()
    assert np.isnan(found.mean_shape[0, 1]).all()
    assert np.isfinite(found.points[1:]).all()


def test_many_specimens_are_left_out_in_parts_that_keep_groups_whole(specimens, monkeypatch):
    monkeypatch.setattr(estimate, "MAX_FOLDS", 4)
    clusters = np.arange(N) // 2
    parts = list(estimate._parts(clusters))
    assert len(parts) == 4
    assert (np.sum(parts, axis=0) == 1).all()
    for part in parts:
        assert not set(clusters[part]) & set(clusters[~part])
