"""`Points.draw`: dots where the points are in the original pictures."""

import weakref
from dataclasses import replace

import av
import numpy as np
import pytest
from PIL import Image

from swapmark.data.video import FrameSource, VideoFrame
from swapmark.drawing.draw import landmark_colours
from swapmark.errors import InputError
from swapmark.points.overlay import ALONE, COLUMNS, TILE
from swapmark.points.table import Points, default_names

GAP, CAPTION = 4, 22
SIDE = 64
"""Of the pictures, a quarter of the tiles."""
PLACES = [(8 + 2 * index, 10 + index) for index in range(40)]


def points(xy, files=None, *, side=SIDE, confidence=None, names=(), **more) -> Points:
    xy = np.asarray(xy, dtype=float)
    files = files or [f"array-{index}" for index in range(len(xy))]
    sure = None if confidence is None else np.asarray(confidence, dtype=float)
    sizes = np.full((len(xy), 2), side)
    names = names or default_names(xy.shape[1])
    return Points(names, tuple(files), xy, confidence=sure, sizes=sizes, **more)


def pictures(*greys: int) -> list[np.ndarray]:
    return [np.full((SIDE, SIDE, 3), grey, np.uint8) for grey in greys]


def shown(path) -> np.ndarray:
    with Image.open(path) as image:
        return np.asarray(image).astype(int)


def tile(sheet: np.ndarray, index: int, *, side: int = TILE) -> np.ndarray:
    row, column = divmod(index, COLUMNS)
    y, x = heading(sheet, side) + row * (side + CAPTION + GAP), GAP + column * (side + GAP)
    return sheet[y : y + side, x : x + side]


def heading(sheet: np.ndarray, side: int = TILE) -> int:
    """Where the first picture begins, under the lines that explain the sheet."""
    return sheet.shape[0] % (side + CAPTION + GAP)


def dot(part: np.ndarray, number: int = 0) -> np.ndarray:
    """The centre (x, y) of a landmark's dot."""
    near = abs(part - landmark_colours(number + 1)[number]).sum(axis=-1) < 12
    return np.mean(near.nonzero()[::-1], axis=1)


def frames_in(path) -> list:
    with av.open(str(path)) as container:
        return list(container.decode(video=0))


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "in").mkdir()
    for name in ("a.png", "b.png"):
        Image.new("RGB", (SIDE, SIDE)).save(tmp_path / "in" / name)
    return tmp_path / "in"


def test_a_dot_lies_where_the_landmark_is_in_the_original_picture(folder, tmp_path):
    """Half as wide as high, so that the picture gets borders left and right."""
    Image.new("RGB", (64, 128), (90, 90, 90)).save(folder / "a.png")
    found = Points(("tip",), ("a.png",), np.array([[[16.0, 100.0]]]), source=folder)
    part = tile(shown(found.draw(tmp_path / "s.png")), 0, side=ALONE)
    assert np.abs(dot(part) - (192 + 6 * 16.5 - 0.5, 6 * 100.5 - 0.5)).max() < 0.6
    assert part[60, 384].tolist() == [90, 90, 90]


def test_up_to_36_pictures_at_even_distances_get_their_own_points_and_names(tmp_path):
    places = [[[5.0 + index, 40.0]] for index in range(50)]
    found = points(places, source=pictures(*range(50)))
    sheet = shown(found.draw(tmp_path / "s.png"))
    assert sheet.shape[0] == heading(sheet) + 6 * (TILE + CAPTION + GAP)
    assert sheet[: heading(sheet) - GAP].min() < 100, "ink: what the sheet shows"
    for index, row in {0: 0, 1: 1, 20: 28, 35: 49}.items():
        assert tile(sheet, index)[10, 10, 0] == row
        assert dot(tile(sheet, index))[0] == pytest.approx(4 * (5.5 + row) - 0.5, abs=0.6)
    below = slice(heading(sheet) + TILE, heading(sheet) + TILE + CAPTION)
    captions = [sheet[below, x : x + TILE] for x in (GAP, GAP + TILE + GAP)]
    assert not np.array_equal(*captions)


