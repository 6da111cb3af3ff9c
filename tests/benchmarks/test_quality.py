"""The commands of benchmarks/quality.py, on drawn faces in seconds."""

import json
from pathlib import Path

import pytest
import quality

from harness import running
from swapmark.errors import InputError, TrainingError
from swapmark.files import read_json_lines


@pytest.fixture
def bench(write_plan, data, tmp_path):
    """Runs the plan with some of it changed; gives the exit status and the records."""

    def run(again: bool = False, part: str = "1/1", **changes) -> tuple[int, list[dict]]:
        results = tmp_path / "q.jsonl"
        places = {"data": data, "runs": tmp_path / "runs", "results": results}
        status = quality.run(write_plan(**changes), part=part, again=again, **places)
        return status, read_json_lines(results)

    return run


def test_a_cell_that_fails_is_recorded_and_tried_again_and_the_others_are_run_once(
    bench, monkeypatch
):
    train = running.swapmark.train

    def fail_for_imm(*arguments, **options):
        if options.get("method") == "imm":
            raise TrainingError("The loss is not a finite number at step 3.")
        return train(*arguments, **options)

    with monkeypatch.context() as patch:
        patch.setattr(running.swapmark, "train", fail_for_imm)
        status, records = bench()
    assert (status, "error" in records[0], "scores" in records[1]) == (1, True, True)
    assert bench(part="2/2") == (0, records)
    status, records = bench()
    assert (status, [record["method"] for record in records]) == (0, ["imm", "c3", "imm"])
    last = records[-1]
    assert (last["steps"], last["images_seen"], last["images"]) == (6, 24, 20)
    assert last["scores"]["drawn"]["forward.imm.nme"] > 0
    assert {"commit", "command", "seed", "seconds", "spread", "torch", "ended"} <= last.keys()


def test_a_stopped_cell_goes_on_and_has_the_curve_of_one_that_was_not(bench, monkeypatch, tmp_path):
    settings = {"methods": {"c3": {}}, "curve": 3}
    keep, kept = running.shutil.copytree, []

    def stop_at_the_second(*arguments, **options):
        kept.append(keep(*arguments, **options))
        if len(kept) == 2:
            raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(running.shutil, "copytree", stop_at_the_second)
        with pytest.raises(KeyboardInterrupt):
            bench(**settings)
    _, (stopped,) = bench(**settings)
    _, (_, whole) = bench(**settings, again=True)
    assert [point["step"] for point in whole["curve"]] == [1, 2, 6]
    assert stopped["curve"] == whole["curve"]
    assert whole["curve"][-1]["scores"] == whole["scores"]
    out = tmp_path / "curve.png"
    quality.curve(tmp_path / "q.jsonl", title="faces: drawn, 32 px, 6 steps, test", out=out)
    assert out.read_bytes().startswith(b"\x89PNG")
    with pytest.raises(InputError, match="6 steps"):
        quality.curve(tmp_path / "q.jsonl", title="faces", out=out)


def test_a_budget_of_time_becomes_steps_and_folds_leave_the_test_images_alone(bench):
    _, (record,) = bench(budget={"minutes": 0.02}, methods={"c3": {}}, score="fit-folds")
    assert record["steps"] >= 1
    assert record["scores"]["drawn"]["forward.imm.nme"] > 0


def test_the_tables_replace_what_is_between_the_marks_alone(tmp_path):
    results, page = Path(quality.RESULTS), tmp_path / "results.md"
    page.write_text(f"before\n{quality.BEGIN}\nreplaced\n{quality.END}\nafter\n", encoding="utf-8")
    quality.table(results, out=page)
    text = page.read_text("utf-8")
    assert text.startswith("before\n")
    assert text.endswith("\nafter\n")
    assert "| `c3`" in text
    assert "replaced" not in text
    page.write_text("mine", encoding="utf-8")
    with pytest.raises(InputError, match="lacks a mark"):
        quality.table(results, out=page)


def test_a_line_that_was_cut_short_loses_itself_alone(tmp_path):
    path = tmp_path / "q.jsonl"
    path.write_text('{"a": 1}\n{"a": 2, "b', encoding="utf-8")
    quality.append_line(path, {"a": 3})
    assert [json.loads(line) for line in path.read_text().splitlines()[::2]] == [{"a": 1}, {"a": 3}]
