"""Which picture of a TIFF is meant, and which of the two readers reads it rightly.

Pillow reads most compressions, but some kinds of samples wrongly and without a word. tifffile
reads every kind of sample, but few compressions. So Pillow reads the kinds that it is known to
read rightly (`reads_rightly`), and tifffile the others.
"""

import io
import lzma
import math
import re
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np

from swapmark.data import pixels
from swapmark.data.pixels import ImageProblem, check_size, parts_to_rgb

# Tags, by their names in the specification of TIFF 6.0.
SUBFILE, OLD_SUBFILE, WIDTH, LENGTH, BITS, COMPRESSION = 254, 255, 256, 257, 258, 259
PHOTOMETRIC, DESCRIPTION, ORIENTATION, SAMPLES, PLANAR = 262, 270, 274, 277, 284
SUB_PAGES, EXTRA_SAMPLES, FORMAT = 330, 338, 339
_LENGTHS = {1: 1, 2: 1, 3: 2, 4: 4, 13: 4, 16: 8, 18: 8}
"""Bytes of a value: of a byte, a letter, and integers of 16, 32 and 64 bits."""
_LETTERS = {1: "B", 2: "B", 3: "H", 4: "I", 13: "I", 16: "Q", 18: "Q"}
MAX_PAGES = 10_000
"""More are not counted."""
MOST_KEPT = 4
"""Bytes a pixel up to which a picture is decoded once and kept while it is looked at."""
MOST_OF_A_STRIP = 2**29
"""Bytes of a strip or tile that tifffile unpacks as a whole; it holds two copies."""
BY_ROWS = {8: zlib.decompressobj, 32946: zlib.decompressobj, 34925: lzma.LZMADecompressor}
"""Compressions that unpack a thousandfold: unpacked by rows here, and no more than is needed."""
AT_ONCE = 2**20
"""Bytes that are unpacked together."""
MOST_OF_A_ROW = 2**26
"""Bytes of one row of a strip or tile, which is held as a whole."""
_MOST_READ = 4096
"""Bytes of a tag; longer ones are no numbers that are needed here."""


@dataclass(frozen=True)
class Page:
    """One picture of a TIFF."""

    order: str
    """`<` or `>`, the order of bytes in the file, as struct writes it."""
    index: int = 0
    """Place among all pages, from 0."""
    tags: dict[int, tuple[int, ...]] = field(default_factory=dict)
    """Numbers by tag."""

    def get(self, tag: int, default: int = 0) -> int:
        """The first number of a tag."""
        return (self.tags.get(tag) or (default,))[0]

    @property
    def is_extra(self) -> bool:
        """Whether it is a smaller copy of another page, or the mask of one."""
        return bool(self.get(SUBFILE) & 0b101) or self.get(OLD_SUBFILE) == 2

    @property
    def upright_size(self) -> tuple[int, int]:
        """Width and height in pixels once it is turned upright."""
        width, height = self.get(WIDTH), self.get(LENGTH)
        is_turned = self.get(ORIENTATION, 1) in (5, 6, 7, 8)
        return (height, width) if is_turned else (width, height)

    @property
    def reads_rightly(self) -> bool:
        """Whether Pillow reads it rightly, if it reads it at all.

        Planes that follow one another: not of two samples, and uncompressed only RGB of 8 bits,
        with or without alpha. Else, of up to 8 bits a sample all that are unsigned; of more not
        where 0 is white, nor signed numbers and floats that were compressed with the other order of
        bytes, nor unsigned numbers of 32 bits.
        """
        bits, kind = max(self.tags.get(BITS, (1,))), max(self.tags.get(FORMAT, (1,)))
        unsigned, raw = kind not in (2, 3), self.get(COMPRESSION, 1) == 1
        samples, extra = self.get(SAMPLES, 1), self.tags.get(EXTRA_SAMPLES, ())
        apart = self.get(PLANAR, 1) == 2 and samples > 1
        if apart and (samples == 2 or (raw and (bits > 8 or not set(extra) <= {2}))):
            return False
        if bits <= 8:
            return unsigned
        if self.get(PHOTOMETRIC) == 0:
            return False
        return bits <= 16 if unsigned else raw or self.order == "<"


