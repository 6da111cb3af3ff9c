"""What is trained on is never what is scored on."""

import zipfile

import pytest

from harness.running import scored, training_items
from swapmark.errors import InputError
from swapmark.points.annotated import read_annotated

FACES = {"train": ["marked.zip"], "annotated": {"drawn": "marked.zip"}}
FACES |= {"fit_images": False, "score": "test"}


def files_of(data, *splits: str) -> set[str]:
    points = read_annotated(data / "marked.zip").points
    pairs = zip(points.files, points.split or (), strict=True)
    return {file for file, split in pairs if split in splits}


@pytest.mark.parametrize(("fit_images", "splits"), [(False, ("train",)), (True, ("train", "fit"))])
def test_of_an_annotated_file_only_what_is_not_scored_is_trained_on(data, fit_images, splits):
    items = training_items(FACES | {"fit_images": fit_images}, data)
    assert {item.name for item in items} == {f"marked.zip/{f}" for f in files_of(data, *splits)}


def test_a_test_image_is_found_in_another_file_under_another_name(data, tmp_path):
    test = min(files_of(data, "test"))
    with zipfile.ZipFile(data / "marked.zip") as source:
        content = source.read(test)
    with zipfile.ZipFile(tmp_path / "copies.zip", "w") as archive:
        archive.writestr("innocent.png", content)
    train = {"train": [str(tmp_path / "copies.zip"), "other.zip"]}
    with pytest.raises(InputError, match=rf"innocent.png.*{test}"):
        training_items(FACES | train, data)


def test_a_score_by_folds_keeps_the_fit_images_apart_and_never_sees_a_test_image(data):
    with pytest.raises(InputError, match="fit-folds"):
        training_items(FACES | {"fit_images": True, "score": "fit-folds"}, data)
    assert set(scored(data / "marked.zip", "test").points.files) == files_of(data, "fit", "test")
    marks = scored(data / "marked.zip", "fit-folds")
    assert set(marks.points.files) == files_of(data, "fit") == {item.name for item in marks.items}
    assert marks.points.split is None
