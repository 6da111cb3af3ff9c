"""Pictures as the frames of a video."""

import zipfile
from fractions import Fraction

import numpy as np
import pytest
from PIL import Image

from swapmark.data.frames import frames_of_images, natural_order
from swapmark.data.items import Skipped
from swapmark.data.pixels import ImageProblem
from swapmark.errors import InputError

NAMES = ["frame10.png", "frame2.png", "frame1.png"]


@pytest.fixture
def folder(tmp_path):
    for name in NAMES:
        number = int(name[5:-4])
        Image.new("RGB", (8 + number, 6), (number, 0, 0)).save(tmp_path / name)
    return tmp_path


def test_frames_of_a_folder_come_in_natural_order_with_their_times(folder):
    frames = list(frames_of_images(folder, 2.0).frames())
    assert [frame.name for frame in frames] == ["frame1.png", "frame2.png", "frame10.png"]
    assert [frame.index for frame in frames] == [0, 1, 2]
    assert [frame.time for frame in frames] == [0, 0.5, 1]
    assert [frame.read()[0, 0, 0] for frame in frames] == [1, 2, 10]


def test_archives_are_ordered_like_folders_and_lists_keep_their_order(folder, tmp_path):
    with zipfile.ZipFile(tmp_path / "frames.zip", "w") as archive:
        for name in NAMES:
            archive.write(folder / name, name)
    frames = frames_of_images(tmp_path / "frames.zip", 1).frames()
    assert [frame.name for frame in frames] == ["frame1.png", "frame2.png", "frame10.png"]
    listed = frames_of_images([folder / name for name in NAMES], 1).frames()
    assert [frame.name for frame in listed] == [str(folder / name) for name in NAMES]


def test_numbers_sort_by_value_anywhere_in_a_name():
    names = ["b/1.png", "a/10.png", "a/9.png", "a10/1.png", "A2/1.png", "7.png", "x.png", "x1.png"]
    assert sorted(names, key=natural_order) == [
        *("7.png", "A2/1.png", "a10/1.png", "a/9.png", "a/10.png", "b/1.png", "x1.png", "x.png"),
    ]


def test_a_picture_that_cannot_be_read_keeps_its_place_in_time(folder):
    (folder / "frame2.png").write_bytes(b"")
    frames = list(frames_of_images(folder, 10).frames())
    assert [frame.time for frame in frames] == [0, 0.1, 0.2]
    with pytest.raises(ImageProblem, match="the file is empty"):
        frames[1].read()
    (folder / "frame2.png").unlink()
    with pytest.raises(ImageProblem, match="cannot be read: No such file"):
        frames[1].read()


def test_a_picture_of_a_kind_that_is_not_read_is_named_and_has_no_place_in_time(folder):
    (folder / "frame1.gif").write_bytes(b"GIF89a")
    preview, *frames = frames_of_images(folder, 10).frames()
    assert preview == Skipped("frame1.gif", "the kind .gif is not read; convert it to PNG or JPEG")
    assert [(frame.name, frame.time) for frame in frames] == [
        *(("frame1.png", 0), ("frame2.png", 0.1), ("frame10.png", 0.2)),
    ]


@pytest.mark.parametrize(
    ("given", "exact"),
    [(25, Fraction(25)), (29.97002997, Fraction(30000, 1001)), (0.5, Fraction(1, 2))],
)
def test_a_rate_is_taken_as_the_simple_fraction_it_stands_for(given, exact):
    source = frames_of_images([np.zeros((8, 8), np.uint8)], given)
    assert (source.frame_rate, source.time_base) == (exact, 1 / exact)


@pytest.mark.parametrize("rate", [0, -1, float("nan"), float("inf")])
def test_a_rate_that_is_none_is_refused(folder, rate):
    with pytest.raises(InputError, match="frame_rate is"):
        frames_of_images(folder, rate)
