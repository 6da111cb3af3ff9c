"""Pictures in a store that speaks S3: the one of moto, on this machine."""

import io
import re
import shutil
import zipfile

import numpy as np
import pytest
import s3fs
from moto.server import ThreadedMotoServer
from PIL import Image

from swapmark.data.cache import load_images
from swapmark.data.folders import folder_at, writing_at
from swapmark.data.sources import list_images
from swapmark.errors import InputError, OutputError
from swapmark.points import parts
from swapmark.points.formats import read_points
from swapmark.points.table import Points


def png(shade: int) -> bytes:
    file = io.BytesIO()
    Image.fromarray(np.full((12, 20, 3), shade, np.uint8)).save(file, "png")
    return file.getvalue()


@pytest.fixture(scope="module", autouse=True)
def store(tmp_path_factory):
    """A bucket with 1,500 pictures, more than one answer of S3 lists, and a zip."""
    server = ThreadedMotoServer("127.0.0.1", 0)
    server.start()
    host, port = server.get_host_and_port()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AWS_ENDPOINT_URL", f"http://{host}:{port}")
        patch.setenv("AWS_DEFAULT_REGION", "us-east-1")
        for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
            patch.setenv(name, "testing")
        patch.setenv("SWAPMARK_CACHE", str(tmp_path_factory.mktemp("cache")))
        store = s3fs.S3FileSystem()
        store.mkdir("wings")
        for number in range(1500):
            store.pipe_file(f"wings/photos/{number % 3}/{number:04}.png", png(number % 250))
        file = io.BytesIO()
        with zipfile.ZipFile(file, "w") as archive:
            archive.writestr("a.png", png(7))
        store.pipe_file("wings/photos.zip", file.getvalue())
        yield store
    server.stop()


def test_a_bucket_is_listed_and_read_in_threads():
    items = list_images("s3://wings/photos")
    assert len(items) == 1500
    assert items[0].name == "0/0000.png"
    images = load_images(items[:200], 16)
    assert not images.skipped
    shades = images.batch(np.arange(200))[:, 8, 8, 0]
    assert shades.tolist() == [int(item.name[2:6]) % 250 for item in items[:200]]


def test_a_changed_picture_is_another_and_an_archive_is_fetched(store):
    before = list_images("s3://wings/photos/0/0003.png")[0].fingerprint
    store.pipe_file("wings/photos/0/0003.png", png(99))
    store.invalidate_cache()
    assert list_images("s3://wings/photos/0/0003.png")[0].fingerprint != before
    assert [item.name for item in list_images("s3://wings/photos.zip")] == ["a.png"]


def test_what_is_not_there_is_told():
    with pytest.raises(InputError, match="nothing at s3://wings/gone"):
        list_images("s3://wings/gone")
    with pytest.raises(InputError, match="s3://other/photos"):
        list_images("s3://other/photos")


def test_a_table_in_parts_is_written_to_a_bucket_and_joined(monkeypatch, store):
    monkeypatch.setattr(parts, "ROWS", 100)
    items = list_images("s3://wings/photos")
    whole = parts.Parts.of(items, model="m", names=("tip",), ending=".csv")
    folder = folder_at("s3://wings/points/")
    store.pipe_file("wings/points/", b"")  # as the console of S3 does
    whole.open(folder, [], overwrite=False)
    for number in whole.missing(folder):
        rows = whole.rows(number)
        names = tuple(item.name for item in items[rows])
        xy = np.arange(rows.start, rows.stop, dtype=float).repeat(2).reshape(-1, 1, 2)
        whole.write(folder_at("s3://wings/points"), number, Points(("tip",), names, xy), [])
    assert len(folder.names()) == 16
    assert whole.missing(folder) == []
    joined = read_points("s3://wings/points")
    assert joined.files == tuple(item.name for item in items)
    assert joined.xy[:, 0, 0].tolist() == list(range(1500))
    whole.open(folder, [], overwrite=True)
    assert len(whole.missing(folder)) == 15


def test_a_file_is_written_and_not_replaced_unasked(store):
    for overwrite in (False, True):
        with writing_at("s3://wings/all.csv", ["all-skipped.csv"], overwrite=overwrite) as path:
            path.write_text("rows")
            if not overwrite:
                path.with_name("all-skipped.csv").write_text("reasons")
    assert store.cat_file("wings/all.csv") == b"rows"
    assert not store.exists("wings/all-skipped.csv")
    with (
        pytest.raises(InputError, match=r"s3://wings/all\.csv exists already"),
        writing_at("s3://wings/all.csv", overwrite=False),
    ):
        pass


def test_a_bucket_that_is_not_there_is_told_and_not_made(store):
    with (
        pytest.raises(OutputError, match="s3://misspelt cannot be written") as told,
        writing_at("s3://misspelt/all.csv", overwrite=False) as path,
    ):
        path.write_text("rows")
    assert not store.exists("misspelt")
    shutil.rmtree(re.search("kept in (.*?)[.] Check", str(told.value))[1])
