"""One image: from the bytes of a file to the square that a network sees, and back for points.

JPEG, PNG, WebP, TIFF and BMP become 8-bit RGB by these rules:
- the EXIF turn is applied; colour profiles are not, the stored values are taken as sRGB;
- transparent pixels are laid on white, unless all of them are; palettes, grey, CMYK and YCbCr
  become RGB;
- grey of 16 or 32 bits and floats (see `parts_to_rgb`) are stretched: the image's own 0.1 % and
  99.9 % quantiles become 0 and 255, because cameras seldom fill the range that the file offers;
- colour of 16 bits keeps its upper byte, as Pillow reads it;
- of several pages or moving frames none is taken, for nothing says which is meant; smaller copies
  and masks beside a page of a TIFF do not count.
"""

import io
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from PIL import Image, ImageFile, ImageOps
from PIL.BmpImagePlugin import BmpImageFile
from PIL.JpegImagePlugin import JpegImageFile
from PIL.PngImagePlugin import PngImageFile
from PIL.TiffImagePlugin import TiffImageFile
from PIL.WebPImagePlugin import WebPImageFile

from swapmark.coordinates import pixels_to_unit, unit_to_pixels
from swapmark.data.pixels import ImageProblem, array_to_rgb, check_size, on_white
from swapmark.data.tiff import Page, find_page, read_with_tifffile
from swapmark.errors import InputError

