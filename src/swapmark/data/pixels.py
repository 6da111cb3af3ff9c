"""Arrays of pixels of any kind made into 8-bit RGB, by one rule for arrays, PNGs and TIFFs.

Nothing here holds more than a few rows at a higher precision: the largest pictures would not fit.
"""

from collections.abc import Callable, Iterable, Iterator
from functools import partial

import numpy as np
from PIL import Image

from swapmark.errors import InputError, SwapmarkError

MAX_PIXELS = 120_000_000
"""Images with more pixels (width × height in the header) are not decoded; at up to 20 bytes a pixel
while decoding, the largest take 2.4 GB a thread."""
MIN_SIDE = 2
"""Images narrower or lower than this (pixels) show nothing and are not used."""
HIDDEN = 3
"""Alpha (of 255) below which nothing is seen; where no pixel has more, alpha is not meant."""
SMALL_RANGE = 1 / 8
"""Floats in [0, 1] that use less than this of it would keep fewer than 32 grey values."""
ROWS_OF = 2**18
"""Values that are looked at together."""
Parts = Callable[[], Iterator[tuple[int, int, int, np.ndarray]]]
"""Goes through the samples of an image: top, left and first channel of each part, and the part
(h, w, channels). It may be asked to do so twice."""


class ImageProblem(SwapmarkError):  # noqa: N818 - a reason on a list more often than an error
    """One image that cannot be used; the message is the reason that skipped.csv gives."""


class Unreached(ImageProblem):
    """A store that did not give an image; asked again later, it may."""

    def ends(self, kept: str) -> InputError:
        """What ends a command that must not take it for the image's own fault."""
        return InputError(
            f"{self} {kept} are kept, and the same command goes on. Leave out what is gone for "
            f"good."
        )


def check_size(width: int, height: int) -> None:
    """Raise ImageProblem if an image of this size (pixels) is too large or too small to use."""
    if width * height > MAX_PIXELS or min(width, height) < MIN_SIDE:
        raise ImageProblem(
            f"{width}×{height} pixels; expected at least {MIN_SIDE} a side, and at most "
            f"{MAX_PIXELS / 1e6:g} million in all. Save a copy of another size"
        )


def array_to_rgb(values: np.ndarray) -> np.ndarray:
    """Turn an image array (H, W) or (H, W, 1 to 4 channels) into uint8 (H, W, 3).

    Values become 8 bits as `parts_to_rgb` says. Two and four channels are grey and RGB with alpha.
    Raises ImageProblem for other shapes and kinds.
    """
    if values.ndim == 2:
        values = values[..., None]
    if values.ndim != 3 or values.shape[-1] not in (1, 2, 3, 4):
        raise ImageProblem(f"array of shape {values.shape}; expected (H, W) or (H, W, 1 to 4)")
    height, width, channels = values.shape
    has_alpha = channels in (2, 4)
    if has_alpha and values.dtype != np.uint8 and values.dtype.kind in "iu":
        raise ImageProblem(f"alpha in an array of {values.dtype}; expected uint8 or [0, 1]")
    parts = partial(iter, [(0, 0, 0, values)])
    return parts_to_rgb(parts, (width, height), values.dtype, channels - has_alpha, alpha=has_alpha)


def parts_to_rgb(
    parts: Parts,
    size: tuple[int, int],
    kind: np.dtype,
    colours: int,
    *,
    alpha: bool = False,
    upper_byte: bool = False,
    premultiplied: bool = False,
    negative: bool = False,
) -> np.ndarray:
    """Turn the samples of an image of (width, height) into uint8 (H, W, 3), laid on white.

    There are 1 or 3 `colours` of this `kind`, then perhaps `alpha`; further channels are not used.
    uint8 is kept. Booleans, and floats within [0, 1] unless they use little of it, are multiplied
    by 255; of unsigned numbers only the `upper_byte` may be wanted. Other values are stretched so
    that the image's 0.1 % and 99.9 % quantiles become 0 and 255; a constant image and values that
    are not finite become 0. Alpha reaches from 0 to the largest value of its kind. `premultiplied`
    colours have been multiplied by alpha; of a `negative` 0 is white.
    Raises ImageProblem for values that are no numbers or none of them finite.
    """
    width, height = size
    check_size(width, height)
    if kind.kind not in "buif":
        raise ImageProblem(f"array of {kind}; expected numbers")
    if upper_byte and kind.kind == "u":
        convert = _upper_byte
    else:
        bands = (band for _, band in _bands(parts, colours))
        convert = _to_8_bits(kind, bands, height * width * colours)
    pixels = np.empty((height, width, colours + alpha), np.uint8)
    for (top, left, channel), band in _bands(parts, colours + alpha):
        place = pixels[top : top + len(band), left : left + band.shape[1], channel]
        if channel == colours:
            place[:] = _alpha_of_8_bits(band)
        else:
            place[:] = convert(band)
            if negative:
                np.subtract(255, place, out=place)
    if not alpha:
        return np.repeat(pixels, 3, axis=-1) if colours == 1 else pixels
    mode = ("RGB" if colours == 3 else "L") + ("a" if premultiplied else "A")
    return on_white(Image.frombuffer(mode, size, pixels, "raw", mode, 0, 1))


