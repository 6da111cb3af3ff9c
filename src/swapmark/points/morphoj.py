"""MorphoJ's row/column text: a line a specimen, its identifier and x1, y1, x2, y2 …

MorphoJ separates cells at tabs, commas and semicolons, knows no quotes, and ignores the first line
if it is labels, so the names of the points can be kept there. It has no sign for a missing
landmark, so a table with one is refused. Coordinates are pixels with y down, as everywhere in
swapmark.
Source: morphometrics.uk/MorphoJ_guide/fundamentals/fileTypes.htm
"""

import re
from pathlib import Path

import numpy as np

from swapmark.errors import InputError
from swapmark.files import write_atomically
from swapmark.points.losses import frames_as_names, losses
from swapmark.points.table import default_names
from swapmark.points.text import TextTable, read_text_table
from swapmark.points.wide import check_table, plain_name
from swapmark.types import PointTable


def read_morphoj(path: Path, images: Path | None = None) -> PointTable:
    """Read raw coordinates; the identifier becomes the name of the image, `images` is not needed.

    Points are named by a first line of `<name>_x`, `<name>_y`, else landmark_1 and so on. Empty
    cells are read as missing. Raises InputError, with the line, for lines of different lengths,
    odd numbers of coordinates, three dimensions by their labels, and cells that are no numbers.

    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     _ = Path(folder, "a.txt").write_text("Homo f 025\\t1\\t2\\t3\\t4\\n")
    ...     read_morphoj(Path(folder, "a.txt")).xy.tolist()
    [[[1.0, 2.0], [3.0, 4.0]]]
    """
    table = read_text_table(str(path), path.read_bytes())
    if not table.lines:
        raise InputError(f"{path} is empty; expected a line a specimen.")
    width = len(table.lines[0][1])
    table.check_widths(width)
    labels = table.lines[0][1] if _is_labels(table) else None
    lines = table.lines[1:] if labels else table.lines
    if not lines:
        raise InputError(f"{path} has labels but no specimen.")
    if labels and len(labels) > 3 and labels[3].lower() in ("z", "z1", "z 1", "z_1"):
        raise InputError(f"{path} holds points in three dimensions; swapmark's have two.")
    if width < 3 or width % 2 == 0:
        raise InputError(
            f"{path} has {width - 1} numbers a line; expected x and y of each point, after the "
            "identifier, separated by tabs, commas or semicolons."
        )
    columns = [f"column {place + 1}" for place in range(1, width)]
    values = [table.numbers(line, columns, cells[1:]) for line, cells in lines]
    points = PointTable(
        _names(str(path), labels, width // 2),
        tuple(plain_name(cells[0]) for _, cells in lines),
        np.array(values).reshape(len(lines), width // 2, 2),
    )
    check_table(points, str(path), [f"line {line}" for line, _ in lines])
    return points


def _is_labels(table: TextTable) -> bool:
    """MorphoJ's own rule: one of the entries after the first is no number."""
    line, cells = table.lines[0]
    try:
        table.numbers(line, cells[1:], cells[1:])
    except InputError:
        return True
    return False


def has_own_labels(labels: list[str]) -> bool:
    """Whether a first line, in lower case, is MorphoJ's (x1, y1, x2 …) or that of `write_morphoj`.

    >>> has_own_labels(["id", "x1", "y1"]), has_own_labels(["id", "nose_x", "nose_y"])
    (True, True)
    >>> has_own_labels(["image", "x", "y"])
    False
    """
    if labels[0] == "id" and all(re.fullmatch(r".+_[xy]", label) for label in labels[1:]):
        return True
    return all(re.fullmatch(r"[xyz][ _]?\d+", label) for label in labels[1:])


def _names(where: str, labels: list[str] | None, count: int) -> tuple[str, ...]:
    """The names in labels of `<name>_x`, `<name>_y`, else landmark_1 and so on."""
    pairs = list(zip(labels[1::2], labels[2::2], strict=True)) if labels else []
    named = [x[:-2] == y[:-2] and x[-2:] == "_x" and y[-2:] == "_y" for x, y in pairs]
    if pairs and all(named):
        return tuple(x[:-2] for x, _ in pairs)
    if labels and sum(label.endswith(("_x", "_y")) for label in labels) > 1:
        x, y = pairs[named.index(False)]
        raise InputError(
            f"{where} has {x}, {y} where x and y of a point are expected. If it is a table like "
            "those of swapmark predict, call its first column file."
        )
    return default_names(count)


def write_morphoj(table: PointTable, path: Path) -> tuple[str, ...]:
    """Write raw coordinates, separated by tabs; say what is lost.

    Raises InputError for a missing point, and for names with tabs, commas, semicolons or line ends.

    >>> from tempfile import TemporaryDirectory
    >>> table = PointTable(("tip",), ("1.png",), np.array([[[1.0, 2.0]]]))
    >>> with TemporaryDirectory() as folder:
    ...     _ = write_morphoj(table, Path(folder, "a.txt"))
    ...     Path(folder, "a.txt").read_text().splitlines()
    ['id\\ttip_x\\ttip_y', '1.png\\t1.0\\t2.0']
    """
    still = frames_as_names(table)
    if not still.marked.all():
        row, point = np.argwhere(~still.marked)[0]
        raise InputError(
            f"{still.names[point]} of {still.files[row]} is missing, and MorphoJ has no sign for a "
            "missing landmark. Leave the image or the point out, or write TPS."
        )
    for name in (*still.names, *still.files):
        if any(sign in name for sign in '\t,;\r\n"'):
            raise InputError(
                f"{name!r} can't be written for MorphoJ, which ends a cell at a tab, comma or "
                "semicolon and knows no quotes. Rename it."
            )
    labels = [f"{name}_{axis}" for name in still.names for axis in "xy"]
    lines = ["\t".join(["id", *labels])]
    for file, points in zip(still.files, still.xy.reshape(len(still), -1).tolist(), strict=True):
        lines.append("\t".join([file, *(repr(float(value)) for value in points)]))
    text = "".join(f"{line}\n" for line in lines).encode("utf-8", "backslashreplace")
    write_atomically(path, lambda partial: partial.write_bytes(text))
    lost = losses(table, held=("names", "frames"))
    if table.frames is not None:
        lost += ("the frame numbers as numbers (they are in the names, as video.mp4#12)",)
    return lost
