"""DeepLabCut's CSV: rows scorer, bodyparts and coords, then a row an image or frame.

Images keep their path in the first column, or in three where all are labeled-data/VIDEO/IMAGE, as
DeepLabCut has it since 2.2. Frames of a video have their number there, and the file does not say
which video. `likelihood` is the confidence; sets marked by hand have none. Coordinates are pixels
with (0, 0) at the centre of the top left pixel, as in swapmark. An empty cell is a missing point.
"""

import re
import warnings
from itertools import compress
from pathlib import Path, PurePosixPath

from swapmark.errors import InputError, LeftOutWarning
from swapmark.points.csv import points_of_table, write_cells
from swapmark.points.table import Points
from swapmark.points.text import read_table

LEVELS = ("scorer", "individuals", "bodyparts", "coords")
UNNAMED = re.compile(r"(Unnamed: .*)?")


def read_deeplabcut(path: Path, images=None) -> Points:
    """Read a prediction or a set marked by hand; `images` is not needed.

    Frames get the name of the file without its ending as the name of their video.
    """
    table = read_table(str(path), path.read_bytes())
    found = {cells[0].lower(): cells for _, cells in table.rows[:4]}
    header = {level: found[level] for level in LEVELS if level in found}
    coords = header.get("coords", [])
    index = next((place for place, cell in enumerate(coords) if place and cell), 0)
    if index not in (1, 3) or "bodyparts" not in header:
        raise InputError(
            f"{path} begins with rows {', '.join(found) or 'none'}. Expected DeepLabCut's rows "
            "scorer, bodyparts and coords, then a row an image or frame, its name in one cell or "
            "in three."
        )
    # pandas writes Unnamed where a further column, such as Lightning Pose's set, has no coords.
    further = [place for place in range(index, len(coords)) if UNNAMED.fullmatch(coords[place])]
    if further:
        names = ", ".join(" ".join(cells[place] for cells in header.values()) for place in further)
        told = f"{path}: left out what is no point: {names.strip()}."
        warnings.warn(told, LeftOutWarning, stacklevel=2)
        kept = [place not in further for place in range(len(coords))]
        table = table._replace(rows=[(at, list(compress(row, kept))) for at, row in table.rows])
        header = {level: list(compress(cells, kept)) for level, cells in header.items()}
        coords = header["coords"]
    several = list(dict.fromkeys(header.get("individuals", [])[index:]))
    if len(several) > 1:
        raise InputError(
            f"{path} has {len(several)} individuals ({', '.join(several[:4])}), and swapmark keeps "
            "one set of points an image. Split the file into one each."
        )
    # From here on it is a wide table like ours.
    pairs = zip(header["bodyparts"][index:], coords[index:], strict=True)
    ours = {"likelihood": "confidence"}
    columns = ["file", *(f"{name}_{ours.get(part, part)}" for name, part in pairs)]
    rows = [
        (place, ["/".join(filter(None, cells[:index])), *cells[index:]])
        for place, cells in table.rows[len(header) :]
    ]
    if len(rows) > 1 and _names_the_index(rows[0][1], rows[1][1][0]):
        rows = rows[1:]
    if all(_is_frame(cells[0]) for _, cells in rows):
        columns.insert(1, "frame")
        rows = [(place, [path.stem, *cells]) for place, cells in rows]
    return points_of_table(table._replace(rows=[("", columns), *rows]))


def write_deeplabcut(points: Points, path: Path) -> tuple[str, ...]:
    """Write points, with `likelihood` where they have a confidence; say what else is lost."""
    videos = [] if points.frame is None else list(dict.fromkeys(points.files))
    if len(videos) > 1:
        raise InputError(
            f"The table has frames of {len(videos)} videos, and a DeepLabCut file keeps one. Write "
            "a file a video."
        )
    keys, about = _keys(points), len(points.about())
    empty = [""] * (len(keys[0]) - 1 if keys else 0)
    columns = [column.rsplit("_", 1) for column in points.columns[about:]]
    theirs = {"confidence": "likelihood"}
    rows = [
        ["scorer", *empty, *("swapmark" for _ in columns)],
        ["bodyparts", *empty, *(name for name, _ in columns)],
        ["coords", *empty, *(theirs.get(part, part) for _, part in columns)],
    ]
    rows += [[*key, *row[about:]] for key, row in zip(keys, points.rows(), strict=True)]
    write_cells(rows, path)
    return () if videos in ([], [path.stem]) else (f"the name of the video ({videos[0]})",)


def _keys(points: Points) -> list[list[str]]:
    """The first cells of each row: the frame, three parts of a path, or the path."""
    if points.frame is not None:
        return [[str(int(frame))] for frame in points.frame]
    paths = [file.split("/") for file in points.files]
    if all(len(parts) == 3 and parts[0] == "labeled-data" for parts in paths):
        return paths
    # A name of digits alone would be read as a frame, a word perhaps as the name of the index.
    return [[f"./{file}" if _is_frame(file) or _is_word(file) else file] for file in points.files]


def _is_frame(key: str) -> bool:
    """Whether a key is the number of a frame, and not a name such as a long serial number."""
    return re.fullmatch(r"\d{1,15}([.,]0+)?", key) is not None


def _names_the_index(cells: list[str], following: str) -> bool:
    """Whether the first row is pandas' name of the index: a word alone, before frames or files."""
    word = not any(cells[1:]) and not _is_frame(cells[0]) and _is_word(cells[0])
    return word and (_is_frame(following) or bool(PurePosixPath(following).suffix))


def _is_word(key: str) -> bool:
    return not PurePosixPath(key).suffix and "/" not in key
