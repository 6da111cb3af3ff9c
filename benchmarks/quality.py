"""How good are the landmarks? Methods × data sets × seeds at one budget, and tables of it.

    python benchmarks/quality.py run benchmarks/quality.yaml --data FOLDER
    python benchmarks/quality.py table benchmarks/results/quality.jsonl --out docs/results.md

What the plan can say is in benchmarks/harness/plan.py, an example in benchmarks/quality.yaml. A cell
is a method on a data set with a seed; each that ends is a line of the results and is not run
again. Stop with Ctrl-C whenever you like: the same command goes on where it stopped. Start it
twice to use two cores; each cell is run by one of them.
"""

import argparse
import sys
import traceback
from pathlib import Path

from harness.cell import describe, remove_snapshots, run_cell
from harness.machine import commit
from harness.plan import Cell, read_plan
from harness.records import append_record, is_finished, lock, read_records
from harness.table import tables
from swapmark.atomic import write_text
from swapmark.errors import SwapmarkError

HERE = Path(__file__).resolve().parent
RESULTS = HERE / "results" / "quality.jsonl"
BEGIN, END = "<!-- quality.py table: begin -->", "<!-- quality.py table: end -->"


def run(options: argparse.Namespace) -> int:
    """Run every cell of the plan that has no result and that nobody else is at work on."""
    plan = read_plan(options.plan, options.data)
    code = commit()
    failed = busy = 0
    for cell in plan.cells():
        with lock(options.runs / "locks" / f"{cell.key.replace('/', '-')}.lock") as holder:
            if holder is not None:
                busy += 1
                print(f"{cell.key}: process {holder} is at work on it.", flush=True)
                continue
            if is_finished(read_records(options.results), cell.key) and not options.again:
                print(f"{cell.key}: has a result already.", flush=True)
                continue
            print(f"{cell.key}: begins.", flush=True)
            record = _attempt(cell, options) | code
            append_record(options.results, record)
            remove_snapshots(options.runs / cell.key)
            failed += "error" in record
            print(f"{cell.key}: {_summary(record)}", flush=True)
    if busy:
        print(f"{busy} cells were left to other processes; run this again to see them ended.")
    if failed:
        print(f"{failed} cells failed and are tried again by the same command.", file=sys.stderr)
    return 1 if failed else 0


def _attempt(cell: Cell, options: argparse.Namespace) -> dict:
    """The record of a cell, or of its failure: the others are to be run all the same."""
    try:
        return run_cell(
            cell, options.data, options.runs, again=options.again, progress=options.progress
        )
    except Exception as error:
        traceback.print_exc()
        return describe(cell) | {"error": f"{type(error).__name__}: {error}"}


def _summary(record: dict) -> str:
    if "error" in record:
        return f"failed: {record['error']}"
    scores = ", ".join(f"{k} {v['forward.imm.nme']:.2f} %" for k, v in record["scores"].items())
    warnings = f"; {', '.join(record['warnings'])}" if record.get("warnings") else ""
    return f"{scores} after {record['steps']} steps, {record['seconds']:.0f} s{warnings}."


def table(options: argparse.Namespace) -> int:
    """Print the tables, or put them between the two marks of a file."""
    text = tables([record for path in options.results for record in read_records(path)])
    if options.out is None:
        print(text)
        return 0
    old = options.out.read_text(encoding="utf-8") if options.out.exists() else f"{BEGIN}\n{END}\n"
    before, begin, rest = old.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        print(
            f"{options.out} has no lines {BEGIN} and {END}: put them where the tables belong.",
            file=sys.stderr,
        )
        return 1
    write_text(options.out, f"{before}{BEGIN}\n\n{text}\n{END}{after}")
    return 0


def parser() -> argparse.ArgumentParser:
    """What the command line can say."""
    top = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    commands = top.add_subparsers(required=True)
    one = commands.add_parser("run", help="run what has no result yet")
    one.add_argument("plan", type=Path, help="YAML file")
    one.add_argument("--data", type=Path, required=True, help="folder of the files it names")
    one.add_argument("--runs", type=Path, default=Path("runs/quality"), help="place of the runs")
    one.add_argument("--results", type=Path, default=RESULTS, help="file that a line is added to")
    one.add_argument("--again", action="store_true", help="run cells with a result once more")
    one.add_argument("--quiet", dest="progress", action="store_false", help="no bar for each run")
    one.set_defaults(call=run)
    two = commands.add_parser("table", help="Markdown tables of results")
    two.add_argument("results", type=Path, nargs="+", help="files written by run")
    two.add_argument("--out", type=Path, help="file with two marks, between which they are put")
    two.set_defaults(call=table)
    return top


def main(arguments: list[str] | None = None) -> int:
    """Run a command; what is wrong with the input is said without a traceback."""
    options = parser().parse_args(arguments)
    try:
        return options.call(options)
    except SwapmarkError as error:
        print(error, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("Stopped; the same command goes on from here.", file=sys.stderr)
        return 130


if __name__ == "__main__":
    sys.exit(main())
