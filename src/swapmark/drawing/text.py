"""Lines of text on the paper of a sheet."""

import importlib.util
from functools import lru_cache
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

PAPER = (255, 255, 255)
INK = (32, 32, 38)
LINE_HEIGHT = 22
"""Of a line of text in pixels."""
MARGIN = 4
"""Paper left and right of a line, in pixels."""
GAP = 4 * " "


def text_line(text: str, width: int, *, keep_end: bool = False) -> Image.Image:
    """One line of text, shortened with … to `width` pixels; with `keep_end` from its beginning.

    >>> text_line("a heading that is far too long", 60).size
    (60, 22)
    """
    font = _font()
    shown = text
    while len(shown) > 1 and font.getlength(shown) > width - 2 * MARGIN:
        shown = "…" + shown.lstrip("…")[1:] if keep_end else shown.rstrip("…")[:-1] + "…"
    line = Image.new("RGB", (width, LINE_HEIGHT), PAPER)
    ImageDraw.Draw(line).text((MARGIN, LINE_HEIGHT / 2), shown, INK, font, anchor="lm")
    return line


def text_lines(words: list[str], width: int) -> list[Image.Image]:
    """`words` one after the other, in as many lines of `width` pixels as they need.

    >>> len(text_lines(["1 nose", "2 left eye", "3 right eye"], 150))
    2
    """
    lines: list[str] = []
    for word in words:
        longer = f"{lines[-1]}{GAP}{word}" if lines else word
        if lines and _font().getlength(longer) <= width - 2 * MARGIN:
            lines[-1] = longer
        else:
            lines.append(word)
    return [text_line(line, width) for line in lines]


@lru_cache(maxsize=1)
def _font() -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    """DejaVu Sans, where matplotlib is installed, which has it; Pillow's knows English alone."""
    found = importlib.util.find_spec("matplotlib")
    for folder in (found.submodule_search_locations or []) if found else []:
        file = Path(folder) / "mpl-data" / "fonts" / "ttf" / "DejaVuSans.ttf"
        if file.is_file():
            return ImageFont.truetype(str(file), 13)
    return ImageFont.load_default(14)
