"""What files, names and outputs may be like: words and an exit code, and nothing hangs."""

import os
import subprocess
import sys

import pytest
from PIL import Image

from swapmark.cli import main
from swapmark.training.run import Run


def swapmark(*words, output, cwd=None) -> tuple[int, str]:
    """Exit code and standard error of the command in a process of its own."""
    command = [sys.executable, "-m", "swapmark", *map(str, words)]
    done = subprocess.run(command, stdout=output, stderr=subprocess.PIPE, cwd=cwd, timeout=100)
    return done.returncode, done.stderr.decode()


@pytest.fixture
def table(tmp_path):
    path = tmp_path / "points.csv"
    path.write_text("file,a_x,a_y\na.png,5,6\n")
    return path


@pytest.mark.parametrize("words", [["convert", "points.csv", "out.json"], ["--help"]])
def test_a_reader_that_has_enough_ends_the_command_as_it_ends_others(table, words):
    reader, writer = os.pipe()
    os.close(reader)
    assert swapmark(*words, output=writer, cwd=table.parent) == (141, "")
    os.close(writer)
    assert (table.parent / words[-1]).exists() or words == ["--help"]


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="there is no /dev/full")  # noqa: PTH110
def test_a_full_standard_output_is_told_and_the_file_is_there(table):
    with open("/dev/full", "wb") as full:  # noqa: PTH123
        code, told = swapmark("convert", table, table.with_suffix(".json"), output=full)
    assert (code, table.with_suffix(".json").exists()) == (2, True)
    assert "standard output: No space left" in told
    assert "Traceback" not in told


def test_names_that_are_no_valid_text_are_printed_and_written_escaped(tiny_run, tmp_path):
    name = "fly\udcff.png"
    Image.new("RGB", (40, 30)).save(tmp_path / name, "PNG")
    words = ["predict", str(tiny_run.path), name, "--out", "fly\udcff.csv", "--quiet"]
    with (tmp_path / "printed").open("wb") as printed:
        assert swapmark(*words, output=printed, cwd=tmp_path) == (0, "")
    assert rb"fly\udcff.csv" in (tmp_path / "printed").read_bytes()
    assert rb"fly\udcff.png,40,30" in (tmp_path / "fly\udcff.csv").read_bytes()


@pytest.mark.parametrize("verb", ["predict", "convert", "fit"])
@pytest.mark.parametrize("name", ["pipe.png", "pipe.zip", "pipe.csv", "a" * 300 + ".csv"])
def test_pipes_and_overlong_names_are_told_and_do_not_hang(tiny_run, tmp_path, capsys, verb, name):
    path = tmp_path / name
    if name.startswith("pipe"):
        os.mkfifo(path)
    out = {"predict": ["--out", "out.csv"], "convert": ["out.csv"], "fit": ["--out", "mine"]}[verb]
    words = [str(path), *out] if verb == "convert" else [str(tiny_run.path), str(path), *out]
    assert main([verb, *words]) == 2
    assert name in capsys.readouterr().err


def test_pipes_in_folders_of_pictures_and_models_are_told(tiny_run, tmp_path, capsys):
    for name in ("config.yaml", "a.png"):
        os.mkfifo(tmp_path / name)
    assert main(["predict", str(tiny_run.path), str(tmp_path), "--out", "x.csv"]) == 2
    assert "a.png: not a regular file" in capsys.readouterr().err
    os.mkfifo(tmp_path / "config.json")
    assert main(["predict", str(tmp_path), "x.png"]) == 2
    assert str(tmp_path) in capsys.readouterr().err


@pytest.mark.parametrize("content", [None, b"[" * 100_000, b"a: \xff"])
def test_settings_that_are_no_yaml_are_told_and_do_not_hang(tmp_path, capsys, content):
    path = tmp_path / "settings.yaml"
    path.write_bytes(content) if content else os.mkfifo(path)
    assert main(["train", "photos", "--out", "run", "--config", str(path)]) == 2
    assert f"{path} cannot be read as YAML" in capsys.readouterr().err


def test_what_is_damaged_in_the_notes_of_a_run_is_left_out(tmp_path):
    run = Run(tmp_path)
    run.images.write_text("[" * 100_000)
    assert run.recorded_images() == {}
    run.images.unlink()
    os.mkfifo(run.images)
    assert run.recorded_images() == {}
    lines = ["[]", "{}", '{"step": true}', '{"step": "5"}', '{"step": 5}', '{"step": 10}', '{"st']
    (tmp_path / "metrics.jsonl").write_text("\n".join(lines))
    run.keep_metrics_until(7)
    assert run.metrics() == [{"step": 5}]
