"""A table in parts: the same numbers as in one, whatever is killed, shared out or asked again."""

import csv
import os
import shutil
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

import swapmark
from swapmark.cli import main
from swapmark.data import folders
from swapmark.errors import InputError
from swapmark.points import parts
from swapmark.points.formats import read_points
from swapmark.predict.parts import parse_shard


@pytest.fixture(autouse=True)
def _small_parts(monkeypatch):
    monkeypatch.setattr(parts, "ROWS", 8)


@pytest.fixture
def many(photos):
    """Thirty pictures, two of which cannot be read: four parts."""
    (photos / "images" / "damaged.png").write_bytes(b"none")
    (photos / "camera.heic").write_bytes(b"none")
    for name in ("face-00004.png", "face-00017.png"):
        (photos / "images" / name).write_bytes(b"none")
    return photos


@pytest.fixture
def detector(tiny_onnx):
    return swapmark.load(tiny_onnx)


def lines(path) -> list:
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.reader(file))


def test_shards_and_a_second_call_make_what_is_missing_and_join_to_the_table_of_one(
    detector, many, tmp_path, capsys
):
    model, folder = str(detector.path), tmp_path / "parts"
    assert main(["predict", model, str(many), "-o", str(tmp_path / "one.csv"), "--quiet"]) == 0
    words = ["predict", model, str(many), "-o", str(folder), "--batch-size", "8", "--quiet"]
    assert main([*words, "--shard", "2/3"]) == 0
    assert "3 parts are still missing" in capsys.readouterr().err
    assert main(["convert", str(folder), str(tmp_path / "early.csv")]) == 2
    assert "lacks 3 parts of 4, such as part-00000.csv" in capsys.readouterr().err
    before = (folder / "part-00001.csv").stat().st_mtime_ns
    assert main(words) == 0
    told = capsys.readouterr()
    assert "3 parts of 4 made" in told.out
    assert "All parts are there" in told.out
    assert (folder / "part-00001.csv").stat().st_mtime_ns == before
    reasons = folder / "part-00003-skipped.csv"  # as of a call that was cut off before its table
    (folder / "part-00003.csv").unlink()
    reasons.write_text(f"file,reason\n{lines(folder / 'part-00002.csv')[1][0]},none\n")
    assert main([*words, "--shard", "1/3"]) == 0, "nothing is left to do"
    assert main(["convert", str(folder), str(tmp_path / "joined.csv")]) == 0
    one, joined = (lines(tmp_path / name) for name in ("one.csv", "joined.csv"))
    assert [row[0] for row in joined] == [row[0] for row in one]
    assert np.allclose(np.array(joined[1:])[:, 1:].astype(float), numbers(one), atol=0.002)
    skipped = [lines(tmp_path / f"{name}-skipped.csv") for name in ("one", "joined")]
    assert skipped[0] == skipped[1]
    assert len(skipped[0]) == 1 + 4


def numbers(rows) -> np.ndarray:
    return np.array(rows[1:])[:, 1:].astype(float)


def test_a_part_without_any_usable_picture_is_tried_again_and_joined_all_the_same(
    detector, photos, tmp_path
):
    (tmp_path / "in").mkdir()
    for number in range(16):
        (tmp_path / "in" / f"{number:02d}.png").write_bytes(b"none")
    out = tmp_path / "out"
    for _ in range(2):
        with pytest.raises(InputError, match=r"None of the 16 pictures .*tried again"):
            detector.predict_parts(tmp_path / "in", out)
    with pytest.raises(InputError, match=r"No picture of .*out could be used"):
        read_points(out)
    for number, path in enumerate(sorted((photos / "images").iterdir())[:8]):
        shutil.copy(path, tmp_path / "in" / f"{number:02d}.png")
    with pytest.raises(InputError, match="of other names or contents"):
        detector.predict_parts(tmp_path / "in", out)
    made = detector.predict_parts(tmp_path / "in", out, overwrite=True)
    assert (made.parts, made.made, made.missing, made.found, made.skipped) == (2, 2, 0, 8, 8)
    assert (len(read_points(out)), len(read_points(out).skipped)) == (8, 8)


