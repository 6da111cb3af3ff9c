"""A sheet of pictures with their landmarks drawn over them: the quickest look at a prediction."""

import os
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from swapmark.data.decoding import stream_images
from swapmark.data.items import Item
from swapmark.data.pixels import ImageProblem
from swapmark.data.sources import Source, is_run, list_images
from swapmark.drawing.draw import draw_landmarks, picture_format, save_image
from swapmark.drawing.sheets import contact_sheet
from swapmark.drawing.text import text_lines
from swapmark.errors import InputError, counted
from swapmark.files import refuse_existing
from swapmark.points.table import default_names
from swapmark.types import Landmarks

TILE, ALONE = 256, 768
"""Side of the square that a picture is fitted into, in pixels of the sheet; of one all alone."""
COLUMNS = 6
MOST = 300
"""Pictures on a sheet: the formats limit its height."""
EXPLAINED = ("same colour: same landmark", "see-through: unsure", "plain borders: added")
"""What stands over every sheet, in pieces that fit over one picture."""


def draw_sheet(
    landmarks: Landmarks,
    source: Source,
    path: str | os.PathLike,
    *,
    marked: np.ndarray | None = None,
    most: int = 36,
    evenly: bool = True,
    words: Sequence[str] = (),
    overwrite: bool = False,
) -> Path:
    """Draw landmarks over pictures, and write them side by side as one image.

    `source` is what the landmarks were found in; of more than `most` pictures, so many are taken at
    even distances, the first and the last among them, or the first ones if not `evenly`. Dots are
    numbered in the order of `landmarks.names`, and explained at the top where these are more than
    numbers. The same colour is the same landmark, and an unsure one is see-through. `marked`, of
    the shape of `landmarks.xy`, are where the same points were marked by hand, drawn as white
    crosses; NaN where they were not. `words` are added to what stands above. `path` ends in .png,
    .jpg, .webp, .tif or .bmp. A picture that can no longer be read is left out.

    Raises InputError if the file exists and `overwrite` is not set, its name does not do (see
    `check_sheet_place`), `most` is not 1 to 300, `marked` has another shape, or the pictures are
    not those of the landmarks, by name or by size; and OutputError if it cannot be written.

    >>> import swapmark, tempfile
    >>> faces = swapmark.draw_faces(3, size=64).images
    >>> names, sizes = tuple(f"array-{i}" for i in range(3)), np.full((3, 2), 64)
    >>> found = Landmarks(np.full((3, 10, 2), 30.0), np.ones((3, 10)), names, sizes)
    >>> swapmark.draw_sheet(found, faces, Path(tempfile.mkdtemp()) / "look.png").name
    'look.png'
    """
    path = Path(path)
    check_sheet_place(path, source, overwrite=overwrite)
    if marked is not None and marked.shape != landmarks.xy.shape:
        raise InputError(
            f"marked has the shape {marked.shape}; expected that of the landmarks, "
            f"{landmarks.xy.shape}."
        )
    if not 1 <= most <= MOST:
        raise InputError(f"most is {most}; expected 1 to {MOST} pictures.")
    pairs = _pairs(landmarks, list_images(source))
    count = min(most, len(pairs))
    last = len(pairs) - 1 if evenly else count - 1
    chosen = np.linspace(0, last, count).round().astype(int)
    rows, items = zip(*(pairs[index] for index in chosen), strict=True)
    tiles, captions = [], []
    side = TILE if len(chosen) > 1 else ALONE
    for row, (item, result) in zip(rows, stream_images(items, side), strict=True):
        if isinstance(result, ImageProblem):
            continue
        square, frame = result
        size, expected = (frame.width, frame.height), tuple(landmarks.sizes[row].tolist())
        if size != expected:
            raise InputError(
                f"{item.name} has {size[0]}×{size[1]} pixels, but its landmarks are of a picture "
                f"with {expected[0]}×{expected[1]}. Give the pictures that they were found in."
            )
        xy, confidence = frame.to_model(landmarks.xy[row]), landmarks.confidence[row]
        tile = draw_landmarks(square, xy, confidence=confidence, scale=1, numbers=True)
        if marked is not None:
            tile = draw_landmarks(tile, frame.to_model(marked[row]), scale=1, marker="cross")
        tiles.append(tile)
        captions.append(item.name)
    if not tiles:
        raise InputError(f"{items[0].name}, and all else to be drawn, cannot be read any more.")
    sheet = contact_sheet(tiles, COLUMNS, captions=captions)
    crosses = ["white crosses: marked by hand"] if marked is not None else []
    shown = f"{len(tiles)} of {counted(len(landmarks), 'picture')}"
    lines = [
        np.asarray(line)
        for pieces in ([shown, *words, *EXPLAINED, *crosses], _legend(landmarks.names))
        for line in text_lines(pieces, sheet.shape[1])
    ]
    return save_image(np.concatenate([*lines, sheet]), path)


def check_sheet_place(path: Path, source: Source, *, overwrite: bool) -> None:
    """Raise InputError if no sheet of `source` can or should be written to `path`.

    It cannot if a folder is there, something else that `overwrite` does not allow to replace, or
    the ending is none of a picture; it should not if it is, or would later be taken for, one of the
    pictures of `source`.
    """
    picture_format(path)
    if path.is_dir():
        raise InputError(f"{path} is a folder. Choose the name of a file for the sheet.")
    if isinstance(source, str | os.PathLike):
        given = Path(source).expanduser().resolve()
        if path.resolve() == given:
            raise InputError(f"{path} is the picture itself. Choose another name for the sheet.")
        above = [folder for folder in path.resolve().parents if folder.is_relative_to(given)]
        if given.is_dir() and above and not any(map(is_run, above)):
            raise InputError(
                f"{path} lies in {source}, where the sheet would be taken for one of the pictures. "
                f"Choose a place outside."
            )
    refuse_existing(path, overwrite=overwrite)


def _pairs(landmarks: Landmarks, items: list[Item]) -> list[tuple[int, Item]]:
    """The rows of `landmarks` with their items: by name, and by order where a name is repeated.

    A repeated name of which not all could be read is left out, as nobody knows which these were.
    """
    items_of, rows_of = defaultdict(list), defaultdict(list)
    for item in items:
        items_of[item.name].append(item)
    for row, name in enumerate(landmarks.paths):
        rows_of[name].append(row)
    pairs = [
        pair
        for name, rows in rows_of.items()
        if len(rows) == len(items_of[name])
        for pair in zip(rows, items_of[name], strict=True)
    ]
    if not pairs:
        first = repr(landmarks.paths[0]) if len(landmarks) else "none at all"
        raise InputError(
            f"The landmarks are of other pictures: their first is {first}, the first to draw on "
            f"{items[0].name!r}. Give the pictures that they were found in."
        )
    return sorted(pairs, key=lambda pair: pair[0])


def _legend(names: tuple[str, ...]) -> list[str]:
    """Which number has which name; none where the name is the number."""
    if names == default_names(len(names)):
        return []
    return [f"{index + 1} {name}" for index, name in enumerate(names)]
