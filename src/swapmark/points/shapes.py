"""Shapes: what is left of points without place, turn and size, and how they vary.

Generalised Procrustes (Gower 1975) in the notation of Kent (1994; Dryden and Mardia 2016, chapter
8): a point is a complex number, z a centred specimen of length 1, and the mean μ minimises

    Σ_i min_{a, b} |a z_i + b - μ|²,   a turning and scaling, b shifting; nothing is mirrored.

So μ is an eigenvector, and there is no loop. A missing point is no term of the sum; the weight of a
point is the number of specimens that have it.
"""

import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from swapmark.data.items import Skipped
from swapmark.errors import InputError, counted
from swapmark.files import refuse_existing
from swapmark.points.csv import write_cells
from swapmark.points.table import Points

FEWEST = 3
"""Points of a shape: any two can be laid on any two others."""


@dataclass(frozen=True, eq=False, repr=False)
class Shapes:
    """N specimens of P points, each turned, scaled and shifted onto the mean shape.

    Lengths are in units of the mean shape's centroid size; y points down, as in the pictures.
    """

    points: Points
    """The N specimens that were used, in pixels."""
    aligned: np.ndarray
    """(N, P, 2); NaN where a point is missing."""
    mean: np.ndarray
    """(P, 2), of centroid size 1 around 0 0, turned as the specimens are on average."""
    sizes: np.ndarray
    """(N,) centroid size in pixels, or in the unit of `Points.scale` where the table has it. Of a
    specimen with missing points that of the whole, if these lie where the mean shape has them."""
    distances: np.ndarray
    """(N,) full Procrustes distance to the mean shape, of missing points as of the others."""
    axes: np.ndarray
    """(C, P, 2) principal components of `aligned`, each of length 1."""
    scores: np.ndarray
    """(N, C); a missing point counts as at its mean place."""
    shares: np.ndarray
    """(C,) share of each component in the variance."""
    left_out: tuple[Skipped, ...]
    """Specimens without a shape, and why."""

    def __repr__(self) -> str:
        left = f", {len(self.left_out)} left out" if self.left_out else ""
        each = counted(len(self.points.names), "point")
        return f"<Shapes: {counted(len(self.points), 'specimen')}, {each} each{left}>"

    @property
    def outliers(self) -> np.ndarray:
        """(N,) rows, the farthest from the mean shape first."""
        return np.argsort(-self.distances, kind="stable")

    @property
    def variance(self) -> float:
        """Mean squared Procrustes distance to the mean shape."""
        return float((self.distances**2).mean())

    def save(self, folder: str | os.PathLike, *, overwrite: bool = False) -> Path:
        """Write the tables and figures of `swapmark shapes` into a folder.

        aligned.csv, sizes.csv (the outliers first), scores.csv, components.csv; variation.png,
        components.png, outliers.png. Raises InputError if they are there and `overwrite` is not
        set, and OutputError if they cannot be written.
        """
        from swapmark.drawing.shape_figures import plot_components, plot_outliers, plot_variation

        points, folder = self.points, Path(folder)
        refuse_existing(folder / "aligned.csv", overwrite=overwrite)
        about = {"file": points.files, "frame": points.frame, "group": points.group}
        about = {name: list(values) for name, values in about.items() if values is not None}
        present = points.marked.sum(axis=1).tolist()
        measured = {"centroid_size": self.sizes, "distance": self.distances, "points": present}
        by_distance = list(zip(*about.values(), *measured.values(), strict=True))
        coordinates = [f"{name}_{axis}" for name in points.names for axis in "xy"]
        components = [f"PC{number + 1}" for number in range(len(self.axes))]
        rows = zip(self.shares, self.axes, components, strict=True)
        flat = self.aligned.reshape(len(points), -1).tolist()
        tables = {
            "aligned.csv": [[*about, *coordinates], *_joined(about, flat)],
            "sizes.csv": [[*about, *measured], *(list(by_distance[row]) for row in self.outliers)],
            "scores.csv": [[*about, *components], *_joined(about, self.scores.tolist())],
            "components.csv": [
                ["component", "share", *coordinates],
                ["mean", "", *self.mean.ravel().tolist()],
                *([name, float(share), *axis.ravel().tolist()] for share, axis, name in rows),
            ],
        }
        for name, cells in tables.items():
            write_cells(cells, folder / name)
        plot_variation(self.aligned, self.mean, folder / "variation.png")
        if len(self.axes):
            parts = self.mean, self.axes, self.scores, self.shares, points.group
            plot_components(*parts, folder / "components.png")
        order = self.outliers.tolist()
        names = points.files
        if points.frame is not None:
            names = [f"frame {frame}" for frame in points.frame.tolist()]
        path = folder / "outliers.png"
        plot_outliers(self.aligned, self.mean, self.distances, order, names, path)
        return folder


