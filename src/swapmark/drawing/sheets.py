"""Many pictures on one sheet, with headings and captions, and the sample grids of a run."""

import importlib.util
import math
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from swapmark.drawing.draw import draw_landmarks

PAPER = (255, 255, 255)
INK = (32, 32, 38)
LINE_HEIGHT = 22
"""Of a line of text in pixels."""
GAP = 4
"""Paper between pictures, and left and right of a line, in pixels."""
SPACE = 4 * " "
"""Between the words of a line."""


def contact_sheet(
    images: Sequence[np.ndarray] | np.ndarray,
    columns: int = 8,
    captions: Sequence[str] | None = None,
) -> np.ndarray:
    """Lay N pictures out in rows on white paper: one uint8 (height, width, 3) picture.

    images: N uint8 (H, W, 3); where sizes differ, each is centred in a tile of the largest.
    captions: N lines of text, one under each picture; of a longer one its end is shown.
    """
    height, width = np.max([image.shape[:2] for image in images], axis=0).tolist()
    text = LINE_HEIGHT if captions else 0
    columns = min(columns, len(images))
    rows = math.ceil(len(images) / columns)
    size = (columns * (width + GAP) + GAP, rows * (height + text + GAP) + GAP)
    sheet = Image.new("RGB", size, PAPER)
    for index, image in enumerate(images):
        row, column = divmod(index, columns)
        x, y = GAP + column * (width + GAP), GAP + row * (height + text + GAP)
        inset = ((width - image.shape[1]) // 2, (height - image.shape[0]) // 2)
        sheet.paste(Image.fromarray(image), (x + inset[0], y + inset[1]))
        if captions:
            sheet.paste(_text_line(captions[index], width, keep_end=True), (x, y + height))
    return np.asarray(sheet)


def sample_sheet(
    images: np.ndarray,
    landmarks: np.ndarray,
    first_swap: np.ndarray,
    *,
    partners: np.ndarray,
    second_swap: np.ndarray | None = None,
) -> np.ndarray:
    """What a model does to N images, a column each, under headings that say what is shown.

    images, partners, first_swap, second_swap: uint8 (N, H, W, 3). `first_swap` has the partner's
    appearance in the image's pose; `second_swap` is what comes back, for a model that was trained
    to swap back. landmarks: (N, K, 2) in pixels of `images`.
    """
    scale = max(1, -(-128 // max(images.shape[1:3])))
    none = np.empty((len(images), 0, 2))
    rows = (
        (f"Input with its {landmarks.shape[1]} landmarks", images, landmarks),
        ("Partner: lends its appearance", partners, none),
        ("First swap: the partner's appearance in the input's pose", first_swap, none),
        ("Second swap: swapped back, to be the input again", second_swap, none),
    )
    strips = []
    for heading, pictures, places in rows:
        if pictures is not None:
            pairs = zip(pictures, places, strict=True)
            tiles = [draw_landmarks(picture, xy, scale=scale) for picture, xy in pairs]
            strips.append(under_headings([heading], contact_sheet(tiles, columns=len(tiles))))
    return np.concatenate(strips)


def under_headings(words: Sequence[str], sheet: np.ndarray) -> np.ndarray:
    """A sheet, uint8 (H, W, 3), with words above it, in as many lines as they need."""
    return np.concatenate([text_lines(words, sheet.shape[1]), sheet])


def text_lines(words: Sequence[str], width: int, size: int = 1) -> np.ndarray:
    """Words on paper, uint8 (height, width, 3), in as many lines as they need, `size` times high.

    The height is 0 where there are none.
    """
    lines: list[str] = []
    for word in words:
        longer = f"{lines[-1]}{SPACE}{word}" if lines else word
        if lines and _font(size).getlength(longer) <= width - 2 * GAP:
            lines[-1] = longer
        else:
            lines.append(word)
    drawn = (np.asarray(_text_line(line, width, size=size)) for line in lines)
    return np.concatenate([np.empty((0, width, 3), np.uint8), *drawn])


def _text_line(text: str, width: int, *, keep_end: bool = False, size: int = 1) -> Image.Image:
    """One line of text, shortened with … to `width` pixels; with `keep_end` from its beginning."""
    font = _font(size)
    shown = text
    while len(shown) > 1 and font.getlength(shown) > width - 2 * GAP:
        shown = "…" + shown.lstrip("…")[1:] if keep_end else shown.rstrip("…")[:-1] + "…"
    line = Image.new("RGB", (width, size * LINE_HEIGHT), PAPER)
    ImageDraw.Draw(line).text((GAP, size * LINE_HEIGHT / 2), shown, INK, font, anchor="lm")
    return line


@lru_cache(maxsize=2)
def _font(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    """DejaVu Sans, where matplotlib is installed, which has it; Pillow's knows English alone."""
    found = importlib.util.find_spec("matplotlib")
    for folder in (found.submodule_search_locations or []) if found else []:
        file = Path(folder) / "mpl-data" / "fonts" / "ttf" / "DejaVuSans.ttf"
        if file.is_file():
            return ImageFont.truetype(str(file), 13 * size)
    return ImageFont.load_default(14 * size)
