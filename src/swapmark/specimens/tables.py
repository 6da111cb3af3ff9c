"""An evaluation as a rich table that fits 80 columns."""

import math

from rich import box
from rich.table import Table
from rich.text import Text

from swapmark.errors import counted
from swapmark.specimens.result import Evaluation, Score


def evaluation_table(evaluation: Evaluation) -> Table:
    """The errors, the few-shot curve, the points and the notes, one below the other."""
    counts = evaluation.counts
    whole = Table.grid()
    whole.add_row(
        Text(
            f"Normalised mean error in % of {evaluation.normaliser}; linear map fitted on "
            f"{counted(counts['fit_images'], 'image')}, scored on {counts['test_images']:,}."
        )
    )
    whole.add_row(_errors(evaluation))
    whole.add_row(_few_shot(evaluation))
    whole.add_row(_per_point(evaluation))
    if evaluation.notes:
        whole.add_row(Text("\n".join(f"Note: {note}" for note in evaluation.notes)))
    return whole


def _errors(evaluation: Evaluation) -> Table:
    table = number_table("protocol", "forward", "95 % interval", "backward", "95 % interval")
    for name, score in evaluation.forward.items():
        backward = evaluation.backward[name]
        table.add_row(name, *_cells(score), *_cells(backward))
    table.add_row("mean shape", *_cells(evaluation.mean_shape), "", "", style="dim")
    return table


def _few_shot(evaluation: Evaluation) -> Table:
    protocols = list(evaluation.forward)
    table = number_table("fit images", *(f"forward {name}" for name in protocols))
    for row in evaluation.few_shot:
        cells = [
            two_decimals(row.nme[name])
            + (f" ± {row.spread[name]:.2f}" if math.isfinite(row.spread[name]) else "")
            for name in protocols
        ]
        table.add_row(f"{row.images:,}", *cells)
    determined = 2 * len(evaluation.backward[protocols[0]].per_point)
    table.caption = (
        f"± one standard deviation over draws. imm and zhang have no ridge: near {determined} "
        f"images, twice the number of landmarks, they swing wildly; read centred there."
    )
    table.caption_justify = "left"
    return table


def _per_point(evaluation: Evaluation) -> Table:
    table = number_table("point", *(f"forward {name}" for name in evaluation.forward), "mean shape")
    scores = [*evaluation.forward.values(), evaluation.mean_shape]
    for point in evaluation.mean_shape.per_point:
        table.add_row(point, *(two_decimals(score.per_point[point]) for score in scores))
    return table


def number_table(first: str, *others: str) -> Table:
    """An empty table with a column of words, then columns of numbers.

    >>> len(number_table("point", "error %").columns)
    2
    """
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column(first)
    for column in others:
        table.add_column(column, justify="right")
    return table


def _cells(score: Score) -> tuple[str, str]:
    low_high = "–" if score.interval is None else "{:.2f} – {:.2f}".format(*score.interval)
    return two_decimals(score.nme), low_high


def two_decimals(value: float) -> str:
    """A number for a cell; a dash for one that is not known.

    >>> two_decimals(6.5283), two_decimals(math.nan)
    ('6.53', '–')
    """
    return f"{value:.2f}" if math.isfinite(value) else "–"
