"""One image: from the bytes of a file to the square that the model sees, and back for points.

JPEG, PNG, WebP, TIFF (first page) and BMP become 8-bit RGB by these rules:
- the EXIF turn is applied; colour profiles are not, the stored values are taken as sRGB;
- transparent pixels are laid on white; palettes, grey, CMYK and YCbCr become RGB;
- grey of 16 or 32 bits and floats (see `array_to_rgb`) are stretched: the image's own 0.1 % and
  99.9 % quantiles become 0 and 255, because cameras seldom fill the range that the file offers;
- colour of 16 bits keeps its upper byte, as Pillow reads it.
"""

import io
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageFile, ImageOps
from PIL.BmpImagePlugin import BmpImageFile
from PIL.JpegImagePlugin import JpegImageFile
from PIL.PngImagePlugin import PngImageFile
from PIL.TiffImagePlugin import TiffImageFile
from PIL.WebPImagePlugin import WebPImageFile

from swapmark.coordinates import pixels_to_unit, unit_to_pixels
from swapmark.data.pixels import MAX_PIXELS, ImageProblem, array_to_rgb, check_size, on_white
from swapmark.errors import InputError

FIT_MODES = ("pad", "crop")
ORIENTATION_TAG = 0x0112


@dataclass(frozen=True, slots=True)
class Decoded:
    """An image in memory, perhaps shrunk while decoding, and its full size.

    >>> Decoded(np.zeros((50, 40, 3), np.uint8), (400, 500)).size
    (400, 500)
    """

    pixels: np.ndarray
    """uint8 (H, W, 3), covering the whole image."""
    size: tuple[int, int]
    """Original (width, height) in pixels after the EXIF turn."""


def decode_image(
    data: bytes, *, max_pixels: int = MAX_PIXELS, draft_size: int | None = None
) -> Decoded:
    """Decode the bytes of an image file, turned upright, as 8-bit RGB.

    With `draft_size`, a larger JPEG is decoded at 1/2, 1/4 or 1/8 of its size, both sides still
    at least `draft_size` pixels; it is several times faster.
    Raises ImageProblem with the reason when the bytes are not a whole image of a known format or
    when its header announces more than `max_pixels` or a side under 2 pixels.

    >>> file = io.BytesIO()
    >>> Image.new("L", (40, 30), 200).save(file, "PNG")
    >>> decoded = decode_image(file.getvalue())
    >>> decoded.pixels.shape, decoded.size, decoded.pixels[0, 0].tolist()
    ((30, 40, 3), (40, 30), [200, 200, 200])
    """
    plugin = _plugin_for(data)
    try:
        image = plugin(io.BytesIO(data))
    except Exception as error:
        # Decoders of hostile bytes raise whatever they stumble over; Pillow keeps no list.
        if plugin is TiffImageFile:
            return _decode_with_tifffile(data, max_pixels, error)
        raise ImageProblem(f"unreadable or truncated header: {error}") from error
    check_size(*image.size, max_pixels)
    try:
        return _decode_opened(image, draft_size)
    except ImageProblem:
        raise
    except Exception as error:
        raise ImageProblem(f"truncated or damaged: {error or type(error).__name__}") from error


def image_size(data: bytes) -> tuple[int, int]:
    """Width and height in pixels after the EXIF turn, from the header where that is enough.

    Raises ImageProblem as `decode_image` does.

    >>> file = io.BytesIO()
    >>> Image.new("L", (40, 30)).save(file, "PNG")
    >>> image_size(file.getvalue())
    (40, 30)
    """
    plugin = _plugin_for(data)
    try:
        image = plugin(io.BytesIO(data))
        turned = image.getexif().get(ORIENTATION_TAG, 1) in (5, 6, 7, 8)
    except Exception:  # as in decode_image, which says what is wrong
        return decode_image(data).size
    if turned and plugin is TiffImageFile:  # some versions of Pillow turn the size of these already
        return decode_image(data).size
    check_size(*image.size)
    return (image.height, image.width) if turned else image.size