def align_points(points: Points) -> Shapes:
    """What `Points.align` says. Raises InputError where the specimens have no common mean shape."""
    there = points.marked
    z = np.where(there, points.xy[..., 0] + 1j * points.xy[..., 1], 0)
    z = np.where(there, z - z.sum(1, keepdims=True) / np.maximum(there.sum(1, keepdims=True), 1), 0)
    lengths = np.linalg.norm(z, axis=1)
    few, same = there.sum(axis=1) < FEWEST, lengths < 1e-9 * (1 + np.abs(points.xy[there]).max())
    used = ~(few | same)
    reasons = np.where(few, f"fewer than {FEWEST} points", "all points in one place")
    left_out = [Skipped(points.files[row], str(reasons[row])) for row in np.flatnonzero(~used)]
    if not used.any():
        raise InputError(
            f"None of {counted(len(points), 'image')} has a shape: each has {reasons[0]}. A shape "
            f"needs {FEWEST} points of one specimen; mark more, or learn more landmarks."
        )
    taken, there, lengths = points.take(used), there[used], lengths[used]
    z = z[used] / lengths[:, None]
    mean = _mean_shape(z, there)
    # Onto the mean: a z + b for the points that are there.
    a = (z.conj() * np.nan_to_num(mean)).sum(axis=1)
    turn = np.exp(-1j * np.angle((a / np.maximum(np.abs(a), 1e-12)).sum()))
    mean, a = mean * turn, a * turn
    share = np.where(there, mean, 0)
    b = share.sum(axis=1) / there.sum(axis=1)
    aligned = np.where(there, a[:, None] * z + b[:, None], np.nan)
    squares = np.where(there, np.abs(aligned - mean) ** 2, 0).sum(axis=1)
    part = np.linalg.norm(np.where(there, mean - b[:, None], 0), axis=1)
    unit = 1.0 if taken.scale is None else np.asarray(taken.scale, dtype=float)
    axes, scores, shares = _components(np.where(there, aligned, mean))
    return Shapes(
        points=taken,
        aligned=_plane(aligned),
        mean=_plane(mean),
        sizes=lengths / part * unit,
        distances=np.sqrt(squares * np.isfinite(mean).sum() / there.sum(axis=1)),
        axes=axes,
        scores=scores,
        shares=shares,
        left_out=tuple(left_out),
    )


def _components(z: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Axes (C, P, 2), scores (N, C) and shares (C,) of aligned specimens z (N, P).

    The coordinate that weighs most in an axis is positive.
    """
    known = np.asarray(np.isfinite(z[0]))
    flat = _plane(z[:, known]).reshape(len(z), -1)
    flat = flat - flat.mean(axis=0)
    _, singular, directions = np.linalg.svd(flat, full_matrices=False)
    count = max(0, min(len(flat) - 1, flat.shape[1] - 4))
    directions = directions[:count]
    largest = np.abs(directions).argmax(axis=1)
    directions *= np.sign(np.take_along_axis(directions, largest[:, None], axis=1))
    axes = np.zeros((count, len(known), 2))
    axes[:, known] = directions.reshape(count, known.sum(), 2)
    total = max(float((singular**2).sum()), 1e-30)
    return axes, flat @ directions.T, singular[:count] ** 2 / total


def _mean_shape(z: np.ndarray, there: np.ndarray) -> np.ndarray:
    """The mean (P,) of centred specimens z (N, P) of length 1, 0 where a point is missing.

    With D the number of specimens that have each point, 1_i those of specimen i and n_i their
    number, μ minimises μ* M μ / μ* D μ for M = D - Σ_i (1_i 1_iᵀ / n_i + z_i z_i*). It is of length
    1 around 0, and NaN for points that no specimen has.
    """
    known = there.any(axis=0)
    z, there = z[:, known], there[:, known].astype(float)
    root = np.sqrt(there.sum(axis=0))
    shifts = (there / there.sum(axis=1, keepdims=True)).T @ there
    weighted = np.diag(root**2) - shifts - z.T @ z.conj()
    shift = root / np.linalg.norm(root)  # all points in one place: no shape
    values, vectors = np.linalg.eigh(
        weighted / np.outer(root, root) + 2 * np.outer(shift, shift)  # other eigenvalues are <= 1
    )
    if values[1] < 1e-9:
        raise InputError(
            "Some points are never in a picture together with two of the others, so there is no "
            "mean shape. Leave these points out, or mark them in the same pictures."
        )
    found = vectors[:, 0] / root
    found = found - found.mean()
    mean = np.full(known.shape, np.nan + 0j)
    mean[known] = found / np.linalg.norm(found)
    return mean


def _plane(z: np.ndarray) -> np.ndarray:
    return np.stack([np.real(z), np.where(np.isnan(z), np.nan, np.imag(z))], axis=-1)


def _joined(about: dict[str, list], rows: list[list]) -> list[list]:
    first = zip(*about.values(), strict=True)
    return [[*known, *row] for known, row in zip(first, rows, strict=True)]
