"""Lists of images from folders, files, lists and arrays."""

import io
import os

import numpy as np
import pytest
from PIL import Image

from swapmark.data import items as items_module
from swapmark.data.items import Skipped
from swapmark.data.pixels import ImageProblem
from swapmark.data.sources import list_images, list_with_unread
from swapmark.errors import InputError


def png(value: int = 100, size: tuple[int, int] = (8, 6)) -> bytes:
    file = io.BytesIO()
    Image.new("RGB", size, (value, value, value)).save(file, "PNG")
    return file.getvalue()


def test_folder_is_walked_and_sorted(tmp_path):
    for name in ("b.png", "sub dir/ä ö.JPG", "sub dir/deeper/c.tiff", "a.WebP", "notes.txt"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(png())
    for hidden in (".a.png", "._b.png", ".thumbs/c.png"):
        (tmp_path / hidden).parent.mkdir(exist_ok=True)
        (tmp_path / hidden).write_bytes(png())
    found = list_images(tmp_path)
    assert [item.name for item in found] == [
        "a.WebP",
        "b.png",
        "sub dir/deeper/c.tiff",
        "sub dir/ä ö.JPG",
    ]
    assert found[1].read() == png()


def test_a_folder_with_nothing_but_a_run_says_so(tmp_path):
    (tmp_path / "run" / "samples").mkdir(parents=True)
    settings = "method: c3\nmodel: {}\nviews: {}\nc3: {}\ntraining: {}\n"
    (tmp_path / "run" / "config.yaml").write_text(settings)
    (tmp_path / "run" / "samples" / "step-1.png").write_bytes(png())
    with pytest.raises(InputError, match=r"No images in .*\(1 run of swapmark\)"):
        list_images(tmp_path)


def test_a_run_among_the_pictures_is_listed_with_what_is_left_out(tmp_path):
    settings = "method: c3\nmodel: {}\nviews: {}\nc3: {}\ntraining: {}\n"
    (tmp_path / "run" / "photos").mkdir(parents=True)
    (tmp_path / "run" / "config.yaml").write_text(settings)
    for name in ("a.png", "run/photos/b.png"):
        (tmp_path / name).write_bytes(png())
    items, skipped = list_with_unread(tmp_path)
    assert [item.name for item in items] == ["a.png"]
    assert [(entry.file, entry.reason[:17]) for entry in skipped] == [("run", "a run of swapmark")]
    a, run = list_images([tmp_path / "a.png", tmp_path / "run"])
    assert a.read() == png()
    with pytest.raises(ImageProblem, match="a run of swapmark, not pictures"):
        run.read()


@pytest.mark.parametrize("text", ["!!timestamp x", "!!bool x", "[" * 3000, "model: 1\n", "\xff"])
def test_a_config_of_another_program_is_no_run_and_does_no_harm(tmp_path, text):
    (tmp_path / "config.yaml").write_text(text, encoding="latin-1")
    (tmp_path / "a.png").write_bytes(png())
    assert [item.name for item in list_images(tmp_path)] == ["a.png"]


def test_pictures_of_other_kinds_alone_are_told_to_be_converted(tmp_path):
    for name in ("a.HEIC", "b.heic", "live.mov"):
        (tmp_path / name).write_bytes(b"...")
    with pytest.raises(InputError, match=r"2 \.heic.* Convert pictures .* to PNG or JPEG"):
        list_images(tmp_path)


def test_linked_files_and_folders_are_followed_once(tmp_path):
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "a.png").write_bytes(png())
    photos = tmp_path / "photos"
    photos.mkdir()
    (photos / "loop").symlink_to(photos)
    (photos / "linked").symlink_to(tmp_path / "elsewhere")
    (photos / "b.png").symlink_to(tmp_path / "elsewhere" / "a.png")
    (photos / "broken.png").symlink_to(tmp_path / "nowhere.png")
    found = {item.name: item for item in list_images(photos)}
    assert list(found) == ["b.png", "broken.png", "linked/a.png"]
    with pytest.raises(ImageProblem, match="a link that leads nowhere"):
        found["broken.png"].read()


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no named pipes on this system")
def test_named_pipe_does_not_block(tmp_path):
    os.mkfifo(tmp_path / "pipe.png")
    with pytest.raises(ImageProblem, match="not a regular file"):
        list_images(tmp_path)[0].read()


def test_fingerprint_follows_a_changed_file(tmp_path):
    (tmp_path / "a.png").write_bytes(png())
    before = list_images(tmp_path)[0].fingerprint
    assert list_images(tmp_path)[0].fingerprint == before
    os.utime(tmp_path / "a.png", ns=(0, 12345))
    assert list_images(tmp_path)[0].fingerprint != before


