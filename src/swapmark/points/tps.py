"""TPS, the text of tpsDig: LM=, a line a landmark, then IMAGE=, ID= and perhaps SCALE=.

The half-pixel rule: tpsDig counts from the bottom left *corner* of the image, x to the right and y
up, while our (0, 0) is the *centre* of the top left pixel. So, for an image of height h,

    x_tps = x + 1/2        y_tps = h - (y + 1/2)

It is done on the decimal digits, so that a file that is read and written again keeps every number.
A negative coordinate or NA is a missing point; -1 -1 is written. SCALE is written for every
specimen or for none, and LM is the same in all: geomorph's readland.tps asks for both.
"""

import math
import warnings
from collections import Counter
from decimal import Context, Decimal
from pathlib import Path

import numpy as np

from swapmark.errors import InputError, LeftOutWarning
from swapmark.files import write_atomically
from swapmark.points.image_sizes import image_sizes
from swapmark.points.losses import frames_as_names, losses
from swapmark.points.table import default_names
from swapmark.points.text import decode_text
from swapmark.points.tps_specimens import read_specimens, scale_of
from swapmark.points.wide import check_table, whole
from swapmark.types import PointTable

HALF = Decimal("0.5")
EXACT = Context(prec=1200)
"""Digits enough for the sum of any two floats, so that no sum is rounded."""
MISSING = "-1 -1"


def read_tps(path: Path, images: Path | None = None) -> PointTable:
    """Read the landmarks of a TPS file; `images` is its images' folder, zip or tar.

    By default the images lie beside the file; only their heights are needed. Points are called
    landmark_1 and so on. LM=0, a specimen not yet marked, is one with all points missing. Warns of
    what is left out (curves, outlines, comments). Raises InputError, with the line, for broken
    specimens, different numbers of landmarks, points in space, and images that are not there.

    >>> from tempfile import TemporaryDirectory
    >>> from PIL import Image
    >>> with TemporaryDirectory() as folder:
    ...     Image.new("L", (40, 30)).save(Path(folder, "a.png"))
    ...     _ = Path(folder, "a.tps").write_text("LM=1\\n0.5 29.5\\nIMAGE=a.png\\nID=0\\n")
    ...     read_tps(Path(folder, "a.tps")).xy.tolist()
    [[[0.0, 0.0]]]
    """
    text = _text(path)
    left_out: Counter[str] = Counter()
    specimens = list(read_specimens(str(path), text, left_out))
    counts = {len(specimen.points) for specimen in specimens} - {0}
    if not counts:
        raise InputError(f"{path} holds no landmark: it has no LM= with a number over 0.")
    if len(counts) > 1:
        usual, _ = Counter(len(specimen.points) for specimen in specimens).most_common(1)[0]
        odd = next(s for s in specimens if len(s.points) not in (0, usual))
        raise InputError(
            f"{path}, line {odd.line}: LM={len(odd.points)}, but most specimens have LM={usual}. "
            "Give all the same landmarks; mark a missing one by -1 -1."
        )
    if left_out:
        found = ", ".join(f"{count} {key}" for key, count in left_out.items())
        warnings.warn(f"{path}: left out {found}.", LeftOutWarning, stacklevel=2)
    files = tuple(specimen.name for specimen in specimens)
    places = [f"the specimen of line {specimen.line}" for specimen in specimens]
    for place, file in zip(places, files, strict=True):
        if not file:
            raise InputError(f"{path}, {place}: neither IMAGE= nor ID= names its image.")
    sizes = image_sizes(files, images or path.parent, walk=images is not None)
    heights = [Decimal(int(height)) for height in sizes[:, 1]]
    missing = [None] * counts.pop()
    xy = [
        [_to_pixels(point, height) for point in specimen.points or missing]
        for specimen, height in zip(specimens, heights, strict=True)
    ]
    scales = np.array([scale_of(str(path), specimen) for specimen in specimens])
    table = PointTable(
        default_names(len(missing)),
        files,
        np.array(xy, dtype=np.float64),
        sizes=sizes,
        scales=None if np.isnan(scales).all() else scales,
    )
    check_table(table, str(path), places)
    return table


