"""Formats by name, and from every one to every other: what both hold survives."""

import subprocess
import sys
from dataclasses import replace
from itertools import product
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from made_up_tables import IMAGES, assert_same, draw_images, example, kept, tables

from swapmark.errors import InputError
from swapmark.points.formats import (
    FORMATS,
    convert,
    format_to_read,
    format_to_write,
    read_points,
    write_points,
)
from swapmark.points.table import Points

DLC = "scorer;s;s\nbodyparts;a;a\ncoords;x;y\n"


@pytest.mark.parametrize(
    ("name", "text", "format"),
    [
        ("a.csv", "file,a_x,a_y\n", "csv"),
        ("a.CSV", '"split";"file";"a_x"\n', "csv"),
        ("a.tsv", "file\ta_x\ta_y\n", "csv"),
        ("a.txt", "file\ta_x\ta_y\n", "csv"),
        ("a.csv", "track,frame_idx,nose.x,nose.y\n", "csv"),  # of SLEAP: its columns are told
        ("a.csv", "sep=,\nfile,a_x,a_y\n", "csv"),
        ("a.xls", " \tLabel\tX\tY\n", "csv"),  # of ImageJ
        ("a.csv", "\n,,\nfile,a_x,a_y\n", "csv"),
        ("a.txt", "\ufeff" + DLC, "dlc"),
        ("a.csv", DLC, "dlc"),
        ("a.tps", "whatever", "tps"),
        ("a.txt", "LM = 2\n1 2\n", "tps"),
        ("a.json", "[]", "coco"),
        ("a", '{"images": []}', "coco"),
        ("a.pq", "whatever", "parquet"),
        ("a", "PAR1", "parquet"),
    ],
)
def test_the_format_is_seen_in_content_and_ending(tmp_path, name, text, format):
    (tmp_path / name).write_text(text, encoding="utf-8")
    assert format_to_read(tmp_path / name) == format


@pytest.mark.parametrize(
    ("content", "columns"),
    [
        (b" ,Area,Mean,Min,Max,BX,BY\n1,0,120,120,120,12.5,30.2\n", "'area', 'mean'"),  # of ImageJ
        (b"track,frame_idx,nose.x,nose.y\n,0,1,2\n", "'track', 'frame_idx'"),  # of SLEAP
        (b"Tip_x;Tip_y;b_x;b_y\n1,5;2,5;3,5;4,5\n", "'tip_x', 'tip_y'"),
        (b"ID\tx1\ty1\nHomo\t1\t2\n", "'id', 'x1', 'y1'"),
        (b"\0\1\2", r"x00"),
    ],
)
def test_an_unknown_format_is_told_with_the_columns(tmp_path, content, columns):
    (tmp_path / "a").write_bytes(content)
    with pytest.raises(InputError, match=rf"a is not known.*{columns}.*MorphoJ opens TPS"):
        read_points(tmp_path / "a")


def test_what_is_no_file_of_points_is_told(tmp_path):
    (tmp_path / "a.csv").write_text("file,a_x,a_y\n")
    with pytest.raises(InputError, match="'slp'"):
        read_points(tmp_path / "a.csv", "slp")
    (tmp_path / "empty.tps").write_bytes(b"\r\n")
    for path in (tmp_path / "empty.tps", tmp_path / "absent.csv", tmp_path):
        with pytest.raises(InputError, match=path.name):
            read_points(path)


def test_the_ending_chooses_what_is_written(tmp_path):
    for ending, name in {"csv": "csv", "json": "coco", "tps": "tps", "pq": "parquet"}.items():
        assert format_to_write(tmp_path / f"a.{ending}") == name
    for name, (_, _, endings, _) in FORMATS.items():
        for ending in (*endings, ".out", ""):
            assert format_to_write(tmp_path / f"a{ending}", name.upper()) == name
    with pytest.raises(InputError, match=r"a\.slp"):
        format_to_write(tmp_path / "a.slp")
    with pytest.raises(InputError, match=r"a\.txt"):
        format_to_write(tmp_path / "a.txt")


@pytest.mark.parametrize(
    ("name", "format", "said"),
    [
        ("a.tps", "dlc", r"ending of tps; .*a\.csv"),
        ("a.JSON", "csv", r"ending of coco"),
        ("a.csv", "tps", r"ending of csv or dlc; "),
    ],
)
def test_an_ending_of_another_format_is_refused(tmp_path, name, format, said):
    with pytest.raises(InputError, match=said):
        write_points(example(), tmp_path / name, format)
    assert list(tmp_path.iterdir()) == []


def test_existing_files_are_kept_unless_told_otherwise(tmp_path):
    path = tmp_path / "points.csv"
    path.write_text("precious")
    for write in (write_points, lambda _, target: convert(tmp_path / "absent.csv", target)):
        with pytest.raises(InputError, match=r"points\.csv exists already"):
            write(example(), path)
    assert path.read_text() == "precious"
    write_points(example(), path, overwrite=True)
    assert [file.name for file in tmp_path.iterdir()] == ["points.csv"]


def test_sizes_are_added_from_the_images_where_a_file_has_none(drawn, tmp_path):
    (tmp_path / "points.csv").write_text("file,a_x,a_y\na.png,1,2\n")
    assert read_points(tmp_path / "points.csv", images=drawn).sizes.tolist() == [[40, 30]]
    assert read_points(tmp_path / "points.csv").sizes is None


