import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from swapmark.drawing.draw import landmark_colours
from swapmark.drawing.plots import plot_losses


def plotted(entries, folder):
    with Image.open(plot_losses(entries, folder / "loss.png")) as picture:
        return np.asarray(picture)


def history(**values):
    return [{"step": step, "loss": 3 / step, "spread": 0.1, **values} for step in range(1, 51)]


@pytest.mark.parametrize("term", ["swap", "cycle"])
def test_terms_are_drawn_in_their_colours_besides_the_total(tmp_path, term):
    orange = landmark_colours(1)[0]
    total, with_term = (
        (plotted(entries, tmp_path) == orange).all(axis=-1)
        for entries in (history(seconds=2.0), history(**{term: 2.0}))
    )
    assert not total.any()
    assert with_term.sum() > 500


@pytest.mark.parametrize(
    "entries",
    [
        [{"step": 1, "loss": 2.0, "spread": 0.1}],
        [{"step": 1, "loss": float("nan")}, {"step": 2, "loss": 0.0, "spread": float("nan")}],
        [{"step": 1, "loss": 2.0}, {"step": 2, "spread": 0.0}, {"step": 3, "loss": 1e9}],
    ],
)
def test_short_broken_and_patchy_histories_are_plotted_too(tmp_path, entries):
    assert plotted(entries, tmp_path).shape == (840, 960, 3)


def test_matplotlib_waits_until_something_is_plotted():
    code = "import sys, swapmark.drawing.plots; print('matplotlib' in sys.modules)"
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert shown.stdout.strip() == "False"


def test_a_history_without_spreads_is_plotted(tmp_path):
    path = plot_losses([{"step": 1, "loss": 2.0}, {"step": 2, "loss": 1.0}], tmp_path / "loss.png")
    assert path.stat().st_size > 1000
