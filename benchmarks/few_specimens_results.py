"""What `few_specimens.py` measured, as tables for the docs and a figure for the README.

python benchmarks/few_specimens_results.py --figure docs/images/few-specimens.png
"""

from io import BytesIO
from pathlib import Path
from typing import Any

import pandas as pd
from cyclopts import run
from matplotlib.figure import Figure
from matplotlib.ticker import NullLocator
from PIL import Image

from swapmark.files import read_json_lines, write_atomically

RESULTS = Path(__file__).parent / "results" / "few-specimens.jsonl"
SETS = {
    "lfw.zip": "LFW, faces",
    "aflw.zip": "AFLW, turned faces",
    "mouse-top.zip": "mouse from above",
    "lips.zip": "lips",
    "tongue-ultrasound.zip": "tongue in ultrasound",
    "fly-top.zip": "fly from above",
}
METHODS = {  # what it is called, colour
    "mean_shape": ("mean shape", "#999999"),
    "nearest": ("nearest look", "#c98500"),
    "map": ("landmarks alone", "#3b75af"),
    "supervised": ("trained network", "#8a4fa0"),
    "refined": ("swapmark fit", "#c0272d"),
}


def read(path: Path = RESULTS) -> Any:
    """A row a draw and method, the last of those made twice."""
    lines: Any = pd.DataFrame(read_json_lines(path))
    lines = lines[lines["annotated"].isin(SETS) & lines["method"].isin(METHODS)]
    keys = ["annotated", "specimens", "seed", "method"]
    return lines.drop_duplicates(keys, keep="last")


def table(lines: Any) -> str:
    """Markdown, a row a set and number of specimens: the mean ± the deviation over the draws."""
    methods = [method for method in METHODS if method in set(lines["method"])]
    timed = [method for method in ("refined", "supervised") if method in methods]
    heads = ["set", "marked", "draws", *(METHODS[method][0] for method in methods), "estimate"]
    heads += [f"seconds, {METHODS[method][0]}" for method in timed]
    rows = [heads, ["---"] * len(heads)]
    for name, title in SETS.items():
        for size, group in lines[lines["annotated"] == name].groupby("specimens"):
            of = dict(iter(group.groupby("method")))
            draws = len(of["mean_shape"])
            scored = [method for method in METHODS if method in of and len(of[method]) == draws]
            best = min(scored, key=lambda method, of=of: of[method]["test"].mean())
            cells = [title.split(",")[0].split(" ")[0], f"{size:,}", str(draws)]
            for method in methods:
                cell = _cell(of.get(method), "test", spread=method not in ("mean_shape", "nearest"))
                if method in of and len(of[method]) != draws:
                    cell += f" ({len(of[method])})"
                cells.append(f"**{cell}**" if method == best else cell)
            cells.append(_cell(of.get("refined"), "estimate", spread=True))
            cells += [_seconds(of.get(method)) for method in timed]
            rows.append(cells)
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def paired(lines: Any) -> str:
    """Markdown: `swapmark fit` and the trained network on the draws that both have."""
    rows = [["set", "marked", "draws", "swapmark fit", "trained network"], ["---"] * 5]
    for name, title in SETS.items():
        for size, group in lines[lines["annotated"] == name].groupby("specimens"):
            both = group.pivot(index="seed", columns="method", values="test")
            if "supervised" in both and len(both := both[["refined", "supervised"]].dropna()):
                one, other = both.mean()
                cells = [f"{one:.2f}", f"{other:.2f}"]
                cells[one > other] = f"**{cells[one > other]}**"
                rows.append([title.split(",")[0].split(" ")[0], str(size), str(len(both)), *cells])
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def _cell(rows: Any, column: str, *, spread: bool) -> str:
    if rows is None or rows[column].isna().all():
        return "–"
    values = rows[column].dropna()
    if not spread:
        return f"{values.mean():.1f}"
    return f"{values.mean():.2f}" + (f" ± {values.std():.2f}" if len(values) > 1 else "")


def _seconds(rows: Any) -> str:
    return "–" if rows is None else f"{rows['seconds'].mean():.0f}"


def draw(lines: Any, path: Path) -> None:
    """A panel a set: the error of each method against the number of marked images."""
    figure = Figure(figsize=(9.6, 5.6), layout="constrained")
    panels = figure.subplots(2, 3).ravel()
    for axes, (name, title) in zip(panels, SETS.items(), strict=True):
        means = lines[lines["annotated"] == name].groupby(["method", "specimens"])["test"].mean()
        ends = {}
        for method, (label, colour) in METHODS.items():
            if method not in means.index:
                continue
            curve = means[method]
            strong = method == "refined"
            axes.plot(
                curve.index,
                curve,
                "-o",
                color=colour,
                linewidth=2.4 if strong else 1.4,
                markersize=4.5 if strong else 3,
                zorder=3 if strong else 2,
            )
            ends[method] = (curve.index[-1], curve.iloc[-1], label, colour)
        top = 1.08 * means.max()
        sizes = sorted(lines[lines["annotated"] == name]["specimens"].unique())
        _label(axes, ends, top)
        axes.set(
            xscale="log",
            ylim=(0, top),
            xlim=(sizes[0] / 1.15, sizes[-1] * (sizes[-1] / sizes[0]) ** 0.75),
        )
        wide = sizes[-1] > 100 * sizes[0]  # 10 and 20 would touch
        axes.set_xticks(sizes, ["" if wide and size == 10 else f"{size:,}" for size in sizes])
        axes.xaxis.set_minor_locator(NullLocator())
        axes.set_title(title, loc="left", fontsize=10, fontweight="bold")
        axes.spines[["top", "right"]].set_visible(False)
        axes.tick_params(labelsize=8.5)
    for axes in panels[3:]:
        axes.set_xlabel("marked images", fontsize=9)
    panels[0].set_ylabel("error, % of the distance\nbetween the eyes", fontsize=9)
    panels[3].set_ylabel("error, % of the diagonal", fontsize=9)
    panels[2].set_ylabel("% of the diagonal", fontsize=9)
    picture = BytesIO()
    figure.savefig(picture, format="png", dpi=130)
    small = Image.open(picture).convert("RGB").quantize(64)
    write_atomically(path, lambda file: small.save(file, format="png", optimize=True))


def _label(axes: Any, ends: dict, top: float) -> None:
    """The names of the lines, at the right, moved apart where they would lie on one another."""
    height, right = float("-inf"), max(x for x, *_ in ends.values())
    for _, y, label, colour in sorted(ends.values(), key=lambda end: end[1]):
        height = max(height + 0.075 * top, y)
        axes.annotate(
            label,
            (right, height),
            (6, 0),
            textcoords="offset points",
            color=colour,
            fontsize=8.5,
            va="center",
        )


def main(*, results: Path = RESULTS, figure: Path | None = None) -> None:
    """Print the tables; with `figure`, draw that, too."""
    lines = read(results)
    print(table(lines))
    print(f"\n{paired(lines)}")
    if figure:
        draw(lines, figure)


if __name__ == "__main__":
    run(main)
