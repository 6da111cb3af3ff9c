"""One image: from the bytes of a file to the square that a network sees, and back for points.

JPEG, PNG, WebP, TIFF (first page) and BMP become 8-bit RGB by these rules:
- the EXIF turn is applied; colour profiles are not, the stored values are taken as sRGB;
- transparent pixels are laid on white; palettes, grey, CMYK and YCbCr become RGB;
- grey of 16 or 32 bits and floats (see `array_to_rgb`) are stretched: the image's own 0.1 % and
  99.9 % quantiles become 0 and 255, because cameras seldom fill the range that the file offers;
- colour of 16 bits keeps its upper byte, as Pillow reads it.
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
from swapmark.errors import InputError, SwapmarkError

RESIZE_MODES = ("pad", "crop")
MAX_PIXELS = 120_000_000
"""Images with more pixels (width × height in the header) are not decoded; at about 15 bytes a pixel
while decoding, the largest take 1.8 GB a thread."""
MIN_SIDE = 2
"""Images narrower or lower than this (pixels) show nothing and are not used."""
ORIENTATION_TAG = 0x0112
READERS: dict[bytes, type[ImageFile.ImageFile]] = {
    b"\xff\xd8\xff": JpegImageFile,
    b"\x89PNG\r\n\x1a\n": PngImageFile,
    b"RIFF": WebPImageFile,
    **dict.fromkeys((b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"), TiffImageFile),
    b"BM": BmpImageFile,
}
"""The first bytes of each kind of file, and Pillow's reader for it."""


class ImageProblem(SwapmarkError):  # noqa: N818 - a reason on a list more often than an error
    """One image that cannot be used; the message is the reason that skipped.csv gives."""


class Decoded(NamedTuple):
    """An image in memory, perhaps shrunk while decoding, and its full size."""

    pixels: np.ndarray
    """uint8 (H, W, 3), covering the whole image."""
    size: tuple[int, int]
    """Original (width, height) in pixels after the EXIF turn."""


def decode_image(data: bytes, *, draft_size: int | None = None) -> Decoded:
    """Decode the bytes of an image file, turned upright, as 8-bit RGB.

    With `draft_size`, a larger JPEG is decoded at 1/2, 1/4 or 1/8 of its size, both sides still
    at least `draft_size` pixels; it is several times faster.
    Raises ImageProblem with the reason when the bytes are not a whole image of a known format or
    when its header announces more than MAX_PIXELS or a side under MIN_SIDE.
    """
    reader = _reader_for(data)
    try:
        image = reader(io.BytesIO(data))
    except Exception as error:
        # Decoders of hostile bytes raise whatever they stumble over; Pillow keeps no list.
        if reader is TiffImageFile:
            return _decode_with_tifffile(data, error)
        raise ImageProblem(f"unreadable or truncated header: {error}") from error
    check_size(*image.size)
    with _damage_told():
        if draft_size is not None and isinstance(image, JpegImageFile):
            original, upright_size = image.size, _upright_size(image)
            drafted = image.draft("RGB", (draft_size, draft_size))
            if drafted is not None and image.size != original:
                # The last row and column of a draft reach past the image unless its size divides.
                image.load()
                upright = ImageOps.exif_transpose(image.resize(image.size, box=drafted[1]))
                return Decoded(_to_rgb(upright), upright_size)
        image.load()
        ImageOps.exif_transpose(image, in_place=True)
        return Decoded(_to_rgb(image), image.size)


def image_size(data: bytes) -> tuple[int, int]:
    """Width and height in pixels after the EXIF turn, from the header where that is enough.

    Raises ImageProblem as `decode_image` does.
    """
    reader = _reader_for(data)
    try:
        image = reader(io.BytesIO(data))
        size = _upright_size(image)
    except Exception:  # as in decode_image, which says what is wrong
        return decode_image(data).size
    if size != image.size and reader is TiffImageFile:  # some Pillows turn these sizes already
        return decode_image(data).size
    check_size(*size)
    return size


def pillow_to_rgb(image: Image.Image) -> np.ndarray:
    """Turn a Pillow image, left as it is, into upright uint8 (H, W, 3); raises ImageProblem."""
    check_size(*image.size)
    with _damage_told():
        return _to_rgb(ImageOps.exif_transpose(image))


