"""The tables show what was measured, and no interval that was not."""

from pathlib import Path

import pytest

from harness.cells import Cell
from harness.intervals import half_width, with_interval
from harness.table import tables
from swapmark.training.config import override
from swapmark.training.run import read_json_lines

LAPTOP = Path(__file__).parents[2] / "benchmarks" / "results" / "laptop.jsonl"


@pytest.fixture
def record(plan):
    """Makes the record of a method at a seed, with an error on LFW."""

    def make(method: str, seed: int, nme: float, **changes) -> dict:
        cell = Cell(plan, "faces", method, seed)
        scores = {
            "mean_shape.nme": 14.0,
            "mean_shape.nme_interval": [13.5, 14.5],
            "forward.imm.nme": nme,
            "forward.imm.nme_interval": [nme - 0.3, nme + 0.4],
            "backward.imm.nme": nme + 2,
        }
        measured = {
            "key": cell.key,
            "steps": 1200,
            "seconds": 90.0,
            "spread": 0.06,
            "threads": 1,
            "devices": [{"name": "cpu", "description": "x86_64"}],
            "torch": "2.13.0",
            "commit": "0123456",
            "dirty": False,
            "ended": "2026-11-24T19:00:00+00:00",
            "scores": {"lfw": scores},
        }
        return cell.record() | measured | changes

    return make


def line(text: str, start: str) -> list[str]:
    """The cells of the one line of a table that starts so."""
    (found,) = (row for row in text.splitlines() if row.startswith(f"| {start}"))
    return [cell.strip() for cell in found.strip("|").split("|")]


def test_the_t_interval_is_that_of_the_textbook():
    # Of 7, 8, 9: standard deviation 1, t at 2 degrees of freedom 4.3027, over the root of 3.
    assert half_width([7.0, 8.0, 9.0]) == pytest.approx(4.3027 / 3**0.5)
    # Of 1 and 2: standard deviation 0.70711, t 12.7062, over the root of 2.
    assert half_width([1.0, 2.0]) == pytest.approx(6.3531)


def test_a_single_value_has_no_interval():
    assert half_width([7.0]) is None
    assert with_interval([7.0]) == "7.00"


def test_seeds_are_averaged_with_their_interval(record):
    text = tables([record("c3", seed, nme) for seed, nme in enumerate((7.0, 8.0, 9.0))])
    cells = line(text, "`c3`")
    assert cells[1] == "3"
    assert cells[4:6] == ["8.00 ± 2.48", "7.00, 8.00, 9.00"]
    assert cells[7] == "10.00 ± 2.48"


def test_of_one_seed_the_interval_over_images_is_shown_and_named(record):
    cells = line(tables([record("c3", 0, 7.0)]), "`c3`")
    assert cells[4] == "7.00 (6.70 – 7.40 over images), one seed"
    assert cells[7] == "9.00, one seed"
    assert "±" not in " ".join(cells)


def test_the_mean_shape_has_its_row(record):
    assert (
        line(tables([record("c3", 0, 7.0)]), "mean shape")[4] == "14.00 (13.50 – 14.50 over images)"
    )


def test_a_method_is_compared_with_imm_at_the_same_seeds(record):
    runs = [record("imm", 0, 8.0), record("imm", 1, 10.0), record("imm", 2, 30.0)]
    text = tables([*runs, record("c3", 0, 7.0), record("c3", 1, 8.0)])
    # Differences -1 and -2; seed 2 has no c3. Half of their interval: 12.7062 * 0.70711 / 1.41421.
    assert "- `c3` − `imm`: -1.50 ± 6.35 (2 seeds)" in text
    assert line(text, "`c3`")[6] == "47 %"  # 7.5 of 16


def differences(record, *names: str) -> list[str]:
    """The lines of differences between methods of which each is better by 1 than the one before."""
    text = tables([record("c3", 0, 8.0 - i) | {"method": name} for i, name in enumerate(names)])
    return [row for row in text.splitlines() if " − " in row]


