import csv
import os

import numpy as np
import pytest

from swapmark.errors import InputError, OutputError
from swapmark.files import refuse_existing
from swapmark.types import Annotations, Landmarks, PointTable


def landmarks(count: int = 2, points: int = 3, paths: tuple[str, ...] | None = None) -> Landmarks:
    xy = np.arange(count * points * 2, dtype=float).reshape(count, points, 2) / 7
    confidence = np.linspace(0, 1, count * points).reshape(count, points)
    paths = paths or tuple(f"{i}.png" for i in range(count))
    return Landmarks(xy, confidence, paths, np.tile([640, 480], (count, 1)))


def test_the_table_has_a_row_an_image_with_three_decimals(tmp_path):
    found = landmarks()
    path = found.to_csv(tmp_path / "new" / "points.csv")
    with path.open(newline="", encoding="utf-8") as file:
        header, *rows = csv.reader(file)
    parts = ("x", "y", "confidence")
    assert header[:6] == ["file", "width", "height", *(f"landmark_1_{part}" for part in parts)]
    assert header[-1] == "landmark_3_confidence"
    assert [row[:3] for row in rows] == [["0.png", "640", "480"], ["1.png", "640", "480"]]
    assert rows[1][3:6] == ["0.857", "1.000", "0.600"]
    assert [len(row) for row in rows] == [12, 12]


def test_a_data_frame_holds_the_same_without_rounding():
    found = landmarks()
    frame = found.to_pandas()
    assert list(frame.columns) == found.columns
    assert np.array_equal(frame[["landmark_2_x", "landmark_2_y"]].to_numpy(), found.xy[:, 1])
    assert np.array_equal(frame["landmark_3_confidence"], found.confidence[:, 2])


@pytest.mark.parametrize(("count", "points"), [(1, 1), (0, 2)])
def test_one_landmark_and_no_image_make_tables_too(count, points):
    found = landmarks(count, points)
    assert len(found) == count
    assert [len(row) for row in found.rows()] == [3 + 3 * points] * count


def test_an_existing_table_is_kept_unless_told_otherwise(tmp_path):
    path = tmp_path / "points.csv"
    path.write_text("precious")
    with pytest.raises(InputError, match=r"points.csv exists already.*--overwrite"):
        landmarks().to_csv(path)
    assert path.read_text() == "precious"
    landmarks().to_csv(path, overwrite=True)
    assert path.read_text().startswith("file,width")
    refuse_existing(tmp_path / "absent", overwrite=False)


def test_a_table_that_cannot_be_written_is_an_error_of_the_user(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match=r"points\.csv could not be written"):
        landmarks().to_csv(tmp_path / "file" / "points.csv")


def test_a_file_name_that_is_no_text_is_written_escaped(tmp_path):
    name = os.fsdecode(b"caf\xe9.png")
    path = landmarks(1, 1, (name,)).to_csv(tmp_path / "points.csv")
    assert r"caf\udce9.png,640,480" in path.read_text(encoding="utf-8")


def test_annotations_count_their_images():
    marked = Annotations(
        ("tip",), ("a.png", "b.png"), ("fit", "test"), ("", ""), np.zeros((2, 1, 2))
    )
    assert len(marked) == 2


def test_a_point_table_refuses_arrays_of_other_shapes():
    with pytest.raises(ValueError, match=r"xy has shape \(1, 1, 2\); expected \(2, 1, 2\)"):
        PointTable(("nose",), ("a.png", "b.png"), np.zeros((1, 1, 2)))
    with pytest.raises(ValueError, match="splits has 1 entries; expected 2"):
        PointTable(("nose",), ("a.png", "b.png"), np.zeros((2, 1, 2)), splits=("fit",))


def test_landmarks_become_a_point_table():
    points = Landmarks(np.ones((1, 2, 2)), np.full((1, 2), 0.5), ("a.png",), np.array([[64, 48]]))
    table = points.table()
    assert table.names == ("landmark_1", "landmark_2")
    assert table.files == ("a.png",)
    assert table.confidence is points.confidence
    assert table.marked.all()


def test_a_table_of_thousands_prints_as_one_line():
    assert repr(landmarks(2, 3)) == "<Landmarks: 2 images, 3 landmarks each, 0 skipped>"
    table = PointTable(("nose",), ("a.png",), np.ones((1, 1, 2)))
    assert repr(table) == "<PointTable: 1 images, 1 points each>"
