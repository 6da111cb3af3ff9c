"""Whole files made into damaged ones, by chance: what disks, copies and strangers do to files."""

import json
import struct
import zlib
from collections.abc import Sequence
from random import Random
from typing import Any

ODD_NUMBERS = (0, 1, 2, 255, 256, 4096, 20_000, 65_535, 2**31 - 1, 2**31, 2**32 - 1, 2**63)
ODD_VALUES = (
    *(0, -1, 1, 3, 10**4, 10**9, 10**30, -(10**30), 0.5, 1e308, float("nan"), float("inf")),
    *("", "x", "nan", "1e999", "1,5", "=1+1", "\x1b[2J", "../../x.png", "/x.png", "\0", "ü" * 300),
    *(None, True, [], {}, [[]], [1, 2], {"a": 1}),
)


def damaged(data: bytes, random: Random, others: Sequence[bytes] = ()) -> bytes:
    """The bytes after one to three mishaps; `others` lend their ends."""
    for _ in range(random.choice((1, 1, 1, 2, 3))):
        data = _mishap(bytearray(data or b"\0"), random, others)
    return data


def _mishap(data: bytearray, random: Random, others: Sequence[bytes]) -> bytes:
    size = len(data)
    # Half of the mishaps befall the beginning, where headers are.
    place = random.randrange(min(size, random.choice((200, size))))
    length = random.choice((1, 2, 4, 16, 100, 1000))
    match random.randrange(8):
        case 0 | 1:
            for _ in range(random.choice((1, 2, 8))):
                data[place] ^= 1 << random.randrange(8)
                place = (place + random.randrange(50)) % size
        case 2:
            del data[place:]
        case 3:
            del data[place : place + length]
        case 4:
            data[place:place] = data[place : place + length] * random.choice((1, 2, 50))
        case 5:
            fill = random.choice((b"\0", b"\xff", b" ", b"9", random.randbytes(1)))
            data[place : place + length] = fill * min(length, size - place)
        case 6:
            kind = random.choice("<>") + random.choice("HIQ")
            number = random.choice(ODD_NUMBERS) % 256 ** struct.calcsize(kind)
            data[place : place + struct.calcsize(kind)] = struct.pack(kind, number)
        case _:
            other = random.choice(others) if others else bytes(data)
            data[place:] = other[random.randrange(len(other)) :]
    return bytes(data)


def with_right_sums(png: bytes) -> bytes:
    """A damaged PNG whose parts have the right checksums, so that decoders go on reading."""
    made, place = bytearray(png[:8]), 8
    while place + 12 <= len(png):
        (length,) = struct.unpack_from(">I", png, place)
        body = png[place + 4 : place + 8 + length]
        made += png[place : place + 4] + body + struct.pack(">I", zlib.crc32(body))
        place += 12 + length
    return bytes(made)


def damaged_json(text: str, random: Random) -> str:
    """JSON of which one to three values were left out or became odd ones."""
    values = json.loads(text)
    for _ in range(random.choice((1, 1, 2, 3))):
        place = _place_in(values, random)
        if place:
            inside, key = place
            if random.random() < 0.15:
                del inside[key]
            else:
                inside[key] = random.choice(ODD_VALUES)
    return json.dumps(values)


def _place_in(values: Any, random: Random) -> tuple[Any, Any] | None:
    """A mapping or list anywhere in the values, and a key of it."""
    found = None
    while isinstance(values, dict | list) and values:
        keys = list(values) if isinstance(values, dict) else list(range(len(values)))
        key = random.choice(keys)
        found, values = (values, key), values[key]
        if random.random() < 0.2:
            break
    return found


def damaged_cells(text: str, random: Random) -> str:
    """Text of which one to three cells were left out or became odd ones, or lines moved."""
    lines = text.splitlines()
    for _ in range(random.choice((1, 1, 2, 3))):
        number = random.randrange(len(lines))
        mark = next((mark for mark in ",\t= " if mark in lines[number]), ",")
        cells = lines[number].split(mark)
        match random.randrange(6):
            case 0:
                del cells[random.randrange(len(cells))]
            case 1:
                cells.insert(random.randrange(len(cells) + 1), cells[-1])
            case 2:
                lines[random.randrange(len(lines))] = lines[number]
            case _:
                cells[random.randrange(len(cells))] = str(random.choice(ODD_VALUES))
        lines[number] = mark.join(cells)
    return "\n".join(lines) + "\n"
