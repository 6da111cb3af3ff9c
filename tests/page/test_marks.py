import csv
import os

import numpy as np
import pytest
from PIL import Image

import swapmark
from swapmark.errors import InputError
from swapmark.page.marks import Marks

FILES = ["a.png", "b.png", "c.png"]
NONE = np.zeros(2, dtype=bool)
SIZE = (40, 30)


@pytest.fixture
def opened(tmp_path):
    tables = []

    def open_marks(name: str = "marks.csv", names=("nose", "chin"), **more) -> Marks:
        tables.append(Marks(tmp_path / name, FILES, tmp_path, names, **more))
        return tables[-1]

    yield open_marks
    for marks in tables:
        marks.close()


def places(x: float) -> np.ndarray:
    return np.array([[x, 2.0], [3.0, 4.0]])


def rows(path) -> list[dict]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def test_marks_are_in_the_table_once_they_are_put_and_gone_on_with_later(opened, tmp_path):
    marks = opened()
    marks.put(1, np.array([[1.5, 2.0], [np.nan, np.nan]]), np.array([False, True]), SIZE)
    marks.put(0, places(7), NONE, SIZE)
    first = {"file": "b.png", "width": "40", "height": "30", "nose_x": "1.5", "nose_y": "2.0"}
    assert rows(marks.path)[0] == first | {"chin_x": "", "chin_y": ""}
    marks.close()
    again = opened(names=())
    assert again.names == ("nose", "chin")
    assert again.begun == [1, 0]
    assert again.of(1)[1].tolist() == [False, True]
    assert np.array_equal(again.of(0)[0], places(7))
    assert again.is_done(1)
    assert not again.is_done(2)


def test_a_picture_of_which_all_is_undone_leaves_the_table(opened):
    marks = opened()
    marks.put(0, places(1), NONE, SIZE)
    marks.put(2, places(2), NONE, SIZE)
    marks.put(0, np.full((2, 2), np.nan), NONE, SIZE)
    assert [row["file"] for row in rows(marks.path)] == ["c.png"]
    assert np.array_equal(marks.of(2)[0], places(2))
    marks.put(2, np.full((2, 2), np.nan), NONE, SIZE)
    assert not marks.path.exists()


def test_rows_of_other_pictures_and_what_is_known_of_all_stay(opened, tmp_path):
    path = tmp_path / "marks.csv"
    before = (
        "file,split,group,species,nose_x,nose_y\nelsewhere.png,test,p,fox,1,2\n"
        "b.png,train,q,fox,,\n"
    )
    path.write_text(before)
    marks = opened(names=("chin",))
    assert "species" in marks.notes[0]
    assert marks.begun == []
    marks.put(1, places(9), NONE, SIZE)
    marks.put(0, places(8), NONE, SIZE)
    found = swapmark.read_points(path)
    assert found.files == ("elsewhere.png", "b.png", "a.png")
    assert found.names == ("nose", "chin")
    assert found.split == ("test", "fit", "fit")
    assert found.group == ("p", "q", "")
    assert found.xy[0, 0].tolist() == [1, 2]
    assert np.array_equal(found.sizes[1:], [SIZE, SIZE])
    assert (tmp_path / "marks.csv.bak").read_text() == before, "with its further column"


@pytest.mark.parametrize(
    ("name", "format"),
    [("m.tps", None), ("m.json", None), ("m.parquet", None), ("m.csv", "dlc"), ("m.tsv", "csv")],
)
def test_any_format_is_written_and_gone_on_with(opened, name, format, tmp_path):
    marks = opened(name, format=format)
    marks.put(0, places(5), NONE, SIZE)
    assert bool(marks.lost) == (name == "m.tps") or format == "dlc"
    marks.close()
    Image.new("L", SIZE).save(tmp_path / "a.png")  # TPS needs its height
    again = opened(name)
    assert again.names == ("nose", "chin"), "TPS has no names: those given are taken"
    again.put(0, places(6), NONE, SIZE)
    assert np.allclose(swapmark.read_points(again.path, images=tmp_path).xy, [places(6)])


def test_points_are_renamed_and_added(opened):
    marks = opened()
    marks.put(0, places(5), NONE, SIZE)
    marks.rename(["snout", "chin", "tail"])
    assert list(rows(marks.path)[0])[3::2] == ["snout_x", "chin_x", "tail_x"]
    assert not marks.is_done(0)
    for wrong in (["a"], ["a", "b", "a"], ["a", "b", ""]):
        with pytest.raises(InputError, match="name each once"):
            marks.rename(wrong)


def test_a_table_that_another_page_has_open_is_refused_until_it_is_closed(opened):
    first = opened()
    with pytest.raises(InputError, match=r"marks\.csv is open in another page"):
        opened()
    first.close()
    opened()


def test_what_another_program_wrote_meanwhile_is_not_replaced(opened):
    marks = opened()
    marks.put(0, places(5), NONE, SIZE)
    marks.path.write_text("file,nose_x,nose_y\na.png,1,1\n")
    with pytest.raises(InputError, match="changed by another program"):
        marks.put(1, places(6), NONE, SIZE)
    assert rows(marks.path) == [{"file": "a.png", "nose_x": "1", "nose_y": "1"}]
    marks.unsaved = False  # so that closing does not try again


def test_what_could_not_be_saved_is_saved_in_the_end(opened, monkeypatch):
    def full(_):
        raise OSError(28, "No space left")

    marks = opened()
    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        with pytest.raises(swapmark.OutputError, match="No space left"):
            marks.put(0, places(5), NONE, SIZE)
    assert not marks.path.exists()
    marks.close()
    assert len(rows(marks.path)) == 1


@pytest.mark.parametrize(
    ("table", "told"),
    [
        ("file,nose_x,nose_y,nose_confidence\na.png,1,2,0.5\n", "what a model found"),
        ("file,frame,nose_x,nose_y\nfilm.mp4,1,2,3\n", "frames of a video"),
        ("file,nose_x\na.png,1\n", "nose_y"),
    ],
)
def test_a_table_that_holds_no_marks_is_refused_and_left_free(opened, tmp_path, table, told):
    path = tmp_path / "marks.csv"
    path.write_text(table)
    with pytest.raises(InputError, match=told):
        opened()
    assert path.read_text() == table
    path.unlink()
    opened()
