import sys

import numpy as np
import pandas
import pyarrow.parquet
import pytest
from made_up_tables import example

from swapmark.errors import InputError, LeftOutWarning
from swapmark.points.formats import read_points, write_points
from swapmark.types import PointTable


def test_a_dataframe_that_pandas_wrote_is_read(tmp_path):
    frame = pandas.DataFrame({"file": ["a.png", "b.png"], "tip_x": [1, 2], "tip_y": [None, 3.5]})
    frame.loc[0, "tip_x"] = None
    frame.set_index(np.array(["x", "y"])).to_parquet(tmp_path / "points.parquet")
    table = read_points(tmp_path / "points.parquet")
    assert table.files == ("a.png", "b.png")
    assert np.array_equal(table.xy, [[[np.nan] * 2], [[2, 3.5]]], equal_nan=True)


def test_pandas_reads_what_is_written(tmp_path):
    write_points(example(), tmp_path / "points.parquet")
    frame = pandas.read_parquet(tmp_path / "points.parquet")
    assert list(frame.columns) == example().columns
    assert frame["left eye_x"].tolist() == [1.5, 0.1]
    assert frame["width"].tolist() == [40, 64]


def test_broken_files_and_columns_are_refused(tmp_path):
    write_points(example(), tmp_path / "points.parquet")
    content = (tmp_path / "points.parquet").read_bytes()
    (tmp_path / "points.parquet").write_bytes(content[:-100])
    with pytest.raises(InputError, match=r"points\.parquet cannot be read as Parquet"):
        read_points(tmp_path / "points.parquet")
    frame = pandas.DataFrame({"file": ["a.png"], "tip_x": ["left"], "tip_y": [1.0]})
    frame.to_parquet(tmp_path / "words.parquet")
    with pytest.raises(InputError, match=r"words\.parquet: column tip_x holds other things"):
        read_points(tmp_path / "words.parquet")


def test_a_column_of_words_is_left_out(tmp_path):
    frame = pandas.DataFrame({"file": ["a.png"], "notes": ["torn"], "a_x": [1], "a_y": [2]})
    frame.to_parquet(tmp_path / "points.parquet")
    with pytest.warns(LeftOutWarning, match=r"left out what is no point: notes\."):
        assert read_points(tmp_path / "points.parquet").names == ("a",)


def test_without_pyarrow_the_message_says_what_to_install(tmp_path, monkeypatch):
    (tmp_path / "points.parquet").write_bytes(b"PAR1")
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    monkeypatch.setitem(sys.modules, "pyarrow.parquet", None)
    with pytest.raises(InputError, match=r"pip install 'swapmark\[parquet\]'"):
        read_points(tmp_path / "points.parquet")
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(InputError, match=r"pip install 'swapmark\[parquet\]'"):
        write_points(example(), tmp_path / "new.parquet")


def test_columns_that_are_there_twice_are_refused(tmp_path):
    columns = [pyarrow.array(["a.png"]), *(pyarrow.array([value]) for value in (1.0, 2.0, 9.0))]
    twice = pyarrow.table(columns, names=["file", "a_x", "a_y", "a_x"])
    pyarrow.parquet.write_table(twice, tmp_path / "points.parquet")
    with pytest.raises(InputError, match=r"points\.parquet has columns that are there twice: a_x"):
        read_points(tmp_path / "points.parquet")


def test_names_of_files_that_are_no_valid_text_are_written_escaped(tmp_path):
    table = PointTable(("a",), ("fly\udcff.png",), np.zeros((1, 1, 2)))
    for name in ("points.parquet", "points.csv"):
        write_points(table, tmp_path / name)
    written = read_points(tmp_path / "points.parquet").files
    assert written == ("fly\\udcff.png".replace("\\", "/"),)
    assert read_points(tmp_path / "points.csv").files == written


def test_an_infinite_confidence_is_refused(tmp_path):
    columns = {"file": ["a.png"], "a_x": [1.0], "a_y": [2.0], "a_confidence": [np.inf]}
    pandas.DataFrame(columns).to_parquet(tmp_path / "points.parquet")
    with pytest.raises(InputError, match=r"row 1 \(a\.png\): infinity in the confidence"):
        read_points(tmp_path / "points.parquet")
