"""A model folder that the Hugging Face hub takes, and that loads back."""

import shutil
from dataclasses import replace

import huggingface_hub
import numpy as np
import pytest
from huggingface_hub import ModelCard
from safetensors.numpy import load_file

from swapmark.detector import load
from swapmark.errors import InputError, OutputError
from swapmark.export.hub import push_to_hub, save_hub
from swapmark.faces.drawn import draw_faces
from swapmark.model.familiar import learn_familiar

FILES = ["README.md", "config.json", "model.safetensors"]


@pytest.fixture
def hub(monkeypatch):
    """Stands in for the hub: notes what is sent to it."""
    sent = []

    class Api:
        def create_repo(self, name, **options):
            sent.append((name, options))
            return f"https://hub.example/{name}"

        def upload_folder(self, *, repo_id, folder_path, allow_patterns, commit_message):
            card = ModelCard.load(f"{folder_path}/README.md")
            sent.append((repo_id, sorted(allow_patterns), card))

    monkeypatch.setattr(huggingface_hub, "HfApi", Api)
    return sent


def test_an_export_finds_what_the_run_finds_with_what_is_needed_for_that(
    tiny_run, tiny_faces, tmp_path
):
    run = shutil.copytree(tiny_run.path, tmp_path / "run")
    known = np.random.default_rng(0).normal(size=(60, 3))
    learn_familiar(known).save(run / "model")
    folder = load(run, device="cpu").save_hub(tmp_path / "hub")
    kept = folder / "familiar.json"
    assert kept.read_bytes() == (run / "model" / "familiar.json").read_bytes()
    kept.unlink()
    assert sorted(path.name for path in folder.iterdir()) == FILES
    found, expected = (
        load(place, device="cpu").predict(tiny_faces) for place in (folder, tiny_run)
    )
    assert np.array_equal(found.xy, expected.xy)
    whole, part = (load_file(f / "model.safetensors") for f in (tiny_run.model, folder))
    assert {n for n in whole if n.startswith(("backbone.", "landmark_encoder."))} == set(part)
    assert len(part) < len(whole)


def test_own_points_go_along_and_belong_to_what_was_exported(tiny_run, marked, tmp_path):
    named = replace(load(tiny_run, device="cpu").fit_points(marked, draws=0), own_name="face")
    folder = named.save_hub(tmp_path / "hub")
    faces = draw_faces(3, size=32).images
    found = load(folder, device="cpu", points="face").predict(faces)
    assert np.array_equal(found.xy, named.predict(faces).xy)
    with pytest.raises(InputError, match=r"face\.json"):
        named.save_hub(tmp_path / "hub")


def test_the_hub_reads_the_card_of_a_run_and_of_an_export(tiny_run, tmp_path):
    folder = save_hub(tiny_run.model, tmp_path / "hub", license="cc-by-nc-4.0")
    for model, expected in ((tiny_run.model, "unknown"), (folder, "cc-by-nc-4.0")):
        card = ModelCard.load(model / "README.md")
        assert card.data.license == expected
        assert card.data.library_name == "swapmark"
        assert card.data.pipeline_tag == "keypoint-detection"
        assert card.text.lstrip().startswith("# Landmark detector")
    text = (save_hub(folder, tmp_path / "again") / "README.md").read_text()
    assert text.count("## This export") == text.count("license: cc-by-nc-4.0") == 1
    for change in (lambda path: path.write_text("# Mine\n"), lambda path: path.unlink()):
        change(folder / "README.md")
        made = save_hub(folder, tmp_path / "again", overwrite=True)
        assert ModelCard.load(made / "README.md").data.library_name == "swapmark"


def test_a_push_sends_the_three_files_to_a_private_repository(tiny_run, hub):
    assert load(tiny_run).push_to_hub("jane/faces") == "https://hub.example/jane/faces"
    created, (name, files, card) = hub
    assert created == ("jane/faces", {"private": True, "exist_ok": True})
    assert (name, files) == ("jane/faces", sorted([*FILES, "familiar.json", "points/*.json"]))
    assert 'swapmark.load("jane/faces")' in card.text


@pytest.mark.parametrize("name", ["faces", "a/b/c"])
def test_a_name_that_is_none_is_refused(tiny_run, hub, name):
    with pytest.raises(InputError, match=name):
        push_to_hub(tiny_run.model, name)
    assert hub == []


def test_a_hub_that_refuses_is_told_in_words(tiny_run, monkeypatch):
    def refuse(*_, **__):
        raise OSError("401 Unauthorized")

    monkeypatch.setattr("huggingface_hub.HfApi.create_repo", refuse)
    with pytest.raises(OutputError, match=r"jane/faces.* 401 "):
        push_to_hub(tiny_run.model, "jane/faces")


def test_files_that_are_there_are_kept_unless_told_otherwise(tiny_run, tmp_path):
    (tmp_path / "README.md").write_text("precious")
    with pytest.raises(InputError, match=r"README\.md"):
        save_hub(tiny_run.model, tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["README.md"]
    (tmp_path / "notes.txt").write_text("mine")
    save_hub(tiny_run.model, tmp_path, overwrite=True)
    assert (tmp_path / "notes.txt").read_text() == "mine"


def test_a_place_that_does_not_do_is_refused(tiny_run, tiny_onnx, tmp_path):
    before = (tiny_run.model / "model.safetensors").read_bytes()
    with pytest.raises(InputError, match="model"):
        save_hub(tiny_run.model, tiny_run.model, overwrite=True)
    with pytest.raises(InputError, match=tiny_onnx.name):
        load(tiny_onnx).save_hub(tmp_path / "hub")
    with pytest.raises(InputError, match=r"hub\.onnx"):
        save_hub(tiny_run.model, tmp_path / "hub.onnx")
    assert (tiny_run.model / "model.safetensors").read_bytes() == before
    assert list(tmp_path.iterdir()) == []
