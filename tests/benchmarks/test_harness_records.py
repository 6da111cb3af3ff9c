"""Lines of results survive crashes and other processes; a cell is worked on by one process."""

import subprocess
import sys
import time
from dataclasses import replace

import pytest

from harness.cells import Cell, is_finished
from harness.plan import Budget
from harness.records import append_record, lock
from swapmark.training.run import read_json_lines

APPEND = """
import sys
from pathlib import Path
sys.path.insert(0, sys.argv[1])
from harness.records import append_record
from swapmark.training.run import read_json_lines
for number in range(50):
    append_record(Path(sys.argv[2]), {"writer": sys.argv[3], "number": number, "text": "é" * 5000})
"""


@pytest.fixture
def script(pytestconfig):
    """Starts Python code in another process."""

    def start(code: str, *arguments: str) -> subprocess.Popen:
        command = [sys.executable, "-c", code, str(pytestconfig.rootpath / "benchmarks")]
        return subprocess.Popen([*command, *arguments], stdout=subprocess.PIPE, text=True)

    return start


def test_lines_of_two_processes_are_all_there_and_whole(script, tmp_path):
    path = tmp_path / "results" / "q.jsonl"
    for process in [script(APPEND, str(path), writer) for writer in "ab"]:
        process.communicate()
        assert process.returncode == 0
    found = {(record["writer"], record["number"]) for record in read_json_lines(path)}
    assert found == {(writer, number) for writer in "ab" for number in range(50)}


def test_a_line_that_was_cut_short_loses_itself_alone(tmp_path):
    path = tmp_path / "q.jsonl"
    path.write_text('{"a": 1}\n{"a": 2, "b', encoding="utf-8")
    append_record(path, {"a": 3})
    assert read_json_lines(path) == [{"a": 1}, {"a": 3}]


def test_there_are_no_results_before_the_first(tmp_path):
    assert read_json_lines(tmp_path / "q.jsonl") == []


def test_a_cell_with_a_result_is_finished_whatever_the_commit(plan):
    cell = Cell(plan, "faces", "c3", 0)
    done = cell.record() | {"scores": {}, "commit": "0123456"}
    assert is_finished([done], cell)
    assert not is_finished([done], Cell(plan, "faces", "c3", 1))
    assert not is_finished([done], Cell(plan, "faces", "imm", 0))
    longer = replace(plan, budget=Budget(steps=7))
    assert not is_finished([done], Cell(longer, "faces", "c3", 0))


def test_a_cell_that_failed_is_not_finished(plan):
    cell = Cell(plan, "faces", "c3", 0)
    failed = cell.record() | {"error": "TrainingError: the loss is not a number"}
    assert not is_finished([failed], cell)
    assert is_finished([failed, cell.record()], cell)


HOLD = """
import sys, time
from pathlib import Path
sys.path.insert(0, sys.argv[1])
from harness.records import lock
from swapmark.training.run import read_json_lines
with lock(Path(sys.argv[2])) as holder:
    print(holder, flush=True)
    time.sleep(60)
"""


@pytest.fixture
def holder(script, tmp_path):
    """Another process that holds the lock file `c.lock`."""
    process = script(HOLD, str(tmp_path / "c.lock"))
    assert process.stdout is not None
    assert process.stdout.readline() == "None\n"
    yield process
    process.kill()
    process.wait()
    process.stdout.close()


def test_a_cell_of_another_process_is_left_to_it(holder, tmp_path):
    with lock(tmp_path / "c.lock") as held_by:
        assert held_by == holder.pid


def test_a_lock_whose_process_was_killed_is_taken_over(holder, tmp_path):
    holder.kill()
    holder.wait()
    assert (tmp_path / "c.lock").read_text() == f"{holder.pid}\n"
    with lock(tmp_path / "c.lock") as held_by:
        assert held_by is None


def test_a_lock_ends_with_its_block_also_by_an_error(tmp_path):
    with pytest.raises(KeyboardInterrupt), lock(tmp_path / "c.lock"):
        raise KeyboardInterrupt
    started = time.monotonic()
    with lock(tmp_path / "c.lock") as held_by:
        assert held_by is None
    assert time.monotonic() - started < 5
