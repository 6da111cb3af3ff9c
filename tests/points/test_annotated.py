"""Marked points and their images, from annotated images and from tables of any format."""

import zipfile

import numpy as np
import pytest
from PIL import Image

from swapmark.data.pixels import ImageProblem
from swapmark.errors import InputError
from swapmark.points.annotated import read_annotated

TABLE = (
    "file,split,group,left eye_x,left eye_y,nose_x,nose_y\n"
    "images/b.png,fit,p1,1.5,2,3,4\n./images/a.png,test,,5,6,,\nimages\\c.png,train,,,,,\n\n"
)
ONE = "file,tip_x,tip_y\na.png,1,2\n"


def write(folder, table=TABLE, name="marks.csv"):
    (folder / "images").mkdir(parents=True)
    for letter in "abcd":
        (folder / "images" / f"{letter}.png").write_bytes(letter.encode())
    (folder / name).write_text(table)
    return folder


def zipped(folder, prefix=""):
    path = folder.parent / "annotated.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for file in sorted(folder.rglob("*.*")):
            archive.write(file, prefix + file.relative_to(folder).as_posix())
        archive.writestr("__MACOSX/._marks.csv", "")
        archive.writestr("__MACOSX/marks.csv", "")
    return path


def contents(annotated):
    return [item.read() for item in annotated.items]


@pytest.mark.parametrize("name", ["marks.csv", "landmarks.csv"])
@pytest.mark.parametrize("form", ["folder", "table", "zip", "zipped folder", "elsewhere"])
def test_every_form_gives_the_same_points_and_images(tmp_path, form, name):
    folder = write(tmp_path / "annotated", name=name)
    source, images = folder, None
    if form == "table":
        source = folder / name
    elif form.startswith("zip"):
        source = zipped(folder, "inside/" if form == "zipped folder" else "")
    elif form == "elsewhere":
        source, images = tmp_path / "other.csv", folder
        source.write_text(TABLE)
    annotated = read_annotated(source, images)
    points = annotated.points
    assert points.names == ("left eye", "nose")
    assert points.files == ("images/b.png", "images/a.png", "images/c.png")
    assert (points.split, points.group) == (("fit", "test", "train"), ("p1", "", ""))
    expected = np.full((3, 2, 2), np.nan)
    expected[0], expected[1, 0] = [[1.5, 2], [3, 4]], [5, 6]
    assert np.array_equal(points.xy, expected, equal_nan=True)
    assert tuple(item.name for item in annotated.items) == points.files
    assert contents(annotated) == [b"b", b"a", b"c"]
    assert annotated.notes == ()


def test_a_table_without_splits_has_none_and_marks_come_before_landmarks(tmp_path):
    write(tmp_path / "set", ONE)
    (tmp_path / "set" / "landmarks.csv").write_text("old")
    points = read_annotated(tmp_path / "set").points
    assert (points.split, points.group, len(points)) == (None, None, 1)


def test_how_images_were_found_is_told(tmp_path):
    write(tmp_path / "set", ONE.replace("a.png", "Images/A"))
    annotated = read_annotated(tmp_path / "set")
    assert contents(annotated) == [b"a"]
    assert "'Images/A' as 'images/a.png'" in annotated.notes[0]


def test_an_image_that_is_not_there_is_told_when_it_is_read(tmp_path):
    annotated = read_annotated(write(tmp_path / "set", TABLE + "images/e.png,fit,,1,2,3,4\n"))
    with pytest.raises(ImageProblem, match="no such image"):
        annotated.items[3].read()
    (tmp_path / "none").mkdir()
    (tmp_path / "none" / "other.png").write_bytes(b"x")
    with pytest.raises(InputError, match=r"None of the 4 .*'images/b\.png'.*'other\.png'"):
        read_annotated(tmp_path / "set", tmp_path / "none")


def test_a_tps_file_by_another_ending_gets_the_heights_of_its_images(tmp_path):
    (tmp_path / "photos").mkdir()
    Image.new("L", (40, 30)).save(tmp_path / "photos" / "a.png")
    (tmp_path / "marks.txt").write_text("LM=1\n0.5 29.5\nIMAGE=a.png\nID=0\n")
    annotated = read_annotated(tmp_path / "marks.txt", tmp_path / "photos")
    assert annotated.points.xy.tolist() == [[[0.0, 0.0]]]


def test_frames_of_a_video_are_refused(tmp_path):
    (tmp_path / "dlc.csv").write_text("scorer,s,s\nbodyparts,a,a\ncoords,x,y\n7,1,2\n")
    with pytest.raises(InputError, match=r"frames of a video \(dlc\)"):
        read_annotated(tmp_path / "dlc.csv")


def test_tables_of_a_folder_by_other_names_are_told(tmp_path):
    (tmp_path / "wings.csv").write_text(ONE)
    (tmp_path / "a.png").write_bytes(b"")
    with pytest.raises(InputError, match=r"no .*marks\.csv.*wings\.csv\."):
        read_annotated(tmp_path)


def test_missing_and_broken_zips_are_refused(tmp_path):
    with pytest.raises(InputError, match=r"no .*gone\.zip"):
        read_annotated(tmp_path / "gone.zip")
    (tmp_path / "no.zip").write_text("text")
    with pytest.raises(InputError, match=r"no\.zip"):
        read_annotated(tmp_path / "no.zip")
    with zipfile.ZipFile(tmp_path / "two.zip", "w") as archive:
        archive.writestr("a/marks.csv", TABLE)
        archive.writestr("b/marks.csv", TABLE)
    with pytest.raises(InputError, match=r"two\.zip holds 2 tables"):
        read_annotated(tmp_path / "two.zip")
    with zipfile.ZipFile(tmp_path / "broken.zip", "w") as archive:
        archive.writestr("in/marks.csv", TABLE.replace("4", "four"))
    with pytest.raises(InputError, match=r"broken\.zip/in/marks\.csv, line 2: nose_y is 'four'"):
        read_annotated(tmp_path / "broken.zip")
