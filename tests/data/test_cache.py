"""Image sets: decoded once, cached whole or not at all, or decoded on demand."""

import csv
import json
import os
import shutil
import subprocess
import sys
from collections import namedtuple
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from swapmark.data import cache_files, decoding
from swapmark.data.cache import cache_folder, load_images, write_skipped
from swapmark.data.images import fit_image
from swapmark.data.items import Skipped
from swapmark.errors import InputError, OutputError


def draw(seed: int, width: int = 40, height: int = 30) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8)


@pytest.fixture
def photos(tmp_path) -> Path:
    folder = tmp_path / "my photos"
    folder.mkdir()
    for index in range(7):
        Image.fromarray(draw(index, 40 + index)).save(folder / f"{index} ü.png")
    (folder / "3 empty.png").write_bytes(b"")
    (folder / "5 cut.png").write_bytes((folder / "5 ü.png").read_bytes()[:600])
    return folder


def sets_in(root: Path) -> list[str]:
    return sorted(entry.name for entry in root.iterdir())


@pytest.mark.parametrize("memory_limit_gib", [8.0, 0.0])
def test_images_names_frames_and_skipped_are_right(photos, tmp_path, memory_limit_gib):
    for _ in range(2):  # built, then found
        images = load_images(
            photos,
            16,
            cache_dir=tmp_path / "cache",
            progress=False,
            memory_limit_gib=memory_limit_gib,
        )
        assert (images.pixels is None) == (memory_limit_gib == 0)
        assert images.names == [f"{index} ü.png" for index in range(7)]
        assert [entry.file for entry in images.skipped] == ["3 empty.png", "5 cut.png"]
        assert [entry.reason[:9] for entry in images.skipped] == ["the file ", "truncated"]
        batch = images.batch(np.array([6, 0, 6]))
        assert batch.dtype == np.uint8
        assert type(batch) is np.ndarray
        for row, index in enumerate([6, 0, 6]):
            expected, frame = fit_image(draw(index, 40 + index), 16)
            assert np.array_equal(batch[row], expected)
            assert images.frames[index] == frame
    assert len(sets_in(tmp_path / "cache")) == 1


@pytest.mark.parametrize("memory_limit_gib", [8.0, 0])
def test_a_picture_of_a_kind_that_is_not_read_is_skipped_and_leaves_the_set_as_it_is(
    photos, tmp_path, memory_limit_gib
):
    options = {"cache_dir": tmp_path / "cache", "progress": False}
    before = load_images(photos, 16, memory_limit_gib=memory_limit_gib, **options)
    (photos / "0 live.heic").write_bytes(b"of a phone")
    after = load_images(photos, 16, memory_limit_gib=memory_limit_gib, **options)
    assert [entry.file for entry in after.skipped] == ["3 empty.png", "5 cut.png", "0 live.heic"]
    assert after.names == before.names
    assert len(sets_in(tmp_path / "cache")) == 1


def test_cache_spares_decoding_until_something_changes(photos, tmp_path, monkeypatch):
    decoded = []
    original = decoding.decode_image
    monkeypatch.setattr(
        decoding, "decode_image", lambda *a, **k: decoded.append(1) or original(*a, **k)
    )

    def count(**options) -> int:
        decoded.clear()
        options = {"size": 16, **options}
        load_images(photos, cache_dir=tmp_path / "cache", progress=False, **options)
        return len(decoded)

    assert (count(), count()) == (9, 0)
    assert (count(size=32), count(fit="crop"), count()) == (9, 9, 0)
    os.utime(photos / "2 ü.png", ns=(1, 1))
    assert (count(), count()) == (9, 0)
    (photos / "1 ü.png").unlink()
    assert (count(), count()) == (8, 0)


def cut_pixels(folder: Path):
    (folder / "pixels.u8").write_bytes((folder / "pixels.u8").read_bytes()[:-1])


def cut_index(folder: Path):
    (folder / "index.json").write_bytes((folder / "index.json").read_bytes()[:-20])


def lose_sizes(folder: Path):
    index = json.loads((folder / "index.json").read_text())
    (folder / "index.json").write_text(json.dumps({**index, "sizes": index["sizes"][1:]}))


def lose_index(folder: Path):
    (folder / "index.json").unlink()


@pytest.mark.parametrize("damage", [cut_pixels, cut_index, lose_sizes, lose_index])
def test_damaged_cache_is_rebuilt(photos, tmp_path, damage):
    root = tmp_path / "cache"
    first = load_images(photos, 16, cache_dir=root, progress=False)
    expected = first.batch(np.arange(7))
    damage(root / sets_in(root)[0])
    again = load_images(photos, 16, cache_dir=root, progress=False)
    assert np.array_equal(again.batch(np.arange(7)), expected)
    assert again.names == first.names
    assert len(sets_in(root)) == 1


def test_process_that_finishes_second_uses_the_set_that_is_there(photos, tmp_path, monkeypatch):
    root = tmp_path / "cache"
    original = cache_files.write_set

    def overtaken(folder, decoded, keep_pixels):
        index = original(folder, decoded, keep_pixels)
        monkeypatch.undo()
        load_images(photos, 16, cache_dir=root, progress=False)
        return index

    monkeypatch.setattr("swapmark.data.cache.write_set", overtaken)
    images = load_images(photos, 16, cache_dir=root, progress=False)
    assert len(images) == 7
    assert len(sets_in(root)) == 1


