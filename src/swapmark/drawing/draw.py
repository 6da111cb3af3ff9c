"""Landmarks drawn over an image, and images saved whole."""

from pathlib import Path
from typing import Literal

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from swapmark.coordinates import pixels_to_unit, unit_to_pixels
from swapmark.data.items import IMAGE_SUFFIXES
from swapmark.errors import InputError
from swapmark.files import write_atomically

OUTLINE = (20, 20, 24)
WHITE = (255, 255, 255)
CODES = """
    e69f00 56b4e9 009e73 f0e442 0072b2 d55e00 cc79a7 74ffff 462eff 8bd1a2 468bff b91717 2e7474
    e8ffb9 8bd1e8 d100b9 ffb95d 2eb974 0074e8 b9e8b9 8bb9b9 d12e46 d18b2e 00a2d1 b9468b ffff00
    46a2ff d1e88b 2e7446 008b5d 8b00d1 8be8e8 e8ff8b b900a2 a246d1 ff5dd1 00a2a2 e8d100 ff8b5d
    8b8b46 b9b9ff b94600 d1a2a2 d1d18b d1ffe8 8b468b d1748b e8b9d1 a274b9 a274e8 2e5dff e8b917
    ff8b8b ff465d ff74e8 a25dd1 b92e74 8b74a2 5d748b 748b00 d1b974 e8a2d1 ff0074 5dff5d
"""
"""Okabe and Ito's palette for the colour-blind, without its black. Each next colour is the one
whose nearest neighbour among those before it is farthest in Oklab, to the eye that tells them apart
worst: normal, red-blind or green-blind (Machado, Oliveira and Fernandes 2009)."""
COLOURS = tuple(tuple(bytes.fromhex(code)) for code in CODES.split())
SMOOTHING = 4
"""Dots are drawn this many times enlarged and averaged down."""


def landmark_colours(count: int) -> tuple[tuple[int, ...], ...]:
    """`count` sRGB colours, the same for a landmark however many there are; repeated after 64."""
    return tuple(COLOURS[index % len(COLOURS)] for index in range(count))


def draw_landmarks(
    image: np.ndarray,
    xy: np.ndarray,
    *,
    confidence: np.ndarray | None = None,
    scale: int = 1,
    numbers: bool = False,
    marker: Literal["dot", "cross"] = "dot",
) -> np.ndarray:
    """Draw K landmarks over an image: uint8 (scale * H, scale * W, 3), itself unchanged.

    image: uint8 (H, W, 3). xy: (K, 2) in its pixels; points with NaN, or far outside, are left out.
    confidence: (K,) in [0, 1]; an unsure landmark is see-through within its outline, and so is one
        of unknown confidence (NaN).
    scale: whole number to enlarge by.
    numbers: write 1 … K beside the dots, as in the tables.
    marker: dots, or crosses for points marked by hand; in the colours of the landmarks.
    """
    height, width = image.shape[:2]
    size = np.array([width, height]) * scale
    radius = _radius(size)
    canvas = Image.fromarray(image).resize((int(size[0]), int(size[1])), Image.Resampling.BICUBIC)
    centres = unit_to_pixels(pixels_to_unit(np.asarray(xy), np.array([width, height])), size)
    sure = np.ones(len(centres)) if confidence is None else np.nan_to_num(confidence)
    opacity = 0.3 + 0.7 * sure
    for index, (centre, colour) in enumerate(
        zip(centres, landmark_colours(len(centres)), strict=True)
    ):
        if (np.abs(centre - size / 2) < 1.5 * size).all():  # not NaN, nor far outside
            number = str(index + 1) if numbers else ""
            _draw_mark(canvas, centre, colour, radius, opacity[index], number, marker)
    return np.asarray(canvas)


def draw_lines(image: np.ndarray, start: np.ndarray, end: np.ndarray) -> np.ndarray:
    """Draw a line in its landmark's colour from each of K places to another, (K, 2) in pixels.

    image: uint8 (H, W, 3), itself unchanged. Lines with NaN are left out.
    """
    canvas = Image.fromarray(image)
    pen, width = ImageDraw.Draw(canvas), round(_radius(np.array(canvas.size)) / 2)
    for pair, colour in zip(
        np.stack([start, end], axis=1), landmark_colours(len(start)), strict=True
    ):
        if (np.abs(pair) < 4 * max(canvas.size)).all():  # not NaN, nor far outside
            pen.line(pair.ravel().tolist(), OUTLINE, width + 2)
            pen.line(pair.ravel().tolist(), colour, width)
    return np.asarray(canvas)


def _radius(size: np.ndarray) -> float:
    """Of the dots in a picture of this width and height."""
    return max(3.0, 0.02 * size.max())


def _draw_mark(canvas, centre, colour, radius, opacity, number, marker) -> None:
    """Paste one smooth mark with its outline, centred to a fraction of a pixel, on `canvas`."""
    reach = int(np.ceil(radius * 1.5)) + 1
    corner = np.floor(centre).astype(int) - reach
    side = (2 * reach + 1) * SMOOTHING
    # Whole numbers here and below: Pillow cuts fractions off, which would shift the mark.
    x, y = np.rint(unit_to_pixels(pixels_to_unit(centre - corner, 2 * reach + 1), side)).tolist()
    fill, cover = Image.new("RGB", (side, side), OUTLINE), Image.new("L", (side, side))
    inner, outer = round(radius * SMOOTHING), round((radius + max(1, radius / 4)) * SMOOTHING)
    inside, over = ImageDraw.Draw(fill), ImageDraw.Draw(cover)
    if marker == "dot":
        inside.circle((x, y), inner, fill=colour)
        over.circle((x, y), outer, fill=255)
        over.circle((x, y), inner, fill=round(255 * opacity))
    else:
        half = round(0.2 * inner)
        bars = ((inside, colour, inner, half), (over, 255, outer, half + outer - inner))
        for pen, ink, length, width in bars:
            pen.rectangle((x - length, y - width, x + length, y + width), fill=ink)
            pen.rectangle((x - width, y - length, x + width, y + length), fill=ink)
    corner = (int(corner[0]), int(corner[1]))
    canvas.paste(fill.reduce(SMOOTHING), corner, cover.reduce(SMOOTHING))
    if number:
        font = ImageFont.load_default(max(11.0, 2.2 * radius))
        place = (centre[0] + 1.3 * radius + 2, centre[1])
        width = max(2, round(radius / 6))
        pen = ImageDraw.Draw(canvas)
        pen.text(place, number, WHITE, font, "lm", stroke_width=width, stroke_fill=OUTLINE)


def save_image(array: np.ndarray, path: str | Path) -> Path:
    """Write a uint8 (H, W, 3) image in the format of the ending, whole or not at all.

    A reader that looks while it is written sees the old file or the new one. Raises InputError if
    no format has this ending, and OutputError if the file cannot be written.
    """
    path = Path(path)
    kind = picture_format(path)
    return write_atomically(path, lambda partial: Image.fromarray(array).save(partial, kind))


def picture_format(path: Path) -> str:
    """Pillow's name of the format that a file's ending stands for; InputError if it writes none."""
    ending = path.suffix.lower()
    if ending not in IMAGE_SUFFIXES:
        raise InputError(
            f"{path}: no picture is written with the ending {path.suffix!r}. Use one of "
            f"{', '.join(IMAGE_SUFFIXES)}."
        )
    return Image.registered_extensions()[ending]
