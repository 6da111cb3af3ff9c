"""Landmarks drawn over an image, and images saved whole."""

from pathlib import Path
from typing import Literal

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from swapmark.coordinates import pixels_to_unit, unit_to_pixels
from swapmark.drawing.colours import landmark_colours
from swapmark.errors import InputError
from swapmark.files import write_atomically

OUTLINE = (20, 20, 24)
WHITE = (255, 255, 255)
PICTURE_FORMATS = {
    ".png": "PNG",
    ".jpg": "JPEG",
    ".jpeg": "JPEG",
    ".webp": "WEBP",
    ".tif": "TIFF",
    ".tiff": "TIFF",
    ".bmp": "BMP",
}
"""Endings of the pictures that are written, and what Pillow calls their formats."""
SMOOTHING = 4
"""Dots are drawn this many times enlarged and averaged down."""


def draw_landmarks(
    image: np.ndarray,
    xy: np.ndarray,
    *,
    confidence: np.ndarray | None = None,
    scale: int | None = None,
    radius: float | None = None,
    numbers: bool = False,
    marker: Literal["dot", "cross"] = "dot",
) -> np.ndarray:
    """Draw K landmarks over an image: uint8 (scale * H, scale * W, 3), itself unchanged.

    image: uint8 (H, W, 3). xy: (K, 2) in its pixels; points with NaN, or far outside, are left out.
    confidence: (K,) in [0, 1]; an unsure landmark is see-through within its outline, and so is one
        of unknown confidence (NaN).
    scale: whole number to enlarge by; None makes the longer side at least 192 pixels.
    radius: of a dot, in pixels of the result; None is 2 % of the longer side, 3 at least.
    numbers: write 1 … K beside the dots, as in the tables.
    marker: coloured dots, or white crosses for points marked by hand.

    >>> draw_landmarks(np.zeros((64, 48, 3), np.uint8), np.array([[10.0, 20.0]])).shape
    (192, 144, 3)
    """
    height, width = image.shape[:2]
    scale = scale or max(1, -(-192 // max(height, width)))
    size = np.array([width, height]) * scale
    radius = radius or max(3.0, 0.02 * size.max())
    canvas = Image.fromarray(image).resize((int(size[0]), int(size[1])), Image.Resampling.BICUBIC)
    centres = unit_to_pixels(pixels_to_unit(np.asarray(xy), np.array([width, height])), size)
    sure = np.ones(len(centres)) if confidence is None else np.nan_to_num(confidence)
    opacity = 0.3 + 0.7 * sure
    colours = landmark_colours(len(centres)) if marker == "dot" else (WHITE,) * len(centres)
    for index, (centre, colour) in enumerate(zip(centres, colours, strict=True)):
        if (np.abs(centre - size / 2) < 1.5 * size).all():  # not NaN, nor far outside
            number = str(index + 1) if numbers else ""
            _draw_mark(canvas, centre, colour, radius, opacity[index], number, marker)
    return np.asarray(canvas)


def _draw_mark(canvas, centre, colour, radius, opacity, number, marker) -> None:
    """Paste one smooth mark with its outline, centred to a fraction of a pixel, on `canvas`."""
    reach = int(np.ceil(radius * 1.5)) + 1 + (round(radius * 4.5) + 10 if number else 0)
    corner = np.floor(centre).astype(int) - reach
    side = (2 * reach + 1) * SMOOTHING
    # Whole numbers here and below: Pillow cuts fractions off, which would shift the mark.
    x, y = np.rint(unit_to_pixels(pixels_to_unit(centre - corner, 2 * reach + 1), side)).tolist()
    fill, cover = Image.new("RGB", (side, side), OUTLINE), Image.new("L", (side, side))
    inner, outer = round(radius * SMOOTHING), round((radius + max(1, radius / 4)) * SMOOTHING)
    if marker == "dot":
        ImageDraw.Draw(fill).circle((x, y), inner, fill=colour)
        pen = ImageDraw.Draw(cover)
        pen.circle((x, y), outer, fill=255)
        pen.circle((x, y), inner, fill=round(255 * opacity))
    else:
        half = round(0.2 * inner)
        bars = (
            (fill, colour, inner, half),
            (cover, round(255 * opacity), outer, half + outer - inner),
        )
        for layer, ink, length, width in bars:
            pen = ImageDraw.Draw(layer)
            pen.rectangle((x - length, y - width, x + length, y + width), fill=ink)
            pen.rectangle((x - width, y - length, x + width, y + length), fill=ink)
    if number:
        font = ImageFont.load_default(max(11.0, 2.2 * radius) * SMOOTHING)
        place, stroke = (x + 1.3 * outer, y), SMOOTHING * 2
        ImageDraw.Draw(fill).text(place, number, WHITE, font, anchor="lm")
        pen = ImageDraw.Draw(cover)
        pen.text(place, number, 255, font, anchor="lm", stroke_width=stroke)
    corner = (int(corner[0]), int(corner[1]))
    canvas.paste(fill.reduce(SMOOTHING), corner, cover.reduce(SMOOTHING))


def save_image(array: np.ndarray, path: str | Path) -> Path:
    """Write a uint8 (H, W, 3) image in the format of the ending, whole or not at all.

    A reader that looks while it is written sees the old file or the new one. Raises InputError if
    no format has this ending, and OutputError if the file cannot be written.

    >>> import tempfile
    >>> save_image(np.zeros((4, 4, 3), np.uint8), Path(tempfile.mkdtemp()) / "black.png").name
    'black.png'
    """
    path = Path(path)
    kind = picture_format(path)
    return write_atomically(path, lambda partial: Image.fromarray(array).save(partial, kind))


def picture_format(path: Path) -> str:
    """Pillow's name of the format that a file's ending stands for; InputError if it writes none.

    >>> picture_format(Path("a.JPG"))
    'JPEG'
    """
    kind = PICTURE_FORMATS.get(path.suffix.lower())
    if kind is None:
        raise InputError(
            f"{path} has the ending {path.suffix!r}, of which no picture can be written. Name it "
            f"with one of {', '.join(PICTURE_FORMATS)}."
        )
    return kind
