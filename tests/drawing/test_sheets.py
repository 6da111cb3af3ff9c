import numpy as np
import pytest

from swapmark.drawing.sheets import GAP, LINE_HEIGHT, contact_sheet, sample_sheet, under_headings


def plain(*values, size=(10, 12)):
    return np.stack([np.full((*size, 3), value, np.uint8) for value in values])


def test_pictures_run_left_to_right_then_down():
    sheet = contact_sheet(plain(10, 20, 30, 40, 50), columns=3)
    assert sheet.shape == (2 * (10 + GAP) + GAP, 3 * (12 + GAP) + GAP, 3)
    assert sheet[6, [6, 22, 38], 0].tolist() == [10, 20, 30]
    assert sheet[20, [6, 22, 38], 0].tolist() == [40, 50, 255]
    assert (sheet[:GAP] == 255).all()


def test_pictures_of_several_sizes_are_centred():
    sheet = contact_sheet([plain(0, size=(10, 10))[0], plain(0, size=(4, 6))[0]])
    second = sheet[GAP:, 10 + 2 * GAP :, 0]
    assert (second[3:7, 2:8] == 0).all()
    assert (second == 0).sum() == 24


def test_captions_stand_under_their_pictures_and_show_the_end_of_long_names():
    images = plain(0, 0, 0, size=(30, 80))
    names = ["short", "/data/with/many/specimens/1.png", "/data/with/many/specimens/2.png"]
    sheet = contact_sheet(images, captions=names)
    below = sheet[GAP + 30 : GAP + 30 + LINE_HEIGHT]
    captions = [below[:, GAP + index * 84 :][:, :80] for index in range(3)]
    assert all(caption.min() < 100 for caption in captions)
    assert all((caption[:, -3:] == 255).all() for caption in captions)
    assert not np.array_equal(captions[1], captions[2])


def test_headings_take_as_many_lines_as_they_need():
    words = [f"{index} point" for index in range(1, 7)]
    for width, fewest, most in ((10_000, 1, 1), (160, 2, 3), (50, 6, 6)):
        sheet = under_headings(words, plain(0, size=(5, width))[0])
        assert fewest * LINE_HEIGHT <= len(sheet) - 5 <= most * LINE_HEIGHT
        assert (sheet[-5:] == 0).all()


def test_letters_that_are_not_english_are_not_all_alike():
    first, second = (under_headings([text], plain(0, size=(1, 60))[0]) for text in ("éä", "øß"))
    assert not np.array_equal(first, second)


@pytest.mark.parametrize("count", [3, 4])
def test_a_sample_sheet_has_a_row_each_for_input_partner_and_swaps(count):
    values = (30, 90, 150, 210)[:count]
    rows = [plain(value, value, size=(64, 64)) for value in values]
    second = rows[3] if count == 4 else None
    landmarks = np.full((2, 3, 2), 5.0)
    sheet = sample_sheet(rows[0], landmarks, rows[2], second_swap=second, partners=rows[1])
    height = sheet.shape[0] // count
    assert sheet.shape[1] == 2 * 128 + 3 * GAP
    for index, value in enumerate(values):
        row = sheet[index * height : (index + 1) * height]
        assert (row[height // 2 + 30, [60, 190]] == value).all()
        assert row[:20].min() < 100  # the heading
    assert np.ptp(sheet[:height, 6:50], axis=-1).max() > 50  # coloured landmarks
    assert np.ptp(sheet[height:], axis=-1).max() < 40  # and none in the other rows
