"""Marked points and their images, from annotated sets and from tables of any format."""

import zipfile
from unicodedata import normalize

import numpy as np
import pytest
from PIL import Image

from swapmark.data.pixels import ImageProblem
from swapmark.errors import InputError
from swapmark.specimens.marked import find_items, read_marked, table_annotations
from swapmark.types import Annotations, PointTable


def table(*files: str, **fields) -> PointTable:
    xy = np.arange(len(files) * 2, dtype=float).reshape(len(files), 1, 2)
    return PointTable(("tip",), files, xy, **fields)


def annotations(*files: str) -> Annotations:
    return table_annotations(table(*files))


def test_a_table_without_splits_is_all_to_fit():
    marked = table_annotations(table("a.png", "b.png"))
    assert (marked.names, marked.files) == (("tip",), ("a.png", "b.png"))
    assert marked.splits == ("fit", "fit")
    assert marked.groups == ("", "")
    assert marked.xy.tolist() == [[[0.0, 1.0]], [[2.0, 3.0]]]


def test_splits_and_groups_of_a_table_are_kept():
    marked = table_annotations(table("a.png", "b.png", splits=("test", "fit"), groups=("x", "")))
    assert (marked.splits, marked.groups) == (("test", "fit"), ("x", ""))


def test_frames_and_images_marked_twice_are_refused():
    with pytest.raises(InputError, match=r"frames of a video \(m\.mp4\).*as images"):
        table_annotations(table("m.mp4", "m.mp4", frames=np.array([3, 9])))
    with pytest.raises(InputError, match=r"Marked more than once: 1 image, such as 'a\.png'"):
        table_annotations(table("a.png", "a.png", "b.png"))


def test_images_are_found_by_the_end_of_their_path_or_without_their_ending(tmp_path):
    (tmp_path / "deep").mkdir()
    for name in ("a.png", "deep/b.jpg", "c.png"):
        (tmp_path / name).write_bytes(name.encode())
    names = ("/home/anna/photos/a.png", "b.jpg", "c")
    items = find_items(annotations(*names), tmp_path)
    assert tuple(item.name for item in items) == names
    assert [item.read() for item in items] == [b"a.png", b"deep/b.jpg", b"c.png"]


def test_a_picture_of_a_kind_that_is_not_read_is_no_second_one_of_its_name(tmp_path):
    for name in ("a.png", "a.heic"):
        (tmp_path / name).write_bytes(name.encode())
    (item,) = find_items(annotations("a"), tmp_path)
    assert item.read() == b"a.png"


def test_an_image_that_is_not_there_says_so_when_it_is_read(tmp_path):
    (tmp_path / "a.png").write_bytes(b"x")
    there, absent = find_items(annotations("a.png", "b.png"), tmp_path)
    assert there.read() == b"x"
    with pytest.raises(ImageProblem, match="there is no such image in"):
        absent.read()


def test_a_folder_with_none_of_the_images_is_an_error(tmp_path):
    (tmp_path / "other.png").write_bytes(b"x")
    with pytest.raises(InputError, match=r"None of the 1 marked images.*'a\.png'.*'other\.png'"):
        find_items(annotations("a.png"), tmp_path)


def test_two_names_that_fit_one_image_are_an_error_or_the_wrong_one_is_not_there(tmp_path):
    for name in ("a.png", "c.png"):
        (tmp_path / name).write_bytes(b"x")
    with pytest.raises(InputError, match=r"'x/a\.png' and 'y/a\.png', match the same image"):
        find_items(annotations("x/a.png", "y/a.png"), tmp_path)
    for files in (("x/a.png", "a.png"), ("c", "c.png")):
        other, exact = find_items(annotations(*files), tmp_path)
        assert exact.read() == b"x"
        with pytest.raises(ImageProblem, match="there is no such image in"):
            other.read()


def test_names_of_macos_are_the_same_names(tmp_path):
    (tmp_path / normalize("NFD", "Zoë.png")).write_bytes(b"x")
    (item,) = find_items(annotations(normalize("NFC", "Zoë.png")), tmp_path)
    assert item.read() == b"x"


@pytest.mark.parametrize("kind", ["folder", "table", "zip"])
def test_without_a_column_split_all_images_are_to_fit(tmp_path, kind):
    text = "file,tip_x,tip_y\na.png,1,2\nb.png,3,4\n"
    (tmp_path / "landmarks.csv").write_text(text)
    for name in ("a.png", "b.png"):
        (tmp_path / name).write_bytes(b"x")
    source = {"folder": tmp_path, "table": tmp_path / "landmarks.csv"}.get(kind)
    if source is None:
        source = tmp_path / "set.zip"
        with zipfile.ZipFile(source, "w") as archive:
            for name in ("landmarks.csv", "a.png", "b.png"):
                archive.write(tmp_path / name, name)
    marked, _ = read_marked(source)
    assert marked.splits == ("fit", "fit")


def test_the_one_table_of_a_folder_by_another_name_is_told_with_the_command(tmp_path):
    folder = tmp_path / "my photos"
    folder.mkdir()
    (folder / "marks.csv").write_text("file,tip_x,tip_y\na.png,1,2\n")
    (folder / "readme.txt").write_text("about these photos\n")
    (folder / "measures.csv").write_text("name,length\na,b\n")
    with pytest.raises(InputError, match=r"There is no .*landmarks\.csv, but there is") as caught:
        read_marked(folder)
    assert f"`swapmark fit RUN '{folder / 'marks.csv'}' …`, or rename it" in str(caught.value)
    (folder / "more.tps").write_text("LM=1\n1 2\nIMAGE=a.png\n")
    with pytest.raises(InputError, match=r"landmarks\.csv\. Give a folder or zip with images and"):
        read_marked(folder)


def test_a_tps_file_by_another_ending_gets_the_heights_of_its_images(tmp_path):
    (tmp_path / "photos").mkdir()
    Image.new("L", (40, 30)).save(tmp_path / "photos" / "a.png")
    (tmp_path / "marks.txt").write_text("LM=1\n0.5 29.5\nIMAGE=a.png\nID=0\n")
    marked, _ = read_marked(tmp_path / "marks.txt", tmp_path / "photos")
    assert marked.xy.tolist() == [[[0.0, 0.0]]]


def test_a_name_that_fits_two_images_is_an_error(tmp_path):
    for folder in ("x", "y"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "a.png").write_bytes(b"x")
    with pytest.raises(InputError, match="matches more than one image"):
        find_items(annotations("a.png"), tmp_path)


@pytest.mark.parametrize("kind", ["folder", "table", "zip", "elsewhere"])
def test_an_annotated_set_is_read_with_its_images(tmp_path, kind):
    text = "file,split,tip_x,tip_y\na.png,fit,1,2\nb.png,test,3,4\n"
    images = tmp_path / "images" if kind == "elsewhere" else tmp_path
    images.mkdir(exist_ok=True)
    (tmp_path / "landmarks.csv").write_text(text)
    for name in ("a.png", "b.png"):
        (images / name).write_bytes(name.encode())
    source = {"folder": tmp_path, "zip": tmp_path / "set.zip"}.get(kind, tmp_path / "landmarks.csv")
    if kind == "zip":
        with zipfile.ZipFile(source, "w") as archive:
            archive.writestr("inside/landmarks.csv", text)
            archive.writestr("inside/a.png", b"a.png")
            archive.writestr("inside/b.png", b"b.png")
    marked, items = read_marked(source, images if kind == "elsewhere" else None)
    assert marked.files == ("a.png", "b.png")
    assert [item.read() for item in items] == [b"a.png", b"b.png"]
