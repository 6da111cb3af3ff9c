"""Markdown tables of recorded results: means over seeds, and nothing that was not measured."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from statistics import mean
from typing import NamedTuple

from harness.cells import same_cell, setup_of
from harness.intervals import with_interval

PROTOCOL = "imm"
BASELINE = "imm"
BASELINE_PLUS = "imm-plus"
RECIPE = "c3"


class Kind(NamedTuple):
    """Runs of one kind are rows of one table and lines of one picture."""

    dataset: str
    size: str
    """Of the pictures that the nets see, such as `64 px`."""
    budget: str
    score: str


@dataclass(frozen=True)
class Row:
    """A method in one setup."""

    method: str
    setup: str
    runs: dict[int, dict]
    """By seed."""
    name: str = ""
    """The method, with its setup where the method is there in several."""

    def values(self, get: Callable[[dict], float | None]) -> list[float]:
        """One number of each run, in the order of the seeds, where it is known."""
        found = [get(self.runs[seed]) for seed in sorted(self.runs)]
        return [value for value in found if value is not None]


def tables(records: list[dict]) -> str:
    """A section for every data set, size of the pictures, budget, way to score, annotated file."""
    good = latest(record for record in records if "error" not in record)
    if not good:
        return "No run has ended yet.\n"
    sections: dict[Kind, list[dict]] = {}
    for record in good:
        sections.setdefault(kind_of(record), []).append(record)
    parts = []
    for kind, runs in sections.items():
        for label in dict.fromkeys(label for run in runs for label in run["scores"]):
            of_label = [run for run in runs if label in run["scores"]]
            parts.append(_section(kind, label, of_label))
    return "\n".join([*parts, *_failures(records, good)])


def latest(records: Iterable[dict]) -> list[dict]:
    """Of every cell the last record, in the order of the first."""
    found: dict[tuple, dict] = {}
    for record in records:
        found[(record.get("dataset"), record["method"], record["seed"], setup_of(record))] = record
    return list(found.values())


def kind_of(record: dict) -> Kind:
    """What runs have to share to be compared."""
    return Kind(
        record.get("dataset", ""),
        f"{record['config']['model']['image_size']} px",
        record.get("budget", ""),
        record.get("score", "test"),
    )


def rows_of(runs: list[dict]) -> list[Row]:
    """The runs by method and setup, in the order in which they were first recorded."""
    rows: dict[tuple[str, str], Row] = {}
    for run in runs:
        place = (run["method"], setup_of(run))
        rows.setdefault(place, Row(*place, {})).runs[run["seed"]] = run
    methods = [row.method for row in rows.values()]
    return [
        replace(row, name=row.method if methods.count(row.method) == 1 else " ".join(place))
        for place, row in rows.items()
    ]


def nme(label: str, direction: str = "forward") -> Callable[[dict], float | None]:
    """Reads the error on an annotated file out of a record."""
    return lambda run: run["scores"].get(label, {}).get(f"{direction}.{PROTOCOL}.nme")


def _section(kind: Kind, label: str, runs: list[dict]) -> str:
    rows = sorted(rows_of(runs), key=lambda row: -mean(row.values(nme(label)) or [0]))
    baseline = next((row for row in rows if row.method == BASELINE), None)
    parts = (f"{kind.dataset}: {label}".lstrip(": "), kind.size, kind.budget, kind.score)
    title = ", ".join(part for part in parts if part)
    lines = [
        f"### {title}",
        "",
        "| method | seeds | steps | minutes | forward NME, % | each seed | of imm | "
        "backward NME, % | spread |",
        "|---|---|---|---|---|---|---|---|---|",
        _mean_shape(label, runs),
    ]
    for row in rows:
        lines.append(_line(row, label, baseline))
    lines += ["", *_differences(rows, label), *_circumstances(runs), ""]
    return "\n".join(lines)


def _line(row: Row, label: str, baseline: Row | None) -> str:
    forward = row.values(nme(label))
    minutes = row.values(lambda run: run["seconds"] / 60)
    spread = row.values(lambda run: run.get("spread"))
    ratio = "–"
    if baseline and forward and (reference := baseline.values(nme(label))):
        ratio = f"{100 * mean(forward) / mean(reference):.0f} %"
    cells = [
        f"`{row.name}`" + _collapsed(row),
        str(len(row.runs)),
        _range(row.values(lambda run: run["steps"]), 0),
        _range(minutes, 1),
        _shown(row, label, "forward"),
        ", ".join(f"{value:.2f}" for value in forward),
        ratio,
        _shown(row, label, "backward"),
        f"{mean(spread):.3f}" if spread else "–",
    ]
    return "| " + " | ".join(cells) + " |"


def _shown(row: Row, label: str, direction: str) -> str:
    """Mean ± t-interval over seeds; of one seed the bootstrap interval over images, named so."""
    values = row.values(nme(label, direction))
    if not values:
        return "–"
    if len(values) > 1:
        return with_interval(values)
    (run,) = (run for run in row.runs.values() if nme(label, direction)(run) is not None)
    interval = run["scores"][label].get(f"{direction}.{PROTOCOL}.nme_interval")
    images = f" ({interval[0]:.2f} – {interval[1]:.2f} over images)" if interval else ""
    return f"{values[0]:.2f}{images}, one seed"


def _mean_shape(label: str, runs: list[dict]) -> str:
    scores = runs[0]["scores"][label]
    interval = scores.get("mean_shape.nme_interval")
    images = f" ({interval[0]:.2f} – {interval[1]:.2f} over images)" if interval else ""
    return f"| mean shape | – | – | – | {scores['mean_shape.nme']:.2f}{images} | – | – | – | – |"


def _collapsed(row: Row) -> str:
    count = sum("collapse" in run.get("warnings", []) for run in row.runs.values())
    return f" ({count} of {len(row.runs)} collapsed)" if count else ""


def _differences(rows: list[Row], label: str) -> list[str]:
    """For every method the difference to the baseline at the same seeds; for those of C³ that to
    the baseline with our own terms, which is what the swaps are worth; for variants that to C³."""
    compared = {BASELINE: "", BASELINE_PLUS: RECIPE, RECIPE: f"{RECIPE}-"}
    pairs = [
        (row, other)
        for name, beginning in compared.items()
        for other in rows
        if other.method == name
        for row in rows
        if row.method.startswith(beginning)
    ]
    lines = [line for pair in pairs if (line := _difference(*pair, label))]
    return ["Differences in forward NME, seed by seed:", "", *lines, ""] if lines else []


def _difference(row: Row, other: Row, label: str) -> str | None:
    """`row` less `other` at the seeds of both, if it is another row and has any of them."""
    shared = sorted(row.runs.keys() & other.runs.keys())
    scores = [(nme(label)(row.runs[seed]), nme(label)(other.runs[seed])) for seed in shared]
    values = [one - two for one, two in scores if one is not None and two is not None]
    if row is other or not values:
        return None
    note = "one seed, no interval" if len(values) == 1 else f"{len(values)} seeds"
    return f"- `{row.name}` − `{other.name}`: {with_interval(values, sign=True)} ({note})"


def _circumstances(runs: list[dict]) -> list[str]:
    """Where, when and by which code the numbers were made."""

    def all_of(get: Callable[[dict], object]) -> str:
        return ", ".join(sorted({str(value) for run in runs if (value := get(run)) is not None}))

    def code(run: dict) -> str:
        return run["commit"] + (" with changes" if run.get("dirty") else "")

    parts = {
        "Machine": all_of(lambda run: run.get("processor") or run["devices"][0]["description"]),
        "device": all_of(lambda run: run["devices"][0]["name"]),
        "threads": all_of(lambda run: run["threads"]),
        "torch": all_of(lambda run: run["torch"]),
        "ended": all_of(lambda run: run["ended"][:10] if "ended" in run else None),
        "commit": all_of(code),
        "preset": all_of(lambda run: run.get("preset")),
        "with": ", ".join(_shared_settings(runs)),
    }
    return ["; ".join(f"{name} {value}" for name, value in parts.items() if value) + "."]


def _shared_settings(runs: list[dict]) -> list[str]:
    """The settings that every run was given, in place of those of the preset."""
    trained = [run.get("settings", []) for run in runs if not run.get("untrained")]
    return (
        [setting for setting in trained[0] if all(setting in own for own in trained)]
        if trained
        else []
    )


def _range(values: list[float], digits: int) -> str:
    """`1,200`, or `980 – 1,020`."""
    shown = dict.fromkeys(f"{value:,.{digits}f}" for value in (min(values), max(values)))
    return " – ".join(shown)


def _failures(records: list[dict], good: list[dict]) -> list[str]:
    """Cells that failed and have no result since."""
    failed = {}
    for record in records:
        if "error" in record and not any(same_cell(record, other) for other in good):
            failed[record["key"]] = record["error"].splitlines()[0]
    lines = [f"- `{key}`: {error}" for key, error in failed.items()]
    return ["### Without a result", "", *lines, ""] if lines else []
