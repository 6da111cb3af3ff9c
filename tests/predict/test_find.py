"""What names a model: runs, folders, files, built-in names, repositories of the hub."""

import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from swapmark.errors import RunError
from swapmark.predict import find
from swapmark.predict.find import HUB_FILES, find_model, open_network


def test_a_run_its_path_and_its_model_folder_alone_open_alike(tiny_run, tmp_path):
    moved = shutil.copytree(tiny_run.path, tmp_path / "moved")
    alone = shutil.copytree(tiny_run.model, tmp_path / "alone")
    square = np.random.default_rng(0).integers(0, 256, (2, 32, 32, 3), np.uint8)
    networks = [open_network(place, "cpu") for place in (tiny_run, moved, str(moved), alone)]
    expected, _ = networks[0].find(square)
    assert expected.shape == (2, 4, 2)
    for network in networks:
        assert np.array_equal(network.find(square)[0], expected)
        assert (network.landmarks, network.image_size, network.resize) == (4, 32, "pad")
        assert network.fingerprint == networks[0].fingerprint
        assert len(network.fingerprint) == 64


def test_what_is_no_model_is_told_with_what_to_do(tiny_run, tmp_path):
    (tmp_path / "photos").mkdir()
    (tmp_path / "young").mkdir()
    shutil.copy(tiny_run.config, tmp_path / "young")
    (tmp_path / "notes.txt").write_text("mine")
    for name, advice in {
        "absent": "swapmark train",
        "absent.onnx": "swapmark export",
        "photos": "swapmark train",
        "young": "--resume",
        "notes.txt": "expected a run",
    }.items():
        with pytest.raises(RunError, match=rf"{name}.*{advice}"):
            find_model(tmp_path / name)


def test_without_torch_it_is_asked_for(tiny_run):
    code = (
        "import sys; sys.modules['torch'] = None\n"
        f"from swapmark.predict.find import open_network; open_network({str(tiny_run.path)!r})"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert "InputError" in done.stderr
    assert "needs torch" in done.stderr


@pytest.fixture
def built_in(tiny_run, tmp_path, monkeypatch):
    """One built-in model, `tiny`, and an empty folder to work in."""
    shutil.copytree(tiny_run.model, tmp_path / "models" / "tiny")
    monkeypatch.setattr(find, "BUILT_IN", tmp_path / "models")
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")


def test_a_built_in_model_is_found_by_its_name(built_in, tmp_path):
    assert find.built_in_models() == ("tiny",)
    assert find_model("tiny") == tmp_path / "models" / "tiny"
    with pytest.raises(RunError, match=r"tni.*\(tiny\)"):
        find_model("tni")


def test_a_local_folder_wins_over_a_built_in_model_of_its_name(built_in, tiny_run):
    shutil.copytree(tiny_run.path, Path("tiny") / "first")
    with pytest.raises(RunError, match="hides the built-in model tiny"):
        find_model("tiny")
    shutil.copytree(tiny_run.model, "tiny", dirs_exist_ok=True)
    assert find_model("tiny") == Path("tiny")


def test_a_slip_in_a_name_is_answered_with_the_nearest(built_in, tiny_run):
    with pytest.raises(RunError, match=r"Did you mean tiny\?"):
        find_model("Tiny")
    shutil.copytree(tiny_run.path, Path("runs") / "first")
    with pytest.raises(RunError, match=r"Did you mean runs/first\?"):
        find_model("runs/frist")
    with pytest.raises(RunError, match="such as runs/first"):
        find_model("runs")
    Path("photos").mkdir()
    with pytest.raises(RunError) as caught:
        find_model("photo")
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


def test_a_model_of_the_hub_is_found_by_owner_and_name(hub, tiny_run, tmp_path):
    (tmp_path / "snapshot").mkdir()
    with pytest.raises(RunError, match=r"no model in .*snapshot"):
        find_model("someone/faces")
    shutil.copytree(tiny_run.model, tmp_path / "snapshot", dirs_exist_ok=True)
    assert find_model("someone/faces") == tmp_path / "snapshot"
    assert hub == [("someone/faces", list(HUB_FILES))] * 2


def test_paths_and_local_folders_are_not_looked_up_on_the_hub(hub, tiny_run, tmp_path):
    (tmp_path / "runs").mkdir()
    for name in ("runs/frist", "absent", "a/b/c", "../frist", str(tmp_path / "frist")):
        with pytest.raises(RunError, match="There is no"):
            find_model(name)
    shutil.copytree(tiny_run.model, tmp_path / "someone" / "faces")
    assert find_model("someone/faces") == Path("someone/faces")
    assert hub == []


@pytest.mark.parametrize("reason", ["No module named huggingface_hub", "no connection"])
def test_a_hub_that_gives_nothing_is_told_with_the_reason(monkeypatch, reason):
    def fail(*_, **__):
        raise OSError(reason)

    monkeypatch.setattr("huggingface_hub.snapshot_download", fail)
    if "huggingface_hub" in reason:
        monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    with pytest.raises(RunError, match=rf"someone/faces.*{reason.split()[-1]}"):
        find_model("someone/faces")