def find_page(data: bytes) -> Page:
    """The page that is the picture: smaller copies and masks of it are passed over.

    Raises ImageProblem where several are left, because nothing says which is meant.
    """
    pages = _pages(data)
    if not pages:
        raise ImageProblem("unreadable or truncated header: it lists no picture")
    meant = [page for page in pages if not page.is_extra]
    if not meant and (len(pages) > 1 or SUB_PAGES in pages[0].tags):
        raise ImageProblem("only smaller copies of a picture; save the picture as PNG or TIFF")
    count = len(meant)
    if len(pages) == 1:
        # ImageJ lists the first page alone when it writes a large stack.
        text = bytes(letter & 255 for letter in pages[0].tags.get(DESCRIPTION, ()))
        told = re.match(rb"ImageJ=.*?\nimages=(\d{1,9})\n", text, re.DOTALL)
        count = int(told[1]) if told else 1
    if count > 1:
        raise ImageProblem(f"{count} pages; save the one that is meant, or each, as a single file")
    return meant[0] if meant else pages[0]


def _pages(data: bytes) -> list[Page]:
    """Every page of the file's chain, as far as it can be followed."""
    order = "<" if data.startswith(b"II") else ">"
    big = data[2:4] in (b"+\0", b"\0+")
    count_of, entry_of = (order + "Q", order + "HHQ8s") if big else (order + "H", order + "HHI4s")
    pointer = order + ("Q" if big else "I")
    length, entry = struct.calcsize(count_of), struct.calcsize(entry_of)
    pages, seen = [], {0}
    try:
        (start,) = struct.unpack_from(pointer, data, 8 if big else 4)
        while start not in seen and len(pages) < MAX_PAGES:
            seen.add(start)
            (count,) = struct.unpack_from(count_of, data, start)
            end = start + length + entry * count
            tags = {}
            for tag, kind, many, value in struct.iter_unpack(entry_of, data[start + length : end]):
                size = many * _LENGTHS.get(kind, 0)
                if size > len(value) and size <= _MOST_READ:
                    (place,) = struct.unpack(pointer, value)
                    value = data[place : place + size]
                if 0 < size <= len(value):
                    tags[tag] = struct.unpack_from(f"{order}{many}{_LETTERS[kind]}", value)
            if WIDTH not in tags or LENGTH not in tags:
                break
            pages.append(Page(order, len(pages), tags))
            (start,) = struct.unpack_from(pointer, data, end)
    except (struct.error, OverflowError):  # a place that no file has, too
        pass  # cut off here: what was found before counts
    return pages


def read_with_tifffile(data: bytes, page: Page, why: str) -> np.ndarray:
    """Decode a page that Pillow does not, upright uint8 (H, W, 3); `why` is what is wrong with it.

    Grey and RGB are read, with alpha. Up to three further channels are left out beside grey, and
    any number beside RGB. Raises ImageProblem.
    """
    try:
        import tifffile
    except ImportError as error:
        reason = f"{why}; pip install 'swapmark[tiff]' reads more kinds"
        raise ImageProblem(reason) from error
    try:
        with tifffile.TiffFile(io.BytesIO(data)) as file:
            rgb = _rgb_of(file.pages[page.index], data)
    except ImageProblem:
        raise
    except Exception as error:  # as Pillow's: of hostile bytes it raises anything
        if "imagecodecs" in str(error):
            reason = f"{why}, nor tifffile its compression; save a copy that is not compressed"
            raise ImageProblem(reason) from error
        raise ImageProblem(f"truncated or damaged: {error or type(error).__name__}") from error
    turn = page.get(ORIENTATION, 1)
    rgb = rgb.swapaxes(0, 1) if turn in (5, 6, 7, 8) else rgb
    rgb = rgb[:: -1 if turn in (3, 4, 7, 8) else 1, :: -1 if turn in (2, 3, 6, 7) else 1]
    return np.ascontiguousarray(rgb)


def _rgb_of(page: Any, data: bytes) -> np.ndarray:
    """The pixels of a page of tifffile, as they are stored."""
    check_size(page.imagewidth, page.imagelength)
    _check_strips(page)
    count, colours = page.samplesperpixel, {0: 1, 1: 1, 2: 3}.get(int(page.photometric))
    if colours is None or count < colours or page.imagedepth > 1:
        raise ImageProblem(f"a TIFF of {page.photometric.name.lower()} colours; save it as RGB")
    if colours == 1 and count > 4:
        raise ImageProblem(f"{count} channels that are neither grey nor RGB; save the one meant")
    # As Pillow does, a fourth channel of RGB that nothing is said of is taken for alpha.
    kinds = [int(kind) for kind in page.extrasamples] or [2 if colours == 3 else 0]
    alpha = count > colours and kinds[0] in (1, 2)
    premultiplied = alpha and kinds[0] == 1
    return parts_to_rgb(
        _parts(page, data),
        (page.imagewidth, page.imagelength),
        page.dtype,
        colours,
        alpha=alpha,
        # Alpha that was multiplied in tells how far the values reach.
        upper_byte=premultiplied or (colours, page.dtype.itemsize) == (3, 2),
        premultiplied=premultiplied,
        negative=int(page.photometric) == 0,
    )