RESIZE_MODES = ("pad", "crop")
ORIENTATION_TAG = 0x0112
READERS: dict[bytes, type[ImageFile.ImageFile]] = {
    b"\xff\xd8\xff": JpegImageFile,
    b"\x89PNG\r\n\x1a\n": PngImageFile,
    b"RIFF": WebPImageFile,
    **dict.fromkeys((b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"), TiffImageFile),
    b"BM": BmpImageFile,
}
"""The first bytes of each kind of file, and Pillow's reader for it."""


class Decoded(NamedTuple):
    """An image as it is read, turned upright."""

    pixels: np.ndarray
    """uint8 (H, W, 3)."""
    size: tuple[int, int]
    """Full width and height; larger than `pixels` where these are a draft."""


def decode_image(data: bytes, *, draft_size: int | None = None) -> Decoded:
    """Decode an image file, turned upright: uint8 (H, W, 3), and its full width and height.

    With `draft_size`, a larger JPEG is decoded at 1/2, 1/4 or 1/8 of its size, both sides still
    at least `draft_size` pixels; it is several times faster.
    Raises ImageProblem with the reason when the bytes are not a whole image of a known format or
    when its header announces more than MAX_PIXELS or a side under MIN_SIDE.
    """
    reader = _reader_for(data)
    page = find_page(data) if reader is TiffImageFile else None
    try:
        if page and not page.reads_rightly:
            raise ValueError("its values would be wrong")
        image = _opened(data, reader, page)
    except ImageProblem:
        raise
    except Exception as error:
        # Decoders of hostile bytes raise whatever they stumble over; Pillow keeps no list.
        if page is None:
            raise ImageProblem(f"unreadable or truncated header: {error}") from error
        check_size(*page.upright_size)
        pixels = read_with_tifffile(data, page, f"a kind of TIFF that Pillow cannot read ({error})")
        return Decoded(pixels, pixels.shape[1::-1])
    check_size(*image.size)
    with _damage_told():
        size = _upright_size(image)
        drafted = image.draft("RGB", (draft_size, draft_size)) if draft_size else None
        image.load()
        # The last row and column of a draft reach past the image unless its size divides.
        if drafted and drafted[1][2:] != image.size:
            image = image.resize(image.size, box=drafted[1])
        ImageOps.exif_transpose(image, in_place=True)
        return Decoded(_to_rgb(image), size if drafted else image.size)


def image_size(data: bytes) -> tuple[int, int]:
    """Width and height in pixels after the EXIF turn, from the header where that is enough.

    Raises ImageProblem as `decode_image` does.
    """
    reader = _reader_for(data)
    if reader is TiffImageFile:
        size = find_page(data).upright_size
    else:
        try:
            size = _upright_size(_opened(data, reader, None))
        except Exception:  # as in decode_image, which says what is wrong
            return decode_image(data)[1]
    check_size(*size)
    return size


def pillow_to_rgb(image: Image.Image) -> np.ndarray:
    """Turn a Pillow image, left as it is, into upright uint8 (H, W, 3); raises ImageProblem."""
    check_size(*image.size)
    with _damage_told():
        return _to_rgb(ImageOps.exif_transpose(image))


def _reader_for(data: bytes) -> type[ImageFile.ImageFile]:
    """The reader for these bytes, by their signature.

    The readers are called directly because Image.open compares with Pillow's global pixel limit,
    which warns or fails before our own limit can be applied.
    """
    if not data:
        raise ImageProblem("the file is empty")
    for start, reader in READERS.items():
        if data.startswith(start) and (start != b"RIFF" or data[8:12] == b"WEBP"):
            return reader
    raise ImageProblem(f"not a JPEG, PNG, WebP, TIFF or BMP file (it begins with {data[:8]!r})")


def _opened(
    data: bytes, reader: type[ImageFile.ImageFile], page: Page | None
) -> ImageFile.ImageFile:
    """Pillow's image at the page of a TIFF; raises ImageProblem where there are several frames."""
    image = reader(io.BytesIO(data))
    if page:
        image.seek(page.index)
    elif (count := getattr(image, "n_frames", 1)) > 1:
        raise ImageProblem(f"{count} moving frames; save the one that is meant, or each, as a file")
    return image


@contextmanager
def _damage_told() -> Iterator[None]:
    try:
        yield
    except ImageProblem:
        raise
    except Exception as error:
        raise ImageProblem(f"truncated or damaged: {error or type(error).__name__}") from error


def _upright_size(image: Image.Image) -> tuple[int, int]:
    """Width and height once the EXIF turn is applied."""
    width, height = image.size
    is_turned = image.getexif().get(ORIENTATION_TAG, 1) in (5, 6, 7, 8)
    return (height, width) if is_turned else (width, height)


def _to_rgb(image: Image.Image) -> np.ndarray:
    """The pixels of an upright image."""
    if image.mode.startswith("I") or image.mode == "F":
        return array_to_rgb(np.asarray(image))
    return on_white(image)


@dataclass(frozen=True, slots=True)
class Placement:
    """Where an image of (width, height) pixels lies in the network's size × size square.

    `pad` keeps the whole image, scaled until its longer side is `size` and centred; `crop` scales
    until its shorter side is `size` and keeps the centre. Sides are rounded to whole pixels and
    points follow the rounded sides, so `to_original` undoes `to_model` exactly.
    """

    width: int
    """Width of the original image in pixels, after the EXIF turn."""
    height: int
    """Height of the original image in pixels, after the EXIF turn."""
    size: int
    """Side of the square in pixels."""
    resize: str = "pad"
    """`pad` or `crop`."""

    @property
    def scaled(self) -> tuple[int, int]:
        """(width, height) in pixels of the square of the whole image."""
        whole = (max if self.resize == "pad" else min)(self.width, self.height)
        width, height = (
            max(1, (2 * side * self.size + whole) // (2 * whole))
            for side in (self.width, self.height)
        )
        return width, height

    @property
    def corner(self) -> tuple[int, int]:
        """(x, y) of the scaled image's corner in the square; negative where it is cropped."""
        width, height = self.scaled
        return (self.size - width) // 2, (self.size - height) // 2

    def to_model(self, xy: np.ndarray) -> np.ndarray:
        """Turn original pixel coordinates (..., 2) into pixels of the square."""
        unit = pixels_to_unit(xy, np.array([self.width, self.height]))
        return unit_to_pixels(unit, np.array(self.scaled)) + np.array(self.corner)

    def to_original(self, xy: np.ndarray) -> np.ndarray:
        """Turn pixel coordinates (..., 2) of the square into original pixels."""
        unit = pixels_to_unit(xy - np.array(self.corner), np.array(self.scaled))
        return unit_to_pixels(unit, np.array([self.width, self.height]))


def resize_image(
    pixels: np.ndarray,
    size: int,
    resize: str = "pad",
    *,
    original_size: tuple[int, int] | None = None,
) -> tuple[np.ndarray, Placement]:
    """Resize an image (H, W, 3) of uint8 into (size, size, 3), and say where it lies there.

    The filter is Pillow's bicubic, widened when shrinking; borders of `pad` take the image's mean
    colour. `original_size` is the (width, height) of an image that was shrunk while decoding.
    Raises InputError for an unknown mode.
    """
    if resize not in RESIZE_MODES:
        raise InputError(f"resize is {resize!r}; expected {' or '.join(RESIZE_MODES)}.")
    height, width = pixels.shape[:2]
    placement = Placement(*(original_size or (width, height)), size, resize)
    scaled, (left, top) = placement.scaled, placement.corner
    inside = (min(size, scaled[0]), min(size, scaled[1]))
    # The part that stays visible, in the pixels at hand: nothing larger than it is ever made.
    corner = (max(0, -left) * width / scaled[0], max(0, -top) * height / scaled[1])
    extent = (inside[0] * width / scaled[0], inside[1] * height / scaled[1])
    box = (*corner, min(width, corner[0] + extent[0]), min(height, corner[1] + extent[1]))
    image = Image.fromarray(pixels).resize(inside, Image.Resampling.BICUBIC, box=box)
    visible = np.asarray(image)
    if inside == (size, size):
        return visible, placement
    square = np.empty((size, size, 3), np.uint8)
    square[:] = np.rint(visible.mean(axis=(0, 1)))
    square[max(0, top) : max(0, top) + inside[1], max(0, left) : max(0, left) + inside[0]] = visible
    return square, placement
