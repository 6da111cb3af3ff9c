"""Named points from landmarks: applied, kept, and refused where they do not belong."""

import json
import shutil

import numpy as np
import pytest

from swapmark.errors import InputError, RunError
from swapmark.specimens.point_map import (
    PointMap,
    find_point_map,
    model_fingerprint,
    point_map_path,
    read_point_map,
)
from swapmark.types import Landmarks

K = 3


def landmarks(count: int = 2) -> Landmarks:
    random = np.random.default_rng(0)
    sizes = np.array([[200, 100], [64, 96]])[:count]
    xy = random.uniform(0, 60, (count, K, 2))
    confidence = np.array([[1.0, 0.5, 0.0], [0.2, 0.4, 0.6]])[:count]
    return Landmarks(xy, confidence, ("a.png", "b.png")[:count], sizes)


def copying(*sources: tuple[int, int], model: str = "") -> PointMap:
    """A map whose points are the means of two landmarks each, to be checked by hand."""
    weights = np.zeros((len(sources), 2 * K, 2))
    for point, pair in enumerate(sources):
        for k in pair:
            weights[point, 2 * k : 2 * k + 2] += 0.5 * np.eye(2)
    names = tuple(f"point {number}" for number in range(len(sources)))
    return PointMap(names, weights, np.zeros((len(sources), 2)), model, {"specimens": 7})


def test_points_are_in_pixels_of_images_of_any_size_and_names_are_the_users():
    given = landmarks()
    found = copying((0, 1), (2, 2)).apply(given)
    assert found.names == ("point 0", "point 1")
    assert found.xy[:, 0] == pytest.approx(given.xy[:, :2].mean(axis=1))
    assert found.xy[:, 1] == pytest.approx(given.xy[:, 2])
    assert (found.paths, found.skipped) == (given.paths, given.skipped)
    assert found.columns[3:6] == ["point 0_x", "point 0_y", "point 0_confidence"]


def test_an_offset_is_in_units_of_the_longer_side():
    still = PointMap(("tip",), np.zeros((1, 2 * K, 2)), np.array([[0.1, -0.25]]), "")
    found = still.apply(landmarks())
    assert found.xy[0, 0] == pytest.approx([99.5 + 20, 49.5 - 50])
    assert found.xy[1, 0] == pytest.approx([31.5 + 9.6, 47.5 - 24])
    assert np.isnan(found.confidence).all(), "no landmark has a say"


def test_confidence_is_that_of_the_landmarks_by_their_weights():
    found = copying((0, 1), (1, 1)).apply(landmarks())
    assert found.confidence == pytest.approx(np.array([[0.75, 0.5], [0.3, 0.4]]))
    assert ((found.confidence >= 0) & (found.confidence <= 1)).all()


def test_another_number_of_landmarks_is_refused():
    with pytest.raises(InputError, match="takes 3 landmarks, but the images have 2"):
        copying((0, 1)).apply(
            Landmarks(np.zeros((1, 2, 2)), np.ones((1, 2)), ("a.png",), np.full((1, 2), 64))
        )


def test_what_is_saved_is_read_back(tmp_path):
    point_map = copying((0, 1), (1, 2), model="abc")
    path = point_map.save(tmp_path, "my points")
    assert path == tmp_path / "points" / "my points.json"
    again = read_point_map(path)
    assert (again.names, again.model, again.record) == (
        point_map.names,
        "abc",
        {"specimens": 7},
    )
    assert np.array_equal(again.weights, point_map.weights)
    assert np.array_equal(again.offset, point_map.offset)


def test_an_existing_map_is_kept_unless_told_otherwise(tmp_path):
    path = copying((0, 1)).save(tmp_path, "eyes")
    with pytest.raises(InputError, match=r"eyes\.json exists already.*--overwrite"):
        copying((1, 2)).save(tmp_path, "eyes")
    copying((1, 2)).save(tmp_path, "eyes", overwrite=True)
    assert read_point_map(path).weights[0, 0, 0] == 0


