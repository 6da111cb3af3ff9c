"""Which image belongs to which row."""

import zipfile
from unicodedata import normalize

import pytest

from swapmark.errors import InputError, LeftOutWarning
from swapmark.points.rows import image_sizes, match_files


def rows(wanted, there):
    match = match_files(wanted, there)
    assert match.notes == ()
    return match.rows.tolist()


@pytest.mark.parametrize("prefix", ["", "/data/faces/", "C:\\data\\faces\\", "./", "faces/"])
def test_names_fit_by_their_ends_in_any_order(prefix):
    wanted = ["images/a.png", "images/b.png", "other/a.png", "images/absent.png"]
    longer = [prefix + name for name in reversed(wanted[:3])]
    if "\\" in prefix:
        longer = [name.replace("/", "\\") for name in longer]
    assert rows(wanted, longer) == [2, 1, 0, -1]
    assert rows(longer, wanted) == [2, 1, 0]


def test_an_exact_name_wins_over_a_longer_one_and_is_nobody_elses():
    assert rows(["a.png", "b.png"], ["deep/a.png", "a.png", "b.png"]) == [1, 2]
    assert rows(["x/a.png", "a.png"], ["a.png"]) == [-1, 0]
    assert rows(["c", "c.png"], ["a.png", "c.png"]) == [-1, 1]


def test_names_in_the_table_may_lack_their_ending():
    there = ["photos/a.png", "deep/x/b.jpg", "c.v2.png", "a.png.txt"]
    assert rows(["a", "x/b", "c.v2", "c", "b.png"], there) == [0, 1, 2, -1, -1]


def test_a_row_may_be_wanted_twice():
    assert rows(["v.mp4", "v.mp4"], ["v.mp4"]) == [0, 0]
    assert rows([], ["v.mp4"]) == []
    assert rows(["v.mp4"], []) == [-1]


def test_a_bare_name_counts_where_it_is_the_only_one_and_that_is_told():
    match = match_files(["old/a.png", "b.png"], ["new/a.png", "new/b.png"])
    assert match.rows.tolist() == [0, 1]
    assert "'old/a.png' as 'new/a.png'" in match.notes[0]
    # 3/img.png is another image than that of 2: there are many of this name.
    assert rows(["1/img.png", "2/img.png"], ["1/img.png", "3/img.png"]) == [0, -1]


@pytest.mark.parametrize(
    ("wanted", "there"),
    [
        (["Zoë.png"], ["Zoe\u0308.png"]),
        (["A.PNG"], ["a.png"]),
        (["IMAGES/A.png"], ["data/images/a.PNG"]),
        (["FLY"], ["fly.png"]),
    ],
)
def test_case_and_unicode_form_are_laid_aside_at_last_and_that_is_told(wanted, there):
    match = match_files(wanted, there)
    assert match.rows.tolist() == [0]
    assert repr(wanted[0]) in match.notes[0]
    exact = match_files(wanted, [*there, *wanted])
    assert (exact.rows.tolist(), exact.notes) == ([1], ())


@pytest.mark.parametrize(
    ("wanted", "there"),
    [
        (["a.png"], ["x/a.png", "y/a.png"]),
        (["z/a.png"], ["x/a.png", "y/a.png"]),
        (["x/a.png", "y/a.png"], ["a.png"]),
        (["x/a.png", "y/a.png"], ["z/a.png"]),
        (["x/a"], ["x/a.png", "x/a.jpg"]),
        (["A.png"], ["a.png", "a.PNG"]),
        (["a.png", "A.PNG"], ["a.Png"]),
        (["a.png"], ["a.png", "a.png"]),
    ],
)
def test_a_name_that_fits_two_and_two_that_fit_one_are_errors(wanted, there):
    with pytest.raises(InputError) as caught:
        match_files(wanted, there)
    assert all(repr(name) in str(caught.value) for name in max(wanted, there, key=len))


def test_sizes_are_those_of_the_images_that_belong_to_the_names(drawn, tmp_path):
    sizes = image_sizes(["Zoë/1.png", "C:/flies/a.png", "img001.png"], drawn)
    assert sizes.tolist() == [[64, 48], [40, 30], [100, 3]]
    with zipfile.ZipFile(tmp_path / "images.zip", "w") as archive:
        archive.write(drawn / "a.png", normalize("NFD", "inside/Zoë.png"))
    with pytest.warns(LeftOutWarning, match="Zoë"):
        found = image_sizes([normalize("NFC", "Zoë.png")], tmp_path / "images.zip")
    assert found.tolist() == [[40, 30]]


def test_absent_and_broken_images_are_told(drawn, tmp_path):
    with pytest.raises(InputError, match=r"1 of 2 images .* b\.png in"):
        image_sizes(["a.png", "b.png"], drawn)
    (tmp_path / "a.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    with pytest.raises(InputError, match=r"a\.png"):
        image_sizes(["a.png"], tmp_path)


def test_names_of_label_studio_are_undone_and_that_is_told():
    there = ["set1/a é.png", "set2/a é.png", "b.png"]
    wanted = ["/data/local-files/?d=set1%2Fa%20%C3%A9.png", "images\\1/b.png"]
    rows, notes = match_files(wanted, there)
    assert rows.tolist() == [0, 2]
    assert any("%2F" in note for note in notes)
