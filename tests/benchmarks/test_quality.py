"""The commands of benchmarks/quality.py, on drawn faces in seconds."""

import re
from pathlib import Path

import pytest
import quality
import yaml

from harness import running
from harness.records import read_records
from harness.table import tables
from swapmark.errors import TrainingError
from swapmark.training.checkpoint import checkpoint_paths, load_checkpoint
from swapmark.training.run import Run


@pytest.fixture
def bench(plan_values, data, tmp_path):
    """Runs a plan with some of it changed; gives the exit status and the records."""

    def run(*flags: str, place="a", **changes) -> tuple[int, list[dict]]:
        path = tmp_path / "plan.yaml"
        path.write_text(yaml.safe_dump(plan_values | changes, sort_keys=False), encoding="utf-8")
        results = tmp_path / place / "q.jsonl"
        places = ["--runs", str(tmp_path / place), "--results", str(results)]
        status = quality.main(
            ["run", str(path), "--data", str(data), *places, "--quiet", *flags],
        )
        return status, read_records(results)

    return run


ONE = {"methods": {"c3": {"method": "c3"}}}


def test_every_cell_is_run_and_recorded_with_what_it_rests_on(bench):
    methods = {name: {"method": name} for name in ("imm", "c3", "untrained")}
    status, records = bench(methods=methods, seeds=[0, 1])
    assert status == 0
    assert [(record["method"], record["seed"]) for record in records] == [
        *(("imm", 0), ("c3", 0), ("untrained", 0)),
        *(("imm", 1), ("c3", 1), ("untrained", 1)),
    ]
    first = records[0]
    assert (first["steps"], first["images_seen"], first["images"]) == (6, 24, 20)
    assert first["scores"]["drawn"]["forward.imm.nme"] > 0
    assert len(first["scores"]["drawn"]["per_point"]["forward.imm"]) > 1
    assert first["config"]["training"]["steps"] == 6
    assert re.fullmatch("[0-9a-f]{7,}", first["commit"] or "0000000")
    assert {"threads", "torch", "processor", "load", "spread", "ended"} <= first.keys()
    assert records[2]["steps"] == 0
    text = tables(records)
    assert text.count("| `imm`") == text.count("| `untrained`") == 1


def test_a_cell_with_a_result_is_not_run_again_unless_asked(bench, capsys):
    bench(**ONE)
    capsys.readouterr()
    _, records = bench(**ONE)
    assert len(records) == 1
    assert "has a result already" in capsys.readouterr().out
    _, records = bench("--again", **ONE)
    assert len(records) == 2


def test_a_stopped_cell_goes_on_from_its_checkpoint(bench, monkeypatch, tmp_path):
    curve = {**ONE, "curve": 3}
    _, (whole,) = bench(place="whole", **curve)
    keep, calls = running.shutil.copytree, []

    def stop_at_the_second(*arguments, **options):
        calls.append(arguments)
        if len(calls) == 2:
            raise KeyboardInterrupt
        return keep(*arguments, **options)

    monkeypatch.setattr(running.shutil, "copytree", stop_at_the_second)
    status, records = bench(place="cut", **curve)
    assert (status, records) == (130, [])
    stopped = Run(tmp_path / "cut" / whole["key"])
    assert checkpoint_paths(stopped.checkpoints)[0].name == "step-0000002.pt"
    status, (record,) = bench(place="cut", **curve)
    assert status == 0
    assert record["scores"] == whole["scores"]
    run = Run(tmp_path / "whole" / whole["key"])
    assert load_checkpoint(run.checkpoints)[0]["step"] == 6
    assert (run.model / "model.safetensors").read_bytes() == (
        stopped.model / "model.safetensors"
    ).read_bytes()


