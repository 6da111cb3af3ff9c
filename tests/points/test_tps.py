from dataclasses import replace

import numpy as np
import pytest
from made_up_tables import example
from PIL import Image

from swapmark.errors import InputError, LeftOutWarning
from swapmark.points.formats import read_points, write_points
from swapmark.points.table import Points


def read(folder, text, images=None, encoding="utf-8"):
    (folder / "points.tps").write_text(text, encoding=encoding)
    return read_points(folder / "points.tps", images=images)


def test_the_corners_of_an_image_are_where_tpsdig_has_them(drawn, tmp_path):
    # In an image of 40 × 30 pixels: the outer corners, and the centres of the corner pixels.
    xy = np.array([[[-0.5, 29.5], [39.5, -0.5], [0, 0], [39, 29]]])
    table = Points(("a", "b", "c", "d"), ("a.png",), xy, sizes=np.array([[40, 30]]))
    write_points(table, tmp_path / "points.tps")
    lines = (tmp_path / "points.tps").read_text().splitlines()
    assert lines[1:5] == ["0 0", "40 30", "0.5 29.5", "39.5 0.5"]
    assert np.array_equal(read_points(tmp_path / "points.tps", images=drawn).xy, xy)


def test_numbers_of_tpsdig_are_not_changed_by_a_way_there_and_back(drawn, tmp_path):
    text = "LM=2\n12.3 7.10001\n0.1 29.99999\nIMAGE=a.png\nID=0\nSCALE=0.013337\n"
    table = read(tmp_path, text, drawn)
    assert np.allclose(table.xy, [[[11.8, 22.39999], [-0.4, -0.49999]]], rtol=0, atol=1e-12)
    assert write_points(table, tmp_path / "again.tps") == ()
    assert (tmp_path / "again.tps").read_text() == text


def test_a_missing_point_is_minus_one_and_negatives_and_na_are_read_as_missing(drawn, tmp_path):
    text = "LM=4\n-1.00000 -1.00000\nNA NA\n5 -1\n5 6\nIMAGE=a.png\n"
    table = read(tmp_path, text, drawn)
    assert table.marked.tolist() == [[False, False, False, True]]
    write_points(table, tmp_path / "again.tps")
    assert (tmp_path / "again.tps").read_text().splitlines()[1:5] == [*["-1 -1"] * 3, "5 6"]


def test_several_zeros_in_one_specimen_are_missing_and_told_and_a_single_one_is_a_mark(
    drawn, tmp_path
):
    one = "LM=3\n0 0\n5 6\n7 8\nIMAGE=a.png\n"
    assert read(tmp_path, one, drawn).marked.all()
    two = "LM=3\n5 6\n0 0\n0.0 0\nID=my fly 1.png\n"
    with pytest.warns(LeftOutWarning, match="3 points at 0 0"):
        table = read(tmp_path, one + two, drawn)
    assert table.marked.tolist() == [[False, True, True], [True, False, False]]


def test_points_outside_are_told_where_tps_would_read_them_as_missing(tmp_path):
    xy = np.array([[[-3.0, 4.0], [5.0, 31.0], [5.0, -3.0]]])
    table = Points(("a", "b", "c"), ("a.png",), xy, sizes=np.array([[40, 30]]))
    lost = write_points(table, tmp_path / "points.tps")
    assert lost[-1] == "2 points left of or below their image (negative means missing)"
    assert (tmp_path / "points.tps").read_text().splitlines()[1:4] == ["-1 -1", "-1 -1", "5.5 32.5"]


def test_scale_is_in_every_specimen_or_in_none(drawn, tmp_path):
    write_points(example(), tmp_path / "all.tps")
    assert (tmp_path / "all.tps").read_text("utf-8").count("SCALE=") == 2
    some = replace(example(), scale=np.array([0.01, np.nan]))
    assert "scale" in write_points(some, tmp_path / "none.tps")[-1]
    assert "SCALE" not in (tmp_path / "none.tps").read_text("utf-8")
    text = "LM=1\n1 2\nIMAGE=a.png\nSCALE=\nLM=1\n1 2\nIMAGE=Zoë/1.png\nSCALE=0,5\n"
    assert np.array_equal(read(tmp_path, text, drawn).scale, [np.nan, 0.5], equal_nan=True)


def test_files_of_tpsdig_are_read_as_they_are(drawn, tmp_path):
    text = (
        "lm = 2\r\n1,5 2\r\n3\t4\r\nCURVES=1\r\nPOINTS=2\r\n1 2\r\n3 4\r\nOUTLINES=1\r\n"
        "POINTS=1\r\n9 9\r\nCOMMENT=a=b\r\nVARIABLES=sex=f\r\nimage=C:\\my flies\\a.png\r\nID=7\r\n"
        "LM=0\r\nIMAGE=my fly 1.png\r\n\r\nLM=2\r\n1 2\r\n3 4\r\nID=Zoë/1.png\r\n"
    )
    (tmp_path / "images").mkdir()
    with pytest.warns(LeftOutWarning, match="1 CURVES, 2 POINTS, 1 OUTLINES, 1 COMMENT, 1 VARIAB"):
        table = read(tmp_path, text, drawn)
    assert table.files == ("C:/my flies/a.png", "my fly 1.png", "Zoë/1.png")
    assert table.sizes.tolist() == [[40, 30], [31, 57], [64, 48]]
    assert table.xy[0].tolist() == [[1.0, 27.5], [2.5, 25.5]]
    assert table.marked.tolist() == [[True] * 2, [False] * 2, [True] * 2]


