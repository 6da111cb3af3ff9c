"""Normalised mean error and its interval: pure functions of arrays.

Axes: N images, M points. Errors are in % of a length that belongs to each image.
"""

import numpy as np


def point_errors(predicted: np.ndarray, target: np.ndarray, lengths: np.ndarray) -> np.ndarray:
    """Distance between predicted and target (N, M, 2), in % of `lengths` (N,): (N, M).

    NaN in either gives NaN, which the other functions leave out.

    >>> point_errors(np.array([[[3.0, 4.0]]]), np.zeros((1, 1, 2)), np.array([50.0])).tolist()
    [[10.0]]
    """
    return 100 * np.linalg.norm(predicted - target, axis=-1) / lengths[:, None]


def mean_error(errors: np.ndarray) -> float:
    """The mean of all errors (N, M) that are not NaN, each marked point counting once.

    >>> mean_error(np.array([[1.0, np.nan], [2.0, 6.0]]))
    3.0
    """
    return float(errors[np.isfinite(errors)].mean()) if np.isfinite(errors).any() else np.nan


def mean_error_of_points(errors: np.ndarray) -> np.ndarray:
    """The mean error (M,) of each point over the images (N, M) where it is marked.

    >>> mean_error_of_points(np.array([[1.0, np.nan], [2.0, 6.0]])).tolist()
    [1.5, 6.0]
    """
    return np.array([mean_error(column) for column in errors.T])


def bootstrap_interval(
    errors: np.ndarray, groups: tuple[str, ...], *, draws: int = 1000, seed: int = 0
) -> tuple[float, float] | None:
    """The 95 % percentile interval of `mean_error`, redrawing test images with replacement.

    Images of one group (a person, a recording) are drawn together; an empty group name stands
    for an image of its own. The linear map is held fixed. None if there are fewer than two
    independent groups, or no draws are asked for.

    >>> bootstrap_interval(np.full((20, 2), 5.0), ("",) * 20)
    (5.0, 5.0)
    >>> bootstrap_interval(np.full((20, 2), 5.0), ("one film",) * 20) is None
    True
    """
    scored = np.isfinite(errors)
    kept = np.flatnonzero(scored.any(axis=1))
    labels = [("group", groups[i]) if groups[i] else ("image", str(i)) for i in kept]
    number = {label: index for index, label in enumerate(dict.fromkeys(labels))}
    if len(number) < 2 or draws < 1:
        return None
    cluster = np.array([number[label] for label in labels])
    sums = np.bincount(cluster, weights=np.where(scored, errors, 0.0)[kept].sum(axis=1))
    counts = np.bincount(cluster, weights=scored[kept].sum(axis=1))
    generator = np.random.default_rng(seed)
    means = np.empty(draws)
    for draw in range(draws):
        chosen = generator.integers(len(number), size=len(number))
        means[draw] = sums[chosen].sum() / counts[chosen].sum()
    low, high = np.percentile(means, [2.5, 97.5])
    return float(low), float(high)