def _text(path: Path) -> str:
    content = path.read_bytes()
    try:
        return decode_text(str(path), content)
    except InputError as error:
        if not isinstance(error.__cause__, UnicodeDecodeError):
            raise
        # tpsDig writes the code page of its Windows; names in it are all that can be misread.
        warnings.warn(f"{path}: no UTF-8, read as Windows-1252.", LeftOutWarning, stacklevel=3)
        return content.decode("cp1252", errors="replace")


def _to_pixels(point: tuple[Decimal, Decimal] | None, height: Decimal) -> tuple[float, float]:
    if point is None:
        return math.nan, math.nan
    x, y = point
    return float(EXACT.subtract(x, HALF)), float(EXACT.subtract(height - HALF, y))


def write_tps(table: PointTable, path: Path) -> tuple[str, ...]:
    """Write a specimen an image; say what is lost. Raises InputError where a height is not known.

    >>> from tempfile import TemporaryDirectory
    >>> table = PointTable(("tip",), ("a.png",), np.zeros((1, 1, 2)), sizes=np.array([[40, 30]]))
    >>> with TemporaryDirectory() as folder:
    ...     _ = write_tps(table, Path(folder, "a.tps"))
    ...     Path(folder, "a.tps").read_text().split()
    ['LM=1', '0.5', '29.5', 'IMAGE=a.png', 'ID=0']
    """
    still = frames_as_names(table)
    heights = _heights(still)
    scaled = still.scales is not None and bool((still.scales > 0).all())
    lines, outside = [], 0
    for row, file in enumerate(still.files):
        if "\n" in file or "\r" in file:
            raise InputError(f"{file!r} can't be written as TPS: a line end in a name. Rename it.")
        lines.append(f"LM={len(still.names)}")
        for point in still.xy[row].tolist():
            text = _from_pixels(point, heights[row])
            outside += text == MISSING and not math.isnan(point[0])
            lines.append(text)
        lines += [f"IMAGE={file}", f"ID={row}"]
        if scaled:
            lines.append(f"SCALE={_digits(Decimal(repr(float(still.scales[row]))))}")  # pyright: ignore[reportOptionalSubscript]
    content = "".join(f"{line}\n" for line in lines).encode("utf-8", "backslashreplace")
    write_atomically(path, lambda partial: partial.write_bytes(content))
    lost = losses(table, held=("sizes", "frames", "scales") if scaled else ("sizes", "frames"))
    if table.frames is not None:
        lost += ("the frame numbers as numbers (they are in the names, as video.mp4#12)",)
    if outside:
        lost += (f"{outside} points left of or below their image (negative means missing)",)
    return lost


def _heights(table: PointTable) -> list[Decimal]:
    sizes = np.full((len(table), 2), np.nan) if table.sizes is None else table.sizes
    unknown = [file for file, (_, h) in zip(table.files, sizes, strict=True) if not h > 0]
    if unknown:
        raise InputError(
            f"The height of {len(unknown)} images is not known (the first is {unknown[0]}), and "
            "TPS counts y from the bottom. Name the folder or archive of the images: images= of "
            "read_points in Python, --images on the command line."
        )
    return [Decimal(repr(height)) for height in whole(sizes[:, 1]).tolist()]


def _from_pixels(point: list[float], height: Decimal) -> str:
    """The line of a point (x, y) in pixels."""
    if math.isnan(point[0]):
        return MISSING
    x, y = (Decimal(repr(value)) for value in point)
    x, y = EXACT.add(x, HALF), EXACT.subtract(height - HALF, y)
    return MISSING if x < 0 or y < 0 else f"{_digits(x)} {_digits(y)}"


def _digits(number: Decimal) -> str:
    text = f"{number:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text
