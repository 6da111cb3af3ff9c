"""What is trained on is never what is scored on."""

import zipfile
from dataclasses import replace

import numpy as np
import pytest

from harness.images import halves, training_items
from harness.plan import Dataset
from swapmark.errors import InputError
from swapmark.points.annotations import read_annotations
from swapmark.types import Annotations

FACES = Dataset(train=["marked.zip"], annotated={"drawn": "marked.zip"})


def names_of_split(data, *splits: str) -> set[str]:
    marks = read_annotations(data / "marked.zip")
    pairs = zip(marks.files, marks.splits, strict=True)
    return {f"marked.zip/{file}" for file, split in pairs if split in splits}


def test_of_an_annotated_file_only_the_train_images_are_trained_on(data):
    items = training_items(FACES, data, "test")
    assert {item.name for item in items} == names_of_split(data, "train")


def test_fit_images_are_trained_on_where_the_plan_says_so(data):
    items = training_items(replace(FACES, fit_images=True), data, "test")
    assert {item.name for item in items} == names_of_split(data, "train", "fit")


def test_fit_images_that_are_scored_on_are_not_trained_on(data):
    with pytest.raises(InputError, match="kept apart for the score"):
        training_items(replace(FACES, fit_images=True), data, "fit-halves")


def test_images_of_several_files_are_trained_on_together(data):
    items = training_items(replace(FACES, train=["marked.zip", "other.zip"]), data, "test")
    assert len(items) == len(names_of_split(data, "train")) + 24


def test_a_test_image_is_found_in_another_file_under_another_name(data, tmp_path):
    marks = read_annotations(data / "marked.zip")
    test = marks.files[marks.splits.index("test")]
    with zipfile.ZipFile(data / "marked.zip") as source:
        content = source.read(test)
    with zipfile.ZipFile(tmp_path / "copies.zip", "w") as archive:
        archive.writestr("innocent.png", content)
    dataset = Dataset(train=[str(tmp_path / "copies.zip")], annotated=FACES.annotated)
    with pytest.raises(InputError, match=rf"innocent.png would be trained on.*{test}"):
        training_items(dataset, data, "test")


def marked(groups: tuple[str, ...], splits: tuple[str, ...] | None = None) -> Annotations:
    count = len(groups)
    files = tuple(f"{i}.png" for i in range(count))
    xy = np.arange(2.0 * count).reshape(count, 1, 2)
    return Annotations(("nose",), files, splits or ("fit",) * count, groups, xy)


def parts(annotations: Annotations) -> tuple[set[str], set[str]]:
    pairs = list(zip(annotations.files, annotations.splits, strict=True))
    return {f for f, s in pairs if s == "fit"}, {f for f, s in pairs if s == "test"}


def test_each_half_is_scored_on_by_the_map_of_the_other():
    splits = ("fit",) * 8 + ("test", "train")
    one, other = (parts(half) for half in halves(marked(("",) * 10, splits)))
    assert one == other[::-1]
    assert len(one[0]) == len(one[1]) == 4
    assert one[0] | one[1] == {f"{i}.png" for i in range(8)}


def test_the_points_of_a_half_stay_with_their_images():
    for half in halves(marked(("",) * 6)):
        for file, xy in zip(half.files, half.xy, strict=True):
            assert xy[0, 0] == 2 * int(file.split(".")[0])


def test_a_group_stays_in_one_half():
    groups = ("ann", "bob", "ann", "cy", "ann", "bob", "dee", "dee")
    fit, test = parts(halves(marked(groups))[0])
    people = [{groups[int(file.split(".")[0])] for file in part} for part in (fit, test)]
    assert not people[0] & people[1]
    assert {len(fit), len(test)} == {3, 5} or len(fit) == len(test) == 4


def test_a_single_film_is_halved_in_its_order():
    fit, test = parts(halves(marked(("film",) * 4))[0])
    assert (fit, test) == ({"0.png", "1.png"}, {"2.png", "3.png"})


def test_one_image_cannot_be_halved():
    with pytest.raises(InputError, match="1 fit images cannot be halved"):
        halves(marked(("",)))
