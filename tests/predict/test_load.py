"""What names a model: runs, folders, built-in names, repositories of the hub."""

import os
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from swapmark.cli import main
from swapmark.errors import InputError, RunError
from swapmark.predict import find
from swapmark.predict.load import load
from swapmark.training.run import Run


def test_a_run_its_path_and_its_model_folder_alone_load_alike(tiny_run, tiny_faces, tmp_path):
    moved = shutil.copytree(tiny_run.path, tmp_path / "moved")
    alone = shutil.copytree(tiny_run.model, tmp_path / "alone")
    expected = load(tiny_run, device="cpu").predict(tiny_faces)
    assert expected.xy.shape == (24, 4, 2)
    for place in (moved, str(moved), alone, Run(moved)):
        found = load(place, device="cpu").predict(tiny_faces)
        assert np.array_equal(found.xy, expected.xy)


def test_the_fit_that_a_run_was_trained_with_is_kept(tiny_run, tmp_path):
    alone = shutil.copytree(tiny_run.model, tmp_path / "alone")
    assert load(alone).fit == "pad"
    config = alone / "config.json"
    config.write_text(config.read_text().replace('"pad"', '"crop"'))
    assert load(alone).fit == "crop"
    assert (load(alone).landmarks, load(alone).image_size) == (4, 32)


def test_what_is_not_there_or_not_ready_is_told_with_what_to_do(tiny_run, tmp_path):
    with pytest.raises(RunError, match=r"There is no folder .*absent"):
        load(tmp_path / "absent")
    (tmp_path / "photos").mkdir()
    with pytest.raises(RunError, match=r"no model folder: it has no config\.json.*swapmark train"):
        load(tmp_path / "photos")
    young = tmp_path / "young"
    young.mkdir()
    shutil.copy(tiny_run.config, young)
    with pytest.raises(RunError, match=r"has no model yet.* --resume"):
        load(young)
    whole = shutil.copytree(tiny_run.path, tmp_path / "whole")
    (whole / "model" / "model.safetensors").write_bytes(b"damaged")
    with pytest.raises(RunError, match=r"cannot be read: .*Copy the folder again"):
        load(whole)


@pytest.mark.parametrize("device", ["gpu", "cuda:99", "mps:7"])
def test_a_device_that_is_not_there_is_told_with_those_that_may_be(tiny_run, device):
    with pytest.raises(InputError, match=rf"device is '{device}'.*cuda, mps and cpu"):
        load(tiny_run, device=device)


@pytest.fixture
def built_in(tiny_run, tmp_path, monkeypatch):
    """One built-in model, `tiny`, and an empty folder to work in."""
    shutil.copytree(tiny_run.model, tmp_path / "models" / "tiny")
    monkeypatch.setattr(find, "BUILT_IN", tmp_path / "models")
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")


def test_a_built_in_model_loads_by_its_name_everywhere(built_in, tiny_run, tiny_faces, tmp_path):
    assert find.built_in_models() == ("tiny",)
    expected = load(tiny_run, device="cpu").predict(tiny_faces)
    assert np.array_equal(load("tiny", device="cpu").predict(tiny_faces).xy, expected.xy)
    assert main(["predict", "tiny", str(tiny_faces), "--out", "points.csv", "--quiet"]) == 0
    assert len((tmp_path / "here" / "points.csv").read_text().splitlines()) == 25
    assert main(["evaluate", "tiny", str(tiny_faces), "--bootstrap", "10", "--draws", "1"]) == 0
    # A folder `tiny` made for the numbers would hide the model of that name from now on.
    assert {path.name for path in (tmp_path / "here").iterdir()} == {
        "points.csv",
        "tiny-evaluation-faces.json",
    }


def test_points_are_fitted_to_a_built_in_model_once_it_is_exported(
    built_in, tiny_faces, tmp_path, capsys
):
    command = ["fit", "tiny", str(tiny_faces), "--out", "face", "--draws", "1", "--quiet"]
    assert main(command) == 2
    said = capsys.readouterr().err
    told = [
        f"swapmark {command}" for command in said.partition("then fit it: ")[2].split("swapmark ")
    ]
    export, fit = (shlex.split(line.removesuffix(" && "))[1:] for line in told[1:])
    assert not any((tmp_path / "here").iterdir())
    assert main(export) == 0
    assert main([*fit, "--draws", "1", "--quiet"]) == 0
    predict = ["predict", "my-tiny", str(tiny_faces), "--points", "face", "--out", "points.csv"]
    assert main([*predict, "--quiet"]) == 0
    assert "left_eye_x" in (tmp_path / "here" / "points.csv").read_text().splitlines()[0]
    assert main(["predict", "tiny", *predict[2:], "--overwrite"]) == 2
    assert "swapmark export MODEL --format hub" in capsys.readouterr().err


