"""The commands of benchmarks/quality.py, on drawn faces in seconds."""

import re
from pathlib import Path
from unittest.mock import Mock

import pytest
import quality
import yaml

from harness import running
from harness.table import tables
from swapmark.errors import TrainingError
from swapmark.training.checkpoint import checkpoint_paths
from swapmark.training.run import Run, read_json_lines

ONE = {"methods": {"c3": {"method": "c3"}}}
CURVE = ONE | {"curve": 3}


def run_plan(values: dict, data: Path, place: Path, *flags: str) -> tuple[int, list[dict]]:
    """Runs a plan in a folder; gives the exit status and the records."""
    place.mkdir(exist_ok=True)
    plan, results = place / "plan.yaml", place / "q.jsonl"
    plan.write_text(yaml.safe_dump(values, sort_keys=False), encoding="utf-8")
    places = ["--data", str(data), "--runs", str(place), "--results", str(results)]
    status = quality.main(["run", str(plan), *places, "--quiet", *flags])
    return status, read_json_lines(results)


@pytest.fixture
def bench(plan_values, data, tmp_path):
    """Runs the plan with some of it changed, always in the same folder."""

    def run(*flags: str, **changes) -> tuple[int, list[dict]]:
        return run_plan(plan_values | changes, data, tmp_path / "bench", *flags)

    return run


@pytest.fixture(scope="session")
def whole(plan_values, data, tmp_path_factory) -> Path:
    """Where two seeds of c3 were run to their end, scored along the way."""
    place = tmp_path_factory.mktemp("whole")
    assert run_plan(plan_values | CURVE | {"seeds": [0, 1]}, data, place)[0] == 0
    return place


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


def test_a_stopped_cell_goes_on_from_its_checkpoint(bench, whole, monkeypatch, tmp_path):
    keep, calls = running.shutil.copytree, []

    def stop_at_the_second(*arguments, **options):
        calls.append(arguments)
        if len(calls) == 2:
            raise KeyboardInterrupt
        return keep(*arguments, **options)

    monkeypatch.setattr(running.shutil, "copytree", stop_at_the_second)
    assert bench(**CURVE) == (130, [])
    expected = read_json_lines(whole / "q.jsonl")[0]
    stopped = Run(tmp_path / "bench" / expected["key"])
    assert checkpoint_paths(stopped.checkpoints)[0].name == "step-0000002.pt"
    began = stopped.config.stat().st_mtime_ns
    status, (record,) = bench(**CURVE)
    assert status == 0
    assert stopped.config.stat().st_mtime_ns == began, "it began anew"
    assert record["scores"] == expected["scores"]
    weights = "model/model.safetensors"
    ended = whole / expected["key"]
    assert (stopped.path / weights).read_bytes() == (ended / weights).read_bytes()


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


def test_a_run_is_scored_along_its_way_and_drawn(whole, tmp_path):
    record = read_json_lines(whole / "q.jsonl")[0]
    assert [point["step"] for point in record["curve"]] == [1, 2, 6]
    assert [point["images_seen"] for point in record["curve"]] == [4, 8, 24]
    scores = [point["scores"] for point in record["curve"]]
    assert scores[-1] == record["scores"]
    assert scores[0] != scores[1] != scores[2], "each is of a model of its own"
    assert not list(whole.glob("faces/*/curve"))
    out = tmp_path / "curve.png"
    arguments = ["curve", str(whole / "q.jsonl"), "--label", "drawn", "--out", str(out)]
    assert quality.main(arguments) == 0
    assert out.read_bytes().startswith(b"\x89PNG")


def test_the_end_of_a_run_is_scored_once(bench, monkeypatch):
    count = Mock(wraps=running.score)
    monkeypatch.setattr(running, "score", count)
    _, records = bench(**CURVE)
    assert count.call_count == len(records[0]["curve"]) == 3


def test_a_curve_of_runs_of_several_sizes_asks_for_one(bench, plan_values, tmp_path, capsys):
    bench(**CURVE)
    bench(**CURVE | {"settings": plan_values["settings"] | {"model.image_size": 48}})
    results, out = tmp_path / "bench" / "q.jsonl", tmp_path / "curve.png"
    arguments = ["curve", str(results), "--label", "drawn", "--out", str(out)]
    assert quality.main(arguments) == 1
    assert "faces, 32 px, " in (told := capsys.readouterr().err)
    assert "--size" in told
    assert not out.exists()
    assert quality.main([*arguments, "--size", "48 px"]) == 0
    assert out.read_bytes().startswith(b"\x89PNG")
    assert quality.main([*arguments, "--size", "48"]) == 1
    assert "No run of 48 has a curve" in capsys.readouterr().err


def test_a_curve_of_runs_of_several_budgets_asks_for_one(bench, tmp_path, capsys):
    bench(**CURVE)
    bench(**CURVE | {"budget": {"steps": 4}})
    results, out = tmp_path / "bench" / "q.jsonl", tmp_path / "curve.png"
    arguments = ["curve", str(results), "--label", "drawn", "--out", str(out)]
    assert quality.main(arguments) == 1
    told = capsys.readouterr().err
    assert "of 2 kinds" in told
    assert "--budget" in told
    assert not out.exists()
    assert quality.main([*arguments, "--budget", "4 steps"]) == 0
    assert out.read_bytes().startswith(b"\x89PNG")
    assert quality.main([*arguments, "--budget", "5 steps"]) == 1
    assert "No run of 5 steps has a curve" in capsys.readouterr().err


def test_a_curve_of_runs_that_have_none_is_refused(bench, tmp_path, capsys):
    bench(**ONE)
    arguments = ["curve", str(tmp_path / "bench" / "q.jsonl"), "--label", "drawn"]
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
    arguments = ["table", str(tmp_path / "bench" / "q.jsonl"), "--out", str(page)]
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
