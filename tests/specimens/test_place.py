"""The map and its left-out errors, against solving the same problem the long way."""

import numpy as np
import pytest

from swapmark.specimens import place
from swapmark.specimens.place import (
    FEW_RIDGE,
    RIDGES,
    PlaceRegression,
    choose_ridge,
    fit_place,
    leave_out_parts,
    place_weights,
)

N, K, P = 15, 4, 3
TOGETHER = np.array([0, *range(N - 1)])
"""Two specimens of one group, the others by themselves."""


@pytest.fixture
def specimens():
    """Landmarks (N, K, 2), points (N, P, 2) that depend on them but for noise, all used."""
    random = np.random.default_rng(0)
    landmarks = random.normal(size=(1, K, 2)) + 0.3 * random.normal(size=(N, K, 2))
    weights = random.normal(size=(P, K)) / K
    points = np.einsum("pk,nkc->npc", weights, landmarks) + 0.1 * random.normal(size=(N, P, 2))
    return landmarks, points, np.ones((N, P), bool)


def flat(landmarks):
    return landmarks.reshape(len(landmarks), -1)


def long_way(landmarks, points, ridge, weights, new):
    """One point (n, 2) at `new`: penalised normal equations, from the place weights as given.

    The unknowns are K weights common to x and y, then 2K for x and 2K for y.
    """

    def features(moved):
        x, y, both = moved[..., 0], moved[..., 1], place.SEPARATE * flat(moved)
        of_x = np.concatenate([x, both, 0 * both], axis=1)
        of_y = np.concatenate([y, 0 * both, both], axis=1)
        return np.stack([of_x, of_y], axis=1)  # (n, 2, 5K)

    centre = landmarks.mean(axis=0)
    rest = points - np.einsum("k,nkc->nc", weights, landmarks)
    known = features(landmarks - centre).reshape(2 * len(points), -1)
    penalty = ridge * ((landmarks - centre) ** 2).sum() / (2 * landmarks.shape[1])
    gram = known.T @ known + penalty * np.eye(known.shape[1])
    solved = np.linalg.solve(gram, known.T @ (rest - rest.mean(axis=0)).reshape(-1))
    return (
        np.einsum("k,nkc->nc", weights, new) + rest.mean(axis=0) + features(new - centre) @ solved
    )


