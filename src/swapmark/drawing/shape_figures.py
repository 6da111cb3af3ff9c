"""Figures of shapes: how the points vary, the principal components, the outliers.

Shapes are (P, 2) of centroid size about 1, y down. A number stands at each point of the mean shape.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from swapmark.data.spline import spline_map
from swapmark.drawing.draw import landmark_colours
from swapmark.drawing.plots import new_figure, save_figure

DPI = 110
PAIRS = ((0, 1), (0, 2), (1, 2))
"""Components whose scores are drawn against each other, a panel each; and the first three."""
SHOWN = 11
"""Outliers that are drawn."""


def plot_variation(aligned: np.ndarray, mean: np.ndarray, path: Path) -> Path:
    """All aligned specimens (N, P, 2) as dots around the mean shape."""
    figure = new_figure(6, 6, DPI)
    panel = figure.subplots()
    for index, colour in enumerate(_colours(len(mean))):
        alpha = float(np.clip(60 / len(aligned), 0.05, 0.6))
        panel.plot(*aligned[:, index].T, ".", color=colour, markersize=3, alpha=alpha)
    _numbered(panel, mean)
    _as_shape(panel, f"{len(aligned):,} specimens around the mean shape")
    return save_figure(figure, path)


def plot_components(
    mean: np.ndarray,
    axes: np.ndarray,
    scores: np.ndarray,
    shares: np.ndarray,
    group: Sequence[str] | None,
    path: Path,
) -> Path:
    """The first components: scores of the specimens by group, and the shapes at the axes' ends.

    axes: (C, P, 2), at least one; scores: (N, C); shares: (C,). A shape at an end is that of the
    lowest or highest score; the grid is bent as the mean shape is on the way there.
    """
    rows = min(len(PAIRS), len(axes))
    figure = new_figure(11, 3.6 * rows, DPI)
    panels = figure.subplots(rows, 3, squeeze=False)
    groups = np.array(group or [""] * len(scores))
    for row, (cloud, low, high) in enumerate(panels):
        across, up = (min(component, len(axes) - 1) for component in PAIRS[row])
        for colour, name in zip(
            _colours(len(set(groups))), sorted(set(groups.tolist())), strict=True
        ):
            of = scores[groups == name]
            label = _plain(f"{name or 'no group'} ({len(of):,})")
            cloud.plot(of[:, across], of[:, up], ".", color=colour, markersize=4, label=label)
            cloud.plot(*of[:, [across, up]].mean(axis=0), "+", color=colour, markersize=14)
        cloud.set_aspect("equal", adjustable="datalim")
        cloud.set_xlabel(f"PC{across + 1}: {shares[across]:.0%} of the variance")
        cloud.set_ylabel(f"PC{up + 1}: {shares[up]:.0%} of the variance")
        if group and row == 0:
            cloud.legend(fontsize=8)
        for panel, score in ((low, scores[:, row].min()), (high, scores[:, row].max())):
            _grid(panel, mean, mean + score * axes[row])
            _as_shape(panel, f"PC{row + 1} at {score:+.2f}")
    return save_figure(figure, path)


def plot_outliers(
    aligned: np.ndarray,
    mean: np.ndarray,
    distances: np.ndarray,
    rows: Sequence[int],
    names: Sequence[str],
    path: Path,
) -> Path:
    """The specimens farthest from the mean shape, `rows` in that order, and all distances (N,)."""
    shown = list(rows)[:SHOWN]
    down = -(-(len(shown) + 1) // 4)
    figure = new_figure(11, 2.9 * down, DPI)
    panels = figure.subplots(down, 4, squeeze=False).ravel()
    apart = np.ptp(distances) > 1e-9  # or numpy finds no room for bins
    panels[0].hist(distances, bins="auto" if apart else 1, color="0.6")
    panels[0].set(xlabel="Procrustes distance to the mean", ylabel="specimens")
    for panel, row in zip(panels[1:], shown, strict=False):
        for start, end, colour in zip(mean, aligned[row], _colours(len(mean)), strict=True):
            panel.plot(*np.stack([start, end]).T, "-", color=colour)
            panel.plot(*end, "o", color=colour, markersize=5)
        panel.plot(*mean.T, "o", color="0.75", markersize=3, zorder=0)
        name = names[row] if len(names[row]) <= 24 else f"...{names[row][-21:]}"
        _as_shape(panel, f"{_plain(name)}\n{distances[row]:.3f}")
    for panel in panels[len(shown) + 1 :]:
        panel.set_axis_off()
    return save_figure(figure, path)


def _grid(panel, mean: np.ndarray, shape: np.ndarray) -> None:
    """The shape with a square grid around the mean shape, bent as the points move."""
    known = np.isfinite(mean).all(axis=1)
    low, high = mean[known].min(axis=0), mean[known].max(axis=0)
    centre, half = (low + high) / 2, 0.65 * (high - low).max()
    line, fine = np.linspace(-half, half, 13), np.linspace(-half, half, 60)
    for at in line:
        for line_of in (np.stack([fine, fine * 0 + at], 1), np.stack([fine * 0 + at, fine], 1)):
            bent = spline_map(centre + line_of, mean[known], shape[known])
            panel.plot(*bent.T, color="0.75", linewidth=0.7)
    _numbered(panel, shape)


def _numbered(panel, shape: np.ndarray) -> None:
    for number, (at, colour) in enumerate(zip(shape, _colours(len(shape)), strict=True), 1):
        if np.isfinite(at).all():
            panel.plot(*at, "o", color=colour, markeredgecolor="black", markersize=7)
            panel.annotate(str(number), at, (5, 4), textcoords="offset points", fontsize=8)


def _as_shape(panel, title: str) -> None:
    panel.set_aspect("equal")
    panel.invert_yaxis()
    panel.set_axis_off()
    panel.set_title(title, fontsize=9)


def _plain(name: str) -> str:
    """A name as the font has it, and no formula."""
    return name.encode("ascii", "replace").decode().replace("$", r"\$")


def _colours(count: int) -> np.ndarray:
    return np.array(landmark_colours(count)).reshape(count, 3) / 255
