import re

import numpy as np
import pytest
from made_up_tables import assert_same, example

from swapmark.errors import InputError, LeftOutWarning
from swapmark.points.csv import points_of_table
from swapmark.points.formats import read_points, write_points
from swapmark.points.table import Points
from swapmark.points.text import read_table


def read(text: str) -> Points:
    return points_of_table(read_table("t.csv", text.encode()))


def test_the_columns_are_those_of_predict_and_of_annotated_images(tmp_path):
    write_points(example(), tmp_path / "points.csv")
    assert (tmp_path / "points.csv").read_text("utf-8").splitlines() == [
        "file,split,group,width,height,scale,left eye_x,left eye_y,left eye_confidence,"
        "nose_x,nose_y,nose_confidence",
        "a.png,fit,fly 1,40,30,0.01,1.5,2.0,0.9,30.25,4.0,0.5",
        "Zoë/1.png,test,,64,48,0.02,0.1,29.3,1.0,,,",
    ]


def test_every_column_finds_its_field():
    points = read(
        "file,frame,time,split,group,width,height,scale,a_y,a_x,a_confidence,b_x,b_y\n"
        ".\\v.mp4,7,0.5,fit,p,640,480,0.1,2,1,0.5,,\n"
        "v.mp4,8,,test,,640,480,,4,3,,5,6\n"
    )
    expected = Points(
        ("a", "b"),
        ("v.mp4", "v.mp4"),
        np.array([[[1, 2], [np.nan] * 2], [[3, 4], [5, 6]]]),
        confidence=np.array([[0.5, np.nan], [np.nan, np.nan]]),
        sizes=np.array([[640, 480], [640, 480]]),
        split=("fit", "test"),
        group=("p", ""),
        scale=np.array([0.1, np.nan]),
        frame=np.array([7, 8]),
        time=np.array([0.5, np.nan]),
    )
    assert_same(points, expected)
    assert points.frame.dtype == np.int64


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "no column file.* DeepLabCut's CSV.*MorphoJ opens TPS"),
        ("name,a_x,a_y\na,1,2\n", "no column file.* name, a_x, a_y"),
        ("face,x_0,x_1,y_0,y_1\na,1,2,3,4\n", "no column file, .*partner.* x_0, x_1"),
        (",x_0,x_1,y_0,y_2\na.png,1,2,3,4\n", "partner.* x_0, x_1, y_0"),
        ("Subject,F-1_X,F-1_Y,F-1_Z\na,1,2,3\n", "three dimensions: F-1_Z"),
        ("ID,Centroid Size\na,2.4\n", "no column file, .*sizes .* no coordinates"),
        ("file\na\n", "no point"),
        ("file,a_x\na,1\n", "partner.* no a_y"),
        ("file,a_x,a_y,\na,1,2,3\n", "column 4"),
        ("file,x_a,x_b,y_a,y_b\na,1,2,3,4\n", "partner.* x_a, x_b"),
        ("file,x_1,X1,y_1\na,1,2,3\n", "partner.* X1, x_1"),
        (
            "file,Centroid Size,Log Centroid Size\na,2.4,0.8\n",
            "no point: .* file, Centroid",
        ),
        ('file,a_x,a_y\na,"1,234",2\n', "a_x is '1,234'; .*thousands"),
        ("file\ta_x\ta_y\na\t1,234\t850\nb\t990\t1,002\n", "1,002 beside .*thousands"),
        ("file;a_x;a_y\na;1.234;850\n", r"1\.234 beside .*thousands"),
        ("file,_x,_y\na,1,2\n", "partner.* _x, _y"),
        ("file,a_x,a_y,a_x\n", "partner.* a_x twice"),
        ("file,a_x,a_y\n", "no rows"),
        ("file,a_x,a_y\n\na,1,2\n./a,1,2\n", r"line 4 \(a\).* line 3"),
        ("file,split,a_x,a_y\na,val,1,2\n", r"line 2 \(a\): split is 'val'"),
        ("file,a_x,a_y\na,1,\n", r"line 2 \(a\): .*a_x, a_y"),
        ("file,a_x,a_y\na,1,two\n", "line 2: a_y is 'two'"),
    ],
)
def test_wrong_tables_are_refused_with_the_place(text, said):
    with pytest.raises(InputError, match=rf"^t\.csv.*{said}"):
        read(text)


