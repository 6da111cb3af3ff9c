"""Image sets: decoded once, cached whole or not at all, or decoded on demand."""

import csv
import os
import shutil
from collections import namedtuple
from errno import ENOSPC
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from swapmark.data import cache
from swapmark.data.cache import load_images, write_skipped
from swapmark.data.images import resize_image
from swapmark.data.items import Item, Skipped
from swapmark.data.sources import list_images
from swapmark.errors import InputError, OutputError
from swapmark.files import ABANDONED_SECONDS, cache_folder


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


@pytest.fixture(autouse=True)
def root(tmp_path, monkeypatch) -> Path:
    """The folder of the cache."""
    monkeypatch.setenv("SWAPMARK_CACHE", str(tmp_path / "cache"))
    return cache_folder()


@pytest.fixture(params=["cached", "on demand"])
def limit(request, monkeypatch) -> None:
    if request.param == "on demand":
        monkeypatch.setattr(cache, "MAX_CACHED_BYTES", 0)


def sets_in(root: Path) -> list[str]:
    return sorted(entry.name for entry in root.iterdir())


def test_images_names_placements_and_skipped_are_right(photos, root, limit):
    for _ in range(2):  # built, then found
        images = load_images(photos, 16)
        assert (images.pixels is None) == (cache.MAX_CACHED_BYTES == 0)
        assert images.names == [f"{index} ü.png" for index in range(7)]
        assert [entry.file for entry in images.skipped] == ["3 empty.png", "5 cut.png"]
        assert [entry.reason[:9] for entry in images.skipped] == ["the file ", "truncated"]
        batch = images.batch(np.array([6, 0, 6]))
        assert batch.dtype == np.uint8
        assert type(batch) is np.ndarray
        for row, index in enumerate([6, 0, 6]):
            expected, placement = resize_image(draw(index, 40 + index), 16)
            assert np.array_equal(batch[row], expected)
            assert images.placements[index] == placement
    assert len(sets_in(root)) == 1


def test_a_picture_of_a_kind_that_is_not_read_is_skipped_and_leaves_the_set_as_it_is(
    photos, root, limit
):
    before = load_images(photos, 16)
    (photos / "0 live.heic").write_bytes(b"of a phone")
    after = load_images(photos, 16)
    assert [entry.file for entry in after.skipped] == ["3 empty.png", "5 cut.png", "0 live.heic"]
    assert after.names == before.names
    assert len(sets_in(root)) == 1


def test_cache_spares_decoding_until_something_changes(photos):
    read = []

    def told(item: Item) -> Item:
        return Item(item.name, item.fingerprint, lambda: read.append(1) or item.read())

    def count(size: int = 16, resize: str = "pad") -> int:
        read.clear()
        load_images([told(item) for item in list_images(photos)], size, resize=resize)
        return len(read)

    assert (count(), count()) == (9, 0)
    assert (count(size=32), count(resize="crop"), count()) == (9, 9, 0)
    os.utime(photos / "2 ü.png", ns=(1, 1))
    assert (count(), count()) == (9, 0)
    (photos / "1 ü.png").unlink()
    assert (count(), count()) == (8, 0)


@pytest.mark.parametrize(
    "damaged",
    [
        lambda data: data[:-1],
        lambda data: data[1:],
        lambda data: data[:2000],
        lambda data: data.replace(b"[[40, 30], ", b"[", 1),
        lambda data: bytes(len(data)),
        lambda data: b"",
    ],
)
def test_damaged_cache_is_rebuilt(photos, root, damaged):
    first = load_images(photos, 16)
    expected = first.batch(np.arange(7))
    (name,) = sets_in(root)
    (root / name).write_bytes(damaged((root / name).read_bytes()))
    again = load_images(photos, 16)
    assert np.array_equal(again.batch(np.arange(7)), expected)
    assert again.names == first.names
    assert sets_in(root) == [name]


def test_process_that_finishes_second_leaves_a_whole_set(photos, root):
    items = list_images(photos)

    def overtaken() -> bytes | np.ndarray:
        load_images(items, 16)
        return items[0].read()

    slow = Item(items[0].name, items[0].fingerprint, overtaken)
    images = load_images([slow, *items[1:]], 16)
    assert len(images) == 7
    assert np.array_equal(images.batch(np.arange(7)), load_images(photos, 16).batch(np.arange(7)))
    assert len(sets_in(root)) == 1


@pytest.mark.parametrize("harm", [None, "index", "pixels", "line", "odd"])
@pytest.mark.parametrize("stopped_at", [1, 4, 6])
def test_what_was_decoded_before_a_stop_is_not_decoded_again(
    photos, root, limit, monkeypatch, stopped_at, harm
):
    monkeypatch.setattr(cache, "NOTED", 2)
    items, read = list_images(photos), []

    def told(number: int) -> bytes | np.ndarray:
        read.append(number)
        return items[number].read()

    def stopped() -> bytes:
        raise KeyboardInterrupt

    def watched(stop: int | None = None) -> list[Item]:
        of = [stopped if number == stop else partial(told, number) for number in range(len(items))]
        return [item._replace(read=read) for item, read in zip(items, of, strict=True)]

    with pytest.raises(KeyboardInterrupt):
        load_images(watched(stopped_at), 16)
    noted = stopped_at // 2 * 2
    (begun,), (index,) = root.glob(".*.begun"), root.glob(".*.begun-index")
    if harm == "index":
        index.unlink()
    elif harm == "pixels" and cache.MAX_CACHED_BYTES:
        begun.write_bytes(begun.read_bytes()[: 16 * 16 * 3])
    elif harm == "line":
        index.write_text(index.read_text()[:-3])
    elif harm == "odd":
        index.write_text("{}\n" * 3)
    kept = {None: noted, "index": 0, "pixels": noted, "line": max(0, noted - 1), "odd": 0}[harm]
    if harm == "pixels" and cache.MAX_CACHED_BYTES:
        kept = min(noted, 1)
    read.clear()
    images = load_images(watched(), 16)
    assert sorted(read)[0] == kept
    assert len(read) == len(items) - kept
    assert images.names == [f"{index} ü.png" for index in range(7)]
    expected = [resize_image(draw(index, 40 + index), 16)[0] for index in range(7)]
    assert np.array_equal(images.batch(np.arange(7)), np.stack(expected))
    assert len(sets_in(root)) == 1
    assert load_images(items, 16).names == images.names


