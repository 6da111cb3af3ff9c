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
from itertools import islice
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


def read_tps(path: Path, images=None) -> Points:
    """Read the landmarks of a TPS file; `images` is its images' folder, zip or tar.

    By default the images lie beside the file; only their heights are needed. LM=0, a specimen not
    yet marked, is one with all points missing. Curves, outlines and comments are left out.
    """
    specimens = _specimens(str(path), _text(path))
    counts = Counter(len(points) for _, points, _ in specimens if points)
    if not counts:
        raise InputError(f"{path} holds no landmark: it has no LM= with a number over 0.")
    usual = counts.most_common(1)[0][0]
    files, xy, scale = [], [], []
    for line, points, keys in specimens:
        if len(points) not in (0, usual):
            raise InputError(
                f"{path}, line {line}: LM={len(points)}, but most specimens have LM={usual}. Give "
                "all the same landmarks; mark a missing one by -1 -1."
            )
        files.append(plain_name(keys.get("IMAGE") or keys.get("ID", "")))
        if not files[-1]:
            raise InputError(f"{path}, line {line}: neither IMAGE= nor ID= names its image.")
        xy.append(points or [(np.nan, np.nan)] * usual)
        scale.append(_scale(f"{path}, line {line}", keys.get("SCALE", "")))
    sizes = image_sizes(files, images, beside=path.parent)
    x, y = np.moveaxis(np.array(xy), -1, 0)
    points = Points(
        default_names(usual),
        tuple(files),
        np.stack([x - 0.5, sizes[:, 1:] - 0.5 - y], axis=-1),
        sizes=sizes,
        scale=None if np.isnan(scale).all() else np.array(scale),
    )
    check_points(points, str(path), [f"the specimen of line {line}" for line, _, _ in specimens])
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


def _specimens(where: str, text: str) -> list[tuple[int, list[tuple[float, float]], dict]]:
    """Line, landmarks in tpsDig's coordinates, and IMAGE, ID and SCALE of each specimen."""
    numbered = enumerate(LINE_END.split(text), 1)
    lines = ((line, content) for line, content in numbered if content.strip())
    specimens, left_out = [], Counter()
    skipping = False  # the lines of a curve or an outline
    for line, content in lines:
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
        if key == "LM" and value.isdecimal() and len(value) < 10:
            points = [_landmark(where, *row) for row in islice(lines, int(value))]
            if len(points) < int(value):
                raise InputError(f"{where}, line {line}: LM={value}, but the file ends before.")
            specimens.append((line, points, {}))
        elif key in ("LM", "LM3") or not specimens:
            raise InputError(
                f"{where}, line {line}: {key}={value[:40]}; expected LM= and the number of "
                "landmarks in the plane first."
            )
        elif key in ("IMAGE", "ID", "SCALE"):
            specimens[-1][2][key] = value
        else:
            left_out[key] += 1
    if left_out:
        found = ", ".join(f"{count} {key}" for key, count in left_out.items())
        warnings.warn(f"{where}: left out {found}.", LeftOutWarning, stacklevel=3)
    return specimens


def _landmark(where: str, line: int, text: str) -> tuple[float, float]:
    """The two numbers of a line; NaN where one is NA or negative."""
    try:
        x, y = (number(cell, decimal_comma=True) for cell in text.split())
    except ValueError as error:
        raise InputError(
            f"{where}, line {line}: {text.strip()[:40]!r} is no landmark; expected x and y."
        ) from error
    return (x, y) if x >= 0 and y >= 0 else (np.nan, np.nan)


def _scale(where: str, text: str) -> float:
    """The number of SCALE=, NaN where it is not given or empty."""
    try:
        value = number(text, decimal_comma=True)
    except ValueError:
        value = -1.0
    if value <= 0:
        raise InputError(f"{where}: SCALE={text}; expected a length a pixel.")
    return value


def write_tps(points: Points, path: Path) -> tuple[str, ...]:
    """Write a specimen an image; say what is lost besides what TPS never holds."""
    files, lost = points.files, []
    if points.frame is not None:
        files = tuple(f"{file}#{int(n)}" for file, n in zip(files, points.frame, strict=True))
        lost.append("the frame numbers as numbers (they are in the names, as video.mp4#12)")
    scale = points.scale if points.scale is not None and (points.scale > 0).all() else None
    if scale is None and points.scale is not None:
        lost.append("the scale (it is not known of every image)")
    heights = np.full(len(points), np.nan) if points.sizes is None else points.sizes[:, 1]
    unknown = [file for file, height in zip(files, heights, strict=True) if not height > 0]
    if unknown:
        raise InputError(
            f"The height of {len(unknown)} images is not known (the first is {unknown[0]}), and "
            "TPS counts y from the bottom. Name the folder or archive of the images: images= of "
            "read_points in Python, --images on the command line."
        )
    x, y = np.moveaxis(points.xy.astype(np.float64), -1, 0)
    tps = np.round(np.stack([x + 0.5, heights[:, None] - 0.5 - y], axis=-1), 6)
    there = np.all(tps >= 0, axis=-1)
    if outside := int((points.marked & ~there).sum()):
        lost.append(f"{outside} points left of or below their image (negative means missing)")
    lines = []
    for row, file in enumerate(files):
        if "\n" in file or "\r" in file:
            raise InputError(f"{file!r} can't be written as TPS: a line end in a name. Rename it.")
        landmarks = zip(tps[row], there[row], strict=True)
        lines.append(f"LM={len(points.names)}")
        lines += [" ".join(map(_digits, xy)) if known else MISSING for xy, known in landmarks]
        lines += [f"IMAGE={file}", f"ID={row}"]
        if scale is not None:
            lines.append(f"SCALE={_digits(scale[row])}")
    content = "".join(f"{line}\n" for line in lines).encode("utf-8", "backslashreplace")
    write_atomically(path, lambda partial: partial.write_bytes(content))
    return tuple(lost)


def _digits(value: float) -> str:
    return np.format_float_positional(abs(value), trim="-")  # abs: of -0.0
