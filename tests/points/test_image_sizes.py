import zipfile
from unicodedata import normalize

import pytest

from swapmark.errors import InputError
from swapmark.points.image_sizes import image_sizes


def test_images_are_found_by_their_path_or_else_by_their_bare_name(drawn):
    sizes = image_sizes(["Zoë/1.png", "C:/flies/a.png", "img001.png"], drawn)
    assert sizes.tolist() == [[64, 48], [40, 30], [100, 3]]


def test_images_may_lie_in_a_zip(drawn, tmp_path):
    with zipfile.ZipFile(tmp_path / "images.zip", "w") as archive:
        archive.write(drawn / "a.png", "inside/a.png")
    assert image_sizes(["a.png"], tmp_path / "images.zip").tolist() == [[40, 30]]


def test_a_name_that_is_in_two_folders_is_refused(drawn, tmp_path):
    for folder in ("left", "right"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "1.png").write_bytes((drawn / "a.png").read_bytes())
    with pytest.raises(InputError, match=r"1\.png may be left/1\.png or right/1\.png in"):
        image_sizes(["1.png"], tmp_path)
    assert image_sizes(["right/1.png"], tmp_path).tolist() == [[40, 30]]


def test_two_names_that_lead_to_one_image_are_refused(drawn):
    with pytest.raises(InputError, match=r"x/a\.png and y/a\.png would both be a\.png in"):
        image_sizes(["x/a.png", "y/a.png"], drawn)


def test_names_of_macos_are_the_same_names(drawn, tmp_path):
    with zipfile.ZipFile(tmp_path / "images.zip", "w") as archive:
        archive.write(drawn / "a.png", normalize("NFD", "Zoë.png"))
    assert image_sizes([normalize("NFC", "Zoë.png")], tmp_path / "images.zip").tolist() == [
        [40, 30]
    ]


def test_absent_and_broken_images_are_told(drawn, tmp_path):
    with pytest.raises(InputError, match=r"1 of 2 images are not in .*: b\.png\. Name the folder"):
        image_sizes(["a.png", "b.png"], drawn)
    (tmp_path / "a.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    with pytest.raises(InputError, match=r"size of a\.png in .* is not known: unreadable"):
        image_sizes(["a.png"], tmp_path)
