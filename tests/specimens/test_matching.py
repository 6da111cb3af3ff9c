"""Landmarks and annotations find one another by name."""

import numpy as np
import pytest

from swapmark.errors import InputError
from swapmark.specimens.matching import match
from swapmark.types import Annotations, Landmarks


def landmarks_of(*paths):
    xy = np.arange(len(paths) * 2, dtype=float).reshape(-1, 1, 2)
    return Landmarks(xy, np.ones((len(paths), 1)), paths, np.full((len(paths), 2), 64))


def annotations_of(files, splits, xy=None):
    xy = np.ones((len(files), 1, 2)) if xy is None else xy
    return Annotations(("nose",), files, splits, ("",) * len(files), xy)


@pytest.mark.parametrize("prefix", ["", "/data/faces/", "C:\\data\\faces\\", "faces/"])
def test_names_match_by_their_ends_in_any_order(prefix):
    files = ("images/a.png", "images/b.png", "other/a.png")
    paths = [prefix + name.replace("/", "\\" if "\\" in prefix else "/") for name in files]
    matched = match(landmarks_of(*reversed(paths)), annotations_of(files, ("fit", "test", "fit")))
    assert matched.fit.source[:, 0, 0].tolist() == [4.0, 0.0]
    assert matched.test.source[:, 0, 0].tolist() == [2.0]


def test_a_folder_of_images_alone_matches_annotations_that_name_the_folder():
    matched = match(
        landmarks_of("a.png", "b.png"),
        annotations_of(("images/a.png", "images/b.png"), ("fit", "test")),
    )
    assert len(matched.fit) == len(matched.test) == 1


def test_an_exact_name_wins_over_a_longer_one():
    matched = match(
        landmarks_of("deep/a.png", "a.png", "b.png"),
        annotations_of(("a.png", "b.png"), ("fit", "test")),
    )
    assert matched.fit.source[0, 0, 0] == 2.0


def test_two_candidates_for_one_name_are_an_error():
    with pytest.raises(InputError, match=r"x/a\.png.*y/a\.png"):
        match(
            landmarks_of("x/a.png", "y/a.png", "b.png"),
            annotations_of(("a.png", "b.png"), ("fit", "test")),
        )


def test_no_common_name_shows_one_of_each():
    with pytest.raises(InputError, match=r"'a\.png'.*'c\.png'"):
        match(landmarks_of("c.png"), annotations_of(("a.png", "b.png"), ("fit", "test")))


def test_images_without_landmarks_or_marks_are_counted_and_train_is_ignored():
    files = ("a.png", "b.png", "c.png", "d.png", "e.png")
    xy = np.ones((5, 1, 2))
    xy[3, 0, 1] = np.nan
    matched = match(
        landmarks_of("a.png", "b.png"),
        annotations_of(files, ("fit", "test", "test", "test", "train"), xy),
    )
    assert matched.missing == ("c.png",)
    assert matched.unmarked == 1
    assert (len(matched.fit), len(matched.test)) == (1, 1)


@pytest.mark.parametrize("split", ["fit", "test"])
def test_an_empty_split_is_an_error_that_says_what_is_there(split):
    with pytest.raises(InputError, match=rf"split '{split}'.*2 'train', 1 "):
        match(
            landmarks_of("a.png"),
            annotations_of(
                ("a.png", "b.png", "c.png"),
                ("train", "train", {"fit": "test", "test": "fit"}[split]),
            ),
        )


def test_landmarks_for_one_split_only_are_an_error():
    with pytest.raises(InputError, match="marked test images has landmarks"):
        match(landmarks_of("a.png"), annotations_of(("a.png", "b.png"), ("fit", "test")))


def test_landmarks_that_are_not_numbers_are_an_error():
    broken = landmarks_of("a.png", "b.png")
    broken.xy[0] = np.nan
    with pytest.raises(InputError, match="not finite"):
        match(broken, annotations_of(("a.png", "b.png"), ("fit", "test")))


def test_two_annotated_images_never_share_the_landmarks_of_one():
    landmarks = landmarks_of("a.png", "b.png")
    with pytest.raises(InputError, match=r"'x/a\.png' and 'y/a\.png', match the same image"):
        match(landmarks, annotations_of(("x/a.png", "y/a.png", "b.png"), ("fit", "fit", "test")))
    annotations = annotations_of(("x/a.png", "a.png", "b.png"), ("fit", "fit", "test"))
    matched = match(landmarks, annotations)
    assert matched.missing == ("x/a.png",)
    assert len(matched.fit) == 1
