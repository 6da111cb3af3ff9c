import numpy as np
import pytest
from PIL import Image

from swapmark.data.sources import list_images
from swapmark.drawing.colours import landmark_colours
from swapmark.drawing.overlay_sheet import ALONE, COLUMNS, TILE, draw_sheet
from swapmark.errors import InputError
from swapmark.types import Landmarks

GAP, CAPTION = 4, 22
SIDE = 64
"""Of the pictures, a quarter of the tiles."""


def landmarks(xy, paths=None, *, side=SIDE, confidence=None, names=()) -> Landmarks:
    xy = np.asarray(xy, dtype=float)
    paths = paths or [f"array-{index}" for index in range(len(xy))]
    sure = np.ones(xy.shape[:2]) if confidence is None else np.asarray(confidence)
    return Landmarks(xy, sure, tuple(paths), np.full((len(xy), 2), side), names=names)


def pictures(*greys: int) -> list[np.ndarray]:
    return [np.full((SIDE, SIDE, 3), grey, np.uint8) for grey in greys]


def drawn(path) -> np.ndarray:
    with Image.open(path) as image:
        return np.asarray(image).astype(int)


def tile(sheet: np.ndarray, index: int, *, side: int = TILE) -> np.ndarray:
    row, column = divmod(index, COLUMNS)
    y, x = heading(sheet, side) + row * (side + CAPTION + GAP), GAP + column * (side + GAP)
    return sheet[y : y + side, x : x + side]


def heading(sheet: np.ndarray, side: int = TILE) -> int:
    """Where the first picture begins, under the lines that explain the sheet."""
    return sheet.shape[0] % (side + CAPTION + GAP)


def dot(part: np.ndarray, number: int = 0, of: int = 1) -> np.ndarray:
    """The centre (x, y) of a landmark's dot."""
    near = abs(part - landmark_colours(of)[number]).sum(axis=-1) < 12
    return np.mean(near.nonzero()[::-1], axis=1)


def test_a_dot_lies_where_the_landmark_is_in_the_original_picture(tmp_path):
    """Half as wide as high, so that the picture gets borders left and right."""
    folder = tmp_path / "in"
    folder.mkdir()
    Image.new("RGB", (64, 128), (90, 90, 90)).save(folder / "a.png")
    found = Landmarks(
        np.array([[[16.0, 100.0]]]), np.ones((1, 1)), ("a.png",), np.array([[64, 128]])
    )
    part = tile(drawn(draw_sheet(found, folder, tmp_path / "s.png")), 0, side=ALONE)
    assert np.abs(dot(part) - (192 + 6 * 16.5 - 0.5, 6 * 100.5 - 0.5)).max() < 0.6
    assert part[60, 384].tolist() == [90, 90, 90]


def test_each_picture_gets_its_own_landmarks_and_name(tmp_path):
    places = [[[8.0 + 5 * index, 40.0]] for index in range(9)]
    shown = drawn(
        draw_sheet(landmarks(places), pictures(*range(0, 90, 10)), tmp_path / "s.png", most=8)
    )
    size = (heading(shown) + 2 * (TILE + CAPTION + GAP), COLUMNS * (TILE + GAP) + GAP)
    assert shown.shape[:2] == size
    assert shown[: heading(shown) - GAP].min() < 100, "ink: what the sheet shows"
    taken = [0, 1, 2, 3, 5, 6, 7, 8]
    for index, row in enumerate(taken):
        part = tile(shown, index)
        assert part[10, 10, 0] == 10 * row
        assert dot(part)[0] == pytest.approx(4 * (8.5 + 5 * row) - 0.5, abs=0.6)
    below = slice(heading(shown) + TILE, heading(shown) + TILE + CAPTION)
    captions = [shown[below, x : x + TILE] for x in (GAP, GAP + TILE + GAP)]
    assert not np.array_equal(*captions)
    assert (tile(shown, 8) == 255).all(), "the rest of the row is paper"


def test_an_unsure_landmark_is_fainter_and_each_has_its_number(tmp_path):
    xy = [[[16.0, 16.0], [16.0, 48.0]]] * 3
    sure = [[1, 1], [0.1, 1], [np.nan, 1]]
    shown = drawn(draw_sheet(landmarks(xy, confidence=sure), pictures(0, 0, 0), tmp_path / "s.png"))
    middle = tuple(dot(tile(shown, 0), of=2).astype(int)[::-1])
    bright = [tile(shown, index)[middle].max() for index in range(3)]
    assert bright[0] > 1.5 * bright[1] > 1.5 * bright[2] > 0
    unsure = tile(shown, 2)
    white = [(part.min(axis=-1) > 150) for part in (unsure[:128], unsure[128:])]
    assert all(part.any() for part in white), "the numbers are white, also of unsure landmarks"
    assert not np.array_equal(*white), "1 and 2"


