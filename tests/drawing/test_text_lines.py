import numpy as np
import pytest

from swapmark.drawing.text import LINE_HEIGHT, text_line, text_lines


@pytest.mark.parametrize("keep_end", [False, True])
def test_a_long_line_is_shortened_at_one_end_and_stays_within_its_width(keep_end):
    long = "/data/a/long/folder/with/many/specimens/1.png"
    shown = text_line(long, 120, keep_end=keep_end)
    assert shown.size == (120, LINE_HEIGHT)
    assert (np.asarray(shown)[:, -3:] == 255).all()
    other = text_line(long.replace("1.png", "2.png"), 120, keep_end=keep_end)
    assert (np.asarray(shown) == np.asarray(other)).all() != keep_end


def test_letters_that_are_not_english_are_not_all_alike():
    first, second = (np.asarray(text_line(text, 60)) for text in ("éä", "øß"))
    assert not np.array_equal(first, second)


def test_words_go_into_as_many_lines_as_they_need():
    words = [f"{index} point" for index in range(1, 7)]
    assert len(text_lines(words, 10_000)) == 1
    lines = text_lines(words, 160)
    assert 2 <= len(lines) <= 3
    assert len(text_lines(words, 50)) == len(words)
    assert all(line.width == 160 for line in lines)
    assert text_lines([], 100) == []