def test_two_processes_build_the_same_set_at_once(photos, tmp_path):
    script = (
        "import sys, numpy as np\n"
        "from swapmark.data.cache import load_images\n"
        "images = load_images(sys.argv[1], 16, cache_dir=sys.argv[2])\n"
        "print(int(images.batch(np.arange(len(images))).sum()))\n"
    )
    command = [sys.executable, "-c", script, str(photos), str(tmp_path / "cache")]
    processes = [
        subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    sums = []
    for process in processes:
        output, errors = process.communicate(timeout=120)
        assert process.returncode == 0, errors
        sums.append(output)
    assert sums[0] == sums[1]
    assert len(sets_in(tmp_path / "cache")) == 1


def test_interrupted_build_leaves_nothing(photos, tmp_path, monkeypatch):
    def interrupted(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr("swapmark.data.cache.write_set", interrupted)
    with pytest.raises(KeyboardInterrupt):
        load_images(photos, 16, cache_dir=tmp_path / "cache", progress=False)
    assert sets_in(tmp_path / "cache") == []


def test_full_disk_is_told_before_and_leaves_nothing(photos, tmp_path, monkeypatch):
    usage = namedtuple("usage", "total used free")(10**9, 10**9 - 5000, 5000)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage)
    with pytest.raises(InputError, match=r"MiB are needed and 0 MiB are free.*SWAPMARK_CACHE"):
        load_images(photos, 16, cache_dir=tmp_path / "cache", progress=False)
    assert sets_in(tmp_path / "cache") == []


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full on this system")
def test_disk_that_fills_up_meanwhile_leaves_nothing(photos, tmp_path, monkeypatch):
    original = cache_files.write_set

    def on_full_disk(folder, decoded, keep_pixels):
        (folder / "pixels.u8").symlink_to("/dev/full")
        return original(folder, decoded, keep_pixels)

    monkeypatch.setattr("swapmark.data.cache.write_set", on_full_disk)
    with pytest.raises(InputError, match=r"No space left on device.*SWAPMARK_CACHE"):
        load_images(photos, 16, cache_dir=tmp_path / "cache", progress=False)
    assert sets_in(tmp_path / "cache") == []


def test_cache_that_cannot_be_written_names_the_variable(photos, tmp_path, monkeypatch):
    (tmp_path / "a file").write_text("")
    monkeypatch.setenv("SWAPMARK_CACHE", str(tmp_path / "a file"))
    assert cache_folder() == tmp_path / "a file"
    with pytest.raises(InputError, match="SWAPMARK_CACHE"):
        load_images(photos, 16, progress=False)


def test_half_built_sets_of_killed_processes_are_swept(photos, tmp_path):
    root = tmp_path / "cache"
    for name, age in (("building-old", 2 * cache_files.ABANDONED_SECONDS), ("building-new", 0)):
        (root / name).mkdir(parents=True)
        then = (root / name).stat().st_mtime - age
        os.utime(root / name, (then, then))
    load_images(photos, 16, cache_dir=root, progress=False)
    assert [name for name in sets_in(root) if "building" in name] == ["building-new"]


def test_no_usable_image_tells_the_first_reasons(tmp_path):
    folder = tmp_path / "photos"
    folder.mkdir()
    for index in range(8):
        (folder / f"{index}.png").write_bytes(b"" if index else b"<html>")
    with pytest.raises(InputError) as caught:
        load_images(folder, 16, cache_dir=tmp_path / "cache", progress=False)
    for part in ("None of the 8 images", "0.png: not a JPEG", "1.png: the file is empty", "3 more"):
        assert part in str(caught.value)
    assert sets_in(tmp_path / "cache") == []


def test_image_lost_while_decoding_on_demand_is_named(photos, tmp_path):
    images = load_images(
        photos, 16, cache_dir=tmp_path / "cache", progress=False, memory_limit_gib=0
    )
    (photos / "4 ü.png").unlink()
    with pytest.raises(InputError, match=r"4 ü\.png could be read when the set was checked"):
        images.batch(np.array([4]))


def test_arrays_are_a_set_too(tmp_path):
    array = np.stack([draw(index) for index in range(4)])
    images = load_images(array, 16, cache_dir=tmp_path, progress=False)
    assert np.array_equal(images.batch(np.array([2]))[0], fit_image(array[2], 16)[0])


def test_wrong_options_are_refused(photos):
    with pytest.raises(InputError, match="fit='stretch'"):
        load_images(photos, 16, fit="stretch")


def test_a_skipped_table_that_cannot_be_written_is_told(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match=r"skipped\.csv could not be written"):
        write_skipped(tmp_path / "file" / "skipped.csv", [Skipped("a.png", "empty")])


def test_skipped_table_survives_odd_names(tmp_path):
    odd = [Skipped('a, "b".png', "empty"), Skipped("ä\udcff.png", "line\nbreak")]
    write_skipped(tmp_path / "skipped.csv", odd)
    with (tmp_path / "skipped.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.reader(file))
    assert rows == [
        ["file", "reason"],
        ['a, "b".png', "empty"],
        ["ä\\udcff.png", "line\nbreak"],
    ]


def test_real_faces_are_all_usable(shared_data, tmp_path):
    images = load_images(shared_data / "lips.zip", 64, cache_dir=tmp_path, progress=False)
    assert len(images) == 541
    assert images.skipped == []
    assert images.batch(np.arange(20)).std() > 20
