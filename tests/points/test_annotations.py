"""landmarks.csv in folders, zips and alone."""

import zipfile

import numpy as np
import pytest

from swapmark.errors import InputError
from swapmark.points.annotations import annotated_items, read_annotations

HEADER = "file,split,group,left eye_x,left eye_y,nose_x,nose_y\n"
TABLE = HEADER + (
    "images/b.png,fit,p1,1.5,2,3,4\n./images/a.png,test,,5,6,,\nimages\\c.png,train,,,,,\n\n"
)


def write(folder, table=TABLE, encoding="utf-8"):
    (folder / "images").mkdir(exist_ok=True)
    for name in "abcd":
        (folder / "images" / f"{name}.png").write_bytes(name.encode())
    (folder / "landmarks.csv").write_text(table, encoding=encoding)
    return folder


def zipped(folder, prefix=""):
    path = folder.parent / "annotated.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for file in sorted(folder.rglob("*.*")):
            archive.write(file, prefix + file.relative_to(folder).as_posix())
        archive.writestr("__MACOSX/._landmarks.csv", "")
        archive.writestr("__MACOSX/landmarks.csv", "")
    return path


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "annotated").mkdir()
    return tmp_path / "annotated"


def sources(folder):
    return [folder, folder / "landmarks.csv", zipped(folder), zipped(folder, "inside/")]


@pytest.mark.parametrize("form", range(4), ids=["folder", "table", "zip", "zipped folder"])
def test_every_form_gives_the_same_points_and_images(folder, form):
    source = sources(write(folder))[form]
    if form >= 2:
        source = zipped(folder, "inside/" if form == 3 else "")
    annotations = read_annotations(source)
    assert annotations.names == ("left eye", "nose")
    assert annotations.files == ("images/b.png", "images/a.png", "images/c.png")
    assert annotations.splits == ("fit", "test", "train")
    assert annotations.groups == ("p1", "", "")
    expected = np.full((3, 2, 2), np.nan)
    expected[0], expected[1, 0] = [[1.5, 2], [3, 4]], [5, 6]
    assert np.array_equal(annotations.xy, expected, equal_nan=True)
    items = annotated_items(source, annotations)
    assert [item.name for item in items] == list(annotations.files)
    assert [item.read() for item in items] == [b"b", b"a", b"c"]


def test_mark_of_spreadsheets_and_missing_group_are_fine(folder):
    write(folder, "file,split,p_y,p_x\na.png,fit,2,1\n", encoding="utf-8-sig")
    annotations = read_annotations(folder)
    assert annotations.groups == ("",)
    assert annotations.xy.tolist() == [[[1.0, 2.0]]]


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ("", "no column file; its columns are none"),
        ("file,p_x,p_y\na,1,2\n", "no column split"),
        ("file split p_x p_y\n", "Expected a table with the column file"),
        ("file,split\na,fit\n", "has no point"),
        ("file,split,p_x\na,fit,1\n", "without partner or meaning: p_y"),
        ("file,split,p_x,p_y,q_Y\na,fit,1,2,3\n", "without partner or meaning: q_Y"),
        ("file,split,p_x,p_y,p_x\n", "there twice: p_x"),
        (HEADER, "a header but no rows"),
        (HEADER + "a,fit,,1,2,3\n", "line 2: 6 cells, but the first line has 7"),
        (
            HEADER + "a,fit,,1,2,3,4\nb,val,,1,2,3,4\n",
            "line 3: split is 'val'; expected train, fit",
        ),
        (HEADER + "a,fit,,1,2,3,4\n./a,fit,,1,2,3,4\n", "line 3: a is in line 2 already"),
        (HEADER + ",fit,,1,2,3,4\n", "line 2: file is empty"),
        (HEADER + "a,fit,,1,2,3,four\n", "line 2: nose_y is 'four'; expected a number"),
        (HEADER + "a,fit,,1,2,3,inf\n", "line 2: nose_y is 'inf'"),
        (HEADER + "a,fit,,1,2,3,\n", "line 2 (a): only one of nose_x, nose_y is given"),
        (HEADER + '"a,fit,,1,2,3,4\n', "not a readable table"),
    ],
)
def test_wrong_tables_are_refused_with_the_place(folder, table, message):
    with pytest.raises(InputError, match=r"landmarks\.csv") as caught:
        read_annotations(write(folder, table))
    assert message in str(caught.value)


def test_table_in_another_encoding_is_refused(folder):
    write(folder, TABLE.replace("p1", "Zoë"), encoding="latin-1")
    with pytest.raises(InputError, match="not UTF-8 text"):
        read_annotations(folder)


def test_missing_table_and_wrong_archives_are_refused(folder, tmp_path):
    with pytest.raises(InputError, match=r"There is no .*landmarks\.csv"):
        read_annotations(folder)
    with pytest.raises(InputError, match=r"There is no .*gone\.zip"):
        read_annotations(tmp_path / "gone.zip")
    (tmp_path / "no.zip").write_text("text")
    with pytest.raises(InputError, match="cannot be read as a zip"):
        read_annotations(tmp_path / "no.zip")
    with zipfile.ZipFile(tmp_path / "two.zip", "w") as archive:
        archive.writestr("a/landmarks.csv", TABLE)
        archive.writestr("b/landmarks.csv", TABLE)
    with pytest.raises(InputError, match=r"2 files called landmarks\.csv; expected one"):
        read_annotations(tmp_path / "two.zip")


def test_missing_images_are_named(folder):
    write(folder, TABLE + "images/e.png,fit,,1,2,3,4\n")
    annotations = read_annotations(folder)
    with pytest.raises(InputError, match=r"1 of the 4 images .* not there: images/e\.png"):
        annotated_items(folder, annotations)