def test_names_that_are_more_than_numbers_are_explained(tmp_path):
    xy = [[[16.0, 16.0], [48.0, 48.0]]]
    plain = drawn(draw_sheet(landmarks(xy), pictures(0), tmp_path / "plain.png"))
    named = drawn(
        draw_sheet(landmarks(xy, names=("nose", "chin")), pictures(0), tmp_path / "named.png")
    )
    more = heading(named, ALONE) - heading(plain, ALONE)
    assert more == CAPTION
    assert np.array_equal(tile(named, 0, side=ALONE), tile(plain, 0, side=ALONE))
    assert named[:more].min() < 100, "ink"


def test_marks_are_white_crosses_at_their_places(tmp_path):
    found = landmarks([[[16.0, 16.0]], [[16.0, 16.0]]])
    marked = np.array([[[40.0, 48.0]], [[np.nan, np.nan]]])
    shown = drawn(draw_sheet(found, pictures(0, 0), tmp_path / "s.png", marked=marked))
    quarter = tile(shown, 0)[128:, 128:]
    y, x = np.nonzero(quarter.min(axis=-1) > 240)
    assert np.abs([x.mean() + 128 - (4 * 40.5 - 0.5), y.mean() + 128 - (4 * 48.5 - 0.5)]).max() < 1
    assert tile(shown, 1)[128:, 128:].max() == 0, "not marked there"
    with pytest.raises(
        InputError, match=r"marked has the shape \(1, 1, 2\); expected .*\(2, 1, 2\)"
    ):
        draw_sheet(found, pictures(0, 0), tmp_path / "t.png", marked=marked[:1])
    far = draw_sheet(found, pictures(0, 0), tmp_path / "far.png", marked=marked * 1e8)
    assert tile(drawn(far), 0)[128:, 128:].max() == 0, "far outside"
    plain = drawn(draw_sheet(found, pictures(0, 0), tmp_path / "plain.png"))
    assert not np.array_equal(shown[: heading(shown)], plain[: heading(plain)]), "said above"


def test_a_repeated_name_is_told_apart_by_its_order(tmp_path):
    files = []
    for folder, grey in (("a", 10), ("b", 90)):
        (tmp_path / folder).mkdir()
        files.append(tmp_path / folder)
        Image.new("RGB", (SIDE, SIDE), (grey,) * 3).save(tmp_path / folder / "1.png")
    items = [item for folder in files for item in list_images(folder)]
    found = landmarks([[[10.0, 32.0]], [[50.0, 32.0]]], ["1.png", "1.png"])
    shown = drawn(draw_sheet(found, items, tmp_path / "s.png"))
    assert [dot(tile(shown, index))[0].round() for index in (0, 1)] == [42, 202]
    with pytest.raises(InputError, match=r"their first is '1\.png'"):  # which of the two was it?
        draw_sheet(landmarks([[[10.0, 32.0]]], ["1.png"]), items, tmp_path / "t.png")


def test_a_picture_that_is_gone_by_now_is_left_out(tmp_path):
    folder = tmp_path / "in"
    folder.mkdir()
    for name in ("a.png", "b.png"):
        Image.new("RGB", (SIDE, SIDE)).save(folder / name)
    found = landmarks([[[10.0, 32.0]], [[50.0, 32.0]]], ["a.png", "b.png"])
    (folder / "a.png").write_bytes(b"")
    shown = drawn(draw_sheet(found, folder, tmp_path / "s.png"))
    assert shown.shape[1] == TILE + 2 * GAP
    assert dot(tile(shown, 0))[0].round() == 202
    (folder / "b.png").write_bytes(b"")
    with pytest.raises(InputError, match=r"a\.png, and all else to be drawn, cannot be read"):
        draw_sheet(found, folder, tmp_path / "t.png")


@pytest.mark.parametrize(
    ("paths", "side", "said"),
    [
        (["x.png"], SIDE, "their first is 'x.png', the first to draw on 'array-0'"),
        (["array-0"], 100, "array-0 has 64×64 pixels, but its landmarks are .* 100×100"),
    ],
)
def test_landmarks_of_other_pictures_are_refused(tmp_path, paths, side, said):
    found = landmarks([[[10.0, 32.0]]], paths, side=side)
    with pytest.raises(InputError, match=said):
        draw_sheet(found, pictures(0), tmp_path / "s.png")


@pytest.mark.parametrize(
    ("name", "said"), [("s.png", "exists already"), ("s.xyz", r"one of \.png, \.jpg")]
)
def test_nothing_is_replaced_or_written_under_a_name_of_no_picture(tmp_path, name, said):
    found = landmarks([[[10.0, 32.0]]])
    (tmp_path / name).write_text("precious")
    with pytest.raises(InputError, match=said):
        draw_sheet(found, pictures(0), tmp_path / name)
    assert (tmp_path / name).read_text() == "precious"


@pytest.mark.parametrize("most", [0, 301])
def test_a_sheet_has_a_sensible_number_of_pictures(tmp_path, most):
    with pytest.raises(InputError, match=f"most is {most}; expected 1 to 300"):
        draw_sheet(landmarks([[[10.0, 32.0]]]), pictures(0), tmp_path / "s.png", most=most)
