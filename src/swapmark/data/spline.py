"""A thin-plate spline through any points, in numpy alone; warp.py has those on a grid, in torch.

A map takes each of P controls to its target: the similarity that fits best, and what is left of
the way as a spline (Bookstein 1989, U(r) = r² log r²). So few controls, or controls on a line, turn
and scale what is around them, and never crush it.
"""

import numpy as np

SMOOTHING = 1e-4
"""Bending that is forgone, with controls of centroid size 1: two in one place have no exact way."""


def fit_similarity(controls: np.ndarray, targets: np.ndarray) -> tuple[complex, complex]:
    """a and b of the map a z + b, z = x + iy, that takes (P, 2) to (P, 2) with least squares."""
    z, w = (points[:, 0] + 1j * points[:, 1] for points in (controls, targets))
    centred = z - z.mean()
    extent = float((np.abs(centred) ** 2).sum())
    # One place says nothing of turn and size: they stay.
    a = (centred.conj() * w).sum() / extent if extent > 1e-18 else 1.0 + 0j
    return complex(a), complex(w.mean() - a * z.mean())


def similar(points: np.ndarray, a: complex, b: complex) -> np.ndarray:
    """The points (..., 2) mapped by a z + b."""
    z = a * (points[..., 0] + 1j * points[..., 1]) + b
    return np.stack([np.real(z), np.imag(z)], axis=-1)


def spline_basis(points: np.ndarray, controls: np.ndarray) -> np.ndarray:
    """(M, P + 3): what each control, and the affine part, weighs at each of M points."""
    squared = np.square(points[:, None] - controls[None]).sum(axis=-1)
    bent = squared * np.log(np.maximum(squared, 1e-12))
    return np.concatenate([bent, np.ones((len(points), 1)), points], axis=1)


def spline_map(
    points: np.ndarray, controls: np.ndarray, targets: np.ndarray, basis: np.ndarray | None = None
) -> np.ndarray:
    """Where M points go if P controls of centroid size about 1 go to their targets.

    `basis` is `spline_basis(points, controls)`, where it is at hand.
    """
    count = len(controls)
    a, b = fit_similarity(controls, targets)
    system = np.zeros((count + 3, count + 3))
    system[:count] = spline_basis(controls, controls)
    system[count:, :count] = system[:count, count:].T
    system[range(count), range(count)] += SMOOTHING
    left = np.concatenate([targets - similar(controls, a, b), np.zeros((3, 2))])
    weights = np.linalg.lstsq(system, left, rcond=1e-9)[0]
    basis = spline_basis(points, controls) if basis is None else basis
    return similar(points, a, b) + basis @ weights