def test_single_file_and_list_keep_names_and_order(tmp_path):
    first, second = tmp_path / "b.png", tmp_path / "a picture without ending"
    first.write_bytes(png(1))
    second.write_bytes(png(2))
    assert [item.name for item in list_images(second)] == [str(second)]
    found = list_images([first, str(second), tmp_path / "gone.png"])
    assert [item.name for item in found] == [str(first), str(second), str(tmp_path / "gone.png")]
    assert found[1].read() == png(2)
    with pytest.raises(ImageProblem, match="there is no such file"):
        found[2].read()


def test_list_may_hold_folders(tmp_path):
    (tmp_path / "one").mkdir()
    (tmp_path / "one" / "a.png").write_bytes(png())
    found = list_images([tmp_path / "one"])
    assert [item.name for item in found] == [f"{tmp_path / 'one'}/a.png"]


def test_list_may_hold_some_of_what_was_listed(tmp_path):
    for number, name in enumerate(("a.png", "b.png", "c.png")):
        (tmp_path / name).write_bytes(png(number + 1))
    listed = list_images(tmp_path)
    assert list_images(listed[::2]) == listed[::2]
    assert [item.name for item in list_images([listed[0], tmp_path / "b.png"])] == [
        "a.png",
        str(tmp_path / "b.png"),
    ]


@pytest.mark.parametrize(
    ("shape", "count"), [((5, 8, 9), 5), ((5, 8, 9, 3), 5), ((8, 9, 3), 1), ((2, 8, 9, 4), 2)]
)
def test_arrays_are_split_into_images(shape, count):
    array = np.random.default_rng(0).integers(0, 255, shape).astype(np.uint8)
    found = list_images(array)
    assert [item.name for item in found] == [f"array-{index}" for index in range(count)]
    expected = array if count == 1 else array[-1]
    assert np.array_equal(found[-1].read(), expected)
    assert len({item.fingerprint for item in found}) == count


def test_list_of_arrays_of_different_sizes():
    found = list_images([np.zeros((4, 5), np.uint8), np.ones((9, 7, 3), np.uint8)])
    assert [item.read().shape for item in found] == [(4, 5), (9, 7, 3)]


def test_no_image_says_what_was_looked_for_and_what_was_there(tmp_path):
    for name in ("a.txt", "b.txt", "c.gif", ".hidden.png"):
        (tmp_path / name).write_text("text")
    with pytest.raises(InputError) as caught:
        list_images(tmp_path)
    for part in (
        str(tmp_path),
        ".jpeg .jpg .png",
        "there were others (2 .txt",
        "1 .gif",
        "1 hidden",
    ):
        assert part in str(caught.value)


def test_pictures_of_kinds_that_are_not_read_are_named_among_images(tmp_path):
    photos = tmp_path / "photos"
    for name in ("b.png", "b.CR2", "sub/c.heic", "notes.txt", "film.mov", "._b.heic"):
        (photos / name).parent.mkdir(parents=True, exist_ok=True)
        (photos / name).write_bytes(png())
    reason = "the kind {} is not read; convert it to PNG or JPEG"
    items, unread = list_with_unread(photos)
    assert [item.name for item in items] == ["b.png"]
    heic, raw = reason.format(".heic"), reason.format(".cr2")
    assert unread == [Skipped("sub/c.heic", heic), Skipped("b.CR2", raw)]
    _, unread = list_with_unread([photos, photos / "b.CR2"])
    assert unread == [Skipped(f"{photos}/sub/c.heic", heic), Skipped(f"{photos}/b.CR2", raw)]


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("/nowhere/at/all", "There is no /nowhere/at/all"),
        ([], "The list of 0 entries holds no image"),
        (np.zeros(3), "not a set of images"),
        (np.zeros((0, 9, 9)), r"The array of shape \(0, 9, 9\) holds no image"),
        (b"a.png", "given as bytes"),
        ([np.zeros((4, 4)), "a.png"], "Entry 0 of the list is a ndarray"),
    ],
)
def test_other_sources_are_refused_in_words(source, message):
    with pytest.raises(InputError, match=message):
        list_images(source)


def test_overlong_file_is_not_read(tmp_path, monkeypatch):
    (tmp_path / "a.png").write_bytes(png())
    monkeypatch.setattr(items_module, "MAX_FILE_BYTES", 10)
    with pytest.raises(ImageProblem, match="over the limit"):
        list_images(tmp_path)[0].read()


def test_a_video_is_told_how_to_become_pictures(tmp_path):
    video = tmp_path / "films" / "mouse.MP4"
    video.parent.mkdir()
    video.write_bytes(b"film")
    for source in (video, str(video), video.parent):
        with pytest.raises(InputError, match=r"ffmpeg -i VIDEO .*swapmark\.predict_video"):
            list_images(source)
    (tmp_path / "a.png").write_bytes(png())
    found = list_images([tmp_path / "a.png", video])
    with pytest.raises(ImageProblem, match="a video, not a picture"):
        found[1].read()
