"""Pixel values of any kind as 8-bit RGB, and the sizes of image that are used at all."""

import numpy as np
from PIL import Image

from swapmark.errors import SwapmarkError

MAX_PIXELS = 120_000_000
"""Images with more pixels (width × height in the header) are not decoded; at about 15 bytes a pixel
while decoding, the largest take 1.8 GB a thread."""
MIN_SIDE = 2
"""Images narrower or lower than this (pixels) show nothing and are not used."""


class ImageProblem(SwapmarkError):  # noqa: N818 - a reason on a list more often than an error
    """One image that cannot be used; the message is the reason that skipped.csv gives.

    >>> str(ImageProblem("the file is empty"))
    'the file is empty'
    """


def check_size(width: int, height: int, max_pixels: int = MAX_PIXELS) -> None:
    """Raise ImageProblem if an image of this size (pixels) is too large or too small to use.

    >>> check_size(640, 480)
    """
    if width * height > max_pixels:
        raise ImageProblem(
            f"{width}×{height} pixels is over the limit of {max_pixels / 1e6:g} million pixels; "
            "save a smaller copy"
        )
    if min(width, height) < MIN_SIDE:
        raise ImageProblem(
            f"{width}×{height} pixels is too small; both sides must be at least {MIN_SIDE}"
        )


def on_white(image: Image.Image) -> Image.Image:
    """The image as RGB, transparent parts laid on white.

    >>> on_white(Image.new("RGBA", (2, 2), (255, 0, 0, 0))).getpixel((0, 0))
    (255, 255, 255)
    """
    if not image.has_transparency_data:
        return image.convert("RGB")
    white = Image.new("RGBA", image.size, "white")
    return Image.alpha_composite(white, image.convert("RGBA")).convert("RGB")


def array_to_rgb(values: np.ndarray) -> np.ndarray:
    """Turn an image array (H, W) or (H, W, 1 to 4 channels) into uint8 (H, W, 3).

    uint8 is kept; booleans and floats within [0, 1] are multiplied by 255; other values are
    stretched so that the image's 0.1 % and 99.9 % quantiles become 0 and 255 (a constant image
    becomes 0). Two and four channels are grey and RGB with alpha, laid on white.
    Raises ImageProblem for other shapes and kinds.

    >>> array_to_rgb(np.array([[0.0, 1.0], [0.5, 1.0]]))[0].tolist()
    [[0, 0, 0], [255, 255, 255]]
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
    return np.asarray(on_white(Image.fromarray(values)))


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
