import subprocess
import sys
import time

import numpy as np
import pytest
from made_up_tables import assert_same, example

from swapmark.errors import InputError
from swapmark.points.formats import (
    FORMATS,
    format_to_read,
    format_to_write,
    read_points,
    write_points,
)
from swapmark.types import Landmarks, PointTable

DLC = "scorer;s;s\nbodyparts;a;a\ncoords;x;y\n"


@pytest.mark.parametrize(
    ("name", "text", "format"),
    [
        ("a.csv", "file,a_x,a_y\n", "csv"),
        ("a.CSV", '"split";"file";"a_x"\n', "csv"),
        ("a.tsv", "file\ta_x\ta_y\n", "csv"),
        ("a.txt", "file\ta_x\ta_y\n", "csv"),
        ("a.csv", "sep=,\nfile,a_x,a_y\n", "csv"),
        ("a.csv", DLC, "dlc"),
        ("a.tps", "whatever", "tps"),
        ("a.json", "{}", "coco"),
        ("a.txt", "id\tx1\ty1\nHomo\t1\t2\n", "morphoj"),
        ("a.txt", "Homo,1,2\n", "morphoj"),
        ("a.txt", "Homo\t1\t2\t\t\n", "morphoj"),
        ("a.txt", "id" + "\tsome_long_name" * 600 + "\nHomo" + "\t1" * 600, "morphoj"),
        ("a.csv", "Homo;1,5;2\n", "morphoj"),
        ("a.csv", "ID;X1;Y1\nHomo;1,5;2\n", "morphoj"),
        ("a.csv", "id\ttip_x\ttip_y\nHomo\t1\t2\n", "morphoj"),
        ("a.txt", "LM=2\n1 2\n", "tps"),
        ("a", '{"images": []}', "coco"),
        ("a.pq", "PAR1", "parquet"),
        ("a", "PAR1", "parquet"),
    ],
)
def test_the_format_is_seen_in_ending_and_content(tmp_path, name, text, format):
    (tmp_path / name).write_text(text)
    assert format_to_read(tmp_path / name) == format


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
def test_the_mark_of_spreadsheets_does_not_hide_the_format(tmp_path, encoding):
    (tmp_path / "a.txt").write_text(DLC, encoding=encoding)
    assert format_to_read(tmp_path / "a.txt") == "dlc"


@pytest.mark.parametrize(
    ("name", "content", "choices"),
    [
        ("a.csv", b"name,age\nx,y\n", "csv, dlc, morphoj"),
        ("a.csv", b"track,frame_idx,nose.x,nose.y\n,0,1,2\n", "csv, dlc, morphoj"),  # of SLEAP
        ("a.txt", b"hello\n", "csv, morphoj"),
        ("a.txt", b"\0\1\2", "csv, morphoj"),
        ("a.xyz", b"\0", "csv, tps, dlc, coco, morphoj, parquet"),
    ],
)
def test_an_unknown_format_is_told_with_the_choices(tmp_path, name, content, choices):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(
        InputError, match=f"is not known.*one of {choices} all the same.*--from FORMAT"
    ):
        read_points(tmp_path / name)


@pytest.mark.parametrize(
    ("text", "columns"),
    [
        (" ,Area,Mean,Min,Max,X,Y\n1,0,120,120,120,12.5,30.2\n", "(no name), Area, Mean"),  # ImageJ
        ("image,x,y\na.png,3,4\n", "image, x, y: no column is called file."),
        ("Tip_x;Tip_y;b_x;b_y\n1,5;2,5;3,5;4,5\n", "Tip_x, Tip_y, b_x, b_y: no column is called"),
    ],
)
def test_a_csv_with_columns_of_another_kind_is_not_taken_for_morphoj(tmp_path, text, columns):
    (tmp_path / "a.csv").write_text(text)
    with pytest.raises(InputError, match="is not known: its first line is ") as caught:
        read_points(tmp_path / "a.csv")
    assert columns in str(caught.value)
    assert "has file, the name of the image, and NAME_x, NAME_y for each" in str(caught.value)
    command = f"swapmark convert {tmp_path / 'a.csv'} marks.csv --from FORMAT"
    assert command in str(caught.value)


@pytest.mark.parametrize("name", ["a.csv", "a.txt", "a.json", "a.tps", "a.xyz"])
def test_an_empty_file_is_told(tmp_path, name):
    (tmp_path / name).write_bytes(b"\r\n")
    with pytest.raises(InputError, match="is empty"):
        read_points(tmp_path / name)


