"""The exported file gives what torch gives, says what it is, and is there whole or not at all."""

import json
from types import SimpleNamespace

import numpy as np
import onnx
import pytest

import swapmark
from swapmark.detector import load
from swapmark.errors import ExportError, InputError
from swapmark.export.onnx import BOUND, OPSET, check_parity, export_onnx
from swapmark.faces.drawn import draw_faces
from swapmark.model.model import ModelConfig, SwapModel
from swapmark.model.store import load_model
from swapmark.predict.network import TorchNetwork
from swapmark.predict.onnx_network import OnnxNetwork

OUTPUTS = ["points", "confidence", "map_4", "map_8", "map_16"]


def test_own_points_are_in_the_file_and_differ_from_torchs_by_no_more_than_landmarks(
    tiny_run, marked, tmp_path
):
    named = load(tiny_run, device="cpu").fit_points(marked, draws=0)
    assert named.point_map.refinement
    made = named.export(tmp_path / "named.onnx")
    assert made.difference <= BOUND
    found = load(made.path)
    assert found.names == named.names
    faces = draw_faces(5, size=32, seed=9).images
    assert found.predict(faces).xy == pytest.approx(named.predict(faces).xy, abs=0.02)
    again = found.fit_points(marked, draws=0)
    assert again.fit.error == pytest.approx(named.fit.error, rel=0.02)


def test_batches_of_any_size_give_torchs_points_in_pixels(tiny_run, tiny_onnx):
    ours, torchs = load(tiny_onnx).network, load(tiny_run, device="cpu").network
    squares = draw_faces(9, size=32, seed=5, clutter=True).images
    for count in (1, 2, 9):
        points, confidence = ours.find(squares[:count])
        expected, expected_confidence = torchs.find(squares[:count])
        assert points.shape == (count, 4, 2)
        assert np.abs(points - expected).max() < 0.01
        assert np.abs(confidence - expected_confidence).max() < 1e-4


def test_the_pretrained_backbone_and_how_pictures_are_resized_are_exported_too(tmp_path):
    config = ModelConfig(landmarks=3, image_size=48, landmark_width=16, resize="crop")
    model = SwapModel(config).eval()
    made = export_onnx(model, tmp_path / "model.onnx", fingerprint="abc")
    assert made.difference <= BOUND
    found = OnnxNetwork(made.path)
    assert (found.resize, found.image_size, found.landmarks) == ("crop", 48, 3)
    assert found.fingerprint == "abc"
    squares = draw_faces(5, size=48, seed=2).images
    expected = TorchNetwork(model, device="cpu").find(squares)[0]
    assert np.abs(found.find(squares)[0] - expected).max() <= BOUND


def test_the_file_says_what_it_is_and_not_where_it_was_made(tiny_run, tiny_onnx):
    proto = onnx.load(tiny_onnx)
    onnx.checker.check_model(proto, full_check=True)
    properties = {entry.key: entry.value for entry in proto.metadata_props}
    assert properties["swapmark_version"] == swapmark.__version__
    assert (properties["image_size"], properties["resize"]) == ("32", "pad")
    assert json.loads(properties["landmarks"]) == [f"landmark_{k}" for k in (1, 2, 3, 4)]
    assert properties["fingerprint"] == load(tiny_run).network.fingerprint
    assert properties["opset"] == str(OPSET)
    assert [(entry.domain, entry.version) for entry in proto.opset_import] == [("", OPSET)]
    assert [entry.name for entry in proto.graph.input] == ["images"]
    assert [entry.name for entry in proto.graph.output] == OUTPUTS
    weights = " ".join(weight.name for weight in proto.graph.initializer)
    assert "landmark_encoder" in weights
    assert "decoder" not in weights
    assert "appearance" not in weights
    content = tiny_onnx.read_bytes()
    for leak in (b".py", b"/src/", b"stack_trace", str(tiny_onnx.parent).encode()):
        assert leak not in content, leak


def test_a_file_that_differs_is_not_put_in_place(tiny_run, tiny_onnx, tmp_path, monkeypatch):
    monkeypatch.setattr("swapmark.export.onnx._onnx_model", lambda model: onnx.load(tiny_onnx))
    out = tmp_path / "model.onnx"
    out.write_text("precious")
    right = OnnxNetwork.find

    def shifted(self, squares):
        points, confidence = right(self, squares)
        return points + 0.02 * (len(squares) > 1), confidence

    monkeypatch.setattr(OnnxNetwork, "find", shifted)
    with pytest.raises(ExportError, match=r"0\.02 px"):
        load(tiny_run).export(out, overwrite=True)
    assert out.read_text() == "precious"
    assert [path.name for path in tmp_path.iterdir()] == ["model.onnx"]


def test_a_difference_is_that_of_the_worst_point_and_batch():
    about = {"landmarks": 4, "image_size": 32, "resize": "pad", "fingerprint": "", "points": ""}

    def network(by=0.0, points=4):
        def find(squares):
            xy, confidence = np.zeros((len(squares), points, 2)), np.ones((len(squares), 4))
            xy[-1, 2, 1] += by * (len(squares) == 3)
            return xy, confidence

        return SimpleNamespace(find=find, see=find, **about)

    assert check_parity(network(), network()) == 0
    assert check_parity(network(0.004), network()) == pytest.approx(0.004)
    for wrong in (network(0.02), network(np.nan), network(np.inf), network(points=3)):
        with pytest.raises(ExportError):
            check_parity(wrong, network())


def test_a_place_that_does_not_do_is_refused_before_any_work(tiny_run, tiny_onnx, tmp_path):
    (tmp_path / "folder.onnx").mkdir()
    (tmp_path / "there.onnx").write_text("precious")
    model = load_model(tiny_run.model)
    for name in ("model.txt", "model", "folder.onnx", "there.onnx"):
        with pytest.raises(InputError, match=name):
            export_onnx(model, tmp_path / name)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["folder.onnx", "there.onnx"]
    with pytest.raises(InputError, match=tiny_onnx.name):
        load(tiny_onnx).export(tmp_path / "model.onnx")


def test_a_missing_extra_is_told_with_the_line_to_install_it(tiny_run, tmp_path, monkeypatch):
    monkeypatch.setattr("swapmark.export.onnx.find_spec", lambda name: None)
    with pytest.raises(InputError, match=r"pip install 'swapmark\[export\]'"):
        export_onnx(load_model(tiny_run.model), tmp_path / "model.onnx")
