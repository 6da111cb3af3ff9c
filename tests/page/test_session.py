import io
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

import swapmark
from swapmark.errors import InputError
from swapmark.specimens.metrics import CurvePoint


def test_after_three_pictures_points_are_suggested_and_none_of_them_is_saved(
    opened, detector, dots, mark, settled
):
    session = opened(detector=detector)
    for index in (0, 1):
        mark(session, index)
    assert settled(session, 7)["suggested"] == [None, None]
    assert "once 3 pictures" in session.state(7)["report"]["advice"]
    mark(session, 2)
    picture = settled(session, 7)
    assert np.allclose(picture["suggested"], dots[7], atol=0.5)
    assert picture["points"] == [None, None]
    assert len(swapmark.read_points(session.marks.path)) == 3
    report = session.state(7)["report"]
    assert [count for count, _ in report["errors"]] == [3]
    assert report["error"].endswith("pixels")


@pytest.mark.parametrize(
    ("count", "half", "told"), [(9, 1.0, "rough"), (10, 1.02, "hardly help"), (10, 1.1, "It still")]
)
def test_whether_more_marks_help_is_said(opened, detector, mark, settled, count, half, told):
    session = opened(detector=detector)
    for index in range(3):
        mark(session, index)
    settled(session, 3)
    suggester = session.suggester
    assert suggester is not None
    curve = (CurvePoint(5, 1, half, 0.1),)
    more = {"error": 1.0, "curve": curve, "counts": {"specimens": count}}
    suggester.fit = replace(suggester.fit, **more)
    assert told in session.state(3)["report"]["advice"]


def test_undoing_takes_suggestions_back(opened, detector, mark, settled):
    session = opened(detector=detector)
    for index in range(3):
        mark(session, index)
    session.put(2, [None, None], [False, False])
    assert settled(session, 7)["suggested"] == [None, None]


def test_a_point_that_is_named_later_is_suggested_once_it_is_marked(
    opened, detector, dots, mark, settled
):
    session = opened(detector=detector)
    for index in range(3):
        mark(session, index)
    session.rename([" cherry ", "green", "between"])
    suggested = settled(session, 7)["suggested"]
    assert suggested[2] is None
    assert np.allclose(suggested[:2], dots[7], atol=0.5)
    for index in range(3):
        points = [*dots[index].tolist(), dots[index].mean(axis=0).tolist()]
        session.put(index, points, [False] * 3)
    assert np.allclose(settled(session, 7)["suggested"][2], dots[7].mean(axis=0), atol=1)
    assert session.state(7)["names"] == ("cherry", "green", "between")


def test_without_a_model_the_next_picture_is_the_next_in_order(opened, mark):
    session = opened()
    assert session.state()["index"] == 0
    assert session.state(0)["next"] == 1
    mark(session, 1)
    assert session.state(0)["next"] == 2
    assert session.state()["report"] is None
    session.close()
    assert opened().state()["index"] == 2, "where it was left"


def test_with_a_model_the_next_picture_is_unlike_those_marked_and_like_many(
    opened, detector, mark, settled, dots
):
    session = opened(detector=detector)
    for index in range(len(dots)):
        settled(session, index)
    session = session.suggester
    assert session is not None
    first = session.next(set(), set())
    assert first != 5, "the odd one out is not what teaches most"
    shapes = dots[:, 0] - dots[:, 1]
    centre = np.median(np.delete(shapes, 5, axis=0), axis=0)
    far = np.linalg.norm(shapes - centre, axis=1)
    assert far[first] < np.median(far)
    assert session.next(set(range(12)) - {5, 9}, {9}) == 5
    assert session.next(set(range(12)), set()) is None


def test_a_picture_of_no_use_is_told_and_not_offered(opened, detector, settled):
    session = opened(detector=detector)
    for index in range(12):
        settled(session, index)
    assert session.state(11)["next"] in (None, 12)
    broken = settled(session, 12)
    assert "not a JPEG" in broken["problem"]
    with pytest.raises(InputError, match="not 2 points"):
        session.put(12, [[1, 1], [2, 2]], [False, False])


def test_pictures_asked_for_at_once_are_read_once_and_one_after_the_other(opened, monkeypatch):
    session, reading, read = opened(), threading.Lock(), []

    def decode(item, **more):
        assert reading.acquire(blocking=False), "two at a time"
        read.append(item.name)
        time.sleep(0.05)
        reading.release()
        return np.zeros((4, 4, 3), np.uint8), (4, 4)

    monkeypatch.setattr("swapmark.page.session.decode_item", decode)
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(session.shown, (0, 0, 1, 1)))
    assert sorted(read) == ["00.png", "01.png"]


def test_marks_made_at_another_size_are_told(opened, tmp_path):
    (tmp_path / "marks.csv").write_text("file,width,height,red_x,red_y\n00.png,640,640,5,5\n")
    assert "640 × 640" in opened().picture(0)["problem"]


@pytest.mark.parametrize("points", [[[1, 1]], [[1, 1], [2]], [["a", 1], None], [[1, np.inf], None]])
def test_what_are_no_points_is_refused(opened, points):
    session = opened()
    session.picture(0)
    with pytest.raises(InputError, match="not 2 points"):
        session.put(0, points, [False, False])
    assert not session.marks.path.exists()


def test_pictures_are_shown_as_they_are_predicted(photos, opened, turn):
    upright = Image.fromarray(np.arange(24, dtype=np.uint8).reshape(4, 6))
    stored, exif = turn(6, upright)
    stored.save(photos / "00.png", exif=exif)
    Image.fromarray(np.arange(0, 48000, 2000, dtype=np.uint16).reshape(4, 6)).save(
        photos / "01.png"
    )
    Image.new("RGB", (6000, 300), "red").save(photos / "02.jpg")
    session = opened()
    about = [session.picture(index) for index in range(3)]
    assert [(one["width"], one["height"]) for one in about] == [(6, 4), (6, 4), (6000, 300)]
    shown = [Image.open(io.BytesIO(session.shown(index).content)) for index in (0, 1)]
    assert np.array_equal(np.asarray(shown[0])[..., 0], np.asarray(upright))
    assert np.asarray(shown[1]).min() == 0
    assert np.asarray(shown[1]).max() == 255
    large = Image.open(io.BytesIO(session.shown(2).content))
    assert large.size == (4096, 205)
