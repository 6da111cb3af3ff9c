import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from swapmark.drawing.colours import landmark_colours
from swapmark.drawing.sheets import (
    contact_sheet,
    plot_landmarks_sheet,
    plot_losses,
    sample_sheet,
)
from swapmark.errors import InputError


def plain(*values, size=(10, 12)):
    return np.stack([np.full((*size, 3), value, np.uint8) for value in values])


def history(steps=50):
    return [
        {"step": step, "loss": 3 / step, "cycle": 2 / step, "inverse": 0.0, "spread": 0.1}
        for step in range(1, steps + 1)
    ]


def test_pictures_run_left_to_right_then_down():
    sheet = contact_sheet(plain(10, 20, 30, 40, 50), columns=3, gap=2)
    assert sheet.shape == (2 * 12 + 2, 3 * 14 + 2, 3)
    assert sheet[5, [5, 19, 33], 0].tolist() == [10, 20, 30]
    assert sheet[17, [5, 19, 33], 0].tolist() == [40, 50, 255]
    assert (sheet[:2] == 255).all()


def test_fewer_pictures_than_columns_make_a_narrow_sheet():
    assert contact_sheet(plain(1, 2), columns=8, gap=0).shape == (10, 24, 3)


def test_pictures_of_several_sizes_are_centred():
    sheet = contact_sheet([plain(0, size=(10, 10))[0], plain(0, size=(4, 6))[0]], gap=0)
    second = sheet[:, 10:, 0]
    assert (second[3:7, 2:8] == 0).all()
    assert (second == 0).sum() == 24


def test_captions_stand_under_their_pictures_and_are_cut_to_fit():
    images = plain(0, 0, size=(30, 80))
    sheet = contact_sheet(images, columns=2, gap=3, captions=["short", "much too long for this"])
    bare = contact_sheet(images, columns=2, gap=3)
    assert sheet.shape[0] > bare.shape[0]
    below = sheet[33:-3]
    for start in (3, 86):
        assert below[:, start : start + 80].min() < 100
    assert (below[:, 83:86] == 255).all()


def test_an_empty_sheet_and_missing_captions_are_refused():
    with pytest.raises(InputError, match="at least one"):
        contact_sheet([])
    with pytest.raises(InputError, match="1 captions for 2 pictures"):
        contact_sheet(plain(1, 2), captions=["one"])


def test_a_sample_sheet_has_a_row_each_for_input_partner_and_both_swaps():
    values = (30, 90, 150, 210)
    rows = [plain(value, value, size=(64, 64)) for value in values]
    landmarks = np.full((2, 3, 2), 5.0)
    sheet = sample_sheet(rows[0], landmarks, rows[2], second_swap=rows[3], partners=rows[1])
    height = sheet.shape[0] // 4
    assert sheet.shape[1] == 2 * 128 + 3 * 4
    for index, value in enumerate(values):
        row = sheet[index * height : (index + 1) * height]
        assert (row[height // 2 + 30, [60, 190]] == value).all()
        assert row[:20].min() < 100  # the heading
    assert np.ptp(sheet[:height, 6:50], axis=-1).max() > 50  # coloured landmarks
    assert np.ptp(sheet[height:], axis=-1).max() < 40  # and none in the other rows


def test_marked_points_are_crosses_over_the_landmarks():
    images = plain(128, 128, size=(64, 64))
    found = np.full((2, 1, 2), 20.0)
    marked = np.array([[[40.0, 44.0]], [[np.nan, np.nan]]])
    sheet = plot_landmarks_sheet(images, found, marked, columns=1)
    first, second = sheet[4:196, 4:196], sheet[200:392, 4:196]
    y, x = np.nonzero(first.min(axis=-1) > 240)
    np.testing.assert_allclose([x.mean(), y.mean()], [40.5 * 3 - 0.5, 44.5 * 3 - 0.5], atol=0.5)
    assert second.max(axis=(0, 1)).min() < 240
    assert not (first[50:75, 50:75] == 128).all()


def plotted(entries, folder, **options):
    with Image.open(plot_losses(entries, folder / "loss.png", **options)) as picture:
        return np.asarray(picture)


def test_losses_are_plotted_with_the_spread_below(tmp_path):
    both = plotted(history(), tmp_path)
    alone = plotted(history(), tmp_path, spreads=())
    assert both.shape[0] > alone.shape[0]
    assert both.shape[1:] == alone.shape[1:] == (960, 3)


def test_terms_are_drawn_in_their_colours_besides_the_total(tmp_path):
    orange = landmark_colours(1)[0]
    total, with_term = (
        (plotted(history(), tmp_path, terms=terms) == orange).all(axis=-1)
        for terms in ((), ("cycle", "no such term"))
    )
    assert not total.any()
    assert with_term.sum() > 500


@pytest.mark.parametrize(
    "entries",
    [
        [{"step": 1, "loss": 2.0}],
        [{"step": 1, "loss": float("nan")}, {"step": 2, "loss": 0.0, "spread": float("nan")}],
        [{"step": 1, "loss": 2.0}, {"step": 2, "spread": 0.0}, {"step": 3, "loss": 1e9}],
    ],
)
def test_short_broken_and_patchy_histories_are_plotted_too(tmp_path, entries):
    assert plotted(entries, tmp_path).shape[1] == 960


def test_a_history_without_a_loss_says_what_it_has(tmp_path):
    with pytest.raises(InputError, match="it has spread, step"):
        plot_losses([{"step": 1, "spread": 0.1}], tmp_path / "loss.png")
    assert list(tmp_path.iterdir()) == []


def test_matplotlib_waits_until_something_is_plotted():
    code = "import sys, swapmark.drawing.sheets; print('matplotlib' in sys.modules)"
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert shown.stdout.strip() == "False"