def test_the_methods_of_c3_are_compared_with_imm_plus_too(record):
    found = differences(record, "imm", "imm-own-warps", "imm-plus", "c3", "c3-no-cycle")
    assert [row for row in found if "− `imm-plus`" in row] == [
        "- `c3` − `imm-plus`: -1.00 (one seed, no interval)",
        "- `c3-no-cycle` − `imm-plus`: -2.00 (one seed, no interval)",
    ]
    assert sum("− `imm`" in row for row in found) == 4


def test_variants_of_c3_are_compared_with_it(record):
    found = differences(record, "imm", "imm-plus", "c3", "c3-no-cycle", "c3-with-flow")
    assert [row for row in found if "− `c3`" in row] == [
        "- `c3-no-cycle` − `c3`: -1.00 (one seed, no interval)",
        "- `c3-with-flow` − `c3`: -2.00 (one seed, no interval)",
    ]


def test_the_difference_of_one_seed_has_no_interval(record):
    text = tables([record("imm", 0, 8.0), record("c3", 0, 7.0)])
    assert "- `c3` − `imm`: -1.00 (one seed, no interval)" in text


def test_a_cell_that_was_run_again_counts_by_its_last_result(record):
    text = tables([record("c3", 0, 7.0), record("c3", 0, 6.0)])
    assert line(text, "`c3`")[4].startswith("6.00")


def test_runs_of_two_setups_are_never_averaged(record):
    other = record("c3", 1, 9.0)
    other["config"] = override(other["config"], {"c3": {"cycle": 0.25}})
    rows = [row for row in tables([record("c3", 0, 7.0), other]).splitlines() if "`c3 " in row]
    assert len([row for row in rows if row.startswith("|")]) == 2


def test_sizes_budgets_and_ways_to_score_have_tables_of_their_own(record):
    larger = record("c3", 0, 6.0)
    larger["config"] = override(larger["config"], {"model": {"image_size": 96}})
    other = record("c3", 0, 8.0, score="fit-halves", budget="9 steps")
    text = tables([record("c3", 0, 7.0), larger, other])
    titles = [row for row in text.splitlines() if row.startswith("### ")]
    assert titles == [
        "### faces: lfw, 32 px, 6 steps, test",
        "### faces: lfw, 96 px, 6 steps, test",
        "### faces: lfw, 32 px, 9 steps, fit-halves",
    ]


def test_a_collapse_is_shown(record):
    runs = [record("c3", 0, 14.0, warnings=["collapse"]), record("c3", 1, 7.0)]
    assert line(tables(runs), "`c3`")[0] == "`c3` (1 of 2 collapsed)"


def test_a_failure_is_shown_until_there_is_a_result(record, plan):
    cell = Cell(plan, "faces", "c3", 0)
    failed = {"key": cell.key, **cell.record(), "error": "TrainingError: not finite\nmore"}
    shown = f"- `{cell.key}`: TrainingError: not finite"
    assert shown in tables([failed, record("imm", 0, 8.0)])
    assert shown not in tables([failed, record("c3", 0, 8.0)])


def test_the_circumstances_are_below_the_table(record):
    own = {"settings": ["training.batch_size=4", "c3.cycle=0"]}
    other = {"settings": ["training.batch_size=4"], "commit": "89abcde", "dirty": True}
    assert (
        "Machine x86_64; device cpu; threads 1; torch 2.13.0; ended 2026-11-24; "
        "commit 0123456, 89abcde with changes; preset laptop; with training.batch_size=4."
        in tables([record("c3", 0, 7.0, **own), record("c3", 1, 7.0, **other)])
    )


def test_without_a_run_it_says_so():
    assert tables([]) == "No run has ended yet.\n"


def test_the_runs_recorded_before_the_harness_are_still_read():
    text = tables(read_json_lines(LAPTOP))
    assert "### lfw, 64 px, test" in text
    assert line(text[text.index("### lfw") :], "`c3`")[4].startswith("7.13 (6.88 – 7.42")
