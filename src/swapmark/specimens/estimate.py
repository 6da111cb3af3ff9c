"""How firmly to hold the weights, and how large the error will be, from the specimens alone.

The strength is chosen by leave-one-out. An estimate that used the same left-out errors would
flatter itself, so every error reported here is of specimens that took no part in anything: neither
in the choice of the strength nor in the means that the map starts from.

Axes: N specimens, K landmarks, P points; relative coordinates.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from swapmark.specimens.regression import LinearMap
from swapmark.specimens.shrinkage import Strength, fit_points, left_out_errors

SEPARATE = (0.25, 1.0)
FEW = Strength(1.0, 3.0)
"""For fewer than three specimens, which cannot choose: what five to twenty faces chose."""
RIDGES = tuple(sign * 10.0**power for power in range(2, -6, -1) for sign in (1.0, 0.3))
"""From firm to loose."""
TIE = 1e-6
"""Means that differ by less than this share are equal, and the firmer strength is taken."""
MAX_FOLDS = 50
"""Up to so many specimens (or groups) are left out one by one; more, in so many parts."""


def number_clusters(groups: tuple[str, ...]) -> np.ndarray:
    """(N,): specimens of one group share a number; an empty group is a specimen of its own.

    >>> number_clusters(("anna", "", "anna", "")).tolist()
    [0, 1, 0, 2]
    """
    labels = [("group", group) if group else ("one", str(i)) for i, group in enumerate(groups)]
    numbers = {label: number for number, label in enumerate(dict.fromkeys(labels))}
    return np.array([numbers[label] for label in labels], dtype=int)


def choose_strength(
    landmarks: np.ndarray, points: np.ndarray, used: np.ndarray, clusters: np.ndarray
) -> Strength:
    """The strength with the smallest mean left-out distance; `FEW` with less than three clusters.

    One strength serves all points: with few specimens that is steadier than one for each.
    """
    best, chosen = np.inf, FEW
    if len(np.unique(clusters[used.any(axis=1)])) < 3:
        return chosen
    for separate in SEPARATE:
        errors = left_out_errors(landmarks, points, used, clusters, separate, RIDGES)
        known = np.isfinite(errors[0])
        if not known.any():
            continue
        for ridge, mean in zip(RIDGES, errors[:, known].mean(axis=1), strict=True):
            if mean < best * (1 - TIE):
                best, chosen = float(mean), Strength(separate, ridge)
    return chosen


def fit_chosen(
    landmarks: np.ndarray, points: np.ndarray, used: np.ndarray, clusters: np.ndarray
) -> tuple[LinearMap, Strength]:
    """The map with the strength that these specimens choose."""
    strength = choose_strength(landmarks, points, used, clusters)
    return fit_points(landmarks, points, used, strength), strength


@dataclass(frozen=True)
class LeftOut:
    """What specimens got from maps that had not seen them."""

    points: np.ndarray
    """(N, P, 2): by the map; NaN where the point is marked in no other part."""
    mean_shape: np.ndarray
    """(N, P, 2): the mean place of each point in the others, whatever the landmarks say."""
    parts: int
    """In how many parts they were left out."""


def predict_left_out(
    landmarks: np.ndarray, points: np.ndarray, used: np.ndarray, clusters: np.ndarray
) -> LeftOut:
    """Predict each part of the specimens by a map chosen and fitted on the others."""
    found, means = np.full((2, *points.shape), np.nan)
    parts = 0
    for out in _parts(clusters):
        parts += 1
        seen = used & ~out[:, None]
        known = seen.any(axis=0)
        if not known.any():
            continue
        fitted, _ = fit_chosen(landmarks[~out], points[~out], used[~out], clusters[~out])
        found[out] = fitted(landmarks[out].reshape(out.sum(), -1))
        marked = np.where(seen[..., None], points, 0.0)
        means[np.ix_(out, known)] = (marked.sum(axis=0) / np.maximum(seen.sum(axis=0), 1)[:, None])[
            known
        ]
    return LeftOut(found, means, parts)


def _parts(clusters: np.ndarray) -> Iterator[np.ndarray]:
    """Masks (N,) of what is left out together: whole clusters, spread evenly over the parts."""
    count = clusters.max(initial=-1) + 1
    order = np.random.default_rng(0).permutation(count)
    for chosen in np.array_split(order, min(count, MAX_FOLDS)):
        yield np.isin(clusters, chosen)
