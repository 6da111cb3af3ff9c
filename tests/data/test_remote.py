"""Pictures behind URLs: in fsspec's memory, on the disk as file://, and from a server over HTTP."""

import functools
import http.server
import io
import threading
import zipfile
from collections.abc import Iterator
from pathlib import Path

import fsspec
import numpy as np
import pytest
from PIL import Image

from swapmark.data import remote
from swapmark.data.cache import load_images
from swapmark.data.decoding import decode_item, load_item, stream_images
from swapmark.data.pixels import ImageProblem
from swapmark.data.sources import list_images, list_with_unread
from swapmark.detector import load
from swapmark.errors import InputError
from swapmark.files import cache_folder


def png(shade: int) -> bytes:
    file = io.BytesIO()
    Image.fromarray(np.full((12, 20, 3), shade, np.uint8)).save(file, "png")
    return file.getvalue()


def zipped() -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("a.png", png(10))
        archive.writestr("b/c.png", png(20))
    return file.getvalue()


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch) -> Path:
    monkeypatch.setenv("SWAPMARK_CACHE", str(tmp_path / "cache"))
    return cache_folder()


@pytest.fixture(params=["memory", "file"])
def root(request, tmp_path) -> Iterator[str]:
    """The URL of a folder with two pictures, one of a kind that is not read, and others."""
    url = f"memory://{tmp_path.name}" if request.param == "memory" else tmp_path.as_uri()
    store, place = fsspec.core.url_to_fs(url)
    files = {
        "photos/b ü.png": png(20),
        "photos/a/1.png": png(10),
        "photos/a/._1.png": b"of macOS",
        "photos/live.heic": b"of a phone",
        "photos/notes.md": b"",
        "photos.zip": zipped(),
        "one.png": png(30),
        "cut.png": png(40)[:60],
    }
    for name, data in files.items():
        store.makedirs(f"{place}/{name}".rpartition("/")[0], exist_ok=True)
        store.pipe_file(f"{place}/{name}", data)
    yield url
    if request.param == "memory":
        store.rm(place, recursive=True)


def shades(items) -> list[int]:
    return [int(decode_item(item)[0].mean()) for item in items]


def test_a_folder_behind_a_url_is_listed_and_read_as_one_here(root):
    items, unread = list_with_unread(f"{root}/photos")
    assert [item.name for item in items] == ["a/1.png", "b ü.png"]
    assert shades(items) == [10, 20]
    assert [entry.file for entry in unread] == ["live.heic"]
    assert [item.content for item in items] == [str(len(png(10))), str(len(png(20)))]


def test_single_pictures_lists_and_text_files_of_urls(root, tmp_path):
    assert shades(list_images(f"{root}/one.png")) == [30]
    urls = [f"{root}/one.png", f"{root}/photos/a/1.png"]
    assert shades(list_images(urls)) == [30, 10]
    (tmp_path / "list.txt").write_text("\n".join([*urls, f"{root}/gone.png"]))
    *good, gone = list_images(tmp_path / "list.txt")
    assert [item.name for item in good] == urls
    assert shades(good) == [30, 10]
    with pytest.raises(ImageProblem, match="cannot be fetched"):
        gone.read()
    with pytest.raises(ImageProblem, match="given alone"):
        list_images([*urls, f"{root}/photos.zip"])[2].read()


def test_an_archive_is_fetched_once_and_anew_when_it_has_changed(root, cache):
    assert [item.name for item in list_images(f"{root}/photos.zip")] == ["a.png", "b/c.png"]
    (there,) = cache.glob("fetched/*/*")
    before = there.stat().st_ino
    assert shades(list_images(f"{root}/photos.zip")) == [10, 20]
    assert there.stat().st_ino == before
    store, place = fsspec.core.url_to_fs(f"{root}/photos.zip")
    with store.open(place, "wb") as file, zipfile.ZipFile(file, "w") as archive:
        archive.writestr("d.png", png(50))
    assert shades(list_images(f"{root}/photos.zip")) == [50]


def test_training_pictures_are_fetched_once_into_the_cache(root, monkeypatch):
    first = load_images(f"{root}/photos", 16)
    assert first.names == ["a/1.png", "b ü.png"]
    monkeypatch.setattr(remote, "_alone", None)  # reading once more would fail
    again = load_images(f"{root}/photos", 16)
    assert np.array_equal(first.batch(np.arange(2)), again.batch(np.arange(2)))


