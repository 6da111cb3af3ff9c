import re

import numpy as np
import pytest

from swapmark.errors import InputError, LeftOutWarning
from swapmark.points.text import read_text_table
from swapmark.points.wide import check_table, plain_name, whole, wide_from_text
from swapmark.types import PointTable


def read(text: str) -> PointTable:
    return wide_from_text(read_text_table("t.csv", text.encode()))


def test_every_column_finds_its_field():
    table = read(
        "file,frame,time,split,group,width,height,scale,a_y,a_x,a_confidence,b_x,b_y\n"
        ".\\v.mp4,7,0.5,fit,p,640,480,0.1,2,1,0.5,,\n"
        "v.mp4,8,,test,,640,480,,4,3,,5,6\n"
    )
    assert (table.names, table.files) == (("a", "b"), ("v.mp4", "v.mp4"))
    assert np.array_equal(table.xy, [[[1, 2], [np.nan] * 2], [[3, 4], [5, 6]]], equal_nan=True)
    expected = [[0.5, np.nan], [np.nan, np.nan]]
    assert np.array_equal(table.confidence, expected, equal_nan=True)
    assert table.sizes.tolist() == [[640, 480], [640, 480]]
    assert (table.splits, table.groups) == (("fit", "test"), ("p", ""))
    assert np.array_equal(table.scales, [0.1, np.nan], equal_nan=True)
    assert table.frames.dtype == np.int64
    assert table.frames.tolist() == [7, 8]
    assert np.array_equal(table.times, [0.5, np.nan], equal_nan=True)


def test_columns_that_are_not_there_are_not_made_up():
    table = read("file,a_x,a_y\na.png,1,2\n")
    unknown = ("confidence", "sizes", "splits", "groups", "scales", "frames", "times")
    assert all(getattr(table, name) is None for name in unknown)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "no column file; its columns are none"),
        ("name,a_x,a_y\na,1,2\n", "no column file; its columns are name, a_x, a_y"),
        ("file\na\n", "no point"),
        ("file,a_x\na,1\n", "without partner or meaning: a_y"),
        ("file,a_x,a_y,b_confidence\na,1,2,3\n", "without partner or meaning: b_confidence"),
        ("file,a_x,a_y,b_X,b_Y\na,1,2,3,4\n", "without partner or meaning: b_X, b_Y. Give each"),
        ("file,a_x,a_y,a_z\na,1,2,3\n", "and rename or delete what belongs to none. Expected"),
        ("file,a_x,a_y,b.y\na,1,2,3\n", "without partner or meaning: b.y"),
        ("file,Split,a_x,a_y\na,test,1,2\n", "without partner or meaning: Split"),
        ("file,groups,a_x,a_y\na,p,1,2\n", "without partner or meaning: groups"),
        ("file,a_x,a_y,\na,1,2,\n", "column 4 has no name"),
        (",file,a_x,a_y\n0,a,1,2\n", "column 1 has no name"),
        ("file,_x,_y\na,1,2\n", "without partner or meaning: _x, _y"),
        ("file,a_x,a_y,a_x\n", "there twice: a_x"),
        ("file,a_x,a_y\n", "a header but no rows"),
        ("file,a_x,a_y\na,1\n", "line 2: 2 cells, but the first line has 3"),
        ("file,a_x,a_y\n\na,1,2\n./a,1,2\n", "line 4: a is in line 3 already"),
        ("file,frame,a_x,a_y\nv,1,1,2\nv,1,1,2\n", "line 3: v is in line 2 already"),
        ("file,frame,a_x,a_y\nv,1.5,1,2\n", "line 2: frame is 1.5; expected a number from 0"),
        ("file,frame,a_x,a_y\nv,,1,2\n", "line 2: frame is nan"),
        ("file,frame,a_x,a_y\nv,-1,1,2\n", "line 2: frame is -1"),
        ("file,split,a_x,a_y\na,val,1,2\n", "line 2: split is 'val'; expected train, fit, test"),
        ("file,a_x,a_y\n,1,2\n", "line 2: file is empty"),
        ("file,a_x,a_y\na,1,\n", "line 2 (a): only one of a_x, a_y is given"),
        ("file,a_x,a_y\na,1,2e9\n", "line 2 (a): a is over 1e9 pixels off"),
        ("file,a_x,a_y\na,1,two\n", "line 2: a_y is 'two'"),
    ],
)
def test_wrong_tables_are_refused_with_the_place(text, message):
    with pytest.raises(InputError, match=r"^t\.csv") as caught:
        read(text)
    assert message in str(caught.value)


def test_further_columns_are_left_out_with_a_warning_that_names_them():
    text = "file,species,sex,a_x,a_y,weight_mg\na.png,E. coli,,1,2,\n"
    with pytest.warns(LeftOutWarning, match=r"^t\.csv: .* species, sex, weight_mg\.$"):
        table = read(text)
    assert (table.names, table.xy.tolist()) == (("a",), [[[1, 2]]])


@pytest.mark.parametrize(
    "column", ["noseX", "x1", "tail.x", "tail_z", "a_likelihood", "Frame", "Width", "splits"]
)
def test_further_columns_that_look_misspelt_are_refused(column):
    with pytest.raises(InputError, match=f"without partner or meaning: {re.escape(column)}"):
        read(f"file,a_x,a_y,{column}\na.png,1,2,3\n")


def test_names_that_end_like_columns_stay_apart():
    table = read("file,a_x,a_y,a_x_x,a_x_y\n1,1,2,3,4\n")
    assert table.names == ("a", "a_x")
    assert table.xy.tolist() == [[[1, 2], [3, 4]]]


def test_points_must_have_names_of_their_own():
    for names in (("a", "a"), ("a", "")):
        with pytest.raises(InputError, match="name each once"):
            check_table(PointTable(names, ("1.png",), np.zeros((1, 2, 2))), "The table")
    with pytest.raises(InputError, match=r"The table, row 1 \(1\.png\): a is over"):
        check_table(PointTable(("a",), ("1.png",), np.full((1, 1, 2), np.inf)), "The table")


def test_names_and_whole_numbers_are_plain():
    assert plain_name("./a//b\\c.png") == "a/b/c.png"
    assert whole(np.array([1.0, 2.5])).tolist() == [1.0, 2.5]
    assert whole(np.array([1e300])).dtype == np.float64


def test_thousands_of_rows_take_seconds():
    import time

    row = ",".join(["1.25,2.5"] * 20)
    header = ",".join(f"p{k}_x,p{k}_y" for k in range(20))
    text = f"file,{header}\n" + "".join(f"{i}.png,{row}\n" for i in range(10_000))
    start = time.process_time()
    assert len(read(text)) == 10_000
    assert time.process_time() - start < 10
