"""Landmarks and marked points find one another by name, split and mark."""

import re

import numpy as np
import pytest

from swapmark.errors import InputError
from swapmark.points.table import Points
from swapmark.specimens.pairs import pair


def found_in(*files):
    xy = np.arange(len(files) * 2, dtype=float).reshape(-1, 1, 2)
    return Points(("landmark_1",), files, xy, sizes=np.full((len(files), 2), 64))


def marked_in(files, split=None, xy=None):
    xy = np.ones((len(files), 1, 2)) if xy is None else xy
    return Points(("nose",), files, xy, split=split)


def test_each_marked_image_gets_its_own_landmarks_in_any_order():
    files = ("images/a.png", "images/b.png", "other/a.png")
    found = found_in(*(f"/data/{file}" for file in reversed(files)))
    pairs = pair(found, marked_in(files, ("fit", "test", "train")), "fit", "test")
    assert pairs.marked.files == files[:2]
    assert pairs.found.xy[:, 0, 0].tolist() == [4.0, 2.0]
    assert pairs.marked.split == ("fit", "test")


def test_images_without_landmarks_or_marks_are_counted():
    xy = np.ones((5, 1, 2))
    xy[3, 0, 1] = np.nan
    files = ("a.png", "b.png", "c.png", "d.png", "e.png")
    marked = marked_in(files, ("fit", "test", "test", "test", "train"), xy)
    pairs = pair(found_in("a.png", "b.png"), marked, "fit", "test")
    assert (pairs.marked.files, pairs.missing, pairs.unmarked) == (files[:2], ("c.png",), 1)


def test_without_splits_all_marked_images_are_taken():
    pairs = pair(found_in("a.png", "b.png"), marked_in(("b.png", "a.png")), "fit", "test")
    assert pairs.marked.files == ("b.png", "a.png")


@pytest.mark.parametrize("split", ["fit", "test"])
@pytest.mark.parametrize("lost", ["split", "mark", "landmarks"])
def test_a_split_of_which_nothing_can_be_used_is_named(split, lost):
    files, splits, xy = ("a.png", "b.png"), ("fit", "test"), np.ones((2, 1, 2))
    row = splits.index(split)
    found = found_in(*files)
    if lost == "split":
        splits = tuple("train" if name == split else name for name in splits)
    elif lost == "mark":
        xy[row] = np.nan
    else:
        found = found_in(files[1 - row])
    with pytest.raises(InputError, match=f"split '{split}'"):
        pair(found, marked_in(files, splits, xy), "fit", "test")


def test_no_common_name_shows_one_of_each():
    with pytest.raises(InputError, match=r"'a\.png'.*'c\.png'"):
        pair(found_in("c.png"), marked_in(("a.png", "b.png")), "fit")


@pytest.mark.parametrize(("field", "word"), [("xy", "finite"), ("sizes", "sizes")])
def test_landmarks_that_are_not_numbers_are_an_error(field, word):
    broken = Points(("k",), ("a.png",), np.zeros((1, 1, 2)), sizes=np.full((1, 2), 64.0))
    getattr(broken, field)[0] = np.nan
    with pytest.raises(InputError, match=re.escape(word)):
        pair(broken, marked_in(("a.png",)), "fit")


def test_a_group_is_one_cluster_unless_it_is_the_only_one():
    def clusters(*groups):
        files = tuple(f"{i}.png" for i in range(len(groups)))
        marked = Points(("nose",), files, np.ones((len(files), 1, 2)), group=groups)
        pairs = pair(found_in(*files), marked, "fit")
        return pairs.one_group, pairs.clusters.tolist()

    assert clusters("anna", "", "anna", "") == (False, [0, 1, 0, 2])
    assert clusters("film", "film") == (True, [0, 1])
    assert clusters("", "") == (False, [0, 1])
