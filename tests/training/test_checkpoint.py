import errno
import json
import os
import re
import shutil

import pytest
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file

from swapmark.errors import OutputError, RunError
from swapmark.model.model import ModelConfig, PoseModel, SwapModel
from swapmark.training import checkpoint
from swapmark.training.checkpoint import (
    checkpoint_paths,
    load_checkpoint,
    load_model,
    save_checkpoint,
    save_model,
)

SMALL = ModelConfig(
    *(2, 32, "plain", 2), landmark_width=4, appearance_width=4, decoder_width=4, sigma=0.2
)


class Exploit:
    """Unpickled, this makes the folder `hacked`."""

    def __reduce__(self):
        return os.mkdir, ("hacked",)


def names(folder) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


@pytest.fixture
def model_folder(tmp_path):
    save_model(tmp_path / "model", SwapModel(SMALL), "crop", "# Card")
    return tmp_path / "model"


def test_the_newest_two_checkpoints_are_kept_whatever_the_number_of_digits(tmp_path):
    for step in (5, 10, 9_999_999, 10_000_000):
        save_checkpoint(tmp_path, {"step": step}, step)
    assert names(tmp_path) == ["step-10000000.pt", "step-9999999.pt"]
    assert load_checkpoint(tmp_path) == ({"step": 10_000_000}, tmp_path / "step-10000000.pt")


def test_other_files_among_the_checkpoints_are_left_alone(tmp_path):
    (tmp_path / "step-best.pt").write_text("mine")
    (tmp_path / "notes.txt").write_text("mine")
    (tmp_path / ".step-0000001.pt.77.part").write_text("left by a process that was killed")
    for step in (1, 2, 3):
        save_checkpoint(tmp_path, {"step": step}, step)
    assert names(tmp_path) == ["notes.txt", "step-0000002.pt", "step-0000003.pt", "step-best.pt"]


def test_without_checkpoints_there_is_none_to_load(tmp_path):
    assert load_checkpoint(tmp_path / "absent") is None
    assert checkpoint_paths(tmp_path) == []


def test_a_truncated_checkpoint_falls_back_to_the_one_before(tmp_path):
    save_checkpoint(tmp_path, {"step": 1, "x": torch.arange(1000)}, 1)
    newest = save_checkpoint(tmp_path, {"step": 2, "x": torch.arange(1000)}, 2)
    newest.write_bytes(newest.read_bytes()[:-500])
    found = load_checkpoint(tmp_path)
    assert found is not None
    assert (found[0]["step"], found[1].name) == (1, "step-0000001.pt")


def test_when_no_checkpoint_can_be_read_it_says_so(tmp_path):
    for step in (1, 2):
        save_checkpoint(tmp_path, {"step": step}, step).write_bytes(b"damaged")
    with pytest.raises(RunError, match=r"None of the 2 checkpoints .* --overwrite"):
        load_checkpoint(tmp_path)


def test_a_checkpoint_that_hides_a_program_does_not_run_it(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    torch.save({"step": Exploit()}, tmp_path / "step-0000002.pt")
    with pytest.raises(RunError, match="can be read"):
        load_checkpoint(tmp_path)
    save_checkpoint(tmp_path, {"step": 1}, 1)
    assert load_checkpoint(tmp_path) == ({"step": 1}, tmp_path / "step-0000001.pt")
    assert not (tmp_path / "hacked").exists()
    torch.load(tmp_path / "step-0000002.pt", weights_only=False)
    assert (tmp_path / "hacked").exists(), "the file would have done it"


@pytest.mark.parametrize(
    ("module", "failure"),
    [
        ("torch", OSError(errno.ENOSPC, "No space left on device")),
        ("torch", RuntimeError("PytorchStreamWriter failed: No space left on device")),
        ("os", OSError(errno.ENOSPC, "No space left on device")),
    ],
)
def test_a_full_disk_keeps_the_checkpoint_before(tmp_path, monkeypatch, module, failure):
    def full(*_):
        raise failure

    save_checkpoint(tmp_path, {"step": 1}, 1)
    target = (torch, "save") if module == "torch" else (os, "fsync")
    monkeypatch.setattr(*target, full)
    with pytest.raises(OutputError, match="No space left on device"):
        save_checkpoint(tmp_path, {"step": 2}, 2)
    monkeypatch.undo()
    assert names(tmp_path) == ["step-0000001.pt"]
    assert load_checkpoint(tmp_path) == ({"step": 1}, tmp_path / "step-0000001.pt")


def test_a_model_comes_back_as_it_was(model_folder):
    torch.manual_seed(3)
    model = SwapModel(SMALL)
    save_model(model_folder, model, "pad", "# Card")
    again, fit = load_model(model_folder)
    assert (fit, again.config, again.training) == ("pad", SMALL, False)
    for (name, ours), theirs in zip(
        model.state_dict().items(), again.state_dict().values(), strict=True
    ):
        assert torch.equal(ours, theirs), name
    assert names(model_folder) == ["README.md", "config.json", "model.safetensors"]


@pytest.mark.parametrize("name", ["config.json", "model.safetensors"])
def test_a_missing_file_is_named(model_folder, name):
    (model_folder / name).unlink()
    with pytest.raises(RunError, match=rf"it has no {name}\. Expected a run folder made by"):
        load_model(model_folder)


def test_a_model_of_another_format_is_refused_with_both_numbers(model_folder):
    path = model_folder / "config.json"
    path.write_text(path.read_text().replace('"format": 1', '"format": 99'))
    with pytest.raises(RunError, match=r"model format 99; .* reads format 1\. Install"):
        load_model(model_folder)


@pytest.mark.parametrize(
    "change",
    [
        {"fit": "stretch"},
        {"fit": None},
        {"parts": "half"},
        {"parts": "detector"},
        {"model": {"landmarks": 2, "colour": "red"}},
        {"model": {"landmarks": 7}},
        {"model": {"image_size": 17}},
        {"model": None},
    ],
)
def test_a_config_that_does_not_fit_the_weights_is_refused(model_folder, change):
    path = model_folder / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | change))
    with pytest.raises(RunError, match=r"cannot be read: .* Copy the folder again") as caught:
        load_model(model_folder)
    assert len(str(caught.value)) < 600, "torch names every tensor that does not fit"


