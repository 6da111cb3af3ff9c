"""The tables show what was measured, and no error that was not."""

from pathlib import Path

import pytest

from harness.plan import read_plan
from harness.table import tables
from swapmark.files import read_json_lines

RESULTS = Path(__file__).parents[2] / "benchmarks" / "results"


@pytest.fixture
def record(write_plan):
    """Makes the record of a method at a seed, with an error on LFW."""
    cells = {cell["method"]: cell for cell in read_plan(write_plan())}

    def make(method: str, seed: int, nme: float, **changes) -> dict:
        scores = {
            "mean_shape.nme": 14.0,
            "forward.imm.nme": nme,
            "forward.imm.nme_interval": [nme - 0.3, nme + 0.4],
            "backward.imm.nme": nme + 2,
        }
        measured = {"method": method, "seed": seed, "steps": 1200, "seconds": 90.0, "spread": 0.06}
        measured |= {"threads": 1, "devices": [{"name": "cpu", "description": "x86_64"}]}
        measured |= {"torch": "2.13.0", "commit": "0123456", "scores": {"lfw": scores}}
        return cells["imm" if method == "imm" else "c3"] | measured | changes

    return make


def line(text: str, start: str) -> list[str]:
    """The cells of the one line of a table that starts so."""
    (found,) = (row for row in text.splitlines() if row.startswith(f"| {start}"))
    return [cell.strip() for cell in found.strip("|").split("|")]


def test_seeds_are_averaged_with_their_standard_error(record):
    text = tables([record("c3", seed, nme) for seed, nme in enumerate((7.0, 8.0, 9.0))])
    cells = line(text, "`c3`")  # standard deviation 1, over the root of 3
    assert cells[1:3] == ["3", "1,200"]
    assert cells[4:6] == ["8.00 ± 0.58", "7.00, 8.00, 9.00"]
    assert cells[7:] == ["10.00 ± 0.58", "0.060"]
    assert line(text, "mean shape")[4] == "14.00"
    cells = line(tables([record("c3", 0, 7.0)]), "`c3`")
    assert cells[4] == "7.00 (6.70 – 7.40 over images), one seed"


def test_methods_are_compared_at_the_same_seeds(record):
    runs = [record("imm", 0, 8.0), record("imm", 1, 10.0), record("imm", 2, 30.0)]
    text = tables([*runs, record("c3", 0, 7.0), record("c3", 1, 8.0), record("c3-no-cycle", 0, 6)])
    assert [row for row in text.splitlines() if " − " in row] == [
        "- `c3` − `imm`: -1.50 ± 0.50 (2 seeds)",
        "- `c3-no-cycle` − `imm`: -2.00 (one seed, no error known)",
        "- `c3-no-cycle` − `c3`: -1.00 (one seed, no error known)",
    ]
    assert line(text, "`c3`")[6] == "47 %"  # 7.5 of 16


def test_the_last_result_of_a_cell_counts(record):
    text = tables([record("c3", 0, 7.0), record("c3", 0, 6.0, following=0.1)])
    assert line(text, "`c3`")[:2] == ["`c3` (1 of 1 collapsed)", "1"]
    assert line(text, "`c3`")[4].startswith("6.00")


def test_two_setups_are_never_averaged(record):
    other = record("c3", 1, 9.0)
    other["config"] = other["config"] | {"c3": other["config"]["c3"] | {"cycle": 0.25}}
    text = tables([record("c3", 0, 7.0), other])
    assert sum(row.startswith("| `c3 ") for row in text.splitlines()) == 2


def test_a_failure_is_shown_until_there_is_a_result(record):
    done = record("c3", 0, 8.0)
    failed = {k: v for k, v in done.items() if k != "scores"} | {"error": "Bad: not finite\nmore"}
    shown = f"- `{done['key']}`: Bad: not finite\n"
    assert shown in tables([failed])
    assert shown not in tables([failed, done])


def test_the_runs_recorded_so_far_are_read():
    text = tables(read_json_lines(RESULTS / "quality.jsonl"))
    section = text[text.index("### faces: lfw, 128 px, 14400 images, test") :]
    assert line(section[: section.index("\n\nMachine")], "`c3`")[4].startswith("4.82 (4.69 – 4.96")
    old = tables(read_json_lines(RESULTS / "laptop.jsonl"))
    assert line(old[old.index("### lfw, 64 px, test") :], "`c3`")[4].startswith("7.13 (6.88 – 7.42")
