"""The demo from end to end, on few small faces with tiny nets."""

import json

import numpy as np
import pytest
import yaml
from PIL import Image

from swapmark.cli import main
from swapmark.demo import demo
from swapmark.errors import InputError, RunError
from swapmark.points.annotations import read_annotations
from swapmark.training.config import config_from_mapping, read_yaml
from swapmark.training.presets import PRESETS
from swapmark.training.train import resolve_config


@pytest.fixture
def quick(monkeypatch, tiny_settings):
    """The preset of the demo with tiny nets; the pictures keep their 64 px."""
    own = ("model.image_size=64", "training.backbone_rate=1")  # tiny nets have nothing to freeze
    config = resolve_config("demo", None, [*tiny_settings, *own], {})
    values = {"model": dict(vars(config.model)), "training": dict(vars(config.training))}
    monkeypatch.setitem(PRESETS, "demo", values)


def test_the_demo_goes_all_the_way_and_tells_where_everything_is(quick, tmp_path, capsys):
    out = tmp_path / "demo"
    command = ["demo", "--out", str(out), "--count", "120", "--steps", "3", "--seed", "2"]
    assert main(command) == 0
    printed, told = capsys.readouterr()
    for place in (out / "landmarks.png", out / "run" / "samples", out / "run" / "evaluation"):
        assert str(place) in printed.replace("\n", "")
        assert place.exists()
    assert "mean shape" in printed
    assert "Drawing 120 faces" in told
    assert len(read_annotations(out / "faces.zip")) == 120
    training = config_from_mapping(read_yaml(out / "run" / "config.yaml")).training
    assert (training.steps, training.seed) == (3, 2)
    numbers = json.loads((out / "run/evaluation/faces/metrics.json").read_text())
    assert numbers["forward.imm.nme"] > 0
    # Scored on faces that training has not seen.
    assert json.loads((out / "run/images.json").read_text())["images"] == 120 * 65 // 100
    assert (numbers["counts"]["fit_images"], numbers["counts"]["test_images"]) == (30, 12)
    with Image.open(out / "landmarks.png") as picture:
        assert np.asarray(picture).std() > 10
    # Once more: refused, and allowed.
    assert main(command) == 2
    assert "already holds a demo" in capsys.readouterr().err
    (out / "notes.txt").write_text("mine")
    assert main([*command, "--overwrite", "--quiet"]) == 0
    assert capsys.readouterr().err == ""
    assert (out / "notes.txt").read_text() == "mine"


def test_the_demo_overwrites_no_folder_that_is_not_its_own(quick, tmp_path):
    (tmp_path / "demo" / "run").mkdir(parents=True)
    (tmp_path / "demo" / "run" / "thesis.txt").write_text("precious")
    with pytest.raises(InputError, match="already holds a demo"):
        demo(tmp_path / "demo", count=20, steps=1, progress=False)
    with pytest.raises(RunError, match="holds no swapmark run"):
        demo(tmp_path / "demo", count=20, steps=1, progress=False, overwrite=True)
    found = [path for path in (tmp_path / "demo").rglob("*") if path.is_file()]
    assert [(path.name, path.read_text()) for path in found] == [("thesis.txt", "precious")]


def test_the_same_seed_draws_and_learns_the_same(quick, tmp_path):
    made = [
        demo(tmp_path / name, count=100, steps=2, seed=1, progress=False) for name in ("a", "b")
    ]
    first, second = (result.evaluation.metrics() for result in made)
    assert first["forward.imm.nme"] == second["forward.imm.nme"]
    weights = [(d.run.model / "model.safetensors").read_bytes() for d in made]
    assert weights[0] == weights[1]
    assert yaml.safe_load(made[0].run.config.read_text())["training"]["seed"] == 1