def on_white(image: Image.Image) -> np.ndarray:
    """An image of 8 bits, uint8 (H, W, 3); an alpha that hides all of it is ignored."""
    if image.mode == "La":  # grey that has been multiplied by alpha
        image = image.convert("LA")
    if image.has_transparency_data:
        image = image if image.mode == "RGBA" else image.convert("RGBA")
        if np.amax(image.getextrema()[3]) >= HIDDEN:  # pyright: ignore[reportGeneralTypeIssues]
            pixels = np.empty((image.height, image.width, 3), np.uint8)
            step = max(1, ROWS_OF // image.width)
            for top in range(0, image.height, step):
                part = image.crop((0, top, image.width, min(top + step, image.height)))
                white = Image.new("RGBA", part.size, "white")
                laid = Image.alpha_composite(white, part).convert("RGB")
                pixels[top : top + step] = np.asarray(laid)
            return pixels
    return np.asarray(image if image.mode == "RGB" else image.convert("RGB"))


def _bands(parts: Parts, channels: int) -> Iterator[tuple[tuple[int, int, int], np.ndarray]]:
    """Top, left, channel and values (h, w) of the first channels, about ROWS_OF at a time."""
    for top, left, first, values in parts():
        for channel in range(first, min(first + values.shape[-1], channels)):
            plane = values[..., channel - first]
            step = max(1, ROWS_OF // max(1, plane.shape[1]))
            for row in range(0, len(plane), step):
                yield (top + row, left, channel), plane[row : row + step]


def _upper_byte(values: np.ndarray) -> np.ndarray:
    return (values >> (8 * values.dtype.itemsize - 8)).astype(np.uint8)


def _alpha_of_8_bits(alpha: np.ndarray) -> np.ndarray:
    if alpha.dtype.kind == "u":
        return _upper_byte(alpha)
    if alpha.dtype.kind == "i" or not (alpha.min() >= 0 and alpha.max() <= 1):
        raise ImageProblem(f"alpha of {alpha.dtype}; expected unsigned numbers or [0, 1]")
    return np.rint(alpha.astype(np.float32) * 255).astype(np.uint8)


def _to_8_bits(
    kind: np.dtype, bands: Iterable[np.ndarray], count: int
) -> Callable[[np.ndarray], np.ndarray]:
    """What makes 8 bits of values of this kind, as the `count` of them in `bands` tell."""
    if kind == np.uint8:
        return np.asarray
    low, high, is_share = (0, 1, True) if kind.kind == "b" else _limits(bands, count)
    if kind.kind == "b" or (is_share and not 0 < high - low < SMALL_RANGE):
        return lambda values: np.rint(values.astype(np.float32) * 255).astype(np.uint8)

    def stretched(values: np.ndarray) -> np.ndarray:
        band = values.astype(np.float64) - low
        band *= 255 / (high - low) if high > low else 0.0
        np.clip(np.nan_to_num(band, copy=False, nan=0.0), 0, 255, out=band)
        return np.rint(band, out=band).astype(np.uint8)

    return stretched


def _limits(bands: Iterable[np.ndarray], count: int) -> tuple[float, float, bool]:
    """The 0.1 % and 99.9 % quantiles of the finite values, or their ends where these are alike.

    And whether all of the `count` values are floats within [0, 1]. The quantiles are those of
    np.quantile, but no more than the lowest and the highest values are held.
    """
    lowest = highest = np.empty(0)
    most, count, is_share = count // 1000 + 64, 0, True
    for band in bands:
        values = band.ravel()
        if values.dtype.kind == "f":
            values = values[np.isfinite(values)]
            is_share &= values.size == band.size
        else:
            is_share = False
        if values.dtype == np.float16:
            values = values.astype(np.float32)
        count += values.size
        lowest = values if lowest.size == 0 else np.concatenate([lowest, values])
        highest = values if highest.size == 0 else np.concatenate([highest, values])
        if lowest.size > most:
            lowest = np.partition(lowest, most)[:most]
        if highest.size > most:
            highest = np.partition(highest, -most)[-most:]
    if not count:
        raise ImageProblem("no finite value in the image")
    lowest, highest = np.sort(lowest), np.sort(highest)  # copies: the bands may be the image's own
    ends = []
    for share, few, before in ((0.001, lowest, 0), (0.999, highest, count - highest.size)):
        place = share * (count - 1)
        two = few[int(place) - before : int(place) - before + 2]
        ends.append(float(np.quantile(two, [place - int(place)])[0]))
    low, high = ends
    least, greatest = float(lowest[0]), float(highest[-1])
    is_share &= least >= 0 and greatest <= 1
    return (low, high, is_share) if high > low else (least, greatest, is_share)