@pytest.mark.parametrize(
    ("setting", "value", "said"),
    [
        ("backbone", "resnet", "model.backbone: Input should be 'plain' or 'efficientnet'"),
        ("appearance", "blob", "model.appearance: Input should be 'map', 'vector'"),
        ("sigma", -1, "model.sigma is -1.0; expected more than 0"),
        ("colour", "red", "missing, or not known to this version, in config.json: colour"),
    ],
)
def test_a_config_with_what_the_nets_do_not_know_is_refused(model_folder, setting, value, said):
    path = model_folder / "config.json"
    config = json.loads(path.read_text())
    config["model"][setting] = value
    path.write_text(json.dumps(config))
    with pytest.raises(RunError, match=re.escape(said)):
        load_model(model_folder)


def test_a_config_without_one_of_the_settings_of_the_nets_is_refused(model_folder):
    """The size, say: no weight depends on it, so nothing else would notice."""
    path = model_folder / "config.json"
    config = json.loads(path.read_text())
    del config["model"]["image_size"]
    path.write_text(json.dumps(config))
    with pytest.raises(RunError, match=r"in config\.json: image_size"):
        load_model(model_folder)


@pytest.mark.parametrize("content", [b"", b"[1]", b"{}", b'{"format": 1}', b"\xff", b"not json"])
def test_a_damaged_config_is_refused(model_folder, content):
    (model_folder / "config.json").write_bytes(content)
    with pytest.raises(RunError, match="cannot be read: "):
        load_model(model_folder)


@pytest.mark.parametrize("damage", ["truncated", "empty", "pickle", "other weights"])
def test_damaged_weights_are_refused_and_no_pickle_is_read(
    model_folder, damage, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    path = model_folder / "model.safetensors"
    if damage == "truncated":
        path.write_bytes(path.read_bytes()[:-100])
    elif damage == "empty":
        path.write_bytes(b"")
    elif damage == "pickle":
        torch.save({"x": Exploit()}, path)
    else:
        save_file({"x": torch.zeros(2)}, path)
    with pytest.raises(RunError, match=r"cannot be read: .* Copy the folder again"):
        load_model(model_folder)
    assert not (tmp_path / "hacked").exists()


@pytest.mark.parametrize(
    "failure", [OSError(errno.ENOSPC, "No space left on device"), SafetensorError("I/O error")]
)
def test_a_failure_while_a_model_is_written_leaves_the_old_one(model_folder, monkeypatch, failure):
    before = load_file(model_folder / "model.safetensors")

    def full(weights, path):
        path.write_bytes(b"half")
        raise failure

    monkeypatch.setattr(checkpoint, "_save_weights", full)
    with pytest.raises(OutputError, match=r"model\.safetensors could not be written"):
        save_model(model_folder, SwapModel(SMALL), "pad", "# Card")
    after = load_file(model_folder / "model.safetensors")
    assert all(torch.equal(before[name], after[name]) for name in before | after)
    assert load_model(model_folder)[1] == "crop"


def test_whoever_may_read_the_config_may_read_the_weights(model_folder):
    modes = {path.stat().st_mode for path in model_folder.iterdir()}
    assert len(modes) == 1


def test_a_model_folder_can_be_moved(model_folder, tmp_path):
    moved = shutil.move(model_folder, tmp_path / "elsewhere")
    assert load_model(moved)[0].config == SMALL


def test_a_detector_alone_comes_back_as_one(tmp_path):
    whole = SwapModel(SMALL)
    save_model(tmp_path, whole.detector_only(), "pad", "# Card")
    again, _ = load_model(tmp_path)
    assert type(again) is PoseModel
    images = torch.rand(2, 3, 32, 32)
    assert torch.equal(again.pose(images).points, whole.eval().pose(images).points)


def test_weights_in_half_precision_come_back_in_full(tmp_path):
    whole = SwapModel(SMALL)
    save_model(tmp_path, whole, "pad", "# Card", half=True)
    again, _ = load_model(tmp_path)
    assert type(again) is SwapModel
    ours = whole.state_dict()
    for name, value in again.state_dict().items():
        assert value.dtype == ours[name].dtype
        expected = ours[name].half().float() if value.ndim > 1 else ours[name]
        assert torch.equal(value, expected), name


def test_a_model_without_a_word_on_its_parts_has_all(model_folder):
    path = model_folder / "config.json"
    values = json.loads(path.read_text())
    assert values.pop("parts") == "all"
    path.write_text(json.dumps(values))
    assert type(load_model(model_folder)[0]) is SwapModel
