"""A sheet of pictures with their landmarks drawn over them: the quickest look at a prediction."""

import os
from pathlib import Path

import numpy as np

from swapmark.data.decoding import stream_images
from swapmark.data.pixels import ImageProblem
from swapmark.data.sources import Source, list_images
from swapmark.errors import InputError
from swapmark.types import Landmarks, refuse_existing
from swapmark.visualization.draw import draw_landmarks, picture_format, save_image
from swapmark.visualization.sheets import contact_sheet

TILE = 256
"""Side of the square that a picture is fitted into, in pixels of the sheet."""
COLUMNS = 6


def draw_sheet(
    landmarks: Landmarks,
    source: Source,
    path: str | os.PathLike,
    *,
    most: int = 36,
    overwrite: bool = False,
) -> Path:
    """Draw landmarks over pictures, and write them side by side as one image.

    `source` is what the landmarks were found in; of more than `most` pictures, so many are taken at
    even distances, the first and the last among them. A dot's number is that of its landmark in the
    tables, its colour is the same in all pictures, and an unsure one is fainter; under each picture
    stands its name. `path` ends in .png, .jpg, or what else Pillow writes.

    Raises InputError if the file exists and `overwrite` is not set, its ending is none of a
    picture, or no picture of `source` can be read under the names that the landmarks have; and
    OutputError if it cannot be written.
    """
    path = Path(path)
    picture_format(path)
    refuse_existing(path, overwrite=overwrite)
    if most < 1:
        raise InputError(f"most is {most}; expected at least 1 picture.")
    rows = np.unique(np.linspace(0, len(landmarks) - 1, min(most, len(landmarks))).round())
    row_of = {landmarks.paths[row]: row for row in rows.astype(int)}
    wanted = [item for item in list_images(source) if item.name in row_of]
    tiles, captions = [], []
    for item, result in stream_images(wanted, TILE):
        if isinstance(result, ImageProblem):  # it could be read a moment ago
            continue
        square, frame = result
        xy, confidence = (
            values[row_of[item.name]] for values in (landmarks.xy, landmarks.confidence)
        )
        tiles.append(
            draw_landmarks(square, frame.to_model(xy), confidence=confidence, scale=1, numbers=True)
        )
        captions.append(item.name)
    if not tiles:
        raise InputError(
            f"None of the {len(landmarks)} images with landmarks can be read from {source!r}, so "
            f"there is nothing to draw. Give the pictures that the landmarks were found in."
        )
    return save_image(contact_sheet(tiles, COLUMNS, captions=captions), path)