@pytest.mark.parametrize("ridge", [0.01, 3.0])
def test_the_map_solves_the_penalised_normal_equations(specimens, ridge):
    landmarks, points, _ = specimens
    new = landmarks[:3] + 0.7
    found = PlaceRegression(landmarks, points).fit(ridge)(flat(new))
    weights = place_weights(landmarks.mean(axis=0), points.mean(axis=0))
    for point in range(P):
        expected = long_way(landmarks, points[:, point], ridge, weights[point], new)
        assert found[:, point] == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize("clusters", [np.arange(N), np.arange(N) // 3, np.arange(N) % 4])
def test_left_out_errors_equal_leaving_out_and_solving_again(specimens, clusters):
    landmarks, points, _ = specimens
    weights = place_weights(landmarks.mean(axis=0), points.mean(axis=0))
    moved = ((landmarks - landmarks.mean(axis=0)) ** 2).sum()
    for ridge in (0.01, 1.0):
        found = PlaceRegression(landmarks, points).left_out(clusters, ridge)
        for cluster in np.unique(clusters):
            out = clusters == cluster
            seen = landmarks[~out]
            # The same penalty as with all specimens: it is a multiple of their sum of squares.
            same = ridge * moved / ((seen - seen.mean(axis=0)) ** 2).sum()
            for point in range(P):
                expected = long_way(seen, points[~out, point], same, weights[point], landmarks[out])
                distance = np.linalg.norm(expected - points[out, point], axis=-1)
                assert found[out, point] == pytest.approx(distance, abs=1e-9)


def test_one_cluster_has_no_left_out_error(specimens):
    assert np.isnan(PlaceRegression(*specimens[:2]).left_out(np.zeros(N, int), 1.0)).all()


def test_the_ridge_is_that_of_the_smallest_left_out_error(specimens):
    regression = PlaceRegression(*specimens[:2])
    means = {ridge: regression.left_out(TOGETHER, ridge).mean() for ridge in RIDGES}
    chosen = choose_ridge([(regression, TOGETHER)])
    assert means[chosen] <= min(means.values()) * (1 + 1e-5)


def test_many_exact_specimens_choose_a_loose_ridge_and_noise_a_firm_one():
    random = np.random.default_rng(0)
    landmarks, clusters = random.normal(size=(60, K, 2)), np.arange(60)
    crossed = landmarks[:, :1, ::-1] * 2  # x from y and y from x
    assert choose_ridge([(PlaceRegression(landmarks, crossed), clusters)]) == min(RIDGES)
    fitted = fit_place(landmarks, crossed, np.ones((60, 1), bool), clusters)
    new = random.normal(size=(5, K, 2))
    assert fitted(flat(new)) == pytest.approx(new[:, :1, ::-1] * 2, abs=1e-2)
    still = landmarks.mean(axis=1, keepdims=True) + 0.1 * random.normal(size=(60, 1, 2))
    assert choose_ridge([(PlaceRegression(landmarks, still), clusters)]) >= 0.1


@pytest.mark.parametrize("count", [1, 2])
def test_one_or_two_specimens_choose_nothing(specimens, count):
    landmarks, points, used = (array[:count] for array in specimens)
    fitted = fit_place(landmarks, points, used, np.arange(count))
    firm = PlaceRegression(landmarks, points).fit(FEW_RIDGE)
    assert fitted.weights == pytest.approx(firm.weights)


def test_one_specimen_goes_along_with_every_shift_turn_and_stretch(specimens):
    landmarks, points, used = (array[:1] for array in specimens)
    fitted = fit_place(landmarks, points, used, np.arange(1))
    affine, shift = np.array([[0.8, -0.7], [0.4, 1.3]]), np.array([0.3, -0.2])
    assert fitted(flat(landmarks @ affine + shift)) == pytest.approx(points @ affine + shift)


@pytest.mark.parametrize("still", ["all in one place", "on a line"])
def test_degenerate_landmarks_give_finite_weights(still):
    landmarks = np.zeros((3, K, 2))
    if still == "on a line":
        landmarks[..., 0] = np.arange(K)
        landmarks[..., 1] = 1e-6 * np.arange(K) ** 2
    points = np.random.default_rng(0).normal(size=(3, P, 2))
    fitted = fit_place(landmarks, points, np.ones((3, P), bool), np.arange(3))
    assert np.abs(fitted.weights).max() < 10
    assert fitted(flat(landmarks))[0] == pytest.approx(points.mean(axis=0))


def test_a_point_is_fitted_on_the_specimens_where_it_is_marked(specimens, monkeypatch):
    monkeypatch.setattr(place, "RIDGES", (0.3,))
    landmarks, points, used = specimens
    used[:5, 1] = used[:, 2] = False
    points = np.where(used[..., None], points, np.nan)
    fitted = fit_place(landmarks, points, used, np.arange(N))
    alone = fit_place(landmarks[5:], points[5:, 1:2], used[5:, 1:2], np.arange(N - 5))
    assert fitted.weights[1] == pytest.approx(alone.weights[0])
    assert fitted.offset[1] == pytest.approx(alone.offset[0])
    assert np.isnan(fitted.weights[2]).all()


def test_many_specimens_are_left_out_in_parts_that_keep_groups_whole():
    clusters = np.arange(N) // 2
    parts = leave_out_parts(clusters, 4)
    assert len(parts) == 4
    assert (np.sum(parts, axis=0) == 1).all()
    assert not any(set(clusters[part]) & set(clusters[~part]) for part in parts)
