from dataclasses import replace
from tempfile import TemporaryDirectory

import numpy as np
import pytest
from hypothesis import given
from made_up_tables import assert_same, example, kept, tables

from swapmark.errors import InputError
from swapmark.points.formats import read_points, write_points
from swapmark.types import PointTable


def read(folder, text):
    (folder / "points.txt").write_text(text, encoding="utf-8")
    return read_points(folder / "points.txt", "morphoj")


@given(known=tables(missing=False, video=False))
def test_points_and_their_names_come_back(known):
    table = PointTable(**known)
    with TemporaryDirectory() as folder:
        write_points(table, f"{folder}/points.txt")
        assert_same(read_points(f"{folder}/points.txt"), kept(table, "morphoj"))


def test_the_text_is_a_line_a_specimen_between_tabs(tmp_path):
    table = replace(example(), xy=np.array([[[1.5, 2], [3, 4]], [[5, 6], [7, 8]]]))
    assert write_points(table, tmp_path / "points.txt") == (
        *("the confidence of the points", "width and height of the images"),
        *("the splits", "the groups", "the scale"),
    )
    assert (tmp_path / "points.txt").read_bytes().decode() == (
        "id\tleft eye_x\tleft eye_y\tnose_x\tnose_y\n"
        "a.png\t1.5\t2.0\t3.0\t4.0\nZoë/1.png\t5.0\t6.0\t7.0\t8.0\n"
    )


@pytest.mark.parametrize(
    "text",
    [
        "Homo f 025\t1\t2\t3\t4\n",
        "ID,x1,y1,x2,y2\n Homo f 025 , 1,2,3,4\n",
        "ID;x1;y1;x2;y2\r\nHomo f 025;1,0;2,0;3,0;4,0\r\n",
    ],
)
def test_files_as_morphoj_allows_them_are_read(tmp_path, text):
    table = read(tmp_path, text)
    assert (table.files, table.names) == (("Homo f 025",), ("landmark_1", "landmark_2"))
    assert table.xy.tolist() == [[[1, 2], [3, 4]]]


def test_empty_cells_are_read_as_missing_but_missing_points_are_not_written(tmp_path):
    table = read(tmp_path, "a\t1\t2\t\t\n")
    assert table.marked.tolist() == [[True, False]]
    with pytest.raises(InputError, match=r"landmark_2 of a is missing, and MorphoJ has no sign"):
        write_points(table, tmp_path / "again.txt")


@pytest.mark.parametrize("name", ["a,b.png", "a;b.png", "a\tb.png", 'a"b.png', "a\nb.png"])
def test_names_that_morphoj_would_cut_are_refused(tmp_path, name):
    with pytest.raises(InputError, match="can't be written for MorphoJ"):
        write_points(PointTable(("p",), (name,), np.zeros((1, 1, 2))), tmp_path / "points.txt")


def test_frames_of_a_video_get_their_number_into_the_name(tmp_path):
    frames = np.array([3, 12])
    table = PointTable(("p",), ("v.mp4", "v.mp4"), np.zeros((2, 1, 2)), frames=frames)
    lost = write_points(table, tmp_path / "points.txt")
    assert lost == ("the frame numbers as numbers (they are in the names, as video.mp4#12)",)
    assert read_points(tmp_path / "points.txt").files == ("v.mp4#3", "v.mp4#12")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "is empty"),
        ("id\tx1\ty1\n", "labels but no specimen"),
        ("a\t1\t2\t3\n", "3 numbers a line; expected x and y of each point"),
        ("a 1 2 3 4\n", "0 numbers a line"),
        ("image,a_x,a_y,a_confidence,b_x\n1.png,1,2,1,3\n", "has a_confidence, b_x where x and y"),
        ("image,width,height,a_x,a_y\n1.png,9,9,1,2\n", "has width, height where x and y"),
        ("id\tx1\ty1\tz1\nb\t1\t2\t3\n", "three dimensions"),
        ("a\t1\t2\nb\t1\n", "line 2: 2 cells, but the first line has 3"),
        ("a\t1\t2\nb\t1\ttwo\n", "line 2: column 3 is 'two'"),
        ("a\t1\t2\na\t1\t2\n", "line 2: a is in line 1 already"),
        ("a\t1\t2\n\t1\t2\n", "line 2: file is empty"),
    ],
)
def test_broken_files_are_refused_with_the_line(tmp_path, text, message):
    with pytest.raises(InputError, match=r"points\.txt") as caught:
        read(tmp_path, text)
    assert message in str(caught.value)
