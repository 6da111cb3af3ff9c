import copy
import json

import numpy as np
import pytest
from made_up_tables import assert_same, example

from swapmark.errors import InputError, LeftOutWarning
from swapmark.points.formats import read_points, write_points
from swapmark.points.table import Points

SET = {
    "images": [{"id": 7, "file_name": "a.png", "width": 40, "height": 30}],
    "categories": [
        {"id": 1, "name": "box"},
        {"id": 3, "name": "fly", "keypoints": ["head", "tail", "wing"]},
    ],
    "annotations": [
        {"id": 1, "image_id": 7, "category_id": 1, "bbox": [0, 0, 1, 1]},
        {"id": 2, "image_id": 7, "category_id": 3, "keypoints": [1, 2, 2, 3, 4.5, 1, 5, 6, 0]},
    ],
}


def read(folder, data):
    text = data if isinstance(data, str) else json.dumps(data)
    (folder / "points.json").write_text(text, encoding="utf-8")
    return read_points(folder / "points.json")


def test_the_fields_are_those_of_coco(tmp_path):
    write_points(example(), tmp_path / "points.json")
    data = json.loads((tmp_path / "points.json").read_text("utf-8"))
    assert data["categories"][0]["keypoints"] == ["left eye", "nose"]
    about = {"split": "fit", "group": "fly 1", "scale": 0.01}
    size = {"width": 40, "height": 30}
    assert data["images"][0] == {"id": 1, "file_name": "a.png", **size, "swapmark": about}
    first, second = data["annotations"]
    assert first == {
        "id": 1,
        "image_id": 1,
        "category_id": 1,
        "iscrowd": 0,
        "num_keypoints": 2,
        "keypoints": [1.5, 2.0, 2, 30.25, 4.0, 2],
        "bbox": [1.5, 2.0, 29.75, 3.0],  # the pixels of the points, from the corner of the first
        "area": 29.75 * 3.0,
        "score": pytest.approx(0.7),
        "keypoint_scores": [0.9, 0.5],
    }
    assert second["keypoints"] == [0.1, 29.3, 2, 0, 0, 0]
    assert second["keypoint_scores"] == [1, None]


def test_an_image_without_points_has_no_annotation(tmp_path):
    xy = np.array([[[np.nan, np.nan]], [[1.0, 2.0]]])
    table = Points(("tip",), ("a.png", "b.png"), xy)
    write_points(table, tmp_path / "points.json")
    data = json.loads((tmp_path / "points.json").read_text())
    assert [annotation["image_id"] for annotation in data["annotations"]] == [2]
    assert_same(read_points(tmp_path / "points.json"), table)


def test_visibility_and_other_categories_are_read_as_coco_means_them(tmp_path):
    with pytest.warns(LeftOutWarning, match=r"1 hidden points \(visibility 1\)"):
        table = read(tmp_path, SET)
    assert (table.names, table.files) == (("head", "tail", "wing"), ("a.png",))
    assert np.array_equal(table.xy, [[[1, 2], [3, 4.5], [np.nan] * 2]], equal_nan=True)
    assert table.sizes.tolist() == [[40, 30]]
    assert table.confidence is None


def changed(path, value):
    """The set with the entry at `path` replaced, or taken out for None."""
    data = copy.deepcopy(SET)
    *above, last = path
    place = data
    for key in above:
        place = place[key]
    if value is None:
        del place[last]
    else:
        place[last] = value
    return data


@pytest.mark.filterwarnings("ignore::swapmark.errors.LeftOutWarning")
def test_a_missing_point_may_have_coordinates_that_are_no_numbers(tmp_path):
    data = changed(["annotations", 1, "keypoints"], [1, 2, 2, 3, 4, 1, float("nan"), None, 0])
    assert read(tmp_path, data).marked.tolist() == [[True, True, False]]


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (json.dumps(SET)[:-40], "COCO"),
        ("[" * 100_000, "brackets in brackets"),
        ('{"images": ' + "1" * 5000 + "}", "COCO"),
        ([{"image_id": 7, "keypoints": []}], "bare list"),
        (changed(["annotations"], None), "annotations"),
        (changed(["annotations"], [1]), "COCO"),
        (changed(["categories", 1], None), "0 categories"),
        (changed(["categories", 0, "keypoints"], ["a"]), "2 categories .*box.*fly"),
        (changed(["categories", 1, "keypoints"], 5), "fly: 5"),
        (changed(["categories", 1, "keypoints"], ["a", "a", "b"]), "a_x twice, a_y twice"),
        (changed(["annotations", 1, "image_id"], 8), "annotation 2: .* image 8"),
        (changed(["annotations", 1, "image_id"], [7]), "list"),
        (changed(["annotations", 1, "category_id"], 2), "annotation 2: .*category 2"),
        (changed(["annotations", 0], SET["annotations"][1] | {"id": 9}), "annotation 2: .*image 7"),
        (changed(["annotations", 1, "keypoints"], [1, 2, 2]), "annotation 2: .*list of 9"),
        (changed(["annotations", 1, "keypoints"], "123456789"), "annotation 2: .*list of 9"),
        (changed(["annotations", 1, "keypoints", 0], float("inf")), "image 7: head_x is 'inf'"),
        (changed(["annotations", 1, "keypoints", 0], float("nan")), "head_x, head_y"),
        (
            changed(["annotations", 1, "keypoints", 5], float("nan")),
            "annotation 2: .*visibility",
        ),
        (changed(["annotations", 1, "keypoints", 0], 1e12), r"image 7 \(a\.png\): head is over"),
        (SET | {"images": [], "annotations": []}, "no rows"),
        (changed(["images", 0, "id"], None), "'id'"),
        (changed(["images", 0, "file_name"], None), "file_name"),
        (changed(["images", 0, "file_name"], ""), "image 7 .*file"),
        (changed(["images", 0, "width"], "wide"), "image 7: width is 'wide'"),
    ],
)
@pytest.mark.filterwarnings("ignore::swapmark.errors.LeftOutWarning")
def test_broken_files_are_refused_with_the_reason(tmp_path, data, said):
    with pytest.raises(InputError, match=rf"points\.json.*{said}"):
        read(tmp_path, data)
