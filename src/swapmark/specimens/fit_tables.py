"""A fit of points as a rich table that fits 80 columns."""

from rich.table import Table
from rich.text import Text

from swapmark.errors import counted
from swapmark.specimens.fit_result import PointFit
from swapmark.specimens.tables import number_table, two_decimals


def fit_table(fit: PointFit) -> Table:
    """What the numbers are, the points, the curve and the warnings, one below the other."""
    whole = Table.grid()
    left_out = "one by one" if fit.parts >= fit.specimens else f"in {fit.parts} parts"
    if fit.groups:
        left_out += ", groups together"
    whole.add_row(
        Text(
            f"{counted(len(fit.map.names), 'point')} fitted to "
            f"{counted(fit.map.landmarks, 'landmark')} on {counted(fit.specimens, 'specimen')}. "
            f"Error to expect on new images, from specimens left out "
            f"{left_out}, in % of {fit.normaliser} and in pixels:"
        )
    )
    whole.add_row(_points(fit))
    if fit.curve:
        whole.add_row(_curve(fit))
        whole.add_row(
            Text(
                f"± one standard deviation over {counted(fit.draws, 'random choice')} of "
                f"specimens, scored on those left. Last row: as above.",
                style="italic",
            )
        )
    if fit.warnings:
        whole.add_row(Text("\n".join(f"Note: {warning}" for warning in fit.warnings)))
    return whole


def _points(fit: PointFit) -> Table:
    table = number_table("point", "marked in", "error %", "pixels")
    for name, count in fit.marked.items():
        cells = two_decimals(fit.per_point[name]), two_decimals(fit.per_point_pixels[name])
        table.add_row(name, f"{count:,}", *cells)
    table.add_row("all", "", two_decimals(fit.error), two_decimals(fit.pixels), style="bold")
    table.add_row("mean shape", "", two_decimals(fit.mean_shape), "", style="dim")
    return table


def _curve(fit: PointFit) -> Table:
    table = number_table("specimens", "error %", "±")
    for row in fit.curve:
        table.add_row(f"{row.specimens:,}", two_decimals(row.error), two_decimals(row.spread))
    table.add_row(f"{fit.specimens:,}", two_decimals(fit.error), "–")
    return table
