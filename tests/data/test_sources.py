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

SETTINGS = "method: c3\nmodel: {}\nviews: {}\nc3: {}\ntraining: {}\n"


def png(value: int = 100, size: tuple[int, int] = (8, 6)) -> bytes:
    file = io.BytesIO()
    Image.new("RGB", size, (value, value, value)).save(file, "PNG")
    return file.getvalue()


@pytest.fixture
def fill(tmp_path):
    """Puts files of these names, and their folders, into a new folder."""

    def fill(*names: str, content: bytes = png()):
        for name in names:
            (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / name).write_bytes(content)
        return tmp_path

    return fill


def names_in(source) -> list[str]:
    return [item.name for item in list_images(source)]


def test_folder_is_walked_and_sorted(fill):
    folder = fill("b.png", "sub dir/ä ö.JPG", "sub dir/deeper/c.tiff", "a.WebP", "notes.txt")
    fill(".a.png", "._b.png", ".thumbs/c.png")
    assert names_in(folder) == ["a.WebP", "b.png", "sub dir/deeper/c.tiff", "sub dir/ä ö.JPG"]
    assert list_images(folder)[1].read() == png()


def test_a_run_among_the_pictures_is_listed_with_what_is_left_out(fill):
    folder = fill("run/photos/b.png")
    fill("run/config.yaml", content=SETTINGS.encode())
    with pytest.raises(InputError, match="run: a run"):
        list_images(folder)
    with pytest.raises(InputError, match="run"):
        list_images(folder / "run")
    fill("a.png")
    items, skipped = list_with_unread(folder)
    assert [item.name for item in items] == ["a.png"]
    assert [entry.file for entry in skipped] == ["run"]
    a, run = list_images([folder / "a.png", folder / "run"])
    assert a.read() == png()
    with pytest.raises(ImageProblem, match="run of swapmark"):
        run.read()


@pytest.mark.parametrize("text", ["!!timestamp x", "!!bool x", "[" * 3000, "model: 1\n", "\xff"])
def test_a_config_of_another_program_is_no_run_and_does_no_harm(fill, text):
    fill("config.yaml", content=text.encode("latin-1"))
    assert names_in(fill("a.png")) == ["a.png"]


def test_linked_files_and_folders_are_followed_once(fill, tmp_path):
    fill("elsewhere/a.png")
    photos = tmp_path / "photos"
    photos.mkdir()
    (photos / "loop").symlink_to(photos)
    (photos / "linked").symlink_to(tmp_path / "elsewhere")
    (photos / "b.png").symlink_to(tmp_path / "elsewhere" / "a.png")
    (photos / "broken.png").symlink_to(tmp_path / "nowhere.png")
    found = {item.name: item for item in list_images(photos)}
    assert list(found) == ["b.png", "broken.png", "linked/a.png"]
    with pytest.raises(ImageProblem):
        found["broken.png"].read()


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no named pipes on this system")
def test_named_pipe_does_not_block(tmp_path):
    os.mkfifo(tmp_path / "pipe.png")
    with pytest.raises(ImageProblem, match="not a regular file"):
        list_images(tmp_path)[0].read()


def test_fingerprint_follows_a_changed_file(fill):
    folder = fill("a.png")
    before = list_images(folder)[0].fingerprint
    assert list_images(folder)[0].fingerprint == before
    os.utime(folder / "a.png", ns=(0, 12345))
    assert list_images(folder)[0].fingerprint != before


def test_single_file_and_list_keep_names_and_order(fill):
    folder = fill("b.png", "a picture without ending", "one/a.png")
    first, second = folder / "b.png", folder / "a picture without ending"
    assert names_in(second) == [str(second)]
    found = list_images([second, str(first), folder / "gone.png", folder / "one"])
    assert [item.name for item in found] == [
        *(str(second), str(first), str(folder / "gone.png"), f"{folder / 'one'}/a.png"),
    ]
    assert found[0].read() == png()
    with pytest.raises(ImageProblem):
        found[2].read()


def test_list_may_hold_some_of_what_was_listed(fill):
    folder = fill("a.png", "b.png", "c.png")
    listed = list_images(folder)
    assert list_images(listed[::2]) == listed[::2]
    assert names_in([listed[0], folder / "b.png"]) == ["a.png", str(folder / "b.png")]