def array_to_rgb(values: np.ndarray) -> np.ndarray:
    """Turn an image array (H, W) or (H, W, 1 to 4 channels) into uint8 (H, W, 3).

    uint8 is kept; booleans and floats within [0, 1] are multiplied by 255; other values are
    stretched so that the image's 0.1 % and 99.9 % quantiles become 0 and 255 (a constant image
    becomes 0). Two and four channels are grey and RGB with alpha, laid on white.
    Raises ImageProblem for other shapes and kinds.
    """
    if values.ndim == 2:
        values = values[..., None]
    if values.ndim != 3 or values.shape[-1] not in (1, 2, 3, 4):
        raise ImageProblem(f"array of shape {values.shape}; expected (H, W) or (H, W, 1 to 4)")
    check_size(values.shape[1], values.shape[0])
    if values.dtype.kind not in "buif":
        raise ImageProblem(f"array of {values.dtype}; expected numbers")
    bounded = values.dtype.kind == "f" and bool(((values >= 0) & (values <= 1)).all())
    if values.dtype.kind == "b" or bounded:
        values = np.rint(values.astype(np.float32) * 255).astype(np.uint8)
    elif values.dtype != np.uint8:
        if values.shape[-1] in (2, 4):
            raise ImageProblem(f"alpha in an array of {values.dtype}; expected uint8 or [0, 1]")
        values = _stretch(values)
    if values.shape[-1] == 1:
        return np.repeat(values, 3, axis=-1)
    return _on_white(Image.fromarray(values))


def check_size(width: int, height: int) -> None:
    """Raise ImageProblem if an image of this size (pixels) is too large or too small to use."""
    if width * height > MAX_PIXELS or min(width, height) < MIN_SIDE:
        raise ImageProblem(
            f"{width}×{height} pixels; expected at least {MIN_SIDE} a side, and at most "
            f"{MAX_PIXELS / 1e6:g} million in all. Save a copy of another size"
        )


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


@contextmanager
def _damage_told() -> Iterator[None]:
    try:
        yield
    except ImageProblem:
        raise
    except Exception as error:
        raise ImageProblem(f"truncated or damaged: {error or type(error).__name__}") from error


def _upright_size(image: Image.Image) -> tuple[int, int]:
    """The size after the EXIF turn, by the header."""
    turned = image.getexif().get(ORIENTATION_TAG, 1) in (5, 6, 7, 8)
    return (image.height, image.width) if turned else image.size


def _to_rgb(image: Image.Image) -> np.ndarray:
    """The pixels of an upright image."""
    if image.mode.startswith("I") or image.mode == "F":
        return array_to_rgb(np.asarray(image))
    return _on_white(image)


def _on_white(image: Image.Image) -> np.ndarray:
    if image.has_transparency_data:
        white = Image.new("RGBA", image.size, "white")
        image = Image.alpha_composite(white, image.convert("RGBA"))
    return np.asarray(image.convert("RGB"))


def _stretch(values: np.ndarray) -> np.ndarray:
    """Map the 0.1 % and 99.9 % quantiles of the finite values to 0 and 255, clipping the rest."""
    finite = values[np.isfinite(values)]
    if finite.size == 0:
        raise ImageProblem("no finite value in the image")
    low, high = np.quantile(finite, (0.001, 0.999))
    if high <= low:
        low, high = float(finite.min()), float(finite.max())
    scaled = (values.astype(np.float64) - low) * (255 / (high - low) if high > low else 0.0)
    return np.rint(np.clip(np.nan_to_num(scaled, nan=0.0), 0, 255)).astype(np.uint8)


def _decode_with_tifffile(data: bytes, error: Exception) -> Decoded:
    """Decode the kinds of TIFF that Pillow does not know, such as 64-bit floats."""
    try:
        import tifffile
    except ImportError:
        raise ImageProblem(
            f"a kind of TIFF that Pillow cannot read ({error}); "
            "pip install 'swapmark[tiff]' reads more kinds"
        ) from error
    with _damage_told(), tifffile.TiffFile(io.BytesIO(data)) as file:
        page = file.pages.first
        check_size(page.imagewidth, page.imagelength)
        if page.nbytes > 32 * MAX_PIXELS:  # four channels of 64 bits are the most that is read
            raise ImageProblem(f"{page.nbytes / 2**20:,.0f} MiB in memory is over the limit")
        values = page.asarray()
        planar = values.ndim == 3 and page.planarconfig == tifffile.PLANARCONFIG.SEPARATE
        pixels = array_to_rgb(np.moveaxis(values, 0, -1) if planar else values)
        return Decoded(pixels, (pixels.shape[1], pixels.shape[0]))


@dataclass(frozen=True, slots=True)
class Placement:
    """Where an image of (width, height) pixels lies in the network's size × size square.

    `pad` keeps the whole image, scaled until its longer side is `size` and centred; `crop` scales
    until its shorter side is `size` and keeps the centre. Sides are rounded to whole pixels and
    points follow the rounded sides, so `to_original` undoes `to_model` exactly.

    >>> placement = Placement(200, 100, 64)
    >>> placement.to_original(placement.to_model(np.array([10.0, 20.0]))).round(9).tolist()
    [10.0, 20.0]
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