def test_what_belongs_to_others_is_refused_and_stays(detector, tiny_run, many, tmp_path):
    out = tmp_path / "out"
    detector.predict_parts(many, out)
    table = (out / "part-00002.csv").read_bytes()
    with pytest.raises(InputError, match="parts of another model"):
        swapmark.load("faces").predict_parts(many, out)
    with pytest.raises(InputError, match="parts of other points"):
        detector.predict_parts(many, out, names=["a", "b", "c", "d"])
    with pytest.raises(InputError, match="parts of other own points"):
        detector.fit_points(many).predict_parts(many, out)
    (many / "images" / "face-00001.png").rename(many / "images" / "other.png")
    with pytest.raises(InputError, match="of other names or contents"):
        detector.predict_parts(many, out)
    (many / "images" / "other.png").unlink()
    with pytest.raises(InputError, match=r"pictures \(31 there, 30 here\)"):
        detector.predict_parts(many, out)
    assert (out / "part-00002.csv").read_bytes() == table
    assert detector.predict_parts(many, out, overwrite=True).made == 4
    with pytest.raises(InputError, match="would remove the other shards"):
        detector.predict_parts(many, out, overwrite=True, shard="1/2")
    with pytest.raises(InputError, match="holds other files, such as"):
        detector.predict_parts(many, many)


def test_a_video_is_one_table(tiny_onnx, tmp_path, capsys):
    assert main(["predict", str(tiny_onnx), "film.mp4", "--out", str(tmp_path / "parts")]) == 2
    assert "without overlays, videos or --safe" in capsys.readouterr().err


@pytest.mark.parametrize("text", ["", "[]", '{"pictures": -1}', '{"names": 3}', "{" * 9999])
def test_a_damaged_record_is_told(detector, many, tmp_path, text):
    out = tmp_path / "out"
    detector.predict_parts(many, out)
    (out / "parts.json").write_text(text)
    for act in (lambda: detector.predict_parts(many, out), lambda: read_points(out)):
        with pytest.raises(InputError, match=r"parts\.json .*Begin anew"):
            act()


def test_parts_of_parquet_hold_the_fingerprint(detector, many, tmp_path):
    pytest.importorskip("pyarrow")
    words = ["predict", str(detector.path), str(many), "-o", str(tmp_path / "out"), "--quiet"]
    assert main([*words, "--format", "parquet", "--fingerprint"]) == 0
    joined, one = read_points(tmp_path / "out"), detector.predict(many)
    assert set(joined.fingerprint or ()) == {detector.network.fingerprint[:16]}
    assert joined.files == one.files
    assert np.allclose(joined.xy, one.xy, atol=1e-3)
    assert joined.skipped == one.skipped


def test_a_text_file_lists_the_pictures(detector, photos, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "list.txt").write_text("photos/images/face-00003.png\n\nabsent.png\n")
    found = detector.predict("list.txt")
    assert found.files == ("photos/images/face-00003.png",)
    assert [entry.file for entry in found.skipped] == ["absent.png"]
    (tmp_path / "list.txt").write_text("\n")
    with pytest.raises(InputError, match=r"No images in list\.txt"):
        detector.predict("list.txt")


def test_what_find_and_other_systems_print_is_a_list(detector, photos, tmp_path, monkeypatch):
    monkeypatch.chdir(photos)
    odd = b"images/\xff\x0b.png"
    shutil.copy("images/face-00003.png", os.fsdecode(odd))
    lines = [b"\xef\xbb\xbfimages/face-00001.png\r", b".", b"images", b"list.txt", odd, b"x" * 400]
    (photos / "list.txt").write_bytes(b"\n".join([*lines, b"a\0b"]))
    found = detector.predict("list.txt")
    assert found.files == ("images/face-00001.png", "images/\\udcff\x0b.png")
    assert [entry.file for entry in found.skipped[:3]] == [".", "images", "list.txt"]
    assert len(found.skipped) == 5
    (photos / "README.txt").write_bytes(b"\xe9" * 300)
    mixed = detector.predict(["images/face-00001.png", "README.txt"])
    assert [entry.file for entry in mixed.skipped] == ["README.txt"], "no list beside pictures"


