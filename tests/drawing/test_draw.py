import numpy as np
import pytest
from PIL import Image

from swapmark.drawing.draw import draw_landmarks, landmark_colours, save_image
from swapmark.errors import InputError

GREY = np.full((64, 48, 3), 128, np.uint8)
BLACK = np.zeros((256, 200, 3), np.uint8)


def changed(image, **options):
    """How much each pixel of a grey image differs once it is drawn on."""
    return abs(draw_landmarks(image, **options).astype(int) - 128).sum(axis=-1)


@pytest.mark.parametrize("marker", ["dot", "cross"])
@pytest.mark.parametrize("scale", [1, 3, 4])
@pytest.mark.parametrize("xy", [[20.0, 30.0], [20.3, 30.8], [24.5, 17.25]])
def test_a_mark_is_centred_on_its_landmark(marker, scale, xy):
    image = draw_landmarks(BLACK, np.array([xy]), scale=scale, marker=marker)
    light = image.sum(axis=-1, dtype=float)
    y, x = np.mgrid[: light.shape[0], : light.shape[1]]
    drawn = np.array([(light * x).sum(), (light * y).sum()]) / light.sum()
    expected = (np.array(xy) + 0.5) * scale - 0.5  # the half-pixel rule
    np.testing.assert_allclose(drawn, expected, atol=0.15)


def test_dots_have_the_colours_of_their_landmarks_and_a_dark_outline():
    xy = np.stack([np.linspace(6, 42, 5), np.full(5, 30)], axis=-1)
    image = draw_landmarks(GREY, xy, scale=4)
    assert (GREY == 128).all(), "the image itself is unchanged"
    for (x, y), colour in zip(xy, landmark_colours(5), strict=True):
        column, row = round((x + 0.5) * 4 - 0.5), round((y + 0.5) * 4 - 0.5)
        assert image[row, column].tolist() == list(colour)
        assert image[row, column - 6].max() < 90


def test_there_are_64_colours_which_then_repeat():
    colours = landmark_colours(70)
    assert len(set(colours)) == 64
    assert colours[64:] == colours[:6] == landmark_colours(6)


def test_an_unsure_landmark_is_see_through():
    strength = [
        changed(GREY, xy=np.array([[20.0, 20.0]]), confidence=np.array([c]), scale=4).sum()
        for c in (0.0, 0.5, 1.0, np.nan)
    ]
    assert 0 < strength[0] < strength[1] < strength[2]
    assert strength[3] == strength[0]


def test_missing_points_are_left_out_and_points_outside_do_no_harm():
    xy = np.array([[np.nan, 3.0], [-40.0, 500.0]])
    assert changed(GREY, xy=xy, scale=2, numbers=True).max() == 0


def test_a_mark_over_the_border_is_cut():
    difference = changed(GREY, xy=np.array([[-0.5, 20.0]]), scale=4)
    assert difference[:, 0].max() > 0
    assert difference[:, 20:].max() == 0


def test_numbers_stand_to_the_right_of_the_dots():
    point = np.array([[20.0, 30.0]])
    plain, numbered = (changed(GREY, xy=point, scale=4, numbers=flag) for flag in (False, True))
    more = np.nonzero(plain != numbered)[1]
    assert len(more) > 0
    assert more.min() > 20.5 * 4


def test_saving_replaces_the_file_as_a_whole(tmp_path):
    path = tmp_path / "new" / "image.png"
    for value in (0, 200):
        save_image(np.full((4, 5, 3), value, np.uint8), path)
        with Image.open(path) as saved:
            assert np.asarray(saved).tolist() == [[[value] * 3] * 5] * 4
    with pytest.raises(TypeError):
        save_image(np.zeros((4, 4, 7), np.uint8), path)
    with Image.open(path) as saved:
        assert np.asarray(saved).max() == 200, "a failed save leaves the old file"
    assert [file.name for file in path.parent.iterdir()] == ["image.png"]


@pytest.mark.parametrize("ending", ["jpg", "JPEG", "webp", "tif", "tiff", "bmp"])
def test_the_format_follows_from_the_ending(tmp_path, ending):
    with Image.open(save_image(GREY, tmp_path / f"a.{ending}")) as saved:
        assert saved.format in {"JPEG", "WEBP", "TIFF", "BMP"}
        assert np.abs(np.asarray(saved) - GREY.astype(int)).max() < 3


@pytest.mark.parametrize("name", ["image", "image.part", "image.psd"])
def test_an_ending_of_no_picture_format_is_refused(tmp_path, name):
    with pytest.raises(InputError, match=rf"{name}.*\.png"):
        save_image(GREY, tmp_path / name)
    assert list(tmp_path.iterdir()) == []
