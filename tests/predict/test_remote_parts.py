"""Results written behind a URL: in fsspec's memory, on the disk as file://, and where it fails."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import fsspec
import numpy as np
import pytest

import swapmark
from swapmark.cli import main
from swapmark.data import folders
from swapmark.errors import InputError, OutputError
from swapmark.points import parts


@pytest.fixture(params=["memory", "file"])
def root(request, tmp_path) -> Iterator[str]:
    """The URL of a folder that is not there yet."""
    there = tmp_path / "store"
    url = f"memory://{tmp_path.name}/store" if request.param == "memory" else there.as_uri()
    yield url
    store, place = fsspec.core.url_to_fs(url)
    if store.exists(place):
        store.rm(place, recursive=True)


def names(url: str) -> list[str]:
    store, place = fsspec.core.url_to_fs(url)
    return sorted(path.rpartition("/")[2] for path in store.ls(place, detail=False))


def test_parts_behind_a_url_go_on_and_join(root, tiny_onnx, photos, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(parts, "ROWS", 8)
    (photos / "images" / "face-00004.png").write_bytes(b"none")
    detector = swapmark.load(tiny_onnx)
    url = f"{root}/points"
    words = ["predict", str(tiny_onnx), str(photos), "--out", url, "--quiet"]
    assert main([*words, "--shard", "2/3"]) == 0
    assert "are still missing" in capsys.readouterr().err
    with pytest.raises(InputError, match=r"lacks .* such as part-00000\.csv"):
        swapmark.read_points(url)
    assert main(words) == 0
    assert f"{url.removeprefix('file://')} points.csv" in capsys.readouterr().out
    assert names(url)[0] == "part-00000-skipped.csv"
    assert "parts.json" in names(url)
    out = tmp_path / "points.csv"
    assert main(["convert", url, str(out)]) == 0
    assert "face-00004.png" in (tmp_path / "points-skipped.csv").read_text()
    one, joined = detector.predict(photos), swapmark.read_points(out)
    assert joined.files == one.files
    assert np.abs(joined.xy - one.xy).max() < 0.001
    with pytest.raises(InputError, match=r"has parts of another model.*--overwrite"):
        swapmark.load("faces").predict_parts(photos, url)
    again = detector.predict_parts(photos, url, overwrite=True)
    assert again.made == again.parts


def test_a_table_behind_a_url(root, tiny_onnx, photos, capsys):
    (photos / "images" / "face-00004.png").write_bytes(b"none")
    words = ["predict", str(tiny_onnx), str(photos), "--quiet", "--out", f"{root}/mine.csv"]
    assert main(words) == 0
    told = capsys.readouterr()
    assert f"each: {root}/mine.csv" in told.out
    assert f"reasons: {root}/mine-skipped.csv" in told.err
    assert names(root) == ["mine-skipped.csv", "mine.csv"]
    assert main(words) == 2
    assert f"{root.removeprefix('file://')}/mine.csv exists already" in capsys.readouterr().err
    (photos / "images" / "face-00004.png").unlink()
    assert main([*words, "--overwrite"]) == 0
    assert names(root) == ["mine.csv"]


def test_what_would_be_lost_is_kept(tiny_onnx, photos, monkeypatch, capsys):
    root = f"memory://{photos}/store"
    store, _ = fsspec.core.url_to_fs(root)
    (photos / "images" / "face-00004.png").write_bytes(b"none")

    def full(*_: object) -> None:
        raise OSError("quota exceeded")

    with monkeypatch.context() as patch:
        patch.setattr(type(store), "put_file", full)
        assert main(["predict", str(tiny_onnx), str(photos), "--out", f"{root}/a.csv"]) == 2
        told = capsys.readouterr().err
        assert "quota exceeded" in told
        kept = Path(told.partition("kept in ")[2].partition(". Check")[0])
        assert len(swapmark.read_points(kept / "a.csv")) == 29
        assert (kept / "a-skipped.csv").exists()
        shutil.rmtree(kept)
        with pytest.raises(OutputError, match="quota exceeded"):
            swapmark.load(tiny_onnx).predict_parts(photos, f"{root}/points")
    assert swapmark.load(tiny_onnx).predict_parts(photos, f"{root}/points").missing == 0


def test_where_nothing_can_be_written_is_told_before_any_work(tiny_onnx, photos, capsys):
    pytest.importorskip("aiohttp")
    for out in ("https://example.org/points", "https://example.org/points.csv"):
        assert main(["predict", str(tiny_onnx), str(photos), "--out", out]) == 2
        assert "cannot be written; expected a store as s3://" in capsys.readouterr().err
    with pytest.raises(InputError, match=r"swapmark\[remote\]"):
        folders.folder_at("s3://bucket/points")
    with pytest.raises(InputError, match="expected s3://bucket/points"):
        swapmark.load(tiny_onnx).predict_parts(photos, Path("s3://bucket/points"))


def test_a_picture_is_no_table_by_its_url_either(tiny_onnx, photos, capsys):
    picture = photos / "images" / "face-00003.png"
    before = picture.read_bytes()
    words = ["predict", str(tiny_onnx), str(picture), "--format", "csv", "--overwrite"]
    assert main([*words, "--out", picture.as_uri()]) == 2
    assert "is one of the images" in capsys.readouterr().err
    assert picture.read_bytes() == before


def test_a_mark_of_the_folder_is_no_other_file(tmp_path):
    store, place = fsspec.core.url_to_fs(f"memory://{tmp_path}/points")
    folder = folders.folder_at(f"memory://{tmp_path}/points/")
    store.makedirs(place)
    assert folder.names() == set()
    folder.create("parts.json", "{}")
    folder.create("parts.json", "another")
    assert folder.names() == {"parts.json"}
    assert folder.read("parts.json") == b"{}"
    folder.remove("parts.json")
    folder.remove("parts.json")
    assert not folder.has("parts.json")
