"""Many pictures on one sheet: contact sheets, sample grids of a run, and its loss curves."""

import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from swapmark.coordinates import pixels_to_unit, unit_to_pixels
from swapmark.drawing.colours import landmark_colours
from swapmark.drawing.draw import draw_landmarks, save_image
from swapmark.drawing.text import INK, LINE_HEIGHT, PAPER, text_line
from swapmark.errors import InputError

TERMS = (
    *("reconstruction", "known_equivariance", "separation"),
    *("cycle", "inverse", "equivariance", "flow"),
)
"""The terms of the losses of c3 and imm, by their names in metrics.jsonl."""


def contact_sheet(
    images: Sequence[np.ndarray] | np.ndarray,
    columns: int = 8,
    gap: int = 4,
    captions: Sequence[str] | None = None,
) -> np.ndarray:
    """Lay N pictures out in rows on white paper: one uint8 (height, width, 3) picture.

    images: N uint8 (H, W, 3); where sizes differ, each is centred in a tile of the largest.
    captions: N lines of text, one under each picture; of a longer one its end is shown.
    Raises InputError if there is no picture or the captions don't match them.

    >>> contact_sheet(np.zeros((5, 10, 20, 3), np.uint8), columns=3, gap=1).shape
    (23, 64, 3)
    """
    if len(images) == 0:
        raise InputError("There is no picture to lay out; a contact sheet needs at least one.")
    if captions is not None and len(captions) != len(images):
        raise InputError(f"{len(captions)} captions for {len(images)} pictures; pass one for each.")
    height, width = np.max([image.shape[:2] for image in images], axis=0).tolist()
    text = LINE_HEIGHT if captions else 0
    columns = min(columns, len(images))
    rows = math.ceil(len(images) / columns)
    size = (columns * (width + gap) + gap, rows * (height + text + gap) + gap)
    sheet = Image.new("RGB", size, PAPER)
    for index, image in enumerate(images):
        row, column = divmod(index, columns)
        x, y = gap + column * (width + gap), gap + row * (height + text + gap)
        inset = ((width - image.shape[1]) // 2, (height - image.shape[0]) // 2)
        sheet.paste(Image.fromarray(image), (x + inset[0], y + inset[1]))
        if captions:
            sheet.paste(text_line(captions[index], width, keep_end=True), (x, y + height))
    return np.asarray(sheet)


def sample_sheet(
    images: np.ndarray,
    landmarks: np.ndarray,
    first_swap: np.ndarray,
    *,
    partners: np.ndarray,
    second_swap: np.ndarray | None = None,
    confidence: np.ndarray | None = None,
    gap: int = 4,
) -> np.ndarray:
    """What a model does to N images, a column each, under headings that say what is shown.

    images, partners, first_swap, second_swap: uint8 (N, H, W, 3). `first_swap` has the partner's
    appearance in the image's pose; `second_swap` is what comes back, for a model that was trained
    to swap back. landmarks: (N, K, 2) in pixels of `images`; confidence: (N, K) in [0, 1].

    >>> faces = np.zeros((3, 64, 64, 3), np.uint8)
    >>> sample_sheet(faces, np.full((3, 10, 2), 30.0), faces, partners=faces).shape[2]
    3
    """
    scale = max(1, -(-128 // max(images.shape[1:3])))
    marked = [
        draw_landmarks(
            image, xy, scale=scale, confidence=None if confidence is None else confidence[index]
        )
        for index, (image, xy) in enumerate(zip(images, landmarks, strict=True))
    ]
    rows = {
        f"Input with its {landmarks.shape[1]} landmarks": marked,
        "Partner: lends its appearance": _enlarged(partners, scale),
        "First swap: the partner's appearance in the input's pose": _enlarged(first_swap, scale),
    }
    if second_swap is not None:
        rows["Second swap: swapped back, to be the input again"] = _enlarged(second_swap, scale)
    strips = []
    for heading, pictures in rows.items():
        strip = contact_sheet(pictures, columns=len(pictures), gap=gap)
        strips += [np.asarray(text_line(heading, strip.shape[1])), strip]
    return np.concatenate(strips)


def plot_landmarks_sheet(
    images: Sequence[np.ndarray] | np.ndarray,
    landmarks: np.ndarray,
    annotated: np.ndarray | None = None,
    *,
    columns: int = 8,
    numbers: bool = False,
    captions: Sequence[str] | None = None,
) -> np.ndarray:
    """N images with their landmarks as coloured dots, and marked points as white crosses.

    images: N uint8 (H, W, 3). landmarks: (N, K, 2) and annotated: (N, P, 2), in pixels of them;
    points with NaN are left out. numbers: write 1 … K beside the dots.

    >>> faces = np.zeros((2, 64, 64, 3), np.uint8)
    >>> plot_landmarks_sheet(faces, np.full((2, 10, 2), 30.0)).shape
    (200, 396, 3)
    """
    tiles = []
    for index, image in enumerate(images):
        tile = draw_landmarks(image, landmarks[index], numbers=numbers)
        if annotated is not None:
            unit = pixels_to_unit(annotated[index], np.array(image.shape[1::-1]))
            crosses = unit_to_pixels(unit, np.array(tile.shape[1::-1]))
            tile = draw_landmarks(tile, crosses, scale=1, marker="cross")
        tiles.append(tile)
    return contact_sheet(tiles, columns, captions=captions)


def plot_losses(
    history: Sequence[dict],
    path: str | Path,
    *,
    terms: Sequence[str] = TERMS,
    spreads: Sequence[str] = ("spread", "spread_min"),
) -> Path:
    """Plot losses (logarithmic) over the landmark spread, against the step, into an image file.

    history: one dict a logged step, as in metrics.jsonl, with "step" and some of "loss" (drawn
    thick), the names in `terms`, and those in `spreads` (standard deviations of landmarks over
    images, in unit coordinates). An entry may lack names; a name in no entry is left out, and so
    are values that are not finite or, on the logarithmic axis, not above zero. Raises InputError
    if no entry has a loss.

    >>> import tempfile
    >>> history = [{"step": 1, "loss": 2.0, "spread": 0.1}, {"step": 2, "loss": 1.0, "spread": 0.1}]
    >>> plot_losses(history, Path(tempfile.mkdtemp()) / "loss.png").name
    'loss.png'
    """
    # Heavy, so not before it is needed; Figure alone leaves pyplot's global state untouched.
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    logged = {name for entry in history for name in entry}
    losses = [name for name in ("loss", *terms) if name in logged]
    shown_spreads = [name for name in spreads if name in logged]
    if not losses:
        raise InputError(
            f"The history has none of {', '.join(['loss', *terms])}, so there is no loss to plot; "
            f"it has {', '.join(sorted(logged)) or 'no entry'}. Pass terms=… to name the losses."
        )
    panels_needed = 2 if shown_spreads else 1
    figure = Figure(figsize=(8, 1 + 3 * panels_needed), dpi=120, layout="constrained")
    canvas = FigureCanvasAgg(figure)
    panels = figure.subplots(panels_needed, 1, sharex=True, squeeze=False)[:, 0]
    _plot_curves(panels[0], history, losses, positive=True)
    panels[0].set(ylabel="loss", title="Loss, and its terms before they are weighted")
    if any(line.get_ydata().size for line in panels[0].lines):
        panels[0].set_yscale("log")
    if shown_spreads:
        _plot_curves(panels[1], history, shown_spreads, positive=False)
        panels[1].set(ylabel="standard deviation, unit lengths", title="Spread of the landmarks")
        panels[1].set_ylim(bottom=0)
    panels[-1].set_xlabel("step")
    panels[-1].xaxis.get_major_locator().set_params(integer=True)
    canvas.draw()
    return save_image(np.asarray(canvas.buffer_rgba())[..., :3].copy(), path)


def _plot_curves(panel, history: Sequence[dict], names: list[str], *, positive: bool) -> None:
    """Draw one curve a name, the first one thick and dark."""
    colours = [INK, *landmark_colours(len(names) - 1)]
    for name, colour in zip(names, colours, strict=True):
        points = [(entry["step"], entry[name]) for entry in history if name in entry]
        points = [(x, y) for x, y in points if math.isfinite(y) and (y > 0 or not positive)]
        steps, values = np.array(points, dtype=float).reshape(-1, 2).T
        panel.plot(
            steps,
            values,
            color=np.array(colour) / 255,
            label=name,
            linewidth=2.2 if colour == INK else 1.2,
            marker="o" if len(points) == 1 else None,  # a line of one point can't be seen
        )
    panel.grid(alpha=0.3)
    panel.spines[["top", "right"]].set_visible(False)
    panel.legend(fontsize=8, ncols=1 + len(names) // 7)


def _enlarged(images: np.ndarray, scale: int) -> list[np.ndarray]:
    size = (images.shape[2] * scale, images.shape[1] * scale)
    return [
        np.asarray(Image.fromarray(image).resize(size, Image.Resampling.BICUBIC))
        for image in images
    ]
