"""Markdown tables and curves of recorded results: means over seeds, nothing not measured."""

from itertools import cycle
from pathlib import Path
from typing import Any

import pandas as pd
from matplotlib.figure import Figure

from harness.plan import identity
from swapmark.errors import InputError
from swapmark.files import write_atomically

Frame = Any
"""A pandas table or column; pandas' own annotations leave open which."""
# A method whose name begins with the second is compared with the first, seed by seed.
COMPARED = (("imm", ""), ("imm-plus", "c3"), ("c3", "c3-"))
CELL = ("dataset", "method", "seed", "setup")
HEAD = (
    "| method | seeds | steps | minutes | forward NME, % | each seed | of imm | backward NME, % "
    "| spread |\n|---|---|---|---|---|---|---|---|---|"
)


def results(records: list[dict]) -> Frame:
    """A row a run and annotated file, the last of each cell; what has one title may be compared."""
    rows = []
    for run in records:
        size = f"{run['config']['model']['image_size']} px"
        for label, scores in run.get("scores", {}).items():
            parts = [f"{run.get('dataset', '')}: {label}".lstrip(": "), size, run.get("budget")]
            row = {"title": ", ".join([*filter(None, parts), run.get("score", "test")])}
            row |= dict(zip(CELL, identity(run), strict=True)) | {"label": label}
            row |= {"forward": scores["forward.imm.nme"], "backward": scores["backward.imm.nme"]}
            rows.append({**row, "run": run, "scores": scores})
    frame = pd.DataFrame(rows, columns=None if rows else ["title", *CELL])
    return frame.drop_duplicates(["title", *CELL], keep="last")


def rows_of(runs: Frame) -> dict[str, Frame]:
    """The runs of a title by method, in the order of recording; of two setups by both."""
    groups = [(*key, rows) for key, rows in runs.groupby(["method", "setup"], sort=False)]
    methods = [method for method, _, _ in groups]
    return {
        method if methods.count(method) == 1 else f"{method} {setup}": rows.sort_values("seed")
        for method, setup, rows in groups
    }


def tables(records: list[dict]) -> str:
    """A section for every data set, annotated file, size of the pictures, budget, way to score."""
    parts = [_section(str(t), runs) for t, runs in results(records).groupby("title", sort=False)]
    ended = {run.get("key") for run in records if "error" not in run}
    failed = {run["key"]: run["error"].splitlines()[0] for run in records if "error" in run}
    lines = [f"- `{key}`: {error}" for key, error in failed.items() if key not in ended]
    return "\n".join(parts + (["### Without a result", "", *lines, ""] if lines else []))


def with_error(values: Frame, sign: bool = False) -> str:
    """The mean ± its standard error, or a single value alone."""
    shown = f"{values.mean():{'+' if sign else ''}.2f}"
    return f"{shown} ± {values.sem():.2f}" if len(values) > 1 else shown


def _section(title: str, runs: Frame) -> str:
    rows = dict(sorted(rows_of(runs).items(), key=lambda row: -row[1]["forward"].mean()))
    scores = runs.iloc[0]["scores"]
    shape = f"{scores['mean_shape.nme']:.2f}{_over_images(scores, 'mean_shape')}"
    lines = [f"### {title}", "", HEAD, f"| mean shape | – | – | – | {shape} | – | – | – | – |"]
    reference = rows["imm"]["forward"].mean() if "imm" in rows else None
    lines += [_line(name, row, reference) for name, row in rows.items()] + [""]
    differences = [
        line
        for name, beginning in COMPARED
        for row in rows
        if name in rows and row != name and row.startswith(beginning)
        if (line := _difference(row, name, rows))
    ]
    if differences:
        lines += ["Differences in forward NME, seed by seed:", "", *differences, ""]
    return "\n".join([*lines, _circumstances(list(runs["run"])), ""])


def _line(name: str, row: Frame, reference: float | None) -> str:
    last: Frame = pd.DataFrame(list(row["run"]))
    collapsed = sum(run.get("following", 1) < 0.3 for run in row["run"])
    cells = [
        f"`{name}`" + f" ({collapsed} of {len(row)} collapsed)" * bool(collapsed),
        str(len(row)),
        _range(last["steps"], 0),
        _range(last["seconds"] / 60, 1),
        _shown(row, "forward"),
        ", ".join(f"{value:.2f}" for value in row["forward"]),
        f"{100 * row['forward'].mean() / reference:.0f} %" if reference else "–",
        _shown(row, "backward"),
        f"{last['spread'].mean():.3f}" if "spread" in last else "–",
    ]
    return f"| {' | '.join(cells)} |"