@pytest.mark.parametrize(
    ("shape", "count"), [((5, 8, 9), 5), ((5, 8, 9, 3), 5), ((8, 9, 3), 1), ((2, 8, 9, 4), 2)]
)
def test_arrays_are_split_into_images(shape, count):
    array = np.random.default_rng(0).integers(0, 255, shape).astype(np.uint8)
    found = list_images(array)
    assert [item.name for item in found] == [f"array-{index}" for index in range(count)]
    assert np.array_equal(found[-1].read(), array if count == 1 else array[-1])
    assert len({item.fingerprint for item in found}) == count


def test_a_list_mixes_paths_pillow_images_and_arrays(fill, turn):
    upright = np.random.default_rng(0).integers(0, 256, (6, 9, 3), np.uint8)
    stored, exif = turn(6, Image.fromarray(upright))
    file = io.BytesIO()
    stored.save(file, "PNG", exif=exif)
    cut = Image.open(io.BytesIO(file.getvalue()[:200]))
    photo = Image.open(file)
    grey = np.zeros((4, 5), np.uint8)
    folder = fill("a.png")
    found = list_images([grey, folder / "a.png", photo, cut, Image.fromarray(upright)])
    assert [item.name for item in found] == [
        *("array-0", str(folder / "a.png"), "array-1", "array-2", "array-3"),
    ]
    assert np.array_equal(found[0].read(), grey)
    assert np.array_equal(found[2].read(), upright)
    assert found[2].fingerprint == found[4].fingerprint != found[0].fingerprint
    assert photo.size == stored.size, "the user's own image stays as it is"
    with pytest.raises(ImageProblem):
        found[3].read()
    assert names_in(photo) == ["array-0"]


def test_no_image_says_what_was_looked_for_and_what_was_there(fill):
    folder = fill("a.txt", "b.txt", "c.gif", ".hidden.png")
    with pytest.raises(InputError) as caught:
        list_images(folder)
    for part in (str(folder), "2 .txt", "1 .gif", "1 hidden", "ffmpeg"):
        assert part in str(caught.value)
    fill("a.HEIC", "live.mov")
    with pytest.raises(InputError, match=r"1 \.heic"):
        list_images(folder)


def test_pictures_of_kinds_that_are_not_read_are_named_among_images(fill):
    folder = fill("b.png", "b.CR2", "sub/c.heic", "notes.txt", "film.mov", "._b.heic")
    reason = "the kind {} is not read; convert it to PNG or JPEG"
    items, unread = list_with_unread(folder)
    assert [item.name for item in items] == ["b.png"]
    heic, raw = reason.format(".heic"), reason.format(".cr2")
    assert unread == [Skipped("b.CR2", raw), Skipped("sub/c.heic", heic)]
    _, unread = list_with_unread([folder / "sub", folder / "b.CR2"])
    assert [entry.file for entry in unread] == [f"{folder}/sub/c.heic"]


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("/nowhere/at/all", "/nowhere/at/all"),
        ([], "0 entries"),
        (np.zeros(3), r"shape \(3,\)"),
        (np.zeros((0, 9, 9)), r"shape \(0, 9, 9\)"),
        (b"a.png", "bytes"),
        ([np.zeros((4, 4)), 5], "Entry 1 of the list is a int"),
    ],
)
def test_other_sources_are_refused(source, message):
    with pytest.raises(InputError, match=message):
        list_images(source)


def test_overlong_file_is_not_read(fill, monkeypatch):
    monkeypatch.setattr(items_module, "MAX_FILE_BYTES", 10)
    with pytest.raises(ImageProblem, match="over the limit"):
        list_images(fill("a.png"))[0].read()


def test_a_video_is_told_how_to_become_pictures(fill):
    folder = fill("films/mouse.MP4")
    video = folder / "films" / "mouse.MP4"
    for source in (video, str(video), video.parent):
        with pytest.raises(InputError, match=r"ffmpeg -i VIDEO"):
            list_images(source)
    fill("a.png")
    with pytest.raises(ImageProblem, match="video"):
        list_images([folder / "a.png", video])[1].read()
