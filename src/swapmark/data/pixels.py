"""Arrays of pixels of any kind made into 8-bit RGB, by one rule for arrays, PNGs and TIFFs.

Nothing here holds more than a few rows at a higher precision: the largest pictures would not fit.
"""

from collections.abc import Iterator

import numpy as np
from PIL import Image

from swapmark.errors import SwapmarkError

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


class ImageProblem(SwapmarkError):  # noqa: N818 - a reason on a list more often than an error
    """One image that cannot be used; the message is the reason that skipped.csv gives."""


def check_size(width: int, height: int) -> None:
    """Raise ImageProblem if an image of this size (pixels) is too large or too small to use."""
    if width * height > MAX_PIXELS or min(width, height) < MIN_SIDE:
        raise ImageProblem(
            f"{width}×{height} pixels; expected at least {MIN_SIDE} a side, and at most "
            f"{MAX_PIXELS / 1e6:g} million in all. Save a copy of another size"
        )


def array_to_rgb(values: np.ndarray) -> np.ndarray:
    """Turn an image array (H, W) or (H, W, 1 to 4 channels) into uint8 (H, W, 3).

    Values become 8 bits as `planes_to_rgb` says. Two and four channels are grey and RGB with alpha.
    Raises ImageProblem for other shapes and kinds.
    """
    if values.ndim == 2:
        values = values[..., None]
    if values.ndim != 3 or values.shape[-1] not in (1, 2, 3, 4):
        raise ImageProblem(f"array of shape {values.shape}; expected (H, W) or (H, W, 1 to 4)")
    if values.shape[-1] in (1, 3):
        return planes_to_rgb(values)
    if values.dtype != np.uint8 and values.dtype.kind in "iu":
        raise ImageProblem(f"alpha in an array of {values.dtype}; expected uint8 or [0, 1]")
    return planes_to_rgb(values[..., :-1], values[..., -1])


def planes_to_rgb(
    colours: np.ndarray,
    alpha: np.ndarray | None = None,
    *,
    premultiplied: bool = False,
    negative: bool = False,
) -> np.ndarray:
    """Turn colours (H, W, 1 or 3) and alpha (H, W) into uint8 (H, W, 3), laid on white.

    uint8 is kept. Booleans, and floats within [0, 1] unless they use little of it, are multiplied
    by 255. Other values are stretched so that the image's 0.1 % and 99.9 % quantiles become 0 and
    255; a constant image and values that are not finite become 0. Alpha reaches from 0 to the
    largest value of its kind. `premultiplied` colours have been multiplied by alpha; of a
    `negative` 0 is white.
    Raises ImageProblem for values that are no numbers or none of them finite.
    """
    check_size(colours.shape[1], colours.shape[0])
    if colours.dtype.kind not in "buif":
        raise ImageProblem(f"array of {colours.dtype}; expected numbers")
    pixels = _to_8_bits(colours)
    if negative:
        pixels = 255 - pixels
    if alpha is None:
        return pixels
    mode = "RGBa" if premultiplied else "RGBA"
    rgba = np.ascontiguousarray(np.dstack([pixels, _alpha_of_8_bits(alpha)]))
    return on_white(Image.frombuffer(mode, rgba.shape[1::-1], rgba, "raw", mode, 0, 1))


def on_white(image: Image.Image) -> np.ndarray:
    """An image of 8 bits, uint8 (H, W, 3); an alpha that hides all of it is ignored."""
    if image.mode == "La":  # grey that has been multiplied by alpha
        image = image.convert("LA")
    if image.has_transparency_data:
        image = image if image.mode == "RGBA" else image.convert("RGBA")
        if np.amax(image.getextrema()[3]) >= HIDDEN:  # pyright: ignore[reportGeneralTypeIssues]
            pixels = np.empty((image.height, image.width, 3), np.uint8)
            for rows in _bands(pixels):
                part = image.crop((0, rows.start, image.width, min(rows.stop, image.height)))
                white = Image.new("RGBA", part.size, "white")
                pixels[rows] = np.asarray(Image.alpha_composite(white, part).convert("RGB"))
            return pixels
    return np.asarray(image if image.mode == "RGB" else image.convert("RGB"))


def _alpha_of_8_bits(alpha: np.ndarray) -> np.ndarray:
    if alpha.dtype.kind == "u":
        return (alpha >> (8 * alpha.dtype.itemsize - 8)).astype(np.uint8)
    if alpha.dtype.kind == "i" or not (alpha.min() >= 0 and alpha.max() <= 1):
        raise ImageProblem(f"alpha of {alpha.dtype}; expected unsigned numbers or [0, 1]")
    return np.rint(alpha.astype(np.float32) * 255).astype(np.uint8)


def _to_8_bits(values: np.ndarray) -> np.ndarray:
    """Colours (H, W, 1 or 3) of any kind as uint8 (H, W, 3)."""
    if values.dtype == np.uint8:
        return np.repeat(values, 3, axis=-1) if values.shape[-1] == 1 else values
    low, high = (0, 1) if values.dtype.kind == "b" else _limits(values)
    kept = values.dtype.kind == "b" or (
        values.dtype.kind == "f"
        and bool(values.min() >= 0 and values.max() <= 1)
        and not 0 < high - low < SMALL_RANGE
    )
    pixels = np.empty((*values.shape[:2], 3), np.uint8)
    for rows in _bands(values):
        if kept:
            band = values[rows].astype(np.float32) * 255
        else:
            band = values[rows].astype(np.float64) - low
            band *= 255 / (high - low) if high > low else 0.0
            np.clip(np.nan_to_num(band, copy=False, nan=0.0), 0, 255, out=band)
        pixels[rows] = np.rint(band, out=band).astype(np.uint8)
    return pixels


def _limits(values: np.ndarray) -> tuple[float, float]:
    """The 0.1 % and 99.9 % quantiles of the finite values, or their ends where these are alike.

    As np.quantile gives them, but it holds no more than the lowest and the highest values.
    """
    most = values.size // 1000 + 64
    lowest = highest = np.empty(0, np.float32 if values.dtype == np.float16 else values.dtype)
    count = 0
    for rows in _bands(values):
        band = values[rows].ravel()
        band = band[np.isfinite(band)] if values.dtype.kind == "f" else band
        count += band.size
        lowest, highest = np.concatenate([lowest, band]), np.concatenate([highest, band])
        if lowest.size > most:
            lowest = np.partition(lowest, most)[:most]
        if highest.size > most:
            highest = np.partition(highest, -most)[-most:]
    if not count:
        raise ImageProblem("no finite value in the image")
    lowest.sort()
    highest.sort()
    ends = []
    for share, few, before in ((0.001, lowest, 0), (0.999, highest, count - highest.size)):
        place = share * (count - 1)
        two = few[int(place) - before : int(place) - before + 2]
        ends.append(float(np.quantile(two, [place - int(place)])[0]))
    low, high = ends
    return (low, high) if high > low else (float(lowest[0]), float(highest[-1]))


def _bands(values: np.ndarray) -> Iterator[slice]:
    """Slices of rows that follow one another, of about ROWS_OF values each."""
    step = max(1, ROWS_OF * len(values) // max(1, values.size))
    for top in range(0, len(values), step):
        yield slice(top, top + step)