def test_what_nobody_goes_on_with_is_swept(root):
    def stopped():
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        load_images([Item("a.png", "", lambda: draw(0)), Item("b.png", "", stopped)], 16)
    assert len(sets_in(root)) == 3
    for path in root.iterdir():
        then = path.stat().st_mtime - 2 * cache.KEPT_SECONDS
        os.utime(path, (then, then))
    load_images([Item("c.png", "", lambda: draw(0))], 16)
    assert len(sets_in(root)) == 1


def test_full_disk_is_told_before_and_leaves_nothing(photos, root, monkeypatch):
    usage = namedtuple("usage", "total used free")(10**9, 10**9 - 5000, 5000)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage)
    with pytest.raises(InputError, match=r"0 MiB are free.*SWAPMARK_CACHE"):
        load_images(photos, 16)
    assert sets_in(root) == []


def test_a_large_set_for_which_the_disk_has_no_room_is_decoded_on_demand(photos, root, monkeypatch):
    usage = namedtuple("usage", "total used free")(10**9, 0, cache.SPARE_BYTES + 3000)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage)
    monkeypatch.setattr(cache, "LARGE_BYTES", 0)
    images = load_images(photos, 16)
    assert images.pixels is None
    assert images.batch(np.array([3])).shape == (1, 16, 16, 3)


def test_what_is_begun_needs_room_for_the_rest_alone(photos, root, monkeypatch):
    monkeypatch.setattr(cache, "NOTED", 1)

    def stopped():
        raise KeyboardInterrupt

    items = list_images(photos)
    with pytest.raises(KeyboardInterrupt, match="same command goes on"):
        load_images([*items[:-1], items[-1]._replace(read=stopped)], 16)
    usage = namedtuple("usage", "total used free")(10**9, 0, cache.SPARE_BYTES + 3 * 768)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage)
    assert len(load_images(items, 16)) == 7


@pytest.mark.parametrize("error", [OSError(37, "No locks available"), NotImplementedError()])
def test_a_disk_without_locks_does(photos, root, monkeypatch, error):
    def fail(*_, **__):
        raise error

    monkeypatch.setattr(cache.FileLock, "acquire", fail)
    assert len(load_images(photos, 16)) == 7
    assert len([name for name in sets_in(root) if not name.endswith(".lock")]) == 1


def test_disk_that_fills_up_meanwhile_is_told_and_gets_its_room_back(photos, root, monkeypatch):
    def full(_) -> None:
        raise OSError(ENOSPC, os.strerror(ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(InputError, match=r"No space left on device.*SWAPMARK_CACHE"):
        load_images(photos, 16)
    assert [name for name in sets_in(root) if "begun" in name] == []


def test_cache_that_cannot_be_written_names_the_variable(photos, root):
    root.write_text("a file")
    with pytest.raises(InputError, match="SWAPMARK_CACHE"):
        load_images(photos, 16)


def test_half_built_sets_of_killed_processes_are_swept(photos, root):
    root.mkdir()
    new, old = (f".set.{digit * 12}.part" for digit in "01")
    for name, age in ((old, 2 * ABANDONED_SECONDS), (new, 0)):
        (root / name).write_bytes(b"")
        then = (root / name).stat().st_mtime - age
        os.utime(root / name, (then, then))
    load_images(photos, 16)
    assert [name for name in sets_in(root) if "part" in name] == [new]


def test_no_usable_image_tells_the_first_reasons(tmp_path):
    folder = tmp_path / "photos"
    folder.mkdir()
    for index in range(8):
        (folder / f"{index}.png").write_bytes(b"" if index else b"<html>")
    for _ in range(2):
        with pytest.raises(InputError) as caught:
            load_images(folder, 16)
        for part in ("8 images", "0.png: not a JPEG", "1.png: the file is empty"):
            assert part in str(caught.value)


def test_image_lost_while_decoding_on_demand_is_named(photos, monkeypatch):
    monkeypatch.setattr(cache, "MAX_CACHED_BYTES", 0)
    images = load_images(photos, 16)
    (photos / "4 ü.png").unlink()
    with pytest.raises(InputError, match=r"4 ü\.png"):
        images.batch(np.array([4]))


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
    with pytest.raises(OutputError, match=r"skipped\.csv"):
        write_skipped(tmp_path / "skipped.csv" / "skipped.csv", odd)


def test_real_faces_are_all_usable(shared_data):
    images = load_images(shared_data / "lips.zip", 64)
    assert len(images) == 541
    assert images.skipped == []
    assert images.batch(np.arange(20)).std() > 20