def test_a_cell_that_fails_is_recorded_and_the_others_are_run(bench, monkeypatch, capfd):
    train = running.train

    def fail_for_imm(*arguments, **options):
        if options.get("method") == "imm":
            raise TrainingError("The loss is not a finite number at step 3.")
        return train(*arguments, **options)

    monkeypatch.setattr(running, "train", fail_for_imm)
    status, records = bench()
    assert status == 1
    assert records[0]["error"] == "TrainingError: The loss is not a finite number at step 3."
    assert "scores" in records[1]
    monkeypatch.setattr(running, "train", train)
    status, records = bench()
    assert status == 0
    assert [record["method"] for record in records] == ["imm", "c3", "imm"]


def test_a_score_on_halves_of_fit_has_no_interval_over_images(bench):
    _, (record,) = bench(**ONE, score="fit-halves")
    scores = record["scores"]["drawn"]
    assert scores["forward.imm.nme"] > 0
    assert not [name for name in scores if name.endswith("interval")]


def test_a_budget_of_time_becomes_steps(bench):
    _, (record,) = bench(**ONE, budget={"minutes": 0.005})
    assert record["budget"] == "0.005 minutes"
    assert record["steps"] >= 1
    assert record["config"]["training"]["steps"] == record["steps"]


def test_a_budget_of_images_is_the_same_for_every_batch_size(bench):
    methods = {
        "small": {"method": "imm", "settings": {"training.batch_size": 2}},
        "large": {"method": "imm", "settings": {"training.batch_size": 6}},
    }
    _, records = bench(methods=methods, budget={"images": 12})
    assert [record["steps"] for record in records] == [6, 2]
    assert [record["images_seen"] for record in records] == [12, 12]


def test_a_run_is_scored_along_its_way_and_drawn(bench, tmp_path):
    _, records = bench(**ONE, curve=3, seeds=[0, 1])
    assert [point["step"] for point in records[0]["curve"]] == [1, 2, 6]
    assert [point["images_seen"] for point in records[0]["curve"]] == [4, 8, 24]
    last = records[0]["curve"][-1]
    assert last["scores"] == records[0]["scores"]
    assert not list(tmp_path.glob("a/faces/*/curve"))
    results, out = str(tmp_path / "a" / "q.jsonl"), tmp_path / "curve.png"
    assert quality.main(["curve", results, "--label", "drawn", "--out", str(out)]) == 0
    assert out.read_bytes().startswith(b"\x89PNG")


def test_a_curve_of_runs_that_have_none_is_refused(bench, tmp_path, capsys):
    bench(**ONE)
    arguments = ["curve", str(tmp_path / "a" / "q.jsonl"), "--label", "drawn"]
    assert quality.main([*arguments, "--out", str(tmp_path / "curve.png")]) == 1
    assert "curve: 6" in capsys.readouterr().err


def test_a_plan_that_cannot_be_carried_out_is_refused_without_a_traceback(bench, capsys):
    status, records = bench(**ONE, settings={"model.landmark": 3})
    assert (status, records) == (1, [])
    assert capsys.readouterr().err.startswith("c3 on faces:")


def test_the_tables_replace_what_is_between_the_marks_alone(bench, tmp_path):
    bench(**ONE)
    page = tmp_path / "results.md"
    page.write_text(f"before\n{quality.BEGIN}\nold\n{quality.END}\nafter\n", encoding="utf-8")
    arguments = ["table", str(tmp_path / "a" / "q.jsonl"), "--out", str(page)]
    assert quality.main(arguments) == 0
    text = page.read_text("utf-8")
    assert text.startswith("before\n")
    assert text.endswith("\nafter\n")
    assert "| `c3`" in text
    assert "old" not in text
    assert quality.main(arguments) == 0
    assert page.read_text("utf-8") == text


def test_a_page_without_marks_is_left_as_it_is(tmp_path, capsys):
    page = tmp_path / "results.md"
    page.write_text("mine", encoding="utf-8")
    assert quality.main(["table", str(tmp_path / "q.jsonl"), "--out", str(page)]) == 1
    assert page.read_text("utf-8") == "mine"
    assert quality.BEGIN in capsys.readouterr().err


def test_results_md_has_the_marks():
    page = Path(quality.__file__).parents[1] / "docs" / "results.md"
    text = page.read_text("utf-8")
    assert text.index(quality.BEGIN) < text.index(quality.END)
