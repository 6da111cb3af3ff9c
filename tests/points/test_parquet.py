import sys

import numpy as np
import pandas
import pyarrow.parquet
import pytest
from made_up_tables import example

from swapmark.errors import InputError, LeftOutWarning
from swapmark.points.formats import read_points, write_points


def test_a_dataframe_that_pandas_wrote_is_read(tmp_path):
    frame = pandas.DataFrame({"file": ["a.png", "b.png"], "tip_x": [1, 2], "tip_y": [None, 3.5]})
    frame.loc[0, "tip_x"] = None
    frame["notes"] = ["torn", None]
    frame.set_index(np.array(["x", "y"])).to_parquet(tmp_path / "points.parquet")
    with pytest.warns(LeftOutWarning, match="notes"):
        points = read_points(tmp_path / "points.parquet")
    assert points.files == ("a.png", "b.png")
    assert np.array_equal(points.xy, [[[np.nan] * 2], [[2, 3.5]]], equal_nan=True)


def test_pandas_reads_what_is_written(tmp_path):
    write_points(example(), tmp_path / "points.parquet")
    frame = pandas.read_parquet(tmp_path / "points.parquet")
    assert list(frame.columns) == example().columns
    assert frame["left eye_x"].tolist() == [1.5, 0.1]
    assert frame["width"].tolist() == [40, 64]


def test_a_file_that_was_cut_is_refused(tmp_path):
    write_points(example(), tmp_path / "points.parquet")
    content = (tmp_path / "points.parquet").read_bytes()
    (tmp_path / "points.parquet").write_bytes(content[:-100])
    with pytest.raises(InputError, match=r"points\.parquet"):
        read_points(tmp_path / "points.parquet")


@pytest.mark.parametrize(
    ("names", "values", "said"),
    [
        (["file", "a_x", "a_y"], ["a.png", "left", 1.0], "row 1: a_x is 'left'"),
        (["file", "a_x", "a_y", "a_x"], ["a.png", 1.0, 2.0, 9.0], "a_x twice"),
        (
            ["file", "a_x", "a_y", "a_confidence"],
            ["a.png", 1.0, 2.0, np.inf],
            "row 1: a_confidence is 'inf'",
        ),
    ],
)
def test_broken_columns_are_refused(tmp_path, names, values, said):
    table = pyarrow.table([pyarrow.array([value]) for value in values], names=names)
    pyarrow.parquet.write_table(table, tmp_path / "points.parquet")
    with pytest.raises(InputError, match=rf"points\.parquet.*{said}"):
        read_points(tmp_path / "points.parquet")


def test_without_pyarrow_the_message_says_what_to_install(tmp_path, monkeypatch):
    (tmp_path / "points.parquet").write_bytes(b"PAR1")
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    monkeypatch.setitem(sys.modules, "pyarrow.parquet", None)
    with pytest.raises(InputError, match=r"swapmark\[parquet\]"):
        read_points(tmp_path / "points.parquet")
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(InputError, match=r"swapmark\[parquet\]"):
        write_points(example(), tmp_path / "new.parquet")
