"""Evaluations and fits of points on the screen, in at most 80 columns."""

import math
from typing import TYPE_CHECKING

from rich import box
from rich.console import Console, RenderableType
from rich.table import Table
from rich.text import Text

from swapmark.errors import counted, shown

if TYPE_CHECKING:
    from swapmark.specimens.evaluate import Evaluation, Score
    from swapmark.specimens.fit import PointFit


def print_evaluation(evaluation: "Evaluation") -> None:
    """The errors, the few-shot curve, the points and the notes, one below the other."""
    counts, protocols = evaluation.counts, list(evaluation.forward)
    means = [*evaluation.forward.values(), evaluation.mean_shape]
    errors = _table("protocol", "forward", "95 % interval", "backward", "95 % interval")
    for name in protocols:
        cells = *_score(evaluation.forward[name]), *_score(evaluation.backward[name])
        errors.add_row(name, *cells)
    errors.add_row("mean shape", *_score(evaluation.mean_shape), "", "", style="dim")
    few_shot = _table("fit images", *(f"forward {name}" for name in protocols))
    for row in zip(*evaluation.few_shot.values(), strict=True):
        cells = (
            f"{point.error:.2f} ± {point.spread:.2f}" if point.draws > 1 else _number(point.error)
            for point in row
        )
        few_shot.add_row(f"{row[0].specimens:,}", *cells)
    points = _table("point", *(f"forward {name}" for name in protocols), "mean shape")
    for name in evaluation.mean_shape.per_point:
        points.add_row(_plain(name), *(_number(score.per_point[name]) for score in means))
    determined = 2 * len(evaluation.backward["imm"].per_point)
    how = f", in {counts['parts']} parts" if counts["parts"] > 1 else ""
    _print(
        evaluation.notes,
        f"Normalised mean error in % of {evaluation.normaliser}; linear map fitted on "
        f"{counted(counts['fit_images'], 'image')}, scored on {counts['test_images']:,}{how}.",
        errors,
        few_shot,
        Text(
            f"± one standard deviation over draws. imm and zhang have no ridge: near {determined} "
            f"images, twice the number of landmarks, they swing wildly. Read centred there.",
            style="italic",
        ),
        points,
    )


def print_fit(fit: "PointFit") -> None:
    """What the numbers are, the points, the curve and the notes, one below the other."""
    counts = fit.counts
    left_out = (
        "one by one" if counts["parts"] >= counts["specimens"] else f"in {counts['parts']} parts"
    )
    points = _table("point", "marked in", "error %", "pixels")
    for name, count in fit.marked.items():
        cells = _number(fit.per_point[name]), _number(fit.per_point_pixels[name])
        points.add_row(_plain(name), f"{count:,}", *cells)
    points.add_row("all", "", _number(fit.error), _number(fit.pixels), style="bold")
    if fit.map.refinement:
        points.add_row("by landmarks alone", "", _number(fit.unrefined), "", style="dim")
    points.add_row("mean shape", "", _number(fit.mean_shape), "", style="dim")
    curve = _table("specimens", "error %", "±")
    for row in fit.curve:
        curve.add_row(f"{row.specimens:,}", _number(row.error), _number(row.spread))
    curve.add_row(f"{counts['specimens']:,}", _number(fit.error), "–")
    explained = Text(
        "± one standard deviation over random choices of specimens, scored on those left. "
        + (
            "Last row: as above, with the second look." if fit.map.closer else "Last row: as above."
        ),
        style="italic",
    )
    how = ""
    if fit.map.refinement:
        how = " and refined by what is seen around each point"
    if fit.map.closer:
        how += f", then again in pictures {fit.map.zoom} times as large"
    _print(
        fit.notes,
        f"{counted(len(fit.map.names), 'point')} fitted to "
        f"{counted(fit.map.landmarks, 'landmark')} on {counted(counts['specimens'], 'specimen')}"
        f"{how}. Error to expect on new images, from specimens left out {left_out}, in % of "
        f"{fit.normaliser} and in pixels:",
        points,
        *((curve, explained) if fit.curve else ()),
    )


def _print(notes: tuple[str, ...], first: str, *others: RenderableType) -> None:
    console = Console()
    for part in (_plain(first), *others, *(_plain(f"Note: {note}") for note in notes)):
        console.print(part)


def _plain(text: str) -> Text:
    """Names of points and files as they are, though they look like markup or steer terminals."""
    return Text(shown(text))


def _table(first: str, *others: str) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column(first)
    for column in others:
        table.add_column(column, justify="right")
    return table


def _score(score: "Score") -> tuple[str, str]:
    low_high = "–" if score.interval is None else "{:.2f} – {:.2f}".format(*score.interval)
    return _number(score.nme), low_high


def _number(value: float) -> str:
    """For a cell: two decimals, or a dash where it is not known."""
    return f"{value:.2f}" if math.isfinite(value) else "–"
