"""How good are the landmarks? Methods × data sets × seeds at one budget, tables and curves of it.

    python benchmarks/quality.py run benchmarks/quality.yaml --data FOLDER
    python benchmarks/quality.py table benchmarks/results/quality.jsonl --out docs/results.md
    python benchmarks/quality.py curve benchmarks/results/quality.jsonl --label lfw

What a plan can say is in benchmarks/harness/plan.py, an example in benchmarks/quality.yaml. A cell
is a method on a data set with a seed; each that ends is a line of the results and is not run
again. Stop with Ctrl-C whenever you like: the same command goes on where it stopped. Start it
twice to use two cores; each cell is run by one of them.
"""

import argparse
import sys
import traceback
from datetime import UTC, datetime
from pathlib import Path

from harness.cells import Cell, cells_of, is_finished
from harness.check import check_plan
from harness.curve import draw_curve
from harness.machine import commit
from harness.plan import read_plan
from harness.records import append_record, lock
from harness.running import remove_snapshots, run_cell
from harness.table import Kind, tables
from swapmark.errors import InputError, SwapmarkError
from swapmark.files import write_text
from swapmark.training.run import read_json_lines

HERE = Path(__file__).resolve().parent
RESULTS = HERE / "results" / "quality.jsonl"
CURVE = HERE.parent / "docs" / "images" / "quality-curve.png"
BEGIN, END = "<!-- quality.py table: begin -->", "<!-- quality.py table: end -->"


def run(options: argparse.Namespace) -> int:
    """Run every cell of the plan that has no result and that nobody else is at work on."""
    plan = read_plan(options.plan)
    check_plan(plan, options.data)
    code = commit()
    failed = busy = 0
    for cell in cells_of(plan):
        key = cell.key
        with lock(options.runs / f"{key}.lock") as holder:
            if holder is not None:
                busy += 1
                print(f"{key}: process {holder} is at work on it.", flush=True)
                continue
            if is_finished(read_json_lines(options.results), cell) and not options.again:
                print(f"{key}: has a result already.", flush=True)
                continue
            print(f"{key}: begins.", flush=True)
            record = {"key": key, **cell.record(), **_attempt(cell, options), **code}
            record["ended"] = datetime.now(UTC).isoformat(timespec="seconds")
            append_record(options.results, record)
            remove_snapshots(options.runs / key)
            failed += "error" in record
            print(f"{key}: {_summary(record)}", flush=True)
    if busy:
        print(f"Left to other processes: {busy}; run this again to see them ended.")
    if failed:
        print(f"Failed: {failed}; the same command tries again.", file=sys.stderr)
    return 1 if failed else 0


def _attempt(cell: Cell, options: argparse.Namespace) -> dict:
    """What a cell gave, or its failure: the others are to be run all the same."""
    try:
        return run_cell(
            cell, options.data, options.runs, again=options.again, progress=options.progress
        )
    except Exception as error:
        traceback.print_exc()
        return {"error": f"{type(error).__name__}: {error}"}


def _summary(record: dict) -> str:
    if "error" in record:
        return f"failed: {record['error']}"
    scores = ", ".join(f"{k} {v['forward.imm.nme']:.2f} %" for k, v in record["scores"].items())
    warnings = f"; {', '.join(record['warnings'])}" if record.get("warnings") else ""
    return f"{scores} after {record['steps']} steps, {record['seconds']:.0f} s{warnings}."


def table(options: argparse.Namespace) -> int:
    """Print the tables, or put them between the two marks of a file."""
    text = tables([record for path in options.results for record in read_json_lines(path)])
    if options.out is None:
        print(text)
        return 0
    old = options.out.read_text(encoding="utf-8") if options.out.exists() else f"{BEGIN}\n{END}\n"
    before, begin, rest = old.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise InputError(
            f"{options.out} lacks the line {END if begin else BEGIN}. Put {BEGIN} and {END} where "
            f"the tables belong."
        )
    write_text(options.out, f"{before}{BEGIN}\n\n{text}\n{END}{after}")
    return 0


def curve(options: argparse.Namespace) -> int:
    """Draw errors against images seen, of runs of a plan with `curve`."""
    records = [record for path in options.results for record in read_json_lines(path)]
    chosen = {name: getattr(options, name) for name in Kind._fields}
    draw_curve(records, options.label, options.out, **chosen)
    print(f"{options.out} is written.")
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
    three = commands.add_parser("curve", help="picture of errors along the runs")
    three.add_argument("results", type=Path, nargs="+", help="files written by run")
    three.add_argument("--label", required=True, help="annotated file, by its label in the plan")
    for name, example in zip(Kind._fields, ("faces", "64 px", "4800 images", "test"), strict=True):
        three.add_argument(f"--{name}", help=f"such as {example!r}, where they are of several")
    three.add_argument("--out", type=Path, default=CURVE, help="PNG file, replaced")
    three.set_defaults(call=curve)
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
