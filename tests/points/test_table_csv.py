from tempfile import TemporaryDirectory

import numpy as np
import pytest
from hypothesis import given
from made_up_tables import assert_same, example, tables

from swapmark.points.formats import read_points, write_points
from swapmark.types import Landmarks, PointTable


@pytest.mark.parametrize("format", ["csv", "parquet"])
@given(known=tables(extra=',;"\n'))
def test_nothing_is_lost(format, known):
    table = PointTable(**known)
    with TemporaryDirectory() as folder:
        assert write_points(table, f"{folder}/points.{format}") == ()
        assert_same(read_points(f"{folder}/points.{format}"), table)


def test_the_columns_are_those_of_predict_and_of_annotations(tmp_path):
    write_points(example(), tmp_path / "points.csv")
    header, first, second = (tmp_path / "points.csv").read_text("utf-8").splitlines()
    assert header == (
        "file,split,group,width,height,scale,left eye_x,left eye_y,left eye_confidence,"
        "nose_x,nose_y,nose_confidence"
    )
    assert first == "a.png,fit,fly 1,40,30,0.01,1.5,2.0,0.9,30.25,4.0,0.5"
    assert second == "Zoë/1.png,test,,64,48,0.02,0.1,29.3,1.0,,,"


def test_what_predict_writes_is_read(tmp_path):
    xy = np.array([[[1.23456, 2.0], [3.0, 4.0]]])
    found = Landmarks(xy, np.array([[0.5, 0.25]]), ("a.png",), np.array([[64, 48]]))
    found.to_csv(tmp_path / "points.csv")
    table = read_points(tmp_path / "points.csv")
    assert_same(table, found.table(), ("names", "files", "confidence", "sizes"))
    assert table.xy[0, 0].tolist() == [1.235, 2.0]
