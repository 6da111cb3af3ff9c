"""TPS, the text of tpsDig: LM=, a line a landmark, then IMAGE=, ID= and perhaps SCALE=.

The half-pixel rule: tpsDig counts from the bottom left *corner* of the image, x to the right and y
up, while our (0, 0) is the *centre* of the top left pixel. So, for an image of height h,

    x_tps = x + 1/2        y_tps = h - (y + 1/2)

They are written with six decimals at most, so that a file that is read and written again has the
same numbers. A negative coordinate or NA is a missing point; -1 -1 is written. SCALE is written for
every specimen or for none, and LM is the same in all: geomorph's readland.tps asks for both.
"""

import io
import re
import warnings
from collections import Counter
from contextlib import suppress
from itertools import islice
from pathlib import Path

import numpy as np

from swapmark.errors import InputError, LeftOutWarning, counted
from swapmark.files import write_text
from swapmark.points.checks import check_points, corner_as_missing, plain_name
from swapmark.points.rows import image_sizes
from swapmark.points.table import Points, default_names
from swapmark.points.text import decode_text, number

KEY = re.compile(r"\s*([A-Za-z][A-Za-z0-9]*)\s*=\s*(.*?)\s*")

OF_CURVE = re.compile(r"(?im)^\s*POINTS\s*=\s*(\d{1,9})\s*$")
"""How many points a curve or an outline has."""


def read_tps(path: Path, images=None) -> Points:
    """Read the landmarks of a TPS file; `images` is its images' folder, zip or tar.

    By default the images lie beside the file; only their heights are needed. LM=0, a specimen not
    yet marked, is one with all points missing, and so are landmarks at 0 0 where one specimen
    has several (geomorph's digitize2d begins with them). Curves, outlines and comments are left
    out.
    """
    # tpsDig writes the code page of its Windows; names in it are all that can be misread.
    text = decode_text(str(path), path.read_bytes(), code_page="cp1252")
    specimens = _specimens(str(path), text)
    counts = Counter(len(points) for _, points, _ in specimens if points)
    if not counts:
        curves = sum(map(int, OF_CURVE.findall(text)))
        raise InputError(
            f"{path} holds no landmark: it has no LM= with a number over 0. It has "
            f"{counted(curves, 'point')} in curves or outlines, which are left out; tpsUtil makes "
            "landmarks of curves (Append tps curve to landmarks)."
        )
    usual = counts.most_common(1)[0][0]
    files, xy, scale = [], [], []
    for place, points, keys in specimens:
        if len(points) not in (0, usual):
            raise InputError(
                f"{path}, {place}: LM={len(points)}, but most specimens have LM={usual}. Give "
                "all the same landmarks; mark a missing one by -1 -1."
            )
        files.append(plain_name(keys.get("IMAGE") or keys.get("ID", "")))
        if not files[-1]:
            raise InputError(f"{path}, {place}: neither IMAGE= nor ID= names its image.")
        xy.append(points or [(np.nan, np.nan)] * usual)
        scale.append(keys.get("SCALE", np.nan))
    sizes = image_sizes(files, images, beside=path.parent)
    x, y = np.moveaxis(corner_as_missing(np.array(xy), str(path)), -1, 0)
    points = Points(
        default_names(usual),
        tuple(files),
        np.stack([x - 0.5, sizes[:, 1:] - 0.5 - y], axis=-1),
        sizes=sizes,
        scale=None if np.isnan(scale).all() else np.array(scale),
    )
    check_points(points, str(path), [place for place, _, _ in specimens])
    return points


def _specimens(where: str, text: str) -> list[tuple[str, list, dict]]:
    """Place, landmarks in tpsDig's coordinates, and IMAGE, ID and SCALE of each specimen."""
    # Not `splitlines`: names may hold other signs that it takes for ends of lines.
    numbered = enumerate(io.StringIO(text, newline=None), 1)
    lines = ((f"line {line}", content.strip()) for line, content in numbered if content.strip())
    specimens, left_out, skipping = [], Counter(), False
    for place, content in lines:
        match = KEY.fullmatch(content)
        key, value = (match[1].upper(), match[2]) if match else ("", content)
        if key == "LM" and value.isdecimal() and len(value) < 10:
            points = [_landmark(where, *row) for row in islice(lines, int(value))]
            if len(points) < int(value):
                raise InputError(f"{where}, {place}: LM={value}, but the file ends before.")
            specimens.append((place, points, {}))
            skipping = False
        elif key in ("LM", "LM3") or not specimens or not (key or skipping):
            raise InputError(
                f"{where}, {place}: found {content[:40]!r}. Expected KEY=value, the first LM= with "
                "the number of landmarks in the plane, a line each, that follow it."
            )
        elif key in ("IMAGE", "ID"):
            specimens[-1][2][key] = value
        elif key == "SCALE":
            specimens[-1][2][key] = _scale(where, place, value)
        elif key:
            skipping = True  # the lines of a curve or an outline
            left_out[key] += 1
    if left_out and any(points for _, points, _ in specimens):
        found = ", ".join(f"{count} {key}" for key, count in left_out.items())
        warnings.warn(f"{where}: left out {found}.", LeftOutWarning, stacklevel=3)
    return specimens


def _landmark(where: str, place: str, text: str) -> tuple[float, float]:
    """The two numbers of a line; NaN where one is NA or negative."""
    try:
        x, y = (number(cell, decimal_comma=True) for cell in text.split())
    except ValueError as error:
        raise InputError(f"{where}, {place}: {text[:40]!r} is no landmark.") from error
    return (x, y) if x >= 0 and y >= 0 else (np.nan, np.nan)


def _scale(where: str, place: str, text: str) -> float:
    """The number of SCALE=, NaN where it is empty."""
    with suppress(ValueError):
        value = number(text, decimal_comma=True)
        if not value <= 0:
            return value
    raise InputError(f"{where}, {place}: SCALE={text[:40]}; expected a length a pixel.")


def write_tps(points: Points, path: Path) -> tuple[str, ...]:
    """Write a specimen an image; say what is lost besides what TPS never holds."""
    files, scale, lost = points.files, points.scale, []
    if points.frame is not None:
        files = tuple(f"{file}#{int(n)}" for file, n in zip(files, points.frame, strict=True))
        lost.append("the frame numbers as numbers (they are in the names, as video.mp4#12)")
    if scale is not None and not (scale > 0).all():
        scale = None
        lost.append("the scale (it is not known of every image)")
    heights = np.full(len(points), np.nan) if points.sizes is None else points.sizes[:, 1]
    if not (heights > 0).all():
        unknown = [file for file, height in zip(files, heights, strict=True) if not height > 0]
        raise InputError(
            f"The heights of {len(unknown)} images, such as {unknown[0]}, are not known, and TPS "
            "counts y from the bottom. Read the points with --images (images= in Python)."
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
        lines += [" ".join(map(_digits, xy)) if known else "-1 -1" for xy, known in landmarks]
        lines += [f"IMAGE={file}", f"ID={row}"]
        if scale is not None:
            lines.append(f"SCALE={_digits(scale[row])}")
    write_text(path, "".join(f"{line}\n" for line in lines))
    return tuple(lost)


def _digits(value: float) -> str:
    return np.format_float_positional(abs(value), trim="-")  # abs: of -0.0
