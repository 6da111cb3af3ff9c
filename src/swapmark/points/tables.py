"""A fit of points as a rich table that fits 80 columns."""

import math

from rich import box
from rich.table import Table
from rich.text import Text

from swapmark.points.result import PointFit


def fit_table(fit: PointFit) -> Table:
    """What the numbers are, the points, the curve and the warnings, one below the other."""
    whole = Table.grid()
    left_out = "one by one" if fit.parts >= fit.specimens else f"in {fit.parts} parts"
    if fit.groups:
        left_out += ", groups together"
    whole.add_row(
        Text(
            f"{len(fit.map.names)} points fitted to {fit.map.landmarks} landmarks on "
            f"{fit.specimens:,} specimens. Error to expect on new images, from specimens left out "
            f"{left_out}, in % of {fit.normaliser} and in pixels:"
        )
    )
    whole.add_row(_points(fit))
    if fit.curve:
        whole.add_row(_curve(fit))
        whole.add_row(
            Text(
                f"± one standard deviation over {fit.draws} random choices of specimens, scored on "
                f"those left. Last row: as above.",
                style="italic",
            )
        )
    if fit.warnings:
        whole.add_row(Text("\n".join(f"Note: {warning}" for warning in fit.warnings)))
    return whole


def _points(fit: PointFit) -> Table:
    table = _new("point", "marked in", "error %", "pixels")
    for name, count in fit.marked.items():
        cells = _decimal(fit.per_point[name]), _decimal(fit.per_point_pixels[name])
        table.add_row(name, f"{count:,}", *cells)
    table.add_row("all", "", _decimal(fit.error), _decimal(fit.pixels), style="bold")
    table.add_row("mean shape", "", _decimal(fit.mean_shape), "", style="dim")
    return table


def _curve(fit: PointFit) -> Table:
    table = _new("specimens", "error %", "±")
    for row in fit.curve:
        table.add_row(f"{row.specimens:,}", _decimal(row.error), _decimal(row.spread))
    table.add_row(f"{fit.specimens:,}", _decimal(fit.error), "–")
    return table


def _new(first: str, *others: str) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column(first)
    for column in others:
        table.add_column(column, justify="right")
    return table


def _decimal(value: float) -> str:
    return f"{value:.2f}" if math.isfinite(value) else "–"