def test_a_name_that_is_no_format_and_a_file_that_is_not_there_are_told(tmp_path):
    (tmp_path / "a.csv").write_text("file,a_x,a_y\n")
    with pytest.raises(InputError, match="Unknown format 'slp'; expected one of csv, tps"):
        read_points(tmp_path / "a.csv", "slp")
    with pytest.raises(InputError, match="There is no file"):
        read_points(tmp_path / "absent.csv")
    with pytest.raises(InputError, match="There is no file"):
        read_points(tmp_path)


def test_the_ending_chooses_what_is_written(tmp_path):
    endings = {"csv": "csv", "json": "coco", "txt": "morphoj", "tps": "tps", "parquet": "parquet"}
    for ending, name in endings.items():
        assert format_to_write(tmp_path / f"a.{ending}") == name
    assert format_to_write(tmp_path / "a.csv", "DLC") == "dlc"
    with pytest.raises(InputError, match=r"ending of a\.slp stands for no format"):
        format_to_write(tmp_path / "a.slp")


@pytest.mark.parametrize(
    ("name", "format", "message"),
    [
        ("a.tps", "dlc", r"has the ending of tps; .* ends in \.csv\. Name it .*a\.csv, or"),
        ("a.JSON", "csv", r"in \.csv or \.tsv or \.txt\. .*a\.csv, or choose the format coco\."),
        ("a.csv", "tps", r"a\.csv has the ending of csv or dlc or morphoj; "),
    ],
)
def test_an_ending_of_another_format_is_refused(tmp_path, name, format, message):
    with pytest.raises(InputError, match=message):
        write_points(example(), tmp_path / name, format)
    assert list(tmp_path.iterdir()) == []


def test_a_format_may_have_any_ending_of_its_own_or_of_none(tmp_path):
    for name, (_, _, endings) in FORMATS.items():
        for ending in (*endings, ".out", ""):
            assert format_to_write(tmp_path / f"a{ending}", name) == name


@pytest.mark.parametrize("format", FORMATS)
def test_existing_files_are_kept_unless_told_otherwise(tmp_path, format):
    table = example()
    if format == "morphoj":
        table = type(table)(table.names, table.files, np.ones((2, 2, 2)))
    path = tmp_path / "points"
    path.write_text("precious")
    with pytest.raises(InputError, match="points exists already"):
        write_points(table, path, format)
    assert path.read_text() == "precious"
    write_points(table, path, format, overwrite=True)
    assert [file.name for file in tmp_path.iterdir()] == ["points"]


@pytest.mark.parametrize("format", FORMATS)
def test_thousands_of_images_take_seconds(drawn, tmp_path, format):
    count, points = 4000, 20
    files = tuple(f"{row}.png" for row in range(count))
    if format == "tps":
        for file in files:
            (tmp_path / file).write_bytes((drawn / "a.png").read_bytes())
    xy = np.random.default_rng(0).uniform(0, 29, (count, points, 2))
    names = tuple(f"p{k}" for k in range(points))
    table = PointTable(names, files, xy, xy[..., 0] / 29, np.tile([40, 30], (count, 1)))
    start = time.process_time()
    write_points(table, tmp_path / "points", format)
    found = read_points(tmp_path / "points", format)
    assert time.process_time() - start < 15
    assert np.array_equal(found.xy, xy)


def test_what_predict_found_is_written_like_a_table(tmp_path):
    xy, confidence = np.array([[[1 / 3, 2.0]]]), np.array([[0.5]])
    found = Landmarks(xy, confidence, ("a.png",), np.array([[64, 48]]))
    assert write_points(found, tmp_path / "points.csv") == ()
    assert_same(read_points(tmp_path / "points.csv"), found.table())


def test_sizes_are_added_from_the_images_where_a_file_has_none(drawn, tmp_path):
    (tmp_path / "points.csv").write_text("file,a_x,a_y\na.png,1,2\n")
    assert read_points(tmp_path / "points.csv", images=drawn).sizes.tolist() == [[40, 30]]
    assert read_points(tmp_path / "points.csv").sizes is None


def test_points_are_read_and_written_without_torch(tmp_path):
    (tmp_path / "a.csv").write_text("file,a_x,a_y\na.png,1,2\n")
    code = (
        "import sys, swapmark; table = swapmark.read_points('a.csv'); "
        "swapmark.write_points(table, 'a.json'); print('torch' in sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, cwd=tmp_path
    )
    assert done.stdout == "False\n", done.stderr
