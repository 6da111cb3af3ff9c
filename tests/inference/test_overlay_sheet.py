import numpy as np
import pytest
from PIL import Image

from swapmark.errors import InputError
from swapmark.inference.overlay_sheet import COLUMNS, TILE, draw_sheet
from swapmark.types import Landmarks
from swapmark.visualization.colours import landmark_colours

STEP = TILE + 4


def found(paths, sizes, xy) -> Landmarks:
    xy = np.asarray(xy, dtype=float)
    return Landmarks(xy, np.ones(xy.shape[:2]), tuple(paths), np.asarray(sizes))


def read(path) -> np.ndarray:
    with Image.open(path) as image:
        return np.asarray(image)


def test_a_dot_lies_where_the_landmark_is_in_the_original_picture(tmp_path):
    """Half a tile wide, so that the picture is enlarged and has borders left and right."""
    folder = tmp_path / "in"
    folder.mkdir()
    Image.new("RGB", (64, 128), (90, 90, 90)).save(folder / "a.png")
    out = draw_sheet(found(["a.png"], [(64, 128)], [[[16.0, 100.0]]]), folder, tmp_path / "s.png")
    sheet = read(out).astype(int)
    red = (abs(sheet - landmark_colours(1)[0]).sum(axis=-1) < 12).nonzero()
    centre = np.mean(red[::-1], axis=1)
    # Twice as large, 64 px of border and 4 px of gap; the number beside the dot is white.
    assert np.abs(centre - (4 + 64 + 2 * 16.5 - 0.5, 4 + 2 * 100.5 - 0.5)).max() < 0.6
    assert sheet[4 + 20, 4 + 128].tolist() == [90, 90, 90]


def test_of_many_pictures_some_are_taken_from_the_first_to_the_last(tmp_path):
    pictures = [np.full((20, 20, 3), 10 * index, np.uint8) for index in range(20)]
    paths = [f"array-{index}" for index in range(20)]
    marked = found(paths, [(20, 20)] * 20, np.full((20, 1, 2), np.nan))
    out = draw_sheet(marked, pictures, tmp_path / "s.png", most=8)
    sheet = read(out)
    assert sheet.shape[1] == COLUMNS * STEP + 4
    first = [sheet[50, 4 + column * STEP + 50, 0] for column in range(COLUMNS)]
    assert first == [0, 30, 50, 80, 110, 140]
    second = [sheet[50 + STEP + 22, 4 + column * STEP + 50, 0] for column in range(COLUMNS)]
    assert second[:2] == [160, 190]
    assert second[2] == 255, "the rest of the row is paper"


def test_a_picture_that_is_gone_by_now_is_left_out(tmp_path):
    folder = tmp_path / "in"
    folder.mkdir()
    for name in ("a.png", "b.png"):
        Image.new("RGB", (32, 32)).save(folder / name)
    marked = found(["a.png", "b.png"], [(32, 32)] * 2, np.full((2, 1, 2), 16.0))
    (folder / "a.png").write_bytes(b"")
    out = draw_sheet(marked, folder, tmp_path / "s.png")
    assert read(out).shape[1] == STEP + 4


def test_landmarks_of_other_pictures_are_refused(tmp_path):
    marked = found(["x.png"], [(32, 32)], np.full((1, 1, 2), 16.0))
    with pytest.raises(InputError, match="None of the 1 images with landmarks can be read"):
        draw_sheet(marked, [np.zeros((32, 32), np.uint8)], tmp_path / "s.png")


@pytest.mark.parametrize("name", ["s.png", "s.xyz"])
def test_nothing_is_replaced_or_written_under_a_name_of_no_picture(tmp_path, name):
    marked = found(["array-0"], [(32, 32)], np.full((1, 1, 2), 16.0))
    pictures = [np.zeros((32, 32), np.uint8)]
    (tmp_path / name).write_text("precious")
    with pytest.raises(
        InputError, match="exists already" if name == "s.png" else r"\.png or \.jpg"
    ):
        draw_sheet(marked, pictures, tmp_path / name)
    assert (tmp_path / name).read_text() == "precious"
    with pytest.raises(InputError, match="most is 0"):
        draw_sheet(marked, pictures, tmp_path / "other.png", most=0)
