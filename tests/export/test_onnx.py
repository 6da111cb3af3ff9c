"""The exported file gives what torch gives, says what it is, and is there whole or not at all."""

import json
import shutil

import numpy as np
import onnx
import pytest

import swapmark
from swapmark.errors import ExportError, InputError, RunError
from swapmark.export.onnx import OPSET, export_onnx
from swapmark.faces.synthetic import draw_faces
from swapmark.model.model import ModelConfig, SwapModel
from swapmark.predict.load import load
from swapmark.predict.onnx_detector import OnnxDetector
from swapmark.training.checkpoint import save_model


@pytest.fixture
def drawn(tmp_path):
    """A model folder with the pretrained backbone, untrained otherwise, that crops."""
    model = SwapModel(ModelConfig(landmarks=3, image_size=48, landmark_width=16))
    save_model(tmp_path / "drawn", model, "crop", "# Card")
    return tmp_path / "drawn"


def test_batches_of_any_size_give_torchs_points_in_pixels(tiny_run, tiny_onnx):
    ours, torchs = load(tiny_onnx), load(tiny_run, device="cpu")
    squares = draw_faces(9, size=32, seed=5, clutter=True).images
    for count in (1, 2, 9):
        points, confidence = ours.predict_squares(squares[:count])
        expected, expected_confidence = torchs.predict_squares(squares[:count])
        assert points.shape == (count, 4, 2)
        assert np.abs(points - expected).max() < 0.01
        assert np.abs(confidence - expected_confidence).max() < 1e-4


@pytest.mark.parametrize("half", [False, True])
def test_the_pretrained_backbone_and_its_fit_are_exported_too(drawn, tmp_path, half):
    made = export_onnx(drawn, tmp_path / "model.onnx", half=half)
    assert made.difference <= made.bound == (0.1 * 48 / 64 if half else 0.01)
    found = load(made.path)
    assert (found.fit, found.image_size, found.landmarks) == ("crop", 48, 3)
    squares = draw_faces(5, size=48, seed=2).images
    difference = np.abs(
        found.predict_squares(squares)[0] - load(drawn, device="cpu").predict_squares(squares)[0]
    )
    assert 0 <= difference.max() <= made.bound
    full = sum(value.size for name, value in weights(drawn).items() if is_detectors(name))
    assert made.size < (2.5 if half else 4.5) * full


def weights(folder):
    from safetensors.numpy import load_file

    return load_file(folder / "model.safetensors")


def is_detectors(name: str) -> bool:
    return name.startswith(("backbone.", "landmark_encoder."))


def test_the_file_says_what_it_is_and_not_where_it_was_made(tiny_onnx):
    proto = onnx.load(tiny_onnx)
    onnx.checker.check_model(proto, full_check=True)
    properties = {entry.key: entry.value for entry in proto.metadata_props}
    assert properties["swapmark_version"] == swapmark.__version__
    assert (properties["image_size"], properties["fit"]) == ("32", "pad")
    assert json.loads(properties["landmarks"]) == [f"landmark_{k}" for k in (1, 2, 3, 4)]
    assert (properties["opset"], properties["precision"]) == (str(OPSET), "float32")
    assert "bicubic" in properties["preprocessing"]
    assert [(entry.domain, entry.version) for entry in proto.opset_import] == [("", OPSET)]
    assert [entry.name for entry in proto.graph.input] == ["images"]
    assert [entry.name for entry in proto.graph.output] == ["points", "confidence"]
    content = tiny_onnx.read_bytes()
    for leak in (b".py", b"/src/", b"stack_trace", str(tiny_onnx.parent).encode()):
        assert leak not in content, leak


def test_nothing_but_the_detector_is_exported(tiny_onnx):
    names = " ".join(weight.name for weight in onnx.load(tiny_onnx).graph.initializer)
    assert "landmark_encoder" in names
    assert "decoder" not in names
    assert "appearance" not in names


def test_a_file_that_differs_is_not_put_in_place(tiny_run, tmp_path, monkeypatch):
    out = tmp_path / "model.onnx"
    out.write_text("precious")
    right = OnnxDetector.predict_squares

    def shifted(self, squares):
        points, confidence = right(self, squares)
        return points + 0.02 * (len(squares) > 1), confidence

    monkeypatch.setattr(OnnxDetector, "predict_squares", shifted)
    with pytest.raises(ExportError, match=r"differ from torch's by up to 0\.02 px; at most 0\.01"):
        export_onnx(tiny_run, out, overwrite=True)
    assert out.read_text() == "precious"
    assert [path.name for path in tmp_path.iterdir()] == ["model.onnx"]


def test_an_existing_file_is_kept_before_any_work_is_done(tmp_path):
    (tmp_path / "model.onnx").write_text("precious")
    with pytest.raises(InputError, match=r"model\.onnx exists already"):
        export_onnx(tmp_path / "absent", tmp_path / "model.onnx")
    assert (tmp_path / "model.onnx").read_text() == "precious"


def test_a_name_that_no_command_would_load_is_refused(tiny_run, tmp_path):
    (tmp_path / "folder.onnx").mkdir()
    for name in ("model.txt", "model", "folder.onnx"):
        with pytest.raises(InputError, match=rf"{name} .* expected a name that ends in \.onnx"):
            export_onnx(tiny_run, tmp_path / name, overwrite=True)
    assert [path.name for path in tmp_path.iterdir()] == ["folder.onnx"]


def test_what_cannot_be_exported_is_told(tiny_onnx, tmp_path, monkeypatch):
    with pytest.raises(InputError, match="is an ONNX file already"):
        export_onnx(tiny_onnx, tmp_path / "model.onnx")
    with pytest.raises(RunError, match="There is no folder"):
        export_onnx(tmp_path / "absent", tmp_path / "model.onnx")


def test_a_missing_extra_is_told_with_the_line_to_install_it(tiny_run, tmp_path, monkeypatch):
    monkeypatch.setattr("swapmark.export.onnx.find_spec", lambda name: None)
    with pytest.raises(
        InputError, match=r"onnx and onnxscript .* pip install 'swapmark\[export\]'"
    ):
        export_onnx(tiny_run, tmp_path / "model.onnx")


def test_a_weight_that_float16_cannot_hold_fails_loudly(tiny_run, tmp_path):
    from safetensors.numpy import save_file

    folder = shutil.copytree(tiny_run.model, tmp_path / "large")
    large = weights(folder)
    # Nearly the same function, as group norm takes the factor out again.
    large["landmark_encoder.fusion.block.0.weight"] *= 1e8
    save_file(large, folder / "model.safetensors")
    with pytest.raises(ExportError, match="by up to inf px"), np.errstate(over="ignore"):
        export_onnx(folder, tmp_path / "half.onnx", half=True)
    assert not (tmp_path / "half.onnx").exists()