@pytest.mark.parametrize(
    "name", ["", "a/b", "../a", ".hidden", "eyes.json", "a\\b", "-x", "x" * 300]
)
def test_a_name_that_is_no_plain_file_name_is_refused(tmp_path, name):
    with pytest.raises(InputError, match=r"cannot name a point map: expected up to 60 letters"):
        point_map_path(tmp_path, name)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"format": 2}, "its format is 2; this version of swapmark reads 1"),
        ({"coordinates": "pixels"}, "coordinates is 'pixels'"),
        ({"names": []}, r"names is \[\]; expected a list"),
        ({"names": ["one", 2]}, r"names is \['one', 2\]"),
        ({"landmarks": "3"}, "landmarks is '3'"),
        ({"landmarks": 4}, r"weights has shape \(2, 6, 2\); expected \(2, 8, 2\)"),
        ({"weights": [[1, 2], [3]]}, "weights is no array of numbers"),
        ({"weights": "many"}, "weights is no array of numbers"),
        ({"offset": [[0, 0]]}, r"offset has shape \(1, 2\); expected \(2, 2\)"),
        ({"offset": [[0, None], [0, 0]]}, "offset has an entry that is not a finite"),
        ({"model": 3}, "model or record is missing"),
    ],
)
def test_a_damaged_map_is_told_with_its_file_and_value(tmp_path, change, message):
    path = copying((0, 1), (1, 2)).save(tmp_path, "eyes")
    path.write_text(json.dumps(json.loads(path.read_text()) | change))
    with pytest.raises(RunError, match=rf"eyes\.json is no point map.*{message}"):
        read_point_map(path)


@pytest.mark.parametrize("content", [b"", b"[1]", b"\xff", b'{"format": 1', b"[" * 100_000])
def test_a_file_of_another_kind_is_refused(tmp_path, content):
    path = tmp_path / "points" / "eyes.json"
    path.parent.mkdir()
    path.write_bytes(content)
    with pytest.raises(RunError, match=r"eyes\.json is no point map"):
        read_point_map(path)


def test_a_map_that_is_not_there_is_told_with_those_that_are(tmp_path):
    with pytest.raises(RunError, match=r"the run has no point map\. Make one with: swapmark fit"):
        read_point_map(point_map_path(tmp_path, "eyes"))
    copying((0, 1)).save(tmp_path, "wings")
    with pytest.raises(RunError, match="the run has the point maps wings"):
        read_point_map(point_map_path(tmp_path, "eyes"))


def test_a_map_of_another_model_is_refused(tmp_path):
    (tmp_path / "model").mkdir()
    weights = tmp_path / "model" / "model.safetensors"
    weights.write_bytes(b"step 1")
    point_map = copying((0, 1), model=model_fingerprint(tmp_path))
    point_map.save(tmp_path, "eyes")
    assert find_point_map(tmp_path, "eyes").names == point_map.names
    assert find_point_map(tmp_path, point_map) is point_map
    weights.write_bytes(b"step 2")
    for points in ("eyes", point_map):
        with pytest.raises(RunError, match=r"fitted on another model.*Fit again with"):
            find_point_map(tmp_path, points)


def test_a_model_folder_alone_has_the_fingerprint_of_its_run(tiny_run, tmp_path):
    alone = shutil.copytree(tiny_run.model, tmp_path / "alone")
    assert model_fingerprint(alone) == model_fingerprint(tiny_run.path)
    with pytest.raises(RunError, match=r"holds no model\.safetensors"):
        model_fingerprint(tmp_path)


def test_a_detector_without_a_folder_takes_a_map_but_no_name():
    point_map = copying((0, 1))
    assert find_point_map(None, point_map) is point_map
    with pytest.raises(InputError, match=r"points is 'eyes'.*not loaded from a folder"):
        find_point_map(None, "eyes")