@pytest.mark.parametrize("column", ["image", "filename", "img", "Image"])
def test_other_usual_names_of_the_column_file_are_read(column, tmp_path):
    (tmp_path / "t.csv").write_text(f"a_x,a_y,{column}\n1,2,b.png\n")
    points = read_points(tmp_path / "t.csv")
    assert (points.files, points.xy.tolist()) == (("b.png",), [[[1, 2]]])


@pytest.mark.parametrize("labels", [("x_3", "x_4", "y_3", "y_4"), ("x3", "x4", "Y3", "Y4")])
@pytest.mark.parametrize("first", ["", "file"])
def test_numbered_points_are_read_by_their_labels_and_pictures_by_their_endings(first, labels):
    points = read(f"{first},{','.join(labels)}\na.png,1,2,3,4\nb.JPG,5,6,7,8\n")
    assert (points.names, points.files) == (("3", "4"), ("a.png", "b.JPG"))
    assert points.xy.tolist() == [[[1, 3], [2, 4]], [[5, 7], [6, 8]]]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("face,a_x,a_y\na.png,1,2\n", "the pictures are taken from 'face'"),
        ("file,x1,y1,x2,y2\na.png,1,2,3,4\n", "two points; a box has none"),
    ],
)
def test_what_is_guessed_is_told(text, said):
    with pytest.warns(LeftOutWarning, match=said):
        assert read(text).files == ("a.png",)


def test_a_box_beside_named_points_is_no_point():
    with pytest.raises(InputError, match=r"partner.* x1, x2, y1, y2"):
        read("file,nose_x,nose_y,x1,y1,x2,y2\na.png,1,2,3,4,5,6\n")


def test_further_columns_are_left_out_with_a_warning_that_names_them():
    text = "file,species,sex,a_x,a_y,weight_mg,z-score,x ray\na.png,E. coli,,1,2,,3,no\n"
    with pytest.warns(LeftOutWarning, match=r": .* species, sex, weight_mg, z-score, x ray\.$"):
        points = read(text)
    assert (points.names, points.xy.tolist()) == (("a",), [[[1, 2]]])


@pytest.mark.parametrize(
    "column",
    ["noseX", "x1", "tail.x", "x_a", "A_score", "Frame", "Width", "Split", "groups", "b.y", "b_Z"],
)
def test_further_columns_that_look_misspelt_are_refused(column):
    with pytest.raises(InputError, match=f"partner or meaning: {re.escape(column)}"):
        read(f"file,a_x,a_y,{column}\na.png,1,2,3\n")


@pytest.mark.parametrize("third", ["a_z", "a_Z", "aZ", "Z", "z1", "z_1", "z 1", "z_a", "z(a)"])
def test_a_third_dimension_is_refused_by_name(third):
    with pytest.raises(InputError, match=rf"three dimensions: {re.escape(third)}"):
        read(f"file,a_x,a_y,{third}\nb.png,1,2,3\n")


def test_points_at_0_0_in_one_image_are_missing_and_told():
    text = "file,a_x,a_y,b_x,b_y,c_x,c_y\n1,0,0,0,0,5,6\n2,1,2,0,0,0,1\n"
    with pytest.warns(LeftOutWarning, match=r"^t\.csv: 3 points at 0 0"):
        points = read(text)
    assert points.marked.tolist() == [[False, False, True], [True, False, True]]
    assert read(text.replace("1,0,0,0,0", "1,0,0,0,1")).marked.all()


def test_decimal_commas_of_three_digits_are_no_thousands():
    assert read("file;a_x;a_y\nb;1,234;850,5\nc;99;2,125\n").xy[:, 0, 0].tolist() == [1.234, 99]
    assert read("file;a_x;a_y\nb;101,125;99\n").xy.tolist() == [[[101.125, 99]]]
    assert read("file,a_x,a_y\nb,1.125,99\n").xy.tolist() == [[[1.125, 99]]]


def test_names_that_end_like_columns_stay_apart():
    points = read("file,a_x,a_y,a_x_x,a_x_y\n1,1,2,3,4\n")
    assert points.names == ("a", "a_x")
    assert points.xy.tolist() == [[[1, 2], [3, 4]]]