def test_an_unsure_landmark_is_fainter_and_each_has_its_number(tmp_path):
    found = points([[[16.0, 16.0], [16.0, 48.0]]] * 2, confidence=[[1, 1], [0.1, 1]])
    sheet = shown(found.draw(tmp_path / "s.png", images=pictures(0, 0)))
    middle = tuple(dot(tile(sheet, 0)).astype(int)[::-1])
    bright = [tile(sheet, index)[middle].max() for index in range(2)]
    assert bright[0] > 1.5 * bright[1] > 0
    white = [part.min(axis=-1) > 150 for part in (tile(sheet, 0)[:128], tile(sheet, 0)[128:])]
    assert all(part.any() for part in white)
    assert not np.array_equal(*white), "1 and 2"


def test_marks_are_crosses_of_their_colour_with_a_line_to_the_dot(tmp_path):
    found = points([[[16.0, 16.0], [16.0, 48.0]]] * 3)
    nowhere = [np.nan, np.nan]
    marked = points([[nowhere, [40.0, 48.0]], [[48.0, 16.0], nowhere]], ["array-1", "array-0"])
    path = found.draw(tmp_path / "s.png", images=pictures(0, 0, 0), marked=marked)
    tiles = [tile(shown(path), index) for index in range(3)]
    right = [part[:, 186:] for part in tiles]
    assert np.allclose(dot(right[0][:128]), (4 * 48.5 - 0.5 - 186, 4 * 16.5 - 0.5), atol=1)
    for part, number, row in ((tiles[0], 0, 66), (tiles[1], 1, 194)):
        assert part[row, 100].tolist() == list(landmark_colours(2)[number]), "the line"
    assert (right[2].max(), right[0][128:].max()) == (0, 0), "not marked there"


def test_one_name_twice_is_drawn_in_the_order_it_was_found_in(folder, tmp_path):
    Image.new("RGB", (SIDE, SIDE), (90, 90, 90)).save(folder / "b.png")
    found = points([[[10.0, 32.0]], [[50.0, 32.0]]], [str(folder / "b.png")] * 2)
    sheet = shown(found.draw(tmp_path / "s.png", images=[folder / "b.png"] * 2))
    assert [dot(tile(sheet, index))[0].round() for index in (0, 1)] == [42, 202]


def test_a_picture_that_is_gone_by_now_is_left_out(folder, tmp_path):
    found = points([[[10.0, 32.0]], [[50.0, 32.0]]], ["a.png", "b.png"], source=folder)
    (folder / "a.png").write_bytes(b"")
    sheet = shown(found.draw(tmp_path / "s.png"))
    assert sheet.shape[1] == TILE + 2 * GAP
    assert dot(tile(sheet, 0))[0].round() == 202
    (folder / "b.png").write_bytes(b"")
    with pytest.raises(InputError, match=r"a\.png"):
        found.draw(tmp_path / "t.png")


@pytest.mark.parametrize(
    ("files", "side", "said"),
    [(["x.png"], SIDE, r"x\.png.*array-0"), (["array-0"], 100, "array-0 has 64 × 64.* 100 × 100")],
)
def test_points_of_other_pictures_are_refused(tmp_path, files, side, said):
    with pytest.raises(InputError, match=said):
        points([[[10.0, 32.0]]], files, side=side).draw(tmp_path / "s.png", images=pictures(0))


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("old.png", r"old\.png exists"),
        ("s.xyz", r"s\.xyz.*\.png"),
        ("s.mp4", r"s\.mp4.*s\.png"),
        ("in/new.png", r"new\.png lies in"),
    ],
)
def test_a_place_that_cannot_or_should_not_be_is_refused(folder, tmp_path, name, said):
    (tmp_path / "old.png").write_text("precious")
    found = points([[[10.0, 32.0]]], ["a.png"], source=folder)
    with pytest.raises(InputError, match=said):
        found.draw(tmp_path / name, overwrite=name != "old.png")
    assert (tmp_path / "old.png").read_text() == "precious"


def test_what_was_drawn_upon_is_never_replaced(film, tmp_path):
    video = film("own.mp4", PLACES[:3], codec=("libx264", "yuv420p"))
    before = video.read_bytes()
    found = points([[[9.0, 9.0]]] * 3, [str(video)] * 3, frame=np.arange(3), source=video)
    with pytest.raises(InputError, match=r"own\.mp4"):
        found.draw(video, overwrite=True)
    assert video.read_bytes() == before


