"""Model folders: saved and read again, older ones too, and damaged or hostile ones refused."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from swapmark.errors import OutputError, RunError
from swapmark.model.model import ModelConfig, PoseModel, SwapModel
from swapmark.model.store import fingerprint, load_model, save_model

SMALL = ModelConfig(
    *(2, 32, "crop", "plain", 2), landmark_width=4, appearance_width=4, decoder_width=4, sigma=0.2
)
FACES = Path(__file__).resolve().parents[2] / "src" / "swapmark" / "models" / "faces"
BOMB = 2**40


class Exploit:
    """Unpickled, this makes the folder `hacked`."""

    def __reduce__(self):
        return Path.mkdir, (Path("hacked"),)


@pytest.fixture
def folder(tmp_path) -> Path:
    torch.manual_seed(3)
    save_model(tmp_path / "model", SwapModel(SMALL), "# Card")
    return tmp_path / "model"


def edit_weights(folder: Path, change) -> None:
    path = folder / "model.safetensors"
    save_file({name: change(value) for name, value in load_file(path).items()}, path)


def test_what_finds_landmarks_comes_back_as_it_was_also_from_elsewhere(folder, tmp_path):
    torch.manual_seed(3)
    whole, images = SwapModel(SMALL).eval(), torch.rand(2, 3, 32, 32)
    save_model(tmp_path / "alone", load_model(folder), "# Card")
    for place in (shutil.move(folder, tmp_path / "moved"), tmp_path / "alone"):
        found = load_model(place)
        assert (type(found), found.config, found.training) == (PoseModel, SMALL, False)
        for name, value in found.state_dict().items():
            assert torch.equal(value, whole.state_dict()[name]), name
        assert torch.equal(found.pose(images).points, whole.pose(images).points)
        assert len({path.stat().st_mode for path in place.iterdir()}) == 1, (
            "who reads one reads all"
        )


def test_format_1_is_read_with_fit_for_resize(folder):
    path = folder / "config.json"
    model = json.loads(path.read_text())["model"]
    del model["resize"]
    path.write_text(json.dumps({"format": 1, "fit": "crop", "parts": "all", "model": model}))
    assert load_model(folder).config == SMALL
    path.write_text(json.dumps({"format": 1, "fit": "stretch", "model": model}))
    with pytest.raises(RunError, match="stretch"):
        load_model(folder)
    assert load_model(FACES).config.resize == "pad"


def test_weights_in_half_precision_come_back_in_single(folder):
    edit_weights(folder, torch.Tensor.half)
    expected = load_file(folder / "model.safetensors")
    for name, value in load_model(folder).state_dict().items():
        assert value.dtype == torch.float32
        assert torch.equal(value, expected[name].float()), name


def test_finding_landmarks_needs_neither_training_nor_pydantic_nor_a_decoder():
    script = f"""
import sys
from pathlib import Path
from swapmark.model import networks
from swapmark.model.store import load_model
del networks.Decoder, networks.AppearanceEncoder
assert not hasattr(load_model(Path({str(FACES)!r})), "decoder")
heavy = ("pydantic", "swapmark.training", "swapmark.objectives")
sys.exit(" ".join(name for name in sys.modules if name.startswith(heavy)) or None)
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("name", ["config.json", "model.safetensors"])
def test_a_missing_file_is_named(folder, name):
    (folder / name).unlink()
    with pytest.raises(RunError, match=name):
        load_model(folder)


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"format": 99}, "99"),
        ({"model": {"colour": "red"}}, "colour"),
        ({"model": {"landmarks": 7}}, "landmarks 7; .* with 2"),
        ({"model": {"image_size": 64}}, "image_size 64; .* with 32"),
        ({"model": {"image_size": 10**9}}, "at most 1024"),
        ({"model": {"image_size": 17}}, "image_size is 17"),
        ({"model": {"backbone": "resnet"}}, "backbone"),
        ({"model": {"appearance": 4}}, "appearance"),
        ({"model": {"resize": None}}, "resize"),
        ({"model": {"image_size": ...}}, "image_size"),  # no weight depends on it
        ({"model": {"sigma": -1}}, "sigma is -1"),
        ({"model": {"landmark_width": BOMB}}, "landmark_width"),
        ({"model": {"landmark_width": 4096}}, "landmark_width 4096"),
    ],
)
def test_a_config_that_does_not_fit_is_refused(folder, change, named):
    path = folder / "config.json"
    values = json.loads(path.read_text())
    model = {**values["model"], **change.get("model", {})}
    model = {name: value for name, value in model.items() if value is not ...}
    path.write_text(json.dumps({**values, **change, "model": model}))
    with pytest.raises(RunError, match=named) as caught:
        load_model(folder)
    assert str(folder) in str(caught.value)


def test_weights_of_an_earlier_version_are_compared_by_shape_before_there_are_any(folder):
    edit_weights(folder, lambda value: value)  # without the settings
    assert load_model(folder).config == SMALL
    path = folder / "config.json"
    path.write_text(path.read_text().replace('"landmark_width": 4', '"landmark_width": 4096'))
    with pytest.raises(RunError, match=r"landmark_encoder.* expected \[4096"):
        load_model(folder)


@pytest.mark.parametrize(
    "content",
    [b"", b"[1]", b"{}", b'{"format": 2, "model": 3}', b"\xff", b"[" * 10**5],
)
def test_a_damaged_config_is_refused(folder, content):
    (folder / "config.json").write_bytes(content)
    with pytest.raises(RunError, match="model"):
        load_model(folder)


@pytest.mark.parametrize("damage", ["truncated", "empty", "pickle", "others", "nan", "huge header"])
def test_damaged_weights_are_refused_and_no_pickle_is_read(folder, damage, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    path = folder / "model.safetensors"
    if damage == "pickle":
        torch.save({"x": Exploit()}, path)
    elif damage == "others":
        save_file({"x": torch.zeros(2)}, path)
    elif damage == "nan":
        edit_weights(folder, lambda value: value / 0)
    else:
        size = {"truncated": -100, "empty": 0, "huge header": 8}[damage]
        path.write_bytes(path.read_bytes()[:size].replace(b"\0", b"\x7f"))
    with pytest.raises(RunError, match="cannot be read"):
        load_model(folder)
    assert not (tmp_path / "hacked").exists()


def test_a_failure_while_a_model_is_written_leaves_the_old_one(folder, monkeypatch):
    before = fingerprint(folder)

    def full(path, content):
        path.write_text("half")
        raise OSError("No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(OutputError, match=r"model\.safetensors"):
        save_model(folder, SwapModel(SMALL), "# Card")
    assert fingerprint(folder) == before
    assert load_model(folder).config == SMALL


def test_a_fingerprint_is_of_the_weights_alone(folder):
    before = fingerprint(folder)
    (folder / "README.md").write_text("# Another card")
    assert fingerprint(folder) == before
    save_model(folder, SwapModel(SMALL), "# Card")
    assert fingerprint(folder) != before