def test_what_cannot_be_read_is_told(root, monkeypatch):
    with pytest.raises(InputError, match="nothing at"):
        list_images(f"{root}/gone")
    with pytest.raises(InputError, match="video"):
        list_images(f"{root}/film.mp4")
    with pytest.raises(InputError, match="cannot be opened"):
        list_images("gopher-9://somewhere/photos")
    with pytest.raises(InputError, match=r"list.*\.txt"):
        list_images(f"{root}/photos/notes.md")
    with pytest.raises(InputError, match=r"swapmark\[remote\]"):
        list_images("s3://bucket/photos")
    (item,) = list_images(f"{root}/cut.png")
    with pytest.raises(ImageProblem, match="truncated"):
        load_item(item, 16)
    monkeypatch.setattr(remote, "too_large", lambda size: "too large" if size > 10 else "")
    for item in (*list_images(f"{root}/one.png"), *list_images([f"{root}/one.png"])):
        with pytest.raises(ImageProblem, match="too large"):
            item.read()


class Faulty:
    """A store of one picture that does not answer for some times."""

    async_impl = True
    protocol = "faulty"

    def __init__(self, faults: int):
        self.faults, self.asked = faults, 0

    def info(self, path: str) -> dict:
        return {"name": path, "type": "file", "size": len(png(9)), "ETag": "1"}

    def cat_file(self, path: str) -> bytes:
        self.asked += 1
        if self.asked <= self.faults:
            raise OSError("connection reset")
        return png(9)

    def open(self, path: str, mode: str):
        class Pieces(io.BytesIO):  # gives less than was asked for, as streams do
            def read(self, size=-1):
                return super().read(min(size, 7))

        return Pieces(self.cat_file(path))


@pytest.fixture
def faulty(monkeypatch) -> Faulty:
    store = Faulty(0)
    monkeypatch.setattr(remote, "store_of", lambda url: (store, url))
    monkeypatch.setattr(remote, "_WAIT_SECONDS", 0.0)
    return store


@pytest.mark.parametrize("given", ["alone", "listed"])
def test_a_store_that_does_not_answer_is_asked_again_and_not_remembered(
    faulty, given, tiny_onnx, tmp_path
):
    url = "faulty://bucket/a.png"
    source = url if given == "alone" else [url]
    faulty.faults = 2
    assert len(load_images(source, 16)) == 1
    assert faulty.asked == 3
    faulty.asked, faulty.faults = 0, 3
    with pytest.raises(InputError, match=r"connection reset.*same command goes on"):
        load_images(source, 32)
    assert len(load_images(source, 32)) == 1
    detector = load(tiny_onnx)
    faulty.asked = 0
    with pytest.raises(InputError, match=r"connection reset.*parts made are kept"):
        detector.predict_parts(source, tmp_path / "parts")
    assert detector.predict_parts(source, tmp_path / "parts").found == 1
    faulty.asked = 0
    with pytest.raises(InputError, match="None of the 1 images"):
        detector.predict(source)


def test_pictures_of_a_server_are_read_in_many_threads(tmp_path):
    pytest.importorskip("aiohttp")
    for number in range(40):
        (tmp_path / f"{number:02}.png").write_bytes(png(number))
    (tmp_path / "photos.zip").write_bytes(zipped())
    at_once, most, lock = 0, 0, threading.Lock()

    class Slow(http.server.SimpleHTTPRequestHandler):
        def do_GET(self):
            nonlocal at_once, most
            with lock:
                at_once += 1
                most = max(most, at_once)
            threading.Event().wait(0.05)
            super().do_GET()
            with lock:
                at_once -= 1

        def log_message(self, format, *args):
            pass

    handler = functools.partial(Slow, directory=str(tmp_path))
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        root = f"http://127.0.0.1:{server.server_port}"
        items = list_images([f"{root}/{number:02}.png" for number in range(40)])
        found = list(stream_images(items, lambda item: int(decode_item(item)[0].mean())))
        assert [shade for _, shade in found] == list(range(40))
        assert most > 8
        assert shades(list_images(f"{root}/photos.zip")) == [10, 20]
    finally:
        server.shutdown()
        server.server_close()
