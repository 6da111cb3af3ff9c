"""TPS, the text of tpsDig: LM=, a line a landmark, then IMAGE=, ID= and perhaps SCALE=.

The half-pixel rule: tpsDig counts from the bottom left *corner* of the image, x to the right and y
up, while our (0, 0) is the *centre* of the top left pixel. So, for an image of height h,

    x_tps = x + 1/2        y_tps = h - (y + 1/2)

They are written with six decimals at most, so that a file that is read and written again has the
same numbers. A negative coordinate or NA is a missing point; -1 -1 is written. SCALE is written for
every specimen or for none, and LM is the same in all: geomorph's readland.tps asks for both.
"""

import re
import warnings
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from swapmark.errors import InputError, LeftOutWarning
from swapmark.files import write_atomically
from swapmark.points.checks import check_points, plain_name
from swapmark.points.rows import image_sizes
from swapmark.points.table import Points, default_names
from swapmark.points.text import decode_text, number

KEY = re.compile(r"\s*([A-Za-z][A-Za-z0-9]*)\s*=\s*(.*?)\s*")
LINE_END = re.compile(r"\r\n|\r|\n")
"""Not all that `splitlines` takes for one: names may hold the others."""
MISSING = "-1 -1"


@dataclass
class Specimen:
    """What one LM= of a file and the lines below it say."""

    line: int
    """Line of its LM=."""
    points: list[tuple[float, float]]
    """In tpsDig's coordinates; NaN where missing."""
    keys: dict[str, str] = field(default_factory=dict)
    """IMAGE, ID and SCALE."""

    @property
    def place(self) -> str:
        """The specimen in messages."""
        return f"the specimen of line {self.line}"


def read_tps(path: Path, images=None) -> Points:
    """Read the landmarks of a TPS file; `images` is its images' folder, zip or tar.

    By default the images lie beside the file; only their heights are needed. Points are called
    landmark_1 and so on. LM=0, a specimen not yet marked, is one with all points missing. Warns of
    what is left out (curves, outlines, comments). Raises InputError, with the line, for broken
    specimens, different numbers of landmarks, points in space, and images that are not there.
    """
    left_out: Counter[str] = Counter()
    specimens = list(_specimens(str(path), _text(path), left_out))
    counts = Counter(len(specimen.points) for specimen in specimens if specimen.points)
    if not counts:
        raise InputError(f"{path} holds no landmark: it has no LM= with a number over 0.")
    usual = counts.most_common(1)[0][0]
    for specimen in specimens:
        if len(specimen.points) not in (0, usual):
            raise InputError(
                f"{path}, line {specimen.line}: LM={len(specimen.points)}, but most specimens have "
                f"LM={usual}. Give all the same landmarks; mark a missing one by -1 -1."
            )
        if not (specimen.keys.get("IMAGE") or specimen.keys.get("ID")):
            raise InputError(f"{path}, {specimen.place}: neither IMAGE= nor ID= names its image.")
    if left_out:
        found = ", ".join(f"{count} {key}" for key, count in left_out.items())
        warnings.warn(f"{path}: left out {found}.", LeftOutWarning, stacklevel=2)
    files = tuple(plain_name(s.keys.get("IMAGE") or s.keys["ID"]) for s in specimens)
    sizes = image_sizes(files, path.parent if images is None else images, walk=images is not None)
    missing = [(np.nan, np.nan)] * usual
    x, y = np.moveaxis(np.array([s.points or missing for s in specimens]), -1, 0)
    scale = np.array([_scale(str(path), specimen) for specimen in specimens])
    points = Points(
        default_names(usual),
        files,
        np.stack([x - 0.5, sizes[:, 1:] - 0.5 - y], axis=-1),
        sizes=sizes,
        scale=None if np.isnan(scale).all() else scale,
    )
    check_points(points, str(path), [specimen.place for specimen in specimens])
    return points


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