def test_sizes_of_a_file_are_compared_with_the_images(drawn, tmp_path):
    (tmp_path / "points.csv").write_text("file,width,height,a_x,a_y\na.png,30,40,1,2\n")
    with pytest.raises(InputError, match=r"30 × 40 .*40 × 30.*unturned"):
        read_points(tmp_path / "points.csv", images=drawn)
    assert read_points(tmp_path / "points.csv").sizes.tolist() == [[30, 40]]


def test_what_a_format_does_not_hold_is_told(tmp_path):
    names = "the names of the points (they become landmark_1 and so on)"
    lost = ("the confidence of the points", "the splits", "the groups")
    assert write_points(example(), tmp_path / "points.tps") == (names, *lost)
    sizes = "width and height of the images"
    expected = (sizes, "the splits", "the groups", "the scale")
    assert write_points(example(), tmp_path / "points.csv", "dlc") == expected


def test_points_are_read_and_written_without_torch(tmp_path):
    (tmp_path / "a.csv").write_text("file,a_x,a_y\na.png,1,2\n")
    code = (
        "import sys, swapmark; points = swapmark.read_points('a.csv'); "
        "points.save('a.json'); print({'torch', 'pandas', 'pyarrow'} & set(sys.modules))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, cwd=tmp_path
    )
    assert done.stdout == "set()\n", done.stderr


@pytest.mark.parametrize("format", FORMATS)
@given(data=st.data())
@settings(max_examples=40)
def test_what_a_format_holds_comes_back(drawn, format, data):
    tps = format == "tps"
    video = format not in ("tps", "dlc")
    extra = "" if tps else ',;"\n' if video else ',;"'
    points = Points(**data.draw(tables(images=tps, video=video, extra=extra)))
    with TemporaryDirectory() as folder:
        one, again = (f"{folder}/{name}{FORMATS[format].endings[0]}" for name in ("one", "again"))
        FORMATS[format].write(points, Path(one))
        found = read_points(one, images=drawn if tps else None)
        FORMATS[format].write(found, Path(again))
        if not video:
            assert Path(again).read_bytes() == Path(one).read_bytes()
    assert_same(found, kept(points, format), digits=6 if tps else None)


@pytest.mark.parametrize(("first", "second"), list(product(FORMATS, FORMATS)))
def test_what_both_formats_hold_survives(drawn, tmp_path, first, second):
    points = replace(example(), sizes=np.array([IMAGES[file] for file in example().files]))
    one = tmp_path / f"one{FORMATS[first].endings[0]}"
    other = tmp_path / f"other{FORMATS[second].endings[0]}"
    FORMATS[first].write(points, one)  # as exactly as convert
    convert(one, other, write_as=second, images=drawn)
    found = read_points(other, images=drawn if second == "tps" else None)
    # convert has the sizes from the images
    expected = kept(replace(kept(points, first), sizes=points.sizes), second)
    assert_same(found, expected, digits=6 if "tps" in (first, second) else None)


@pytest.mark.parametrize("format", FORMATS)
def test_names_of_files_that_are_no_valid_text_are_written_escaped(tmp_path, format):
    points = Points(("a",), ("fly\udcff.png",), np.zeros((1, 1, 2)), sizes=np.array([[4, 3]]))
    path = tmp_path / f"p{FORMATS[format].endings[0]}"
    write_points(points, path, format)
    assert b"fly\\udcff.png" in path.read_bytes().replace(b"\\\\", b"\\")


def test_names_that_are_formulas_get_an_apostrophe_only_where_asked_for(tmp_path):
    points = Points(("@a",), ("=1+1.png", "b=.png"), np.full((2, 1, 2), -1.0), group=("+p", ""))
    write_points(points, tmp_path / "plain.csv")
    write_points(points, tmp_path / "safe.csv", safe=True)
    assert (tmp_path / "plain.csv").read_text() == (
        "file,group,@a_x,@a_y\n=1+1.png,+p,-1.0,-1.0\nb=.png,,-1.0,-1.0\n"
    )
    assert (tmp_path / "safe.csv").read_text() == (
        "file,group,'@a_x,'@a_y\n'=1+1.png,'+p,-1.0,-1.0\nb=.png,,-1.0,-1.0\n"
    )
    with pytest.raises(InputError, match=r"--safe"):
        write_points(points, tmp_path / "p.json", safe=True)


@pytest.mark.parametrize("format", ["csv", "dlc"])
def test_a_table_of_tens_of_thousands_of_columns_is_read(tmp_path, format):
    names = tuple(f"p{k}" for k in range(20_000))
    points = Points(names, ("a.png",), np.arange(40_000.0).reshape(1, 20_000, 2))
    write_points(points, tmp_path / "points", format)
    assert_same(read_points(tmp_path / "points", format), points)


def test_the_images_beside_the_source_give_the_heights(tmp_path):
    draw_images(tmp_path)
    source = tmp_path / "points.csv"
    source.write_text("file,tip_x,tip_y\na.png,0,0\nZoë/2.png,1.5,2\n", encoding="utf-8")
    convert(source, tmp_path / "points.tps")
    assert (tmp_path / "points.tps").read_text(encoding="utf-8").splitlines() == [
        *("LM=1", "0.5 29.5", "IMAGE=a.png", "ID=0"),
        *("LM=1", "2 6.5", "IMAGE=Zoë/2.png", "ID=1"),
    ]
