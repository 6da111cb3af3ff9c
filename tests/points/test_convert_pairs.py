"""From every format to every other: what both hold survives to the last bit."""

from dataclasses import replace
from itertools import product
from tempfile import TemporaryDirectory

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from made_up_tables import assert_same, example, kept, tables

from swapmark.errors import InputError, LeftOutWarning
from swapmark.points.convert import convert
from swapmark.points.formats import FORMATS, read_points, write_points
from swapmark.types import PointTable

ENDINGS = {
    "csv": ".csv",
    "tps": ".tps",
    "dlc": ".csv",
    "coco": ".json",
    "morphoj": ".txt",
    "parquet": ".parquet",
}


@pytest.mark.parametrize(("first", "second"), list(product(FORMATS, FORMATS)))
@given(data=st.data())
@settings(max_examples=15)
def test_what_both_formats_hold_survives(drawn, first, second, data):
    complete = "morphoj" in (first, second)
    table = PointTable(**data.draw(tables(images=True, missing=not complete, video=False)))
    with TemporaryDirectory() as folder:
        one, other = f"{folder}/one{ENDINGS[first]}", f"{folder}/other{ENDINGS[second]}"
        write_points(table, one, first)
        convert(one, other, write_as=second, images=drawn)
        found = read_points(other, images=drawn if second == "tps" else None)
    expected = kept(table, first)
    if first != "tps" and expected.sizes is None:
        expected = replace(expected, sizes=table.sizes)  # convert had the images
    assert_same(found, kept(expected, second))


def test_the_images_beside_the_source_give_the_heights(drawn, tmp_path):
    source = drawn / "points.csv"
    if not source.exists():
        source.write_text("file,tip_x,tip_y\na.png,0,0\nZoë/2.png,1.5,2\n", encoding="utf-8")
    convert(source, tmp_path / "points.tps")
    assert (tmp_path / "points.tps").read_text(encoding="utf-8").splitlines() == [
        *("LM=1", "0.5 29.5", "IMAGE=a.png", "ID=0"),
        *("LM=1", "2 6.5", "IMAGE=Zoë/2.png", "ID=1"),
    ]


def test_what_is_left_out_and_lost_is_told(drawn, tmp_path):
    source = tmp_path / "points.tps"
    text = "LM=1\n1 2\nCURVES=1\nPOINTS=2\n1 2\n3 4\nIMAGE=a.png\nID=0\nSCALE=0.5\n"
    source.write_text(text, encoding="utf-8")
    converted = convert(source, tmp_path / "points.txt", images=drawn)
    assert converted.lost == (
        f"{source}: left out 1 CURVES, 1 POINTS.",
        "width and height of the images",
        "the scale",
    )
    with pytest.warns(LeftOutWarning, match="left out 1 CURVES"):
        read_points(source, images=drawn)


def test_a_target_that_exists_or_has_no_format_is_found_before_the_source_is_read(tmp_path):
    (tmp_path / "there.csv").write_text("precious")
    with pytest.raises(InputError, match=r"there\.csv exists already"):
        convert(tmp_path / "absent.csv", tmp_path / "there.csv")
    with pytest.raises(InputError, match=r"expected \.csv, .*one of csv, tps, dlc, coco"):
        convert(tmp_path / "absent.csv", tmp_path / "points.xyz")
    assert (tmp_path / "there.csv").read_text() == "precious"


def test_other_warnings_pass_through(tmp_path, monkeypatch):
    import warnings

    def read(path, images):
        warnings.warn("old", DeprecationWarning, stacklevel=1)
        return example()

    (tmp_path / "a.csv").write_text("file")
    monkeypatch.setitem(FORMATS, "csv", FORMATS["csv"]._replace(read=read))
    with pytest.warns(DeprecationWarning, match="old"):
        assert np.isfinite(convert(tmp_path / "a.csv", tmp_path / "b.json").table.xy).any()
