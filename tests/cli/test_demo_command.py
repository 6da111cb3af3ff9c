"""The demo from end to end, on few small faces with tiny networks."""

import json
import shutil
from dataclasses import asdict

import numpy as np
import pytest
from PIL import Image

from swapmark.cli import main
from swapmark.demo import demo
from swapmark.errors import InputError, RunError
from swapmark.points.annotated import read_annotated
from swapmark.training.config import override, read_config
from swapmark.training.presets import PRESETS, resolve_config


@pytest.fixture
def quick(monkeypatch, tiny_settings):
    """The preset of the demo with tiny networks; the pictures keep their 64 px."""
    values = override(asdict(resolve_config(preset="demo")), tiny_settings)
    # Tiny networks have no pretraining.
    own = {"model": {"image_size": 64}, "training": {"backbone_rate": 1}}
    monkeypatch.setitem(PRESETS, "demo", override(values, own))


def test_the_demo_goes_all_the_way_and_tells_where_everything_is(quick, tiny_run, tmp_path, capsys):
    """In a folder with an earlier demo, which is kept unless told otherwise."""
    out = tmp_path / "demo"
    shutil.copytree(tiny_run.path, out / "run")
    for name in ("faces.zip", "landmarks.png", "notes.txt"):
        (out / name).write_text("precious")
    command = ["demo", "--out", str(out), "--count", "120", "--steps", "3", "--seed", "2"]
    assert main(command) == 2
    assert str(out) in capsys.readouterr().err
    assert (out / "faces.zip").read_text() == "precious"
    assert main([*command, "--device", "cpu", "--overwrite"]) == 0
    assert (out / "notes.txt").read_text() == "precious"
    printed, told = capsys.readouterr()
    metrics = out / "run" / "evaluation" / "faces" / "metrics.json"
    for place in (out / "landmarks.png", out / "run" / "report.html", metrics):
        assert str(place) in printed
        assert place.exists()
    assert "mean shape" in printed
    assert "120 faces" in told
    assert len(read_annotated(out / "faces.zip").points) == 120
    training = read_config(out / "run" / "config.yaml").training
    assert (training.steps, training.seed) == (3, 2)
    numbers = json.loads(metrics.read_text())
    assert numbers["forward.imm.nme"] > 0
    # Scored on faces that training has not seen.
    assert json.loads((out / "run/images.json").read_text())["images"] == 120 * 65 // 100
    assert (numbers["counts"]["fit_images"], numbers["counts"]["test_images"]) == (30, 12)
    with Image.open(out / "landmarks.png") as picture:
        assert np.asarray(picture).std() > 10


def test_the_demo_overwrites_no_folder_that_is_not_its_own(quick, tmp_path):
    (tmp_path / "demo" / "run").mkdir(parents=True)
    (tmp_path / "demo" / "run" / "thesis.txt").write_text("precious")
    with pytest.raises(InputError):
        demo(tmp_path / "demo", count=20, steps=1, progress=False)
    with pytest.raises(RunError):
        demo(tmp_path / "demo", count=20, steps=1, progress=False, overwrite=True)
    found = [path for path in (tmp_path / "demo").rglob("*") if path.is_file()]
    assert [(path.name, path.read_text()) for path in found] == [("thesis.txt", "precious")]
