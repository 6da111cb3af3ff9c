"""Pictures in a store that speaks S3: the one of moto, on this machine."""

import io
import zipfile

import numpy as np
import pytest
import s3fs
from moto.server import ThreadedMotoServer
from PIL import Image

from swapmark.data.cache import load_images
from swapmark.data.sources import list_images
from swapmark.errors import InputError


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
