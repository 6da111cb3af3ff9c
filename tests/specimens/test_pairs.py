"""Landmarks and marked points find one another by name, split and mark."""

import numpy as np
import pytest

from swapmark.errors import InputError
from swapmark.points.table import Points
from swapmark.specimens.pairs import pair


def found_in(*files):
    xy = np.arange(len(files) * 2, dtype=float).reshape(-1, 1, 2)
    return Points(("landmark_1",), files, xy, sizes=np.full((len(files), 2), 64.0))


def marked_in(*files, unmarked=(), **columns):
    xy = np.full((len(files), 1, 2), 20.0)
    xy[[file in unmarked for file in files], 0, 1] = np.nan
    return Points(("nose",), files, xy, **columns)


def test_each_marked_image_gets_its_own_landmarks_in_any_order():
    files = ("images/a.png", "images/b.png", "other/a.png")
    found = found_in(*(f"/data/{file}" for file in reversed(files)))
    pairs = pair(found, marked_in(*files, split=("fit", "test", "train")), "fit", "test")
    assert pairs.marked.files == files[:2]
    assert pairs.found.xy[:, 0, 0].tolist() == [4.0, 2.0]
    pairs = pair(found, marked_in(*files), "fit", "test")  # without splits
    assert pairs.found.xy[:, 0, 0].tolist() == [4.0, 2.0, 0.0]


def test_images_without_landmarks_or_marks_are_counted():
    files, splits = ("a.png", "b.png", "c.png", "d.png", "e.png"), ("fit", *["test"] * 3, "train")
    marked = marked_in(*files, unmarked=["d.png"], split=splits)
    pairs = pair(found_in("a.png", "b.png"), marked, "fit", "test")
    assert (pairs.marked.files, pairs.missing, pairs.unmarked) == (files[:2], ("c.png",), 1)


@pytest.mark.parametrize("split", ["fit", "test"])
@pytest.mark.parametrize("lost", ["split", "mark", "landmarks"])
def test_a_split_of_which_nothing_can_be_used_is_named(split, lost):
    files, splits = {"fit": "a.png", "test": "b.png"}, ["fit", "test"]
    file = files[split]
    found = found_in(*(name for name in files.values() if name != file or lost != "landmarks"))
    if lost == "split":
        splits[splits.index(split)] = "train"
    unmarked = [file] if lost == "mark" else []
    marked = marked_in(*files.values(), unmarked=unmarked, split=tuple(splits))
    with pytest.raises(InputError, match=f"split '{split}'"):
        pair(found, marked, "fit", "test")


def test_no_common_name_shows_one_of_each():
    with pytest.raises(InputError, match=r"'a\.png'.*'c\.png'"):
        pair(found_in("c.png"), marked_in("a.png", "b.png"), "fit")


@pytest.mark.parametrize(("field", "word"), [("xy", "finite"), ("sizes", "sizes")])
def test_landmarks_that_are_not_numbers_are_an_error(field, word):
    broken = found_in("a.png")
    getattr(broken, field)[0] = np.nan
    with pytest.raises(InputError, match=word):
        pair(broken, marked_in("a.png"), "fit")


@pytest.mark.parametrize(
    ("groups", "one", "clusters"),
    [
        (("anna", "", "anna", ""), False, [0, 1, 0, 2]),
        (("film", "film"), True, [0, 1]),
        (("", ""), False, [0, 1]),
    ],
)
def test_a_group_is_one_cluster_unless_it_is_the_only_one(groups, one, clusters):
    files = tuple(f"{i}.png" for i in range(len(groups)))
    pairs = pair(found_in(*files), marked_in(*files, group=groups), "fit")
    assert (pairs.one_group, pairs.clusters.tolist()) == (one, clusters)