def _shown(row: Frame, direction: str) -> str:
    """Mean ± standard error over seeds; of one seed the bootstrap interval over images."""
    if len(row) > 1:
        return with_error(row[direction])
    interval = _over_images(row.iloc[0]["scores"], f"{direction}.imm")
    return f"{row.iloc[0][direction]:.2f}{interval}, one seed"


def _over_images(scores: dict, name: str) -> str:
    interval = scores.get(f"{name}.nme_interval")
    return f" ({interval[0]:.2f} – {interval[1]:.2f} over images)" if interval else ""


def _difference(name: str, other: str, rows: dict[str, Frame]) -> str | None:
    """The errors of `name` less those of `other`, at the seeds of both."""
    one, two = (rows[row].set_index("seed")["forward"] for row in (name, other))
    values = (one - two).dropna()
    if values.empty:
        return None
    note = "one seed, no error known" if len(values) == 1 else f"{len(values)} seeds"
    return f"- `{name}` − `{other}`: {with_error(values, sign=True)} ({note})"


def _circumstances(runs: list[dict]) -> str:
    """Where, when and by which code the numbers were made."""
    named = {
        "Machine": [run.get("processor") or run["devices"][0]["description"] for run in runs],
        "device": [run["devices"][0]["name"] for run in runs],
        "threads": [str(run["threads"]) for run in runs],
        "torch": [run["torch"] for run in runs],
        "ended": [run["ended"][:10] for run in runs if "ended" in run],
        "commit": [run["commit"] + " with changes" * bool(run.get("dirty")) for run in runs],
        "preset": [run["preset"] for run in runs if "preset" in run],
    }
    given = [run.get("settings", []) for run in runs if run["steps"] > 1] or [[]]
    named["with"] = [one for one in given[0] if all(one in own for own in given)]
    return "; ".join(f"{k} {', '.join(sorted({*v}))}" for k, v in named.items() if v) + "."


def _range(values: Frame, digits: int) -> str:
    """`1,200`, or `980 – 1,020`."""
    shown = [f"{value:,.{digits}f}" for value in (values.min(), values.max())]
    return " – ".join(dict.fromkeys(shown))


def draw_curve(records: list[dict], title: str, out: Path) -> None:
    """Draw a line for every method of the table `title` that was scored along its runs, as PNG."""
    found = results([record for record in records if record.get("curve")])
    runs = found[found["title"] == title]
    if runs.empty:
        titles = "; ".join(found["title"].unique()) or "none: give `curve: 6` in the plan"
        raise InputError(f"No run of {title!r} has a curve. Those that have: {titles}.")
    figure = Figure(figsize=(7, 4.5), dpi=150, layout="constrained")
    axes = figure.subplots()
    label = runs.iloc[0]["label"]
    for (name, row), dashes in zip(rows_of(runs).items(), cycle(("-", "--", "-.", ":"))):
        points: Frame = pd.DataFrame([point for run in row["run"] for point in run["curve"]])
        points["nme"] = [scores[label]["forward.imm.nme"] for scores in points["scores"]]
        by_images = points.groupby("images_seen")["nme"]
        errors = by_images.agg(["mean", "min", "max"])[by_images.count() == len(row)]
        seeds = f"{name} ({len(row)} seed{'s' if len(row) > 1 else ''})"
        (line,) = axes.plot(errors.index, errors["mean"], dashes, marker="o", ms=3, label=seeds)
        band = (errors.index, errors["min"], errors["max"])
        axes.fill_between(*band, color=line.get_color(), alpha=0.2, linewidth=0)
    level = runs.iloc[0]["scores"]["mean_shape.nme"]
    axes.axhline(level, color="grey", linestyle=":", label="mean shape")
    axes.set(xscale="log", xlabel="images seen", ylabel=f"forward NME on {label}, %")
    axes.xaxis.set_major_formatter("{x:,.0f}")
    axes.xaxis.set_minor_formatter("{x:,.0f}")
    axes.tick_params(axis="x", which="both", labelrotation=45)
    axes.set_title(title, fontsize=9)
    axes.grid(alpha=0.3, which="both")
    axes.legend(fontsize=8)
    write_atomically(out, lambda partial: figure.savefig(partial, format="png"))
