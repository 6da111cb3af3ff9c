"""Prediction from an ONNX file in an environment that has no torch: `make test-onnx`.

Not collected with the other tests, whose conftest.py needs torch. The folder that make_model.py
filled is named by the environment variable SWAPMARK_ONNX_FOLDER.
"""

import csv
import importlib.util
import os
from pathlib import Path

import numpy as np
import pytest

import swapmark
from swapmark.cli import main

FOLDER = Path(os.environ["SWAPMARK_ONNX_FOLDER"])


@pytest.fixture(scope="module")
def expected():
    with np.load(FOLDER / "torch.npz") as saved:
        return dict(saved)


@pytest.mark.parametrize("name", ["torch", "accelerate", "onnx", "jaxtyping", "pydantic"])
def test_what_prediction_does_without_is_not_installed(name):
    assert importlib.util.find_spec(name) is None


@pytest.mark.parametrize("batch_size", [1, 7, 64])
def test_landmarks_are_those_of_torch(expected, batch_size):
    found = swapmark.load(FOLDER / "model.onnx").predict(
        FOLDER / "faces.zip", batch_size=batch_size
    )
    assert found.files == tuple(expected["files"])
    assert np.abs(found.xy - expected["xy"]).max() < 0.01
    assert np.abs(found.confidence - expected["confidence"]).max() < 1e-4


def test_the_command_writes_them(expected, tmp_path, capsys):
    out = tmp_path / "points.csv"
    model, faces = str(FOLDER / "model.onnx"), str(FOLDER / "faces.zip")
    sheet = tmp_path / "look.png"
    assert main(["predict", model, faces, "--out", str(out), "--overlay", str(sheet)]) == 0
    assert sheet.stat().st_size > 0
    with out.open(newline="") as file:
        rows = list(csv.DictReader(file))
    for axis, letter in enumerate("xy"):
        column = np.array([float(row[f"landmark_2_{letter}"]) for row in rows])
        assert np.abs(column - expected["xy"][:, 1, axis]).max() < 0.01
    assert "20 images" in capsys.readouterr().out


def test_a_run_needs_torch_and_says_so(capsys):
    assert main(["predict", str(FOLDER / "model"), str(FOLDER / "faces.zip")]) == 2
    assert "torch" in capsys.readouterr().err
