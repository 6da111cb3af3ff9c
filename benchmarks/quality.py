"""How good are the landmarks? Methods × data sets × seeds at one budget, tables and curves of it.

    python benchmarks/quality.py run benchmarks/quality.yaml --data FOLDER
    python benchmarks/quality.py table benchmarks/results/quality.jsonl --out docs/results.md
    python benchmarks/quality.py curve benchmarks/results/quality.jsonl --title "faces: lfw, …"

What a plan can say is in benchmarks/harness/plan.py. Each run that ends is a line of the results
and is not made again. After Ctrl-C the same command goes on where it stopped. To use two cores,
start it twice, with `--part 1/2` and `--part 2/2`.
"""

import sys
import traceback
from pathlib import Path

from cyclopts import App

from harness.machine import append_line, circumstances
from harness.plan import identity, read_plan
from harness.running import run_cell, training_items
from harness.table import draw_curve, tables
from swapmark.errors import InputError, SwapmarkError
from swapmark.files import read_json_lines, write_text

HERE = Path(__file__).resolve().parent
RESULTS = HERE / "results" / "quality.jsonl"
CURVE = HERE.parent / "docs" / "images" / "quality-curve.png"
BEGIN, END = "<!-- quality.py table: begin -->", "<!-- quality.py table: end -->"

app = App(help=__doc__, help_format="plaintext")


@app.command
def run(
    plan: Path,
    *,
    data: Path,
    runs: Path = Path("runs/quality"),
    results: Path = RESULTS,
    part: str = "1/1",
    again: bool = False,
) -> int:
    """Run every cell of a plan (YAML) that has no result; with `again`, those that have one too.

    One that fails is recorded, does not stop the rest, and is tried again by the next call. With
    `part` 1/2 every second cell is run.
    """
    cells = read_plan(plan)
    for dataset in {cell["dataset"]: cell for cell in cells}.values():
        training_items(dataset, data)  # what would fail after hours fails now
    first, parts = map(int, part.split("/"))
    failed = 0
    for cell in cells[first - 1 :: parts]:
        record, key = dict(cell), cell["key"]
        lines = [line for line in read_json_lines(results) if "error" not in line]
        if not again and identity(cell) in map(identity, lines):
            print(f"{key}: has a result already.", flush=True)
            continue
        try:
            record |= run_cell(cell, data, runs / key, again=again)
        except Exception as error:
            traceback.print_exc()
            record["error"] = f"{type(error).__name__}: {error}"
            failed += 1
        append_line(results, record | circumstances())
        errors = {k: v["forward.imm.nme"] for k, v in record.get("scores", {}).items()}
        print(f"{key}: {record.get('error') or errors}", flush=True)
    return min(failed, 1)


@app.command
def table(results: Path = RESULTS, *, out: Path | None = None) -> None:
    """Print the tables, or put them between the two marks of the file `out`."""
    text = tables(read_json_lines(results))
    if out is None:
        print(text)
        return
    before, begin, rest = out.read_text(encoding="utf-8").partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise InputError(f"{out} lacks a mark. Put {BEGIN} and {END} around the tables.")
    write_text(out, f"{before}{BEGIN}\n\n{text}\n{END}{after}")


@app.command
def curve(results: Path = RESULTS, *, title: str, out: Path = CURVE) -> None:
    """Draw errors against images seen, of the runs in the table `title`."""
    draw_curve(read_json_lines(results), title, out)


if __name__ == "__main__":
    try:
        sys.exit(app())
    except SwapmarkError as error:
        sys.exit(str(error))
