"""Where one picture's places are in another: known moves must come back."""

import numpy as np
import pytest
from PIL import Image

import swapmark
from swapmark.errors import InputError
from swapmark.insight.correspondence import correspond_squares
from swapmark.predict.network import Sight


def seen(points: np.ndarray, maps: np.ndarray) -> Sight:
    """What a network with these landmarks, in pixels of a square of 64, and one map would see."""
    return Sight(points[None], np.ones((1, len(points))), (maps[None].astype(np.float32),))


MAPS = np.random.default_rng(0).normal(size=(16, 16, 24))
POINTS = np.array([[12.0, 14], [50, 12], [30, 33], [14, 50], [48, 52]])


@pytest.mark.parametrize("by", ["both", "landmarks", "flow"])
def test_what_moved_by_two_cells_is_found_two_cells_away(by):
    a, b = seen(POINTS, MAPS), seen(POINTS + np.array([8, 0]), np.roll(MAPS, 2, axis=1))
    ((places, certainty),) = correspond_squares(a, b, 64, by)
    line = (np.arange(16) + 0.5) / 8 - 1
    expected = np.stack(np.meshgrid(line, line), axis=-1) - [2 / 8, 0]
    inner = np.s_[3:-3, 4:-3]
    off = np.abs(places[inner] - expected[inner]).max()
    assert off < (0.15 if by == "flow" else 0.03), "a cell is 0.125"
    assert certainty[inner].mean() > 0.5


def test_the_flow_mends_landmarks_that_are_off():
    a, b = seen(POINTS, MAPS), seen(POINTS + np.array([3, -2]), MAPS)
    line = (np.arange(16) + 0.5) / 8 - 1
    expected = np.stack(np.meshgrid(line, line), axis=-1)
    errors = {}
    for by in ("both", "landmarks"):
        ((places, _),) = correspond_squares(a, b, 64, by)
        errors[by] = np.abs(places - expected)[3:-3, 3:-3].mean()
    assert errors["both"] < 0.5 * errors["landmarks"]


def test_every_pixel_of_a_larger_picture_gets_its_place(tiny_run, faces, tmp_path):
    detector = swapmark.load(tiny_run, device="cpu")
    Image.fromarray(faces.images[0]).resize((80, 60)).save(tmp_path / "a.png")
    places, certainty = detector.correspond(tmp_path / "a.png", tmp_path / "a.png")
    assert (places.shape, certainty.shape) == ((60, 80, 2), (60, 80))
    own = np.stack(np.meshgrid(np.arange(80), np.arange(60)), axis=-1)
    assert np.abs(places - own)[15:-15, 15:-15].mean() < 4, "a picture corresponds to itself"
    with pytest.raises(InputError, match="2 pictures"):
        detector.correspond(list(faces.images[:2]), tmp_path / "a.png")


def test_marks_of_one_picture_are_carried_to_others(tiny_run, photos):
    detector = swapmark.load(tiny_run, device="cpu")
    lines = (photos / "marks.csv").read_text().splitlines()
    (photos / "marks.csv").write_text("\n".join([lines[0], lines[1]]))
    carried = detector.transfer(photos, photos / "images")
    assert len(carried) == 30
    assert carried.names[0] == "left_eye"
    row = carried.files.index(lines[1].split(",")[0].removeprefix("images/"))
    marks = swapmark.read_points(photos / "marks.csv").xy[0]
    assert np.linalg.norm(carried.xy[row] - marks, axis=-1).mean() < 2, "its own marks, of 32 px"
    assert 0 <= carried.confidence.min() <= carried.confidence.max() <= 1
    header, first = lines[0], lines[1].split(",")
    far = [str(100 * float(n)) if n.replace(".", "").isdigit() else n for n in first[1:]]
    (photos / "marks.csv").write_text("\n".join([header, ",".join([first[0], *far])]))
    with pytest.raises(InputError, match="pixels"):
        detector.transfer(photos, photos / "images")
    (photos / "marks.csv").write_text("\n".join(lines[:4]))
    with pytest.raises(InputError, match="swapmark fit"):
        detector.transfer(photos, photos / "images")


def test_a_single_landmark_shifts_and_keeps_the_size():
    a, b = seen(POINTS[:1], MAPS), seen(POINTS[:1] + np.array([8, 0]), np.roll(MAPS, 2, axis=1))
    ((places, _),) = correspond_squares(a, b, 64, "landmarks")
    line = (np.arange(16) + 0.5) / 8 - 1
    assert np.allclose(places, np.stack(np.meshgrid(line, line), -1) - [0.25, 0], atol=1e-5)
