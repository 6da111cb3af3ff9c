"""What the lines of a TPS file say: specimens, still in tpsDig's own coordinates."""

import math
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation

from swapmark.errors import InputError
from swapmark.points.wide import plain_name

KEY = re.compile(r"\s*([A-Za-z][A-Za-z0-9]*)\s*=\s*(.*?)\s*")

LINE_END = re.compile(r"\r\n|\r|\n")
"""Not all that `splitlines` takes for one: names may hold the others."""


@dataclass
class Specimen:
    """What one LM= of a file and the lines below it say.

    >>> Specimen(1, [None], {"IMAGE": "a.png", "ID": "0"}).name
    'a.png'
    """

    line: int
    """Line of its LM=."""
    points: list[tuple[Decimal, Decimal] | None]
    """In tpsDig's coordinates; None where missing."""
    keys: dict[str, str] = field(default_factory=dict)
    """IMAGE, ID and SCALE."""

    @property
    def name(self) -> str:
        """Name of the image, or the ID where none is given."""
        return plain_name(self.keys.get("IMAGE") or self.keys.get("ID", ""))


def read_specimens(where: str, text: str, left_out: Counter[str]) -> Iterator[Specimen]:
    """The specimens of a file; keys that are not used are counted in `left_out`.

    Raises InputError, with the line, for what is no TPS file, a part of one, or one in space.

    >>> text = "LM=1\\n0.5 29.5\\nIMAGE=a.png\\nID=0\\n"
    >>> [specimen.points for specimen in read_specimens("a.tps", text, Counter())]
    [[(Decimal('0.5'), Decimal('29.5'))]]
    """
    lines = [(number, line) for number, line in enumerate(LINE_END.split(text), 1) if line.strip()]
    specimen: Specimen | None = None
    skipping = False  # the lines of a curve or an outline
    position = 0
    while position < len(lines):
        number, line = lines[position]
        position += 1
        match = KEY.fullmatch(line)
        if match is None:
            if not skipping:
                raise InputError(
                    f"{where}, line {number}: expected KEY=value, found {line.strip()[:40]!r}. "
                    "LM= must be the number of the coordinate lines below it."
                )
            continue
        key, value = match[1].upper(), match[2]
        if key == "LM":
            if specimen is not None:
                yield specimen
            count = _count(where, number, value)
            block = lines[position : position + count]
            points = [_point(where, at, row) for at, row in block]
            if len(points) < count:
                raise InputError(f"{where}, line {number}: LM={count}, but the file ends before.")
            specimen = Specimen(number, points)
            position += count
        elif key == "LM3":
            raise InputError(f"{where}, line {number}: LM3= are points in space; expected LM=.")
        elif specimen is None:
            raise InputError(f"{where}, line {number}: {key}= before the first LM=.")
        elif key in ("IMAGE", "ID", "SCALE"):
            specimen.keys[key] = value
        else:
            left_out[key] += 1
        skipping = key in ("POINTS", "POINTS3", "CHAIN", "RADII")
    if specimen is not None:
        yield specimen


def _count(where: str, line: int, value: str) -> int:
    if not value.isdecimal() or len(value) > 9:
        raise InputError(
            f"{where}, line {line}: LM={value[:40]}; expected how many landmarks follow."
        )
    return int(value)


def _point(where: str, line: int, text: str) -> tuple[Decimal, Decimal] | None:
    """The two numbers of a line; None where one is NA or negative."""
    cells = text.split()
    if len(cells) == 2 and any(cell.upper() in ("NA", "NAN") for cell in cells):
        return None
    try:
        x, y = (Decimal(cell.replace(",", ".") if "." not in cell else cell) for cell in cells)
    except (InvalidOperation, ValueError):
        x = y = Decimal("nan")
    if not (x.is_finite() and y.is_finite() and math.isfinite(x) and math.isfinite(y)):
        raise InputError(
            f"{where}, line {line}: {text.strip()[:40]!r} is no landmark; expected x and y."
        )
    return None if x < 0 or y < 0 else (x, y)


def scale_of(where: str, specimen: Specimen) -> float:
    """SCALE, NaN where it is not given or empty. Raises InputError for what is no length.

    >>> scale_of("a.tps", Specimen(1, [], {"SCALE": "0.02"}))
    0.02
    """
    text = specimen.keys.get("SCALE", "").replace(",", ".")
    try:
        value = float(text or "nan")
    except ValueError:
        value = -1.0
    if value <= 0 or math.isinf(value):
        raise InputError(
            f"{where}, specimen of line {specimen.line}: SCALE={text}; expected a length a pixel."
        )
    return value