def _specimens(where: str, text: str, left_out: Counter[str]) -> Iterator[Specimen]:
    """The specimens of a file; keys that are not used are counted in `left_out`."""
    lines = [(number, line) for number, line in enumerate(LINE_END.split(text), 1) if line.strip()]
    specimen: Specimen | None = None
    skipping = False  # the lines of a curve or an outline
    position = 0
    while position < len(lines):
        line, content = lines[position]
        position += 1
        match = KEY.fullmatch(content)
        if match is None and skipping:
            continue
        if match is None:
            raise InputError(
                f"{where}, line {line}: expected KEY=value, found {content.strip()[:40]!r}. LM= "
                "must be the number of the coordinate lines below it."
            )
        key, value = match[1].upper(), match[2]
        skipping = key in ("POINTS", "POINTS3", "CHAIN", "RADII")
        if key == "LM":
            if specimen is not None:
                yield specimen
            if not value.isdecimal() or len(value) > 9:
                raise InputError(f"{where}, line {line}: LM={value[:40]}; expected a number.")
            block = lines[position : position + int(value)]
            specimen = Specimen(line, [_landmark(where, *row) for row in block])
            if len(block) < int(value):
                raise InputError(f"{where}, line {line}: LM={value}, but the file ends before.")
            position += len(block)
        elif key == "LM3":
            raise InputError(f"{where}, line {line}: LM3= are points in space; expected LM=.")
        elif specimen is None:
            raise InputError(f"{where}, line {line}: {key}= before the first LM=.")
        elif key in ("IMAGE", "ID", "SCALE"):
            specimen.keys[key] = value
        else:
            left_out[key] += 1
    if specimen is not None:
        yield specimen


def _landmark(where: str, line: int, text: str) -> tuple[float, float]:
    """The two numbers of a line; NaN where one is NA or negative."""
    try:
        x, y = (number(cell, decimal_comma=True) for cell in text.split())
    except ValueError as error:
        raise InputError(
            f"{where}, line {line}: {text.strip()[:40]!r} is no landmark; expected x and y."
        ) from error
    return (x, y) if x >= 0 and y >= 0 else (np.nan, np.nan)


def _scale(where: str, specimen: Specimen) -> float:
    """SCALE, NaN where it is not given or empty."""
    text = specimen.keys.get("SCALE", "")
    try:
        value = number(text, decimal_comma=True)
    except ValueError:
        value = -1.0
    if value <= 0:
        raise InputError(f"{where}, {specimen.place}: SCALE={text}; expected a length a pixel.")
    return value


def write_tps(points: Points, path: Path) -> tuple[str, ...]:
    """Write a specimen an image; say what is lost in this table, besides what TPS never holds.

    Raises InputError where a height is not known.
    """
    files, lost = points.files, []
    if points.frame is not None:
        files = tuple(f"{file}#{int(n)}" for file, n in zip(files, points.frame, strict=True))
        lost.append("the frame numbers as numbers (they are in the names, as video.mp4#12)")
    scale = points.scale if points.scale is not None and (points.scale > 0).all() else None
    if scale is None and points.scale is not None:
        lost.append("the scale (it is not known of every image)")
    tps = _from_pixels(points)
    outside = points.marked & ~(tps >= 0).all(axis=-1)
    if outside.any():
        lost.append(f"{outside.sum()} points left of or below their image (negative means missing)")
    lines = []
    for row, file in enumerate(files):
        if "\n" in file or "\r" in file:
            raise InputError(f"{file!r} can't be written as TPS: a line end in a name. Rename it.")
        lines.append(f"LM={len(points.names)}")
        for x, y in tps[row].tolist():
            lines.append(f"{_digits(x)} {_digits(y)}" if x >= 0 and y >= 0 else MISSING)
        lines += [f"IMAGE={file}", f"ID={row}"]
        if scale is not None:
            lines.append(f"SCALE={_digits(scale[row])}")
    content = "".join(f"{line}\n" for line in lines).encode("utf-8", "backslashreplace")
    write_atomically(path, lambda partial: partial.write_bytes(content))
    return tuple(lost)


def _from_pixels(points: Points) -> np.ndarray:
    """The coordinates of tpsDig (N, P, 2), with six decimals."""
    unknown = np.full(len(points), np.nan)
    heights = unknown if points.sizes is None else points.sizes[:, 1]
    if not (heights > 0).all():
        first = points.files[int(np.argmax(~(heights > 0)))]
        raise InputError(
            f"The height of {(~(heights > 0)).sum()} images is not known (the first is {first}), "
            "and TPS counts y from the bottom. Name the folder or archive of the images: images= "
            "of read_points in Python, --images on the command line."
        )
    x, y = np.moveaxis(points.xy.astype(np.float64), -1, 0)
    return np.round(np.stack([x + 0.5, heights[:, None] - 0.5 - y], axis=-1), 6)


def _digits(value: float) -> str:
    return np.format_float_positional(abs(value), trim="-")
