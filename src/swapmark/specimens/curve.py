"""How the error falls with the number of marked specimens: does it pay to mark more?"""

from dataclasses import dataclass

import numpy as np

from swapmark.specimens.estimate import fit_chosen
from swapmark.specimens.metrics import mean_error

SIZES = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000)


@dataclass(frozen=True)
class CurvePoint:
    """The error with only some of the specimens, on those left out."""

    specimens: int
    draws: int
    """How many random choices of them were averaged."""
    error: float
    """Mean over the draws; % of the normaliser."""
    spread: float
    """Standard deviation over the draws; NaN with one."""


def learning_curve(
    landmarks: np.ndarray,
    points: np.ndarray,
    used: np.ndarray,
    clusters: np.ndarray,
    lengths: np.ndarray,
    *,
    draws: int,
    seed: int,
) -> tuple[CurvePoint, ...]:
    """Errors by the number of specimens, up to half of them; scored on all that are left.

    Relative coordinates, landmarks (N, K, 2) and points (N, P, 2); `lengths` (N,) in the same unit.
    The groups (`clusters`) of the chosen specimens are left out of the score.
    """
    count = len(landmarks)
    sizes = sorted({size for size in SIZES if 2 * size < count} | ({count // 2} - {0}))
    generator = np.random.default_rng(seed)
    orders = [generator.permutation(count) for _ in range(draws)]
    curve = []
    for size in sizes:
        errors = []
        for order in orders:
            chosen = np.sort(order[:size])
            left = ~np.isin(clusters, clusters[chosen])
            if not left.any():
                continue
            fitted, _ = fit_chosen(
                landmarks[chosen], points[chosen], used[chosen], clusters[chosen]
            )
            found = fitted(landmarks[left].reshape(left.sum(), -1))
            distance = np.linalg.norm(found - points[left], axis=-1)
            errors.append(mean_error(100 * distance / lengths[left, None]))
        errors = [error for error in errors if np.isfinite(error)]
        if errors:
            spread = float(np.std(errors, ddof=1)) if len(errors) > 1 else np.nan
            curve.append(CurvePoint(size, len(errors), float(np.mean(errors)), spread))
    return tuple(curve)
