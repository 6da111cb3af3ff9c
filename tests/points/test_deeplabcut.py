from dataclasses import replace

import numpy as np
import pytest
from made_up_tables import assert_same, example, kept

from swapmark.errors import InputError, LeftOutWarning
from swapmark.points.formats import read_points, write_points
from swapmark.points.table import Points

HEADER = "scorer,DLC_r,DLC_r,DLC_r\nbodyparts,nose,nose,nose\ncoords,x,y,likelihood\n"


def read(folder, text, name="points.csv"):
    (folder / name).write_text(text, encoding="utf-8")
    return read_points(folder / name)


def test_the_rows_are_those_of_deeplabcut(tmp_path):
    write_points(example(), tmp_path / "points.csv", "dlc")
    assert (tmp_path / "points.csv").read_text("utf-8").splitlines() == [
        "scorer,swapmark,swapmark,swapmark,swapmark,swapmark,swapmark",
        "bodyparts,left eye,left eye,left eye,nose,nose,nose",
        "coords,x,y,likelihood,x,y,likelihood",
        "a.png,1.5,2.0,0.9,30.25,4.0,0.5",
        "Zoë/1.png,0.1,29.3,1.0,,,",
    ]


def test_what_is_marked_by_hand_has_no_likelihood_and_a_path_of_three_columns(tmp_path):
    files = ("labeled-data/v/img1.png", "labeled-data/v/img2.png")
    table = replace(example(), files=files, confidence=None)
    write_points(table, tmp_path / "points.csv", "dlc")
    lines = (tmp_path / "points.csv").read_text("utf-8").splitlines()
    assert lines[1:4] == [
        "bodyparts,,,left eye,left eye,nose,nose",
        "coords,,,x,y,x,y",
        "labeled-data,v,img1.png,1.5,2.0,30.25,4.0",
    ]
    assert_same(read_points(tmp_path / "points.csv"), kept(table, "dlc"))


def test_frames_are_numbers_and_the_video_is_named_after_the_file(tmp_path):
    table = replace(example(), files=("my v.mp4", "my v.mp4"), frame=np.array([7, 12]))
    lost = write_points(table, tmp_path / "my vDLC.csv", "dlc")
    assert "the name of the video (my v.mp4)" in lost
    found = read_points(tmp_path / "my vDLC.csv")
    assert (found.files, found.frame.tolist()) == (("my vDLC", "my vDLC"), [7, 12])
    with pytest.raises(InputError, match="frames of 2 videos"):
        write_points(replace(table, files=("a", "b")), tmp_path / "two.csv", "dlc")


def test_an_image_called_by_a_number_is_no_frame(tmp_path):
    table = Points(("a",), ("12",), np.zeros((1, 1, 2)))
    write_points(table, tmp_path / "points.csv", "dlc")
    found = read_points(tmp_path / "points.csv")
    assert (found.files, found.frame) == (("12",), None)


@pytest.mark.parametrize("digits", [20, 5000])
def test_more_digits_than_a_frame_has_are_a_name(tmp_path, digits):
    table = read(tmp_path, f"scorer,s,s\nbodyparts,a,a\ncoords,x,y\n{'9' * digits},1,2\n")
    assert (table.files, table.frame) == (("9" * digits,), None)


def test_paths_of_windows_and_one_individual_are_read(tmp_path):
    table = read(
        tmp_path,
        "scorer,,,me,me\nindividuals,,,fly,fly\nbodyparts,,,nose,nose\ncoords,,,x,y\n"
        "labeled-data,v,img1.png,1,2\nlabeled-data\\v\\img2.png,,,,\n",
    )
    assert table.files == ("labeled-data/v/img1.png", "labeled-data/v/img2.png")
    assert table.marked.tolist() == [[True], [False]]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("scorer,s\n", "begins with rows scorer"),
        ("scorer,s,s\nbodyparts,a,a\nx,x,y\n0,1,2\n", "rows scorer, bodyparts, x, 0"),
        (HEADER + "0,1,2,high\n", "line 4: nose_confidence is 'high'"),
        (HEADER + "0,1,,0.5\n", r"line 4 \(points\): .*nose_x, nose_y"),
        (HEADER.replace("likelihood", "z") + "0,1,2,3\n", "three dimensions: nose_z"),
        (
            "scorer,s,s,s,s\nindividuals,f1,f1,f2,f2\nbodyparts,a,a,a,a\ncoords,x,y,x,y\n0,1,2,3,4\n",
            r"2 individuals \(f1, f2\)",
        ),
        ("scorer,,s,s\nbodyparts,,a,a\ncoords,,x,y\n0,b,1,2\n", "in one cell or in three"),
    ],
)
def test_broken_files_are_refused_with_the_line(tmp_path, text, said):
    with pytest.raises(InputError, match=rf"points\.csv.*{said}"):
        read(tmp_path, text)


@pytest.mark.parametrize("unnamed", ["", "Unnamed: 4_level_1"])
def test_a_column_without_coords_is_left_out_and_named(tmp_path, unnamed):
    rows = f"scorer,s,s,set\nbodyparts,a,a,{unnamed}\ncoords,x,y,{unnamed}\nv/a.png,1,2,train\n"
    with pytest.warns(LeftOutWarning, match="no point: set"):
        table = read(tmp_path, rows)
    assert (table.names, table.xy.tolist()) == (("a",), [[[1, 2]]])


def test_empty_columns_of_a_spreadsheet_are_left_out(tmp_path):
    rows = "scorer;A;A;;\nbodyparts;a;a;;\ncoords;x;y;;\nv\\a.png;10,5;20,25;;\n"
    table = read(tmp_path, rows)
    assert (table.files, table.xy.tolist()) == (("v/a.png",), [[[10.5, 20.25]]])


@pytest.mark.parametrize("rows", ["frame,,\n0,1,2\n1,3,4\n", "0.0,1,2\n1.0,3,4\n"])
def test_frames_of_pandas_are_frames(tmp_path, rows):
    table = read(tmp_path, f"scorer,s,s\nbodyparts,a,a\ncoords,x,y\n{rows}")
    assert (table.frame.tolist(), table.xy[:, 0, 0].tolist()) == ([0, 1], [1, 3])


def test_the_name_of_an_index_is_no_image_and_an_unmarked_image_is_one(tmp_path):
    header = "scorer,s,s\nbodyparts,a,a\ncoords,x,y\n"
    assert read(tmp_path, f"{header}image,,\na.png,1,2\n").files == ("a.png",)
    assert read(tmp_path, f"{header}b.jpg,,\na.png,1,2\n").files == ("b.jpg", "a.png")