def test_the_command_told_for_a_built_in_model_keeps_the_folder_of_images(built_in, capsys):
    assert main(["fit", "tiny", "marks.tps", "--images", "photos", "--out", "face"]) == 2
    assert "swapmark fit my-tiny marks.tps --images photos --out face" in capsys.readouterr().err


def test_a_local_folder_wins_over_a_built_in_model_of_its_name(built_in, tiny_run, tmp_path):
    (tmp_path / "here" / "tiny").mkdir()
    shutil.copytree(tiny_run.path, Path("tiny") / "first")
    with pytest.raises(RunError, match="folder tiny here holds no model, and hides"):
        load("tiny")
    shutil.copytree(tiny_run.model, "tiny", dirs_exist_ok=True)
    assert load("tiny").folder == Path("tiny")


def test_an_unknown_name_is_told_with_those_built_in(built_in):
    with pytest.raises(RunError, match=r"no folder tni.*built-in model \(tiny\)"):
        load("tni")


def test_a_slip_in_a_name_is_answered_with_the_nearest(built_in, tiny_run):
    with pytest.raises(RunError, match=r"There is no folder Tiny\. Did you mean tiny\?"):
        load("Tiny")
    shutil.copytree(tiny_run.path, Path("runs") / "first")
    with pytest.raises(RunError, match=r"no folder runs/frist\. Did you mean runs/first\?"):
        load("runs/frist")
    with pytest.raises(RunError, match=r"runs is no run itself, .* such as runs/first"):
        load("runs")
    (Path("exp") / "hydra").mkdir(parents=True)
    (Path("exp") / "hydra" / "config.yaml").write_text("a: 1")
    Path("photos").mkdir()
    with pytest.raises(RunError, match="no model folder"):
        load("exp")
    with pytest.raises(RunError, match="no folder photo") as caught:
        load("photo")
    assert "Did you mean" not in str(caught.value), "a folder of pictures is no run"


@pytest.fixture
def hub(monkeypatch, tmp_path):
    """A stand-in for the hub's download, which notes what it was asked for."""
    asked = []

    def snapshot_download(name, *, allow_patterns):
        asked.append((name, allow_patterns))
        return str(tmp_path / "snapshot")

    monkeypatch.setattr("huggingface_hub.snapshot_download", snapshot_download)
    monkeypatch.chdir(tmp_path)
    return asked


def test_a_model_of_the_hub_loads_by_owner_and_name(hub, tiny_run, tiny_faces, tmp_path):
    shutil.copytree(tiny_run.model, tmp_path / "snapshot")
    found = load("someone/faces-64", device="cpu").predict(tiny_faces)
    assert np.array_equal(found.xy, load(tiny_run, device="cpu").predict(tiny_faces).xy)
    assert hub == [("someone/faces-64", ["config.json", "model.safetensors", "README.md"])]


def test_a_repository_without_a_model_is_told(hub, tmp_path):
    (tmp_path / "snapshot").mkdir()
    with pytest.raises(RunError, match=r"someone/faces on .* no model of swapmark.*config\.json"):
        load("someone/faces")


def test_a_slip_in_a_path_is_not_looked_up_on_the_hub(hub, tmp_path):
    (tmp_path / "runs").mkdir()
    for name in ("runs/frist", "absent", "a/b/c", "../frist", str(tmp_path / "frist")):
        with pytest.raises(RunError, match="There is no folder"):
            load(name)
    assert hub == []


def test_a_local_folder_wins_over_the_hub(hub, tiny_run, tmp_path):
    shutil.copytree(tiny_run.model, tmp_path / "someone" / "faces")
    assert load("someone/faces").landmarks == 4
    assert hub == []


def test_without_the_hub_the_message_says_what_was_looked_for(tmp_path):
    # In a process of its own: huggingface_hub reads its settings once, when it is imported.
    code = "import swapmark; swapmark.load('someone/faces')"
    settings = {"HF_ENDPOINT": "http://127.0.0.1:9", "HF_HOME": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, "-c", code],
        env=os.environ | settings,
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )
    last = done.stderr.strip().splitlines()[-1]
    assert "RunError: There is no folder someone/faces here, and no model" in last
    assert "Check the name and the connection" in last


def test_a_file_that_is_no_model_is_refused(tmp_path):
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(RunError, match=r"notes\.txt is a file; expected"):
        load(tmp_path / "notes.txt")
