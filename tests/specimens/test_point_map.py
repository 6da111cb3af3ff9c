"""Named points from landmarks: applied, kept, and refused where they do not belong."""

import json
import re

import numpy as np
import pytest

from swapmark.data.items import Skipped
from swapmark.errors import InputError, RunError
from swapmark.points.table import Points
from swapmark.specimens.point_map import PointMap, find_point_map, point_map_path

K = 3


@pytest.fixture
def landmarks():
    return Points(
        ("a", "b", "c"),
        ("a.png", "b.png"),
        np.random.default_rng(0).uniform(0, 60, (2, K, 2)),
        confidence=np.array([[1.0, 0.5, 0.0], [0.2, 0.4, 0.6]]),
        sizes=np.array([[200, 100], [64, 96]]),
        skipped=(Skipped("c.png", "the file is empty"),),
    )


def copying(*sources: tuple[int, int], model: str = "") -> PointMap:
    """A map whose points are the means of two landmarks each, to be checked by hand."""
    weights = np.zeros((len(sources), 2 * K, 2))
    for point, pair in enumerate(sources):
        for k in pair:
            weights[point, 2 * k : 2 * k + 2] += 0.5 * np.eye(2)
    names = tuple(f"point {number}" for number in range(len(sources)))
    return PointMap(names, weights, np.zeros((len(sources), 2)), model, {"error": 7})


def test_points_are_in_pixels_of_images_of_any_size_with_their_own_names(landmarks):
    found = copying((0, 1), (2, 2)).apply(landmarks)
    assert found.names == ("point 0", "point 1")
    assert found.xy[:, 0] == pytest.approx(landmarks.xy[:, :2].mean(axis=1))
    assert found.xy[:, 1] == pytest.approx(landmarks.xy[:, 2])
    assert (found.files, found.skipped) == (landmarks.files, landmarks.skipped)
    # Confidence is that of the landmarks by their weights.
    assert found.confidence == pytest.approx(np.array([[0.75, 0.0], [0.3, 0.6]]))


def test_an_offset_is_in_units_of_the_longer_side(landmarks):
    still = PointMap(("tip",), np.zeros((1, 2 * K, 2)), np.array([[0.1, -0.25]]), "")
    found = still.apply(landmarks)
    assert found.xy[0, 0] == pytest.approx([99.5 + 20, 49.5 - 50])
    assert found.xy[1, 0] == pytest.approx([31.5 + 9.6, 47.5 - 24])
    assert found.confidence[:, 0] == pytest.approx([0.5, 0.4]), "no landmark has more of a say"


def test_another_number_of_landmarks_is_refused():
    two = Points(("a", "b"), ("a.png",), np.zeros((1, 2, 2)), sizes=np.full((1, 2), 64))
    with pytest.raises(InputError, match=r"3 landmarks.*2"):
        copying((0, 1)).apply(two)


def test_what_is_saved_is_found_and_not_replaced_unasked(tmp_path):
    point_map = copying((0, 1), (1, 2), model="abc")
    assert point_map.save(tmp_path, "my points") == tmp_path / "points" / "my points.json"
    again = find_point_map(tmp_path, "my points", "abc")
    assert (again.names, again.model, again.record) == (point_map.names, "abc", {"error": 7})
    assert np.array_equal(again.weights, point_map.weights)
    assert np.array_equal(again.offset, point_map.offset)
    with pytest.raises(InputError, match=r"my points\.json"):
        copying((1, 2)).save(tmp_path, "my points")
    copying((1, 2)).save(tmp_path, "my points", overwrite=True)
    assert find_point_map(tmp_path, "my points", "abc").weights[0, 0, 0] == 0


@pytest.mark.parametrize("name", ["", "a/b", "../a", ".hidden", "eyes.json", "-x", "x" * 300])
def test_a_name_that_is_no_plain_file_name_is_refused(tmp_path, name):
    with pytest.raises(InputError, match=re.escape(repr(name))):
        point_map_path(tmp_path, name)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"format": 3}, "format is 3"),
        ({"coordinates": "pixels"}, "coordinates is 'pixels'"),
        ({"names": []}, "names"),
        ({"names": ["one", 2]}, "names"),
        ({"landmarks": "3"}, ""),
        ({"landmarks": 4}, "weights"),
        ({"weights": [[1, 2], [3]]}, ""),
        ({"offset": [[0, None], [0, 0]]}, "offset"),
        ({"record": 3}, ""),
        (b"", ""),
        (b"[1]", ""),
        (b"\xff", ""),
        (b"[" * 100_000, ""),
    ],
)
def test_a_damaged_map_is_told_with_its_file_and_value(tmp_path, change, message):
    path = copying((0, 1), (1, 2)).save(tmp_path, "eyes")
    if isinstance(change, dict):
        change = json.dumps(json.loads(path.read_text()) | change).encode()
    path.write_bytes(change)
    with pytest.raises(RunError, match=rf"eyes\.json.*{message}"):
        find_point_map(tmp_path, "eyes", "")


def test_a_map_that_is_not_there_is_told_with_those_that_are(tmp_path):
    copying((0, 1)).save(tmp_path, "wings")
    with pytest.raises(RunError, match=r"eyes\.json.*wings"):
        find_point_map(tmp_path, "eyes", "")


def test_a_file_of_an_earlier_version_is_read(tmp_path):
    record = {"strength": {"separate": 1.0, "ridge": 0.3}, "warnings": []}
    weights = np.arange(12.0).reshape(1, 6, 2).tolist()
    values = {"format": 1, "model": "abc", "landmarks": K, "names": ["tip"], "record": record}
    values |= {"weights": weights, "offset": [[0.5, 1]]}
    values |= {"coordinates": "from the centre of the image, in units of its longer side"}
    path = point_map_path(tmp_path, "old")
    path.parent.mkdir()
    path.write_text(json.dumps(values))
    found = find_point_map(tmp_path, "old", "abc")
    assert (found.names, found.weights.tolist(), found.record) == (("tip",), weights, record)


def test_a_map_of_another_model_is_refused(tmp_path):
    point_map = copying((0, 1), model="step 1")
    point_map.save(tmp_path, "eyes")
    assert find_point_map(tmp_path, point_map, "step 1") is point_map
    for points in ("eyes", point_map):
        with pytest.raises(RunError, match="another model"):
            find_point_map(tmp_path, points, "step 2")


def test_a_detector_without_a_folder_takes_a_map_but_no_name():
    point_map = copying((0, 1))
    assert find_point_map(None, point_map, "abc") is point_map
    with pytest.raises(InputError, match="eyes"):
        find_point_map(None, "eyes", "abc")