def _plugin_for(data: bytes) -> type[ImageFile.ImageFile]:
    """The reader for these bytes, by their signature.

    The readers are called directly because Image.open compares with Pillow's global pixel limit,
    which warns or fails before our own limit can be applied.
    """
    if not data:
        raise ImageProblem("the file is empty")
    if data.startswith(b"\xff\xd8\xff"):
        return JpegImageFile
    if data.startswith(b"\x89PNG\r\n\x1a\n"):
        return PngImageFile
    if data.startswith(b"RIFF") and data[8:12] == b"WEBP":
        return WebPImageFile
    if data.startswith((b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")):
        return TiffImageFile
    if data.startswith(b"BM"):
        return BmpImageFile
    raise ImageProblem(f"not a JPEG, PNG, WebP, TIFF or BMP file (it begins with {data[:8]!r})")


def _decode_opened(image: ImageFile.ImageFile, draft_size: int | None) -> Decoded:
    """Load, turn and convert an image whose header has been read."""
    original = image.size
    if draft_size is not None and isinstance(image, JpegImageFile):
        turned = image.getexif().get(ORIENTATION_TAG, 1) in (5, 6, 7, 8)
        drafted = image.draft("RGB", (draft_size, draft_size))
        if drafted is not None and image.size != original:
            # The last row and column of a draft reach past the image unless its size divides.
            image.load()
            upright = ImageOps.exif_transpose(image.resize(image.size, box=drafted[1]))
            size = (original[1], original[0]) if turned else original
            return Decoded(np.asarray(upright.convert("RGB")), size)
    image.load()
    ImageOps.exif_transpose(image, in_place=True)
    if image.mode.startswith("I") or image.mode == "F":
        return Decoded(array_to_rgb(np.asarray(image)), image.size)
    return Decoded(np.asarray(on_white(image)), image.size)


def _decode_with_tifffile(data: bytes, max_pixels: int, error: Exception) -> Decoded:
    """Decode the kinds of TIFF that Pillow does not know, such as 64-bit floats."""
    try:
        import tifffile
    except ImportError:
        raise ImageProblem(
            f"a kind of TIFF that Pillow cannot read ({error}); "
            "pip install 'swapmark[tiff]' reads more kinds"
        ) from error
    try:
        with tifffile.TiffFile(io.BytesIO(data)) as file:
            page = file.pages.first
            check_size(page.imagewidth, page.imagelength, max_pixels)
            if page.nbytes > 32 * max_pixels:  # four channels of 64 bits are the most that is read
                raise ImageProblem(f"{page.nbytes / 2**20:,.0f} MiB in memory is over the limit")
            values = page.asarray()
            planar = values.ndim == 3 and page.planarconfig == tifffile.PLANARCONFIG.SEPARATE
    except ImageProblem:
        raise
    except Exception as second:
        raise ImageProblem(f"unreadable TIFF: {error}; tifffile: {second}") from second
    pixels = array_to_rgb(np.moveaxis(values, 0, -1) if planar else values)
    return Decoded(pixels, (pixels.shape[1], pixels.shape[0]))


@dataclass(frozen=True, slots=True)
class Frame:
    """Where an image of (width, height) pixels sits in the model's size × size square.

    `pad` keeps the whole image, scaled until its longer side is `size` and centred; `crop` scales
    until its shorter side is `size` and keeps the centre. Sides are rounded to whole pixels and
    points follow the rounded sides, so `to_original` undoes `to_model` exactly.

    >>> frame = Frame(200, 100, 64)
    >>> frame.resized, frame.offset
    ((64, 32), (0, 16))
    >>> frame.to_original(frame.to_model(np.array([10.0, 20.0]))).round(9).tolist()
    [10.0, 20.0]
    """

    width: int
    """Width of the original image in pixels, after the EXIF turn."""
    height: int
    """Height of the original image in pixels, after the EXIF turn."""
    size: int
    """Side of the model's image in pixels."""
    mode: str = "pad"
    """`pad` or `crop`."""

    @property
    def resized(self) -> tuple[int, int]:
        """(width, height) in model pixels of the whole image."""
        whole = (max if self.mode == "pad" else min)(self.width, self.height)
        width, height = (
            max(1, (2 * side * self.size + whole) // (2 * whole))
            for side in (self.width, self.height)
        )
        return width, height

    @property
    def offset(self) -> tuple[int, int]:
        """(x, y) of the resized image's corner in model pixels; negative where it is cropped."""
        width, height = self.resized
        return (self.size - width) // 2, (self.size - height) // 2

    def to_model(self, xy: np.ndarray) -> np.ndarray:
        """Turn original pixel coordinates (..., 2) into pixels of the model's image."""
        original = np.array([self.width, self.height])
        resized = np.array(self.resized)
        return unit_to_pixels(pixels_to_unit(xy, original), resized) + np.array(self.offset)

    def to_original(self, xy: np.ndarray) -> np.ndarray:
        """Turn pixel coordinates (..., 2) of the model's image into original pixels."""
        original = np.array([self.width, self.height])
        resized = np.array(self.resized)
        return unit_to_pixels(pixels_to_unit(xy - np.array(self.offset), resized), original)


def fit_image(
    pixels: np.ndarray,
    size: int,
    mode: str = "pad",
    *,
    original_size: tuple[int, int] | None = None,
) -> tuple[np.ndarray, Frame]:
    """Resize an image (H, W, 3) of uint8 into (size, size, 3), and say where it went.

    The filter is Pillow's bicubic, widened when shrinking; borders of `pad` take the image's mean
    colour. `original_size` is the (width, height) of an image that was shrunk while decoding.
    Raises InputError for an unknown mode.

    >>> square, frame = fit_image(np.zeros((100, 200, 3), np.uint8), 64)
    >>> square.shape, frame.width
    ((64, 64, 3), 200)
    """
    if mode not in FIT_MODES:
        raise InputError(f"Unknown fit {mode!r}; expected one of {', '.join(FIT_MODES)}.")
    height, width = pixels.shape[:2]
    frame = Frame(*(original_size or (width, height)), size, mode)
    resized = frame.resized
    left, top = frame.offset
    inside = (min(size, resized[0]), min(size, resized[1]))
    # The part that stays visible, in the pixels at hand: nothing larger than it is ever made.
    corner = (max(0, -left) * width / resized[0], max(0, -top) * height / resized[1])
    extent = (inside[0] * width / resized[0], inside[1] * height / resized[1])
    box = (*corner, min(width, corner[0] + extent[0]), min(height, corner[1] + extent[1]))
    image = Image.fromarray(pixels).resize(inside, Image.Resampling.BICUBIC, box=box)
    visible = np.asarray(image)
    if inside == (size, size):
        return visible, frame
    square = np.empty((size, size, 3), np.uint8)
    square[:] = np.rint(visible.mean(axis=(0, 1)))
    square[max(0, top) : max(0, top) + inside[1], max(0, left) : max(0, left) + inside[0]] = visible
    return square, frame