@pytest.fixture
def of_video(film):
    """Every third frame of a video with the place of its square, from the tenth on."""
    video = film("plain.mkv", PLACES)
    xy = np.array(PLACES[10:25:3], float)[:, None]
    frame = np.arange(10, 25, 3)
    more = {"sizes": np.full((5, 2), (96, 64)), "confidence": np.ones((5, 1))}
    return Points(
        ("spot",), (str(video),) * 5, xy, frame=frame, time=frame / 25, source=video, **more
    )


@pytest.mark.parametrize("timed", [True, False])
def test_a_video_is_drawn_frame_by_frame_with_its_times_and_names(of_video, tmp_path, timed):
    found = of_video if timed else replace(of_video, time=None)
    drawn = frames_in(found.draw(tmp_path / "look.mp4"))
    assert [frame.time for frame in drawn] == pytest.approx(of_video.time.tolist(), abs=1e-3)
    for frame, (x, y) in zip(drawn, PLACES[10:25:3], strict=True):
        pixels = frame.to_ndarray(format="rgb24").astype(int)
        red, _, blue = pixels[y, x]
        assert red > 180, "the first colour is an orange"
        assert red - blue > 60
        assert (pixels[y - 4 : y + 5, x + 5 : x + 16].min(axis=-1) > 190).any(), "its number"
        below = pixels[64:].min(axis=-1)
        assert (len(below), below.max() > 230, below.min() < 100) == (22, True, True), "its name"


def test_of_a_video_a_sheet_of_its_frames_is_drawn(of_video, tmp_path):
    sheet = shown(of_video.draw(tmp_path / "look.png"))
    assert sheet.shape[1] == 5 * (TILE + GAP) + GAP
    scale = TILE / 96
    for index, (x, y) in enumerate(PLACES[10:25:3]):
        middle = ((x + 0.5) * scale - 0.5, (y + 16 + 0.5) * scale - 0.5)
        assert np.abs(dot(tile(sheet, index)) - middle).max() < 1


def test_pictures_that_are_frames_become_a_video_too(folder, tmp_path):
    times = {"frame": np.array([0, 2]), "time": np.array([0.0, 0.4])}
    found = points([[[10.0, 32.0]], [[50.0, 32.0]]], ["a.png", "b.png"], source=folder, **times)
    drawn = frames_in(found.draw(tmp_path / "a.mp4"))
    assert [frame.time for frame in drawn] == pytest.approx([0.0, 0.4])
    for frame, x in zip(drawn, (10, 50), strict=True):
        assert frame.height == SIDE, "landmarks have no names"
        assert frame.to_ndarray(format="rgb24")[32, x, 0] > 180


def test_a_video_that_is_not_that_of_the_points_is_refused(of_video, film, tmp_path):
    with pytest.raises(InputError, match="96 × 64"):
        of_video.draw(tmp_path / "a.mp4", images=film("other.mkv", PLACES, size=(128, 64)))
    with pytest.raises(InputError, match=r"short\.mkv"):
        of_video.draw(tmp_path / "a.mp4", images=film("short.mkv", PLACES[:2]))
    with pytest.raises(InputError, match=r"plain\.mkv"):
        points([[[9.0, 9.0]]]).draw(tmp_path / "a.png", images=of_video.source)
    assert list(tmp_path.iterdir()) == []


def test_frames_in_memory_do_not_grow_with_the_video(tmp_path):
    alive: list[weakref.ref] = []
    most = []

    def read():
        most.append(sum(reference() is not None for reference in alive))
        pixels = np.full((64, 96, 3), 30, np.uint8)
        alive.append(weakref.ref(pixels))
        return pixels

    camera = FrameSource("camera", lambda: (VideoFrame(i, None, "", read) for i in range(100)))
    xy, frame = np.full((100, 1, 2), 9.0), np.arange(100)
    found = Points(("spot",), ("",) * 100, xy, frame=frame, source=camera)
    assert len(frames_in(found.draw(tmp_path / "a.mp4"))) == 100
    assert max(most) <= 2
