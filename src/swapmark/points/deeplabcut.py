"""DeepLabCut's CSV: rows scorer, bodyparts and coords, then a row an image or frame.

Images keep their path in the first column, or in three where all are labeled-data/VIDEO/IMAGE, as
DeepLabCut has it since 2.2. Frames of a video have their number there, and the file does not say
which video. `likelihood` is the confidence; sets marked by hand have none. Coordinates are pixels
with (0, 0) at the centre of the top left pixel, as in swapmark. An empty cell is a missing point.
"""

from pathlib import Path

import numpy as np

from swapmark.errors import InputError
from swapmark.points.csv import points_of_text, write_cells
from swapmark.points.table import Points
from swapmark.points.text import TextTable, read_text_table

LEVELS = (["scorer", "bodyparts", "coords"], ["scorer", "individuals", "bodyparts", "coords"])
EXPECTED = (
    "Expected DeepLabCut's rows scorer, bodyparts and coords, then a row an image or frame, its "
    "name in one cell or in three."
)


def read_deeplabcut(path: Path, images=None) -> Points:
    """Read a prediction or a set marked by hand; `images` is not needed.

    Frames get the name of the file without its ending as the name of their video.
    """
    table = read_text_table(str(path), path.read_bytes())
    found = [cells[0].lower() for _, cells in table.lines[:4]]
    levels = next((levels for levels in LEVELS if found[: len(levels)] == levels), None)
    header = {level: cells for level, (_, cells) in zip(levels or (), table.lines, strict=False)}
    coords = header.get("coords", [])
    index = next((place for place, cell in enumerate(coords) if place and cell), 0)
    if index not in (1, 3):  # before the points: a path in one cell or in three
        raise InputError(f"{path} begins with rows {', '.join(found) or 'none'}. {EXPECTED}")
    lines = table.lines[len(header) :]
    for level in ("scorer", "individuals"):
        several = list(dict.fromkeys(header.get(level, [])[index:]))
        if len(several) > 1:
            raise InputError(
                f"{path} has {len(several)} {level.rstrip('s')}s ({', '.join(several[:4])}), and "
                "swapmark keeps one set of points an image. Split the file into one each."
            )
    ours = {"likelihood": "confidence"}
    parts = zip(header["bodyparts"][index:], coords[index:], strict=True)
    columns = [f"{name}_{ours.get(part, part)}" for name, part in parts]
    keys = ["/".join(cell for cell in cells[:index] if cell) for _, cells in lines]
    frames = all(_is_frame(key) for key in keys)
    # From here on it is a wide table like ours, with the same numbers of lines.
    wide = [(0, ["file", *(["frame"] if frames else []), *columns])]
    for key, (line, cells) in zip(keys, lines, strict=True):
        wide.append((line, [*((path.stem, key) if frames else (key,)), *cells[index:]]))
    return points_of_text(TextTable(str(path), wide, table.decimal_comma))


def write_deeplabcut(points: Points, path: Path) -> tuple[str, ...]:
    """Write points, with `likelihood` where they have a confidence; say what else is lost."""
    if points.frame is not None and len(set(points.files)) > 1:
        raise InputError(
            f"The table has frames of {len(set(points.files))} videos, and a DeepLabCut file keeps "
            "one. Write a file a video."
        )
    keys = _index(points)
    parts, values = ("x", "y"), points.xy
    if points.confidence is not None:
        parts = ("x", "y", "likelihood")
        values = np.concatenate([values, points.confidence[..., None]], axis=-1, dtype=np.float64)
    columns = [(name, part) for name in points.names for part in parts]
    empty = [""] * (len(keys[0]) - 1 if keys else 0)
    rows = [
        ["scorer", *empty, *("swapmark" for _ in columns)],
        ["bodyparts", *empty, *(name for name, _ in columns)],
        ["coords", *empty, *(part for _, part in columns)],
    ]
    cells = values.astype(np.float64).reshape(len(points), -1).tolist()
    rows += [[*key, *row] for key, row in zip(keys, cells, strict=True)]
    write_cells(rows, path)
    named = points.frame is None or not points.files or points.files[0] == path.stem
    return () if named else (f"the name of the video ({points.files[0]})",)


def _index(points: Points) -> list[list[str]]:
    """The first cells of each row: the frame, three parts of a path, or the path."""
    if points.frame is not None:
        return [[str(int(frame))] for frame in points.frame]
    paths = [file.split("/") for file in points.files]
    if all(len(parts) == 3 and parts[0] == "labeled-data" for parts in paths):
        return paths
    # A name of digits alone would be read as a frame.
    return [[f"./{file}" if _is_frame(file) else file] for file in points.files]


def _is_frame(key: str) -> bool:
    """Whether a key is the number of a frame, and not a name such as a long serial number."""
    return key.isdecimal() and len(key) < 16