def _check_strips(page: Any) -> None:
    """Raise ImageProblem if strips or tiles are too few, or too large to be unpacked at once."""
    listed, needed = len(page.dataoffsets), math.prod(page.chunked)
    if listed < needed:
        raise ImageProblem(f"truncated or damaged: {listed} of {needed} strips or tiles")
    size = math.prod(page.chunks) * page.dtype.itemsize
    if size > MOST_OF_A_STRIP and not page.is_final and page.compression not in BY_ROWS:
        raise ImageProblem(
            f"a strip or tile of {size / 2**20:,.0f} MiB; save a copy that is not compressed"
        )


def _parts(page: Any, data: bytes) -> pixels.Parts:
    """The samples of a page of tifffile, strip by strip or tile by tile.

    What has to be decoded is decoded again for each time, unless all of it is small.
    """
    height, width, count = page.imagelength, page.imagewidth, page.samplesperpixel
    if page.is_final:  # seen in the file's bytes, without a copy
        kind = page.dtype.newbyteorder(page.parent.byteorder)
        values = np.frombuffer(data, kind, np.prod(page.shape), page.dataoffsets[0])
        if int(page.planarconfig) == 2 and count > 1:
            values = values.reshape(count, height, width).transpose(1, 2, 0)
        return partial(iter, [(0, 0, 0, values.reshape(height, width, count))])

    def decoded() -> Iterator[tuple[int, int, int, np.ndarray]]:
        by_rows = page.compression in BY_ROWS
        segments = _rows(page, data) if by_rows else page.segments(maxworkers=1, buffersize=1)
        for part, (plane, _, top, left, _), shape in segments:
            if top >= height:  # what fills a tile up below the picture
                continue
            if part is None:  # left out by the writer
                part = np.broadcast_to(np.asarray(page.nodata, page.dtype), shape)
            yield top, left, plane, part[0, : height - top, : width - left]

    if page.nbytes > MOST_KEPT * height * width:
        return decoded
    return partial(iter, list(decoded()))


def _rows(
    page: Any, data: bytes
) -> Iterator[tuple[np.ndarray | None, tuple[int, ...], tuple[int, ...]]]:
    """What `segments` of a page of tifffile gives, but some rows of a strip or tile at a time."""
    from tifffile import TIFF

    kind = page.dtype.newbyteorder(page.parent.byteorder)
    if page.bitspersample != 8 * kind.itemsize or page.fillorder != 1:
        raise ImageProblem("packed samples of part of a byte; save a copy that is not compressed")
    codec, undo = BY_ROWS[page.compression], TIFF.UNPREDICTORS[page.predictor]
    most = math.prod(page.chunks) * kind.itemsize  # some writers fill the last strip up
    for index, (start, packed) in enumerate(
        zip(page.dataoffsets, page.databytecounts, strict=True)
    ):
        _, (plane, _, top, left, _), shape = page.decode(None, index)
        if not packed:
            yield None, (plane, 0, top, left, 0), shape
            continue
        _, rows, width, channels = shape
        row, size, held = 0, width * channels * kind.itemsize, bytearray()
        if size > MOST_OF_A_ROW:
            raise ImageProblem(f"a row of {size / 2**20:,.0f} MiB in a strip or tile")
        for some in _unpack(codec(), memoryview(data)[start : start + packed]):
            held += some
            if row * size + len(held) > most + 2**20:
                raise ImageProblem(f"a strip or tile unpacks to more than its {most:,} bytes")
            if whole := min(len(held) // size, rows - row):
                values = np.frombuffer(bytes(held[: whole * size]), kind)
                values = values.reshape(1, whole, width, channels).astype(page.dtype)
                yield undo(values, axis=-2, out=values), (plane, 0, top + row, left, 0), shape
                del held[: whole * size]
                row += whole
        if row < min(rows, page.imagelength - top):
            raise ImageProblem(f"truncated or damaged: a strip or tile of {row} of {rows} rows")


def _unpack(unpack: Any, packed: memoryview) -> Iterator[bytes]:
    """Unpack all of it, AT_ONCE at a time; raises ImageProblem if it has no end."""
    for at in range(0, len(packed), 2**16):  # what is not yet needed is copied each time
        some = unpack.decompress(packed[at : at + 2**16], AT_ONCE)
        yield some
        while len(some) == AT_ONCE and not unpack.eof:
            some = unpack.decompress(getattr(unpack, "unconsumed_tail", b""), AT_ONCE)
            yield some
        if unpack.eof:
            return
    raise ImageProblem("truncated or damaged: a strip or tile without an end")
