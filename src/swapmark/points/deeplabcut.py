"""DeepLabCut's CSV: rows scorer, bodyparts and coords, then a row an image or frame.

Images keep their path in the first column, or in three where all are labeled-data/VIDEO/IMAGE, as
DeepLabCut has it since 2.2. Frames of a video have their number there, and the file does not say
which video. `likelihood` is the confidence; sets marked by hand have none. Coordinates are pixels
with (0, 0) at the centre of the top left pixel, as in swapmark. An empty cell is a missing point.
"""

import csv
from pathlib import Path

import numpy as np

from swapmark.errors import InputError
from swapmark.files import write_atomically
from swapmark.points.losses import losses
from swapmark.points.text import TextTable, read_text_table
from swapmark.points.wide import check_table, plain_name
from swapmark.types import PointTable

EXPECTED = "Expected DeepLabCut's rows scorer, bodyparts and coords, then a row an image or frame."
SCORER = "swapmark"


def read_deeplabcut(path: Path, images: Path | None = None) -> PointTable:
    """Read a prediction or a set marked by hand; `images` is not needed.

    Frames get the name of the file without its ending as the name of their video. Raises InputError
    for several individuals or scorers, points in space, and, with the line, for broken rows.

    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     path = Path(folder, "v.csv")
    ...     _ = path.write_text("scorer,s,s\\nbodyparts,a,a\\ncoords,x,y\\n7,1,2\\n")
    ...     table = read_deeplabcut(path)
    >>> table.names, table.files, table.frames.tolist()
    (('a',), ('v',), [7])
    """
    table = read_text_table(str(path), path.read_bytes())
    names, parts, index = _header(table)
    lines = table.lines[len(_levels(table)) :]
    if not lines:
        raise InputError(f"{path} has a header but no rows. {EXPECTED}")
    columns = [f"{name}_{part}" for name, part in parts]
    rows = [table.numbers(line, columns, cells[index:]) for line, cells in lines]
    values = dict(zip(parts, np.array(rows, dtype=np.float64).T, strict=True))
    unknown = np.full(len(lines), np.nan)
    xy = [[values[name, axis] for axis in "xy"] for name in names]
    likelihood = [values.get((name, "likelihood"), unknown) for name in names]
    has_likelihood = any(part == "likelihood" for _, part in parts)
    keys = ["/".join(cell for cell in cells[:index] if cell) for _, cells in lines]
    frames = all(_is_frame(key) for key in keys)
    points = PointTable(
        names,
        (path.stem,) * len(keys) if frames else tuple(plain_name(key) for key in keys),
        np.moveaxis(np.array(xy), -1, 0),
        confidence=np.stack(likelihood, axis=-1) if has_likelihood else None,
        frames=np.array([int(key) for key in keys]) if frames else None,
    )
    check_table(points, str(path), [f"line {line}" for line, _ in lines])
    return points


def _levels(table: TextTable) -> dict[str, list[str]]:
    """The rows of the header by their name."""
    rows = [cells for _, cells in table.lines[:4]]
    names = [cells[0].lower() for cells in rows]
    for levels in (
        ["scorer", "bodyparts", "coords"],
        ["scorer", "individuals", "bodyparts", "coords"],
    ):
        if names[: len(levels)] == levels:
            return dict(zip(levels, rows, strict=False))
    raise InputError(f"{table.where} begins with rows {', '.join(names) or 'none'}. {EXPECTED}")


def _header(table: TextTable) -> tuple[tuple[str, ...], list[tuple[str, str]], int]:
    """Names of the points, (point, coordinate) of each column, and how many come before them."""
    levels = _levels(table)
    table.check_widths(len(levels["scorer"]))
    index = next((place for place, cell in enumerate(levels["coords"]) if place and cell), 1)
    for level in ("scorer", "individuals"):
        found = list(dict.fromkeys(levels.get(level, [])[index:]))
        if len(found) > 1:
            raise InputError(
                f"{table.where} has {len(found)} {level.rstrip('s')}s ({', '.join(found[:4])}), "
                "and swapmark keeps one set of points an image. Split the file into one each."
            )
    parts = list(zip(levels["bodyparts"][index:], levels["coords"][index:], strict=True))
    names = tuple(dict.fromkeys(name for name, _ in parts))
    for name in names:
        coords = [part for other, part in parts if other == name]
        if coords not in (["x", "y"], ["x", "y", "likelihood"]):
            raise InputError(
                f"{table.where}: {name} has the coords {', '.join(coords)}; expected x, y and "
                "perhaps likelihood."
            )
    if not names or index not in (1, 3):
        raise InputError(f"{table.where} has {index} columns before the points. {EXPECTED}")
    return names, parts, index


def write_deeplabcut(table: PointTable, path: Path) -> tuple[str, ...]:
    """Write a table with `likelihood` where the points have a confidence; say what is lost.

    Raises InputError for frames of more than one video.

    >>> from tempfile import TemporaryDirectory
    >>> table = PointTable(("tip",), ("1.png",), np.array([[[1.0, 2.0]]]))
    >>> with TemporaryDirectory() as folder:
    ...     _ = write_deeplabcut(table, Path(folder, "a.csv"))
    ...     Path(folder, "a.csv").read_text().splitlines()
    ['scorer,swapmark,swapmark', 'bodyparts,tip,tip', 'coords,x,y', '1.png,1.0,2.0']
    """
    if table.frames is not None and len(set(table.files)) > 1:
        raise InputError(
            f"The table has frames of {len(set(table.files))} videos, and a DeepLabCut file keeps "
            "one. Write a file a video."
        )
    keys = _index(table)
    width = len(keys[0]) if keys else 1
    parts = [table.xy]
    if table.confidence is not None:
        parts.append(table.confidence[..., None])
    coords = ("x", "y", "likelihood")[: sum(part.shape[-1] for part in parts)]
    columns = [(name, part) for name in table.names for part in coords]
    header = [
        ["scorer", *[""] * (width - 1), *[SCORER for _ in columns]],
        ["bodyparts", *[""] * (width - 1), *[name for name, _ in columns]],
        ["coords", *[""] * (width - 1), *[part for _, part in columns]],
    ]
    values = np.concatenate(parts, axis=-1, dtype=np.float64).reshape(len(table), -1).tolist()

    def write(partial: Path) -> None:
        with partial.open("w", newline="", encoding="utf-8", errors="backslashreplace") as file:
            writer = csv.writer(file, lineterminator="\n")
            writer.writerows(header)
            for key, row in zip(keys, values, strict=True):
                writer.writerow([*key, *("" if v != v else repr(v) for v in row)])

    write_atomically(path, write)
    lost = losses(table, held=("names", "confidence", "frames"))
    if table.frames is not None and len(table) and table.files[0] != path.stem:
        lost += (f"the name of the video ({table.files[0]})",)
    return lost


def _index(table: PointTable) -> list[list[str]]:
    """The first cells of each row: the frame, three parts of a path, or the path."""
    if table.frames is not None:
        return [[str(int(frame))] for frame in table.frames]
    paths = [file.split("/") for file in table.files]
    if all(len(parts) == 3 and parts[0] == "labeled-data" for parts in paths):
        return paths
    # A name of digits alone would be read as a frame.
    return [[f"./{file}" if _is_frame(file) else file] for file in table.files]


def _is_frame(key: str) -> bool:
    """Whether a key is the number of a frame, and not a name such as a long serial number."""
    return key.isdecimal() and len(key) < 16
