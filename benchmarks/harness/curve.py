"""A picture of errors against images seen: mean of the seeds, and from the best to the worst."""

import io
from itertools import cycle
from pathlib import Path
from statistics import mean

from harness.table import Row, kind_of, latest, nme, rows_of
from swapmark.errors import InputError
from swapmark.files import write_atomically

DASHES = ("-", "--", "-.", ":")
"""Of one method after the other, so that curves which lie on each other are all seen."""


def draw_curve(records: list[dict], label: str, out: Path, **chosen: str | None) -> None:
    """Draw a line for every method that was scored along its runs, and write it to `out`.

    `chosen` names what the runs have in common, as far as they differ (see `Kind`): dataset, size,
    budget, score. Raises InputError where no run is left, or runs of several kinds.
    """
    there = [
        record
        for record in latest(record for record in records if record.get("curve"))
        if label in record["scores"]
    ]
    wanted = {name: value for name, value in chosen.items() if value is not None}
    runs = [run for run in there if wanted.items() <= kind_of(run)._asdict().items()]
    if not runs:
        of = f" of {', '.join(wanted.values())}" if wanted else ""
        others = "; ".join(_kinds(there))
        raise InputError(
            f"No run{of} has a curve on {label!r}. "
            + (f"There are: {others}. Choose one of these, or give" if others else "Give")
            + " `curve: 6` in the plan and run it."
        )
    if len(kinds := _kinds(runs)) > 1:
        raise InputError(
            f"The runs are of {len(kinds)} kinds: {'; '.join(kinds)}. Choose one by --dataset, "
            f"--size, --budget and --score."
        )
    write_atomically(out, lambda partial: partial.write_bytes(_picture(runs, label)))


def _kinds(runs: list[dict]) -> list[str]:
    """The kinds there are, in words, each once."""
    return list(dict.fromkeys(", ".join(kind_of(run)) for run in runs))


def points_of(row: Row, label: str) -> list[tuple[float, list[float]]]:
    """Images seen, and the errors of all seeds there; only as far as every seed was scored."""
    along = [row.runs[seed]["curve"] for seed in sorted(row.runs)]
    return [
        (mean(p["images_seen"] for p in points), [nme(label)(p) or float("nan") for p in points])
        for points in zip(*along, strict=False)
    ]


def _picture(runs: list[dict], label: str) -> bytes:
    from matplotlib.figure import Figure
    from matplotlib.ticker import StrMethodFormatter

    figure = Figure(figsize=(7, 4.5), dpi=150, layout="constrained")
    axes = figure.subplots()
    for row, dashes in zip(rows_of(runs), cycle(DASHES), strict=False):
        points = points_of(row, label)
        seen = [images for images, _ in points]
        seeds = len(row.runs)
        name = f"{row.name} ({seeds} seed{'s' if seeds > 1 else ''})"
        (line,) = axes.plot(
            seen, [mean(e) for _, e in points], marker="o", ms=3, ls=dashes, label=name
        )
        low, high = [min(e) for _, e in points], [max(e) for _, e in points]
        axes.fill_between(seen, low, high, color=line.get_color(), alpha=0.2, linewidth=0)
    level = runs[0]["scores"][label]["mean_shape.nme"]
    axes.axhline(level, color="grey", linestyle=":", label="mean shape")
    axes.set(xscale="log", xlabel="images seen", ylabel=f"forward NME on {label}, %")
    axes.xaxis.set_major_formatter(StrMethodFormatter("{x:,.0f}"))
    axes.xaxis.set_minor_formatter(StrMethodFormatter("{x:,.0f}"))
    axes.tick_params(axis="x", which="both", labelrotation=45)
    axes.set_title(", ".join(kind_of(runs[0])), fontsize=9)
    axes.grid(alpha=0.3, which="both")
    axes.legend(fontsize=8)
    content = io.BytesIO()
    figure.savefig(content, format="png")
    return content.getvalue()
