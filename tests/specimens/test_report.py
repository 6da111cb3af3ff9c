"""What evaluations and fits show on the screen."""

from dataclasses import replace

import numpy as np
import pytest

from swapmark.specimens.evaluate import evaluate
from swapmark.specimens.fit import fit_points


@pytest.fixture
def noisy(tables, monkeypatch):
    """Two tables of 60 images, of 4 landmarks and 3 points, and a screen of 80 columns."""
    monkeypatch.setenv("COLUMNS", "80")
    random = np.random.default_rng(0)
    xy = random.uniform(20, 80, (60, 4, 2))
    marks = xy[:, :3] + random.normal(0, 3, (60, 3, 2))
    marks[1, 0] = np.nan
    names = ("left_eye", "right_eye", "nose")
    return tables(xy, marks, names=names, split=("fit", "test") * 30)


def test_an_evaluation_fits_eighty_columns_and_shows_the_numbers(noisy, capsys):
    result = evaluate(*noisy, draws=2, bootstrap=20)
    result.print()
    text = capsys.readouterr().out
    for words in (
        f"{result.forward['imm'].nme:.2f}",
        f"{result.backward['zhang'].nme:.2f}",
        f"{result.mean_shape.nme:.2f}",
        "right_eye",
        f"± {result.few_shot['imm'][0].spread:.2f}",
        *result.notes[0].split(),
    ):
        assert words in text
    assert "…" not in text
    assert max(map(len, text.splitlines())) <= 80
    assert f"{result.forward['imm'].nme:.2f} %" in repr(result)


def test_a_fit_fits_eighty_columns_and_names_every_point(noisy, capsys):
    result = fit_points(*noisy, draws=2)
    result.print()
    text = capsys.readouterr().out
    for words in (*result.marked, "mean shape", f"{result.error:.2f}", f"{result.pixels:.2f}"):
        assert words in text
    assert f"{result.curve[0].error:.2f}" in text
    assert max(map(len, text.splitlines())) <= 80
    assert f"{result.error:.2f} %" in repr(result)


def test_names_that_look_like_markup_or_steer_a_terminal_are_shown_as_they_are(noisy, capsys):
    found, marked = noisy
    marked = replace(marked, names=("left_eye", "right_eye", "no[/x]se\x1b[2J"))
    for result in (evaluate(found, marked, draws=0), fit_points(found, marked, draws=2)):
        result.print()
        assert r"no[/x]se\x1b[2J" in capsys.readouterr().out


def test_what_is_not_known_is_a_dash(noisy, capsys):
    found, marked = noisy
    fit_points(found, marked.take([0])).print()
    text = capsys.readouterr().out
    assert "–" in text
    assert "nan" not in text