def test_a_picture_that_is_listed_twice_is_told_before_the_work(detector, photos, tmp_path):
    paths = [str(path) for path in sorted((photos / "images").iterdir())]
    (tmp_path / "list.txt").write_text("\n".join([*paths, paths[0]]))
    with pytest.raises(InputError, match="is listed 2 times"):
        detector.predict_parts(tmp_path / "list.txt", tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_joining_replaces_no_other_list(detector, many, tmp_path, capsys):
    detector.predict_parts(many, tmp_path / "parts")
    (tmp_path / "points-skipped.csv").write_text("mine")
    words = ["convert", str(tmp_path / "parts")]
    assert main([*words, str(tmp_path / "points.csv")]) == 2
    assert "points-skipped.csv exists already" in capsys.readouterr().err
    assert main([*words, str(tmp_path / "points.json")]) == 0
    assert (tmp_path / "points-skipped.csv").read_text() == "mine"
    assert (tmp_path / "points.json-skipped.csv").exists()


@pytest.mark.parametrize("text", ["", "0/3", "4/3", "3", "a/b", "1/0", "-1/3"])
def test_odd_shards_are_refused(text):
    with pytest.raises(InputError, match="expected one of several, such as 1/40"):
        parse_shard(text)


def test_gaps_in_a_job_array_are_told():
    job = {"ID": "9", "MIN": "1", "COUNT": "3", "STEP": "1"}
    with pytest.raises(InputError, match=r"have gaps .*--shard"):
        parse_shard(None, {f"SLURM_ARRAY_TASK_{name}": value for name, value in job.items()})


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--shard", "1/2"], "--shard and --engine are for a folder"),
        (["--out", "parts", "--overlay", "look.png"], "becomes a folder of tables"),
        (["--out", "parts", "--every", "2"], "becomes a folder of tables"),
        (["--out", "parts", "--start", "1"], "such as parts.csv"),
        (["--out", "parts", "--format", "tps"], "expected csv or parquet"),
    ],
)
def test_options_that_do_not_go_together_are_refused(
    words, said, tiny_onnx, photos, tmp_path, monkeypatch, capsys
):
    monkeypatch.chdir(tmp_path)
    assert main(["predict", str(tiny_onnx), str(photos), *words]) == 2
    assert said in capsys.readouterr().err
    assert not (tmp_path / "parts").exists()


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="a way to end a process of POSIX")
def test_after_kills_at_any_moment_the_joined_table_is_that_of_one(detector, photos, tmp_path):
    for number in range(1, 9):
        shutil.copytree(photos / "images", photos / f"more-{number}")
    out = tmp_path / "parts"
    code = "from swapmark.points import parts; parts.ROWS = 8; import swapmark.cli, sys; "
    code += "sys.exit(swapmark.cli.main())"
    words = [sys.executable, "-c", code, "predict", str(detector.path), str(photos)]
    random, kills = np.random.default_rng(0), 0
    for _ in range(3):
        process = subprocess.Popen([*words, "--out", out, "--batch-size", "8", "--quiet"])
        began, there = time.monotonic(), len(list(out.glob("part-*.csv")))
        until = there + int(random.integers(1, 8))
        while process.poll() is None and len(list(out.glob("part-*.csv"))) < until:
            assert time.monotonic() < began + 120
            time.sleep(0.002)
        os.kill(process.pid, signal.SIGKILL)
        kills += process.wait() == -signal.SIGKILL
    assert kills >= 2
    made = detector.predict_parts(photos, out, batch_size=8)
    assert 0 < made.made < made.parts == 34
    joined, one = read_points(out), detector.predict(photos, batch_size=8)
    assert joined.files == one.files
    assert np.abs(joined.xy - one.xy).max() < 0.001


@pytest.mark.parametrize("overwrite", [False, True])
def test_pictures_that_are_named_as_parts_are_never_removed(detector, photos, overwrite):
    for number, path in enumerate(sorted((photos / "images").iterdir())):
        path.rename(photos / "images" / f"part-{number:05d}.png")
    (photos / "images" / "part-00001.csv").write_text("mine")
    before = sorted(path.name for path in (photos / "images").iterdir())
    with pytest.raises(InputError, match="holds other files, such as part-"):
        detector.predict_parts(photos / "images", photos / "images", overwrite=overwrite)
    assert sorted(path.name for path in (photos / "images").iterdir()) == before


def test_a_file_in_the_place_of_the_folder_is_told(detector, photos, tmp_path):
    (tmp_path / "parts").write_text("mine")
    with pytest.raises(InputError, match="is no folder"):
        detector.predict_parts(photos, tmp_path / "parts")
    assert (tmp_path / "parts").read_text() == "mine"


def test_another_process_that_was_faster_is_compared_with(detector, photos, tmp_path, monkeypatch):
    out, real = tmp_path / "out", folders.os.link

    def slower(source, target):
        monkeypatch.setattr(folders.os, "link", real)
        swapmark.load("faces").predict_parts(photos, tmp_path / "theirs")
        shutil.copy(tmp_path / "theirs" / "parts.json", target)
        return real(source, target)

    monkeypatch.setattr(folders.os, "link", slower)
    with pytest.raises(InputError, match="another model"):
        detector.predict_parts(photos, out)
    assert sorted(path.name for path in out.iterdir()) == ["parts.json"]