def test_names_in_the_code_page_of_windows_are_read(drawn, tmp_path):
    with pytest.warns(LeftOutWarning, match="cp1252"):
        table = read(tmp_path, "LM=1\n1 2\nIMAGE=Zoë/1.png\n", drawn, encoding="cp1252")
    assert table.files == ("Zoë/1.png",)


@pytest.mark.parametrize("sign", ["\u2028", "\x85", "\x0b"])
def test_odd_signs_in_a_name_end_no_line(tmp_path, sign):
    table = Points(("p",), (f"a{sign}b.png",), np.zeros((1, 1, 2)), sizes=np.array([[40, 30]]))
    write_points(table, tmp_path / "points.tps")
    Image.new("L", (40, 30)).save(tmp_path / table.files[0])
    assert read_points(tmp_path / "points.tps").files == table.files


def test_images_lie_beside_the_file_unless_said_otherwise(drawn, tmp_path):
    text = "LM=1\n1 2\nIMAGE=a.png\n"
    (tmp_path / "below").mkdir()
    (tmp_path / "below" / "a.png").write_bytes((drawn / "a.png").read_bytes())
    with pytest.raises(InputError, match=r"a\.png.*--images"):
        read(tmp_path, text)  # a walk through all folders beside it might take an hour
    assert len(read(tmp_path, text, tmp_path)) == 1
    (tmp_path / "a.png").write_bytes((drawn / "a.png").read_bytes())
    assert read(tmp_path, text).sizes.tolist() == [[40, 30]]


@pytest.mark.parametrize("name", ["../out.png", "{}/out.png", "below/../../out.png"])
def test_no_name_leads_out_of_the_folder(tmp_path, name):
    (tmp_path / "in" / "below").mkdir(parents=True)
    Image.new("L", (40, 30)).save(tmp_path / "out.png")
    with pytest.raises(InputError, match=r"there is no .*out\.png"):
        read(tmp_path / "in", f"LM=1\n1 2\nIMAGE={name.format(tmp_path)}\n")


def test_the_height_is_that_of_the_upright_image(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.new("L", (40, 30)).save(tmp_path / "a.jpg", exif=exif)
    table = read(tmp_path, "LM=1\n0.5 39.5\nIMAGE=a.jpg\n")
    assert table.sizes.tolist() == [[30, 40]]
    assert table.xy.tolist() == [[[0, 0]]]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "is empty"),
        ("COMMENT", "line 1: found 'COMMENT'"),
        ("LM=0\nIMAGE=a.png\n", "no landmark"),
        ("LM=0\nCURVES=1\nPOINTS=2\n1 2\n3 4\nIMAGE=a.png\n", "2 points in curves.*tpsUtil"),
        ("IMAGE=a.png\n", "line 1: found 'IMAGE="),
        ("LM=two\n", "line 1: found 'LM=two"),
        ("LM=-1\n", "line 1: found 'LM=-1"),
        ("LM=" + "9" * 5000 + "\n1 2\n", "line 1: found 'LM=999"),
        ("LM=3\n1 2\n3 4\n", "line 1: LM=3"),
        ("LM=3\n1 2\n3 4\nIMAGE=a.png\n", "line 4: 'IMAGE=a.png' is no landmark"),
        ("LM=1\n1 2\n3 4\nIMAGE=a.png\n", "line 3: .*'3 4'"),
        ("LM=1\n1 2 3\n", "line 2: '1 2 3' is no landmark"),
        ("LM=1\n1 inf\n", "line 2: '1 inf' is no landmark"),
        ("LM=1\n1 1e999\n", "line 2: '1 1e999' is no landmark"),
        ("LM3=1\n1 2 3\n", "line 1: found 'LM3="),
        ("LM=1\n1 2\nIMAGE=a.png\nSCALE=ten\n", "line 4: SCALE=ten"),
        ("LM=1\n1 2\nIMAGE=a.png\nSCALE=-1\n", "line 4: SCALE=-1"),
        ("LM=1\n1 2\nSCALE=1\n", "line 1: neither IMAGE= nor ID="),
        ("LM=1\n1 2\nIMAGE=a.png\nLM=2\n1 2\n3 4\nIMAGE=b.png\nLM=1\n1 2\nID=c\n", "line 4: LM=2"),
        ("LM=1\n1 2\nIMAGE=a.png\nLM=1\n1 2\nIMAGE=a.png\n", r"line 4 \(a\.png\).* line 1"),
        ("LM=1\n1 2\nIMAGE=gone.png\n", "gone.png"),
        ("LM=1\n1 2\nIMAGE=" + "9" * 5000 + "\n", "1 of 1 images"),
        ("LM=1\n\0\0", "binary"),
    ],
)
def test_broken_files_are_refused_with_the_line(drawn, tmp_path, text, said):
    with pytest.raises(InputError, match=said):
        read(tmp_path, text, drawn)


def test_a_table_without_heights_or_with_odd_names_cannot_be_written(tmp_path):
    with pytest.raises(InputError, match=r"2 images.*a\.png.*--images"):
        write_points(replace(example(), sizes=None), tmp_path / "points.tps")
    with pytest.raises(InputError, match="a line end in a name"):
        write_points(replace(example(), files=("a\nb", "c")), tmp_path / "points.tps")
    assert not (tmp_path / "points.tps").exists()


def test_frames_of_a_video_get_their_number_into_the_name(tmp_path):
    table = replace(example(), files=("v.mp4", "v.mp4"), frame=np.array([3, 12]))
    lost = write_points(table, tmp_path / "points.tps")
    assert any(words.startswith("the frame numbers as numbers") for words in lost)
    assert "IMAGE=v.mp4#12\n" in (tmp_path / "points.tps").read_text()
