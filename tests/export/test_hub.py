"""A model folder that the Hugging Face hub takes, and that loads back."""

import json
import shutil

import huggingface_hub
import numpy as np
import pytest
from huggingface_hub import ModelCard
from safetensors.numpy import load_file

from swapmark.errors import InputError, OutputError, RunError
from swapmark.export.hub import export_hub
from swapmark.model.model import ModelConfig, SwapModel
from swapmark.predict.load import load
from swapmark.training.checkpoint import save_model


@pytest.fixture
def hub(monkeypatch):
    """Stands in for the hub: notes what is sent to it."""
    calls = []

    class Api:
        def create_repo(self, name, **options):
            calls.append((name, options))
            return f"https://hub.example/{name}"

        def upload_folder(self, *, repo_id, folder_path, allow_patterns, commit_message):
            calls.append((repo_id, sorted(allow_patterns)))

    monkeypatch.setattr(huggingface_hub, "HfApi", Api)
    return calls


@pytest.mark.parametrize("half", [False, True])
def test_an_export_finds_what_the_run_finds(tiny_run, tiny_faces, tmp_path, half):
    made = export_hub(tiny_run, tmp_path / "hub", half=half)
    assert sorted(path.name for path in made.path.iterdir()) == [
        "README.md",
        "config.json",
        "model.safetensors",
    ]
    assert made.size == (made.path / "model.safetensors").stat().st_size
    detector = load(made.path, device="cpu")
    assert {value.dtype.is_floating_point for value in detector.model.parameters()} == {True}
    assert {str(value.dtype) for value in detector.model.parameters()} == {"torch.float32"}
    found, expected = (d.predict(tiny_faces).xy for d in (detector, load(tiny_run, device="cpu")))
    difference = np.abs(found - expected).max()
    assert (0 < difference < 0.05) if half else (difference == 0)


def test_only_the_nets_that_find_landmarks_are_in_it(tiny_run, tmp_path):
    whole = load_file(tiny_run.model / "model.safetensors")
    full = load_file(export_hub(tiny_run, tmp_path / "full").path / "model.safetensors")
    half = load_file(export_hub(tiny_run, tmp_path / "half", half=True).path / "model.safetensors")
    wanted = {n for n in whole if n.startswith(("backbone.", "landmark_encoder."))}
    assert set(full) == set(half) == wanted < set(whole)
    assert json.loads((tmp_path / "full" / "config.json").read_text())["parts"] == "detector"
    for name, value in half.items():
        assert value.dtype == (np.float16 if value.ndim > 1 else full[name].dtype), name


def test_ten_landmarks_in_half_precision_take_under_8_mib(tmp_path):
    save_model(tmp_path / "model", SwapModel(ModelConfig(landmarks=10)), "pad", "# Card")
    assert export_hub(tmp_path / "model", tmp_path / "hub", half=True).size < 2 * 2**20


def test_the_hub_reads_the_card_of_a_run_and_of_an_export(tiny_run, tmp_path):
    made = export_hub(tiny_run, tmp_path / "hub", license="cc-by-nc-4.0")
    for folder, expected in ((tiny_run.model, "unknown"), (made.path, "cc-by-nc-4.0")):
        card = ModelCard.load(folder / "README.md")
        assert card.data.license == expected
        assert card.data.library_name == "swapmark"
        assert card.data.pipeline_tag == "keypoint-detection"
        assert {"keypoint-detection", "landmarks", "unsupervised"} <= set(card.data.tags)
        assert card.text.lstrip().startswith("# Landmark detector")
    text = (made.path / "README.md").read_text()
    assert "without those that draw pictures; weights in float32" in text
    again = export_hub(made.path, tmp_path / "again", half=True)
    text = (again.path / "README.md").read_text()
    assert text.count("## This export") == text.count("license: cc-by-nc-4.0") == 1
    assert "weights in float16" in text


def test_a_card_that_was_lost_or_has_no_head_gets_one(tiny_run, tmp_path):
    model = shutil.copytree(tiny_run.model, tmp_path / "model")
    for change in (lambda path: path.write_text("# Mine\n"), lambda path: path.unlink()):
        change(model / "README.md")
        made = export_hub(model, tmp_path / "hub", overwrite=True)
        assert ModelCard.load(made.path / "README.md").data.library_name == "swapmark"


def test_a_push_sends_the_three_files_to_a_private_repository(tiny_run, tmp_path, hub):
    made = export_hub(tiny_run, tmp_path / "hub", push="jane/faces")
    assert made.url == "https://hub.example/jane/faces"
    assert hub == [
        ("jane/faces", {"private": True, "exist_ok": True}),
        ("jane/faces", ["README.md", "config.json", "model.safetensors"]),
    ]
    assert 'swapmark.load("jane/faces")' in (made.path / "README.md").read_text()


def test_nothing_is_sent_unless_asked(tiny_run, tmp_path, hub):
    assert export_hub(tiny_run, tmp_path / "hub").url is None
    assert hub == []


@pytest.mark.parametrize("name", ["faces", "/faces", "jane/", "a/b/c"])
def test_a_name_that_is_none_is_refused_before_any_work(tiny_run, tmp_path, hub, name):
    with pytest.raises(InputError, match="expected OWNER/NAME"):
        export_hub(tiny_run, tmp_path / "hub", push=name)
    assert hub == []
    assert not (tmp_path / "hub").exists()


def test_a_hub_that_refuses_is_told_in_words_and_the_folder_stays(tiny_run, tmp_path, monkeypatch):
    def refuse(*_, **__):
        raise OSError("401 Unauthorized")

    monkeypatch.setattr("huggingface_hub.HfApi.create_repo", refuse)
    with pytest.raises(OutputError, match=r"did not take jane/faces: 401 .*hf auth login"):
        export_hub(tiny_run, tmp_path / "hub", push="jane/faces")
    assert load(tmp_path / "hub").landmarks == 4


def test_files_that_are_there_are_kept_unless_told_otherwise(tiny_run, tmp_path):
    (tmp_path / "README.md").write_text("precious")
    with pytest.raises(InputError, match=r"README\.md exists already"):
        export_hub(tiny_run, tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["README.md"]
    (tmp_path / "notes.txt").write_text("mine")
    export_hub(tiny_run, tmp_path, overwrite=True)
    assert (tmp_path / "notes.txt").read_text() == "mine"


@pytest.mark.parametrize("name", ["m.onnx", "m.Safetensors"])
def test_a_folder_is_not_called_like_a_file(tiny_run, tmp_path, name):
    with pytest.raises(InputError, match=r"would be a folder.* Name the folder, such as .*/m; for"):
        export_hub(tiny_run, tmp_path / name)
    assert list(tmp_path.iterdir()) == []


def test_a_model_is_not_exported_onto_itself(tiny_run, tiny_onnx, tmp_path):
    before = (tiny_run.model / "model.safetensors").read_bytes()
    with pytest.raises(InputError, match="is the model that is to be exported"):
        export_hub(tiny_run, tiny_run.model, overwrite=True)
    assert (tiny_run.model / "model.safetensors").read_bytes() == before
    with pytest.raises(InputError, match="is an ONNX file; expected a run"):
        export_hub(tiny_onnx, tmp_path / "hub")
    with pytest.raises(RunError, match="There is no folder"):
        export_hub(tmp_path / "absent", tmp_path / "hub")
