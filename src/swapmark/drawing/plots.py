"""The loss curves of a run."""

import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from swapmark.drawing.draw import landmark_colours, save_image

TERMS = (
    *("loss", "reconstruction", "known_equivariance", "separation"),
    *("swap", "cycle", "inverse", "equivariance", "nearby", "flow"),
)
"""The loss and its terms, by their names in metrics.jsonl."""
SPREADS = ("spread", "spread_min")
"""Standard deviations of landmarks over images, in unit coordinates."""


def plot_losses(history: Sequence[dict], path: str | Path, swaps_begin: int | None = None) -> Path:
    """Plot losses (logarithmic) over the landmark spread, against the step, into an image file.

    history: one dict a logged step, as in metrics.jsonl, with "step" and some of `TERMS` and
    `SPREADS`. What is not finite or, on the logarithmic axis, not above zero is left out.
    swaps_begin: the step at which the loss rises, since its terms of the swaps fade in.
    """
    figure = new_figure(8, 7, dpi=120)
    losses, spreads = figure.subplots(2, 1, sharex=True)
    _plot_curves(losses, history, TERMS, above=0.0)
    losses.set(ylabel="loss", title="Loss, and its terms before they are weighted")
    if swaps_begin is not None and history and history[-1]["step"] > swaps_begin:
        losses.axvline(swaps_begin, color="0.5", linestyle=":")
        words = " swaps begin: the loss rises"
        losses.annotate(words, (swaps_begin, 1), xycoords=("data", "axes fraction"), va="top")
    if any(line.get_ydata().size for line in losses.lines):
        losses.set_yscale("log")
    _plot_curves(spreads, history, SPREADS, above=-math.inf)
    spreads.set(ylabel="standard deviation, unit lengths", title="Spread of the landmarks")
    spreads.set_ylim(bottom=0)
    spreads.set_xlabel("step")
    spreads.xaxis.get_major_locator().set_params(integer=True)
    return save_figure(figure, path)


def new_figure(width: float, height: float, dpi: int):
    """An empty figure of matplotlib, of this size in inches."""
    # Heavy, so not before it is needed; Figure alone leaves pyplot's global state untouched.
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), dpi=dpi, layout="constrained")
    FigureCanvasAgg(figure)
    return figure


def save_figure(figure, path: str | Path) -> Path:
    """Write a figure into an image file, whole or not at all."""
    figure.canvas.draw()
    return save_image(np.asarray(figure.canvas.buffer_rgba())[..., :3].copy(), path)


def _plot_curves(panel, history: Sequence[dict], known: Sequence[str], *, above: float) -> None:
    """Draw one curve for each known name that is there, the first one thick and black."""
    names = [name for name in known if any(name in entry for entry in history)]
    colours = [(0, 0, 0), *landmark_colours(len(names))]
    for name, colour in zip(names, colours, strict=False):
        points = [(entry["step"], entry[name]) for entry in history if name in entry]
        points = [(step, value) for step, value in points if math.isfinite(value) and value > above]
        panel.plot(
            *np.array(points, dtype=float).reshape(-1, 2).T,
            color=np.array(colour) / 255,
            label=name,
            linewidth=2.2 if name == names[0] else 1.2,
            marker="o" if len(points) == 1 else None,  # a line of one point can't be seen
        )
    panel.grid(alpha=0.3)
    panel.spines[["top", "right"]].set_visible(False)
    if names:
        panel.legend(fontsize=8, ncols=1 + len(names) // 7)
