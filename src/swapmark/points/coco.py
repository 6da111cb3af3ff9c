"""COCO keypoints: one JSON with images, annotations and one category that names the points.

COCO's keypoints are indices of pixels, (0, 0) being the top left one, so they are our coordinates
as they are; its boxes are measured from the corner of the image (detectron2 has the same rule). A
box here goes around the pixels that the points lie in. Visibility: 0 is missing (x and y are 0
then), 1 hidden, 2 seen; swapmark writes 0 and 2, and reads 1 as a point like any other.

What COCO has no field for lies where its readers do not look: `keypoint_scores` of an annotation is
the confidence of each point, `score` their mean, and `swapmark` of an image holds split, group,
scale, frame and time.
"""

import json
import math
import warnings
from pathlib import Path
from typing import Any

import numpy as np

from swapmark.errors import InputError, LeftOutWarning
from swapmark.files import write_atomically
from swapmark.points.csv import NUMBER_COLUMNS, points_of_columns
from swapmark.points.table import Points
from swapmark.points.text import decode_text

EXPECTED = "Expected COCO keypoints: an object with images, annotations and categories."


def read_coco(path: Path, images=None) -> Points:
    """Read keypoints, a row an image in the order of the file; `images` is not needed.

    An image without annotation has all points missing. Hidden points become points like any other.
    """
    where = str(path)
    data = _parse(where, decode_text(where, path.read_bytes()))
    names, category = _category(where, data["categories"])
    known = [entry.get("id") for entry in data["categories"]]
    row_of = _rows(where, data["images"])
    keypoints = np.full((len(row_of), len(names), 3), np.nan)
    scores = np.full((len(row_of), len(names)), np.nan)
    seen, scored = {}, False
    for annotation in data["annotations"]:
        label = f"{where}, annotation {annotation.get('id')}"
        ids = annotation.get("image_id"), annotation.get("category_id")
        if not isinstance(ids[0], int | str) or ids[0] not in row_of or ids[1] not in known:
            raise InputError(f"{label}: there is no image {ids[0]} or no category {ids[1]}.")
        if ids[1] != category or "keypoints" not in annotation:
            continue
        if ids[0] in seen:
            raise InputError(
                f"{label}: the image {ids[0]} has annotation {seen[ids[0]]} too, and swapmark "
                "keeps one set of points an image. Split the file."
            )
        seen[ids[0]] = annotation.get("id")
        row = row_of[ids[0]]
        keypoints[row] = _numbers(label, annotation["keypoints"], (len(names), 3))
        if np.isnan(keypoints[row, :, 2]).any():
            raise InputError(f"{label}: a visibility is no number. A missing point is 0, 0, 0.")
        if "keypoint_scores" in annotation:
            scored = True
            scores[row] = _numbers(label, annotation["keypoint_scores"], (len(names),))
    visibility = keypoints[..., 2]
    if hidden := int((visibility == 1).sum()):
        told = f"{path}: {hidden} hidden points (visibility 1) are read as points like any other."
        warnings.warn(told, LeftOutWarning, stacklevel=2)
    keypoints[~(visibility > 0)] = np.nan
    columns = _about_images(where, data["images"])
    for place, name in enumerate(names):
        columns += [(f"{name}_x", keypoints[:, place, 0]), (f"{name}_y", keypoints[:, place, 1])]
        if scored:
            columns.append((f"{name}_confidence", scores[:, place]))
    return points_of_columns(where, columns, [f"image {key}" for key in row_of])


def _parse(where: str, text: str) -> dict:
    try:
        data = json.loads(text)
    except (ValueError, RecursionError) as error:  # ValueError: also numbers of too many digits
        raise InputError(f"{where} is not whole JSON ({error}). {EXPECTED}") from error
    if isinstance(data, list):
        raise InputError(
            f"{where} is a list, as COCO's results are; it names no images. {EXPECTED}"
        )
    for name in ("images", "annotations", "categories"):
        entries = data.get(name) if isinstance(data, dict) else None
        if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
            raise InputError(f"{where} has no list of {name}. {EXPECTED}")
    return data


def _category(where: str, categories: list[dict]) -> tuple[list[str], Any]:
    """Names of the points, and the id of the one category that has them."""
    found = [category for category in categories if category.get("keypoints")]
    names = found[0]["keypoints"] if len(found) == 1 else None
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        called = ", ".join(f"{entry.get('name')}: {entry['keypoints']!r}" for entry in found)
        raise InputError(
            f"{where} has {len(found)} categories with keypoints ({called}); expected one, with "
            "the names of the points. Leave one kind of thing in the file."
        )
    return names, found[0].get("id")


def _rows(where: str, images: list[dict]) -> dict[int | str, int]:
    """The row of each image by its id."""
    rows = {}
    for entry in images:
        key, name = entry.get("id"), entry.get("file_name")
        if not isinstance(key, int | str) or key in rows or not isinstance(name, str):
            raise InputError(
                f"{where}: an image has the id {key!r} and the file_name {name!r}; expected an id "
                "of its own and a name."
            )
        rows[key] = len(rows)
    return rows


def _numbers(label: str, values, shape: tuple[int, ...]) -> np.ndarray:
    """Numbers in one list; null and NaN stand for what is not known."""
    try:
        return np.array(values, dtype=np.float64).reshape(shape)
    except (TypeError, ValueError, OverflowError) as error:
        raise InputError(f"{label}: expected a list of {math.prod(shape)} numbers.") from error


def _about_images(where: str, images: list[dict]) -> list[tuple[str, list[str] | np.ndarray]]:
    """What is known of the images, as columns of a wide table."""
    columns: list = [("file", [entry["file_name"] for entry in images])]
    own = [entry.get("swapmark") for entry in images]
    own = [entry if isinstance(entry, dict) else {} for entry in own]
    for name in ("split", "group", *NUMBER_COLUMNS):
        entries = images if name in ("width", "height") else own
        if any(name in entry for entry in entries):
            values = [entry.get(name) for entry in entries]
            columns.append(
                (name, _numbers(f"{where}, {name} of the images", values, (len(values),)))
                if name in NUMBER_COLUMNS
                else (name, ["" if value is None else str(value) for value in values])
            )
    return columns


def write_coco(points: Points, path: Path) -> tuple[str, ...]:
    """Write keypoints that pycocotools loads; nothing is lost."""
    about = {name: [_known(v) for v in values] for name, values in points.about().items()}
    files = about.pop("file")
    sides = {side: about.pop(side) for side in ("width", "height") if side in about}
    images, annotations = [], []
    marked = points.marked
    for row, file in enumerate(files):
        image = {"id": row + 1, "file_name": file}
        image |= {side: values[row] for side, values in sides.items()}
        if about:
            image["swapmark"] = {name: values[row] for name, values in about.items()}
        images.append(image)
        scores = None if points.confidence is None else points.confidence[row]
        if marked[row].any() or scores is not None:
            ids = {"id": len(annotations) + 1, "image_id": row + 1}
            annotations.append({**ids, **_annotation(points.xy[row], marked[row], scores)})
    category = {"id": 1, "name": "object", "supercategory": "", "keypoints": list(points.names)}
    category["skeleton"] = []
    lists = {"images": images, "annotations": annotations, "categories": [category]}
    # A line an entry: to be read by people, and by far faster than json's own indents.
    encode = json.JSONEncoder(ensure_ascii=False, allow_nan=False).encode
    blocks = [
        f'"{name}": [\n' + ",\n".join(map(encode, entries)) + "\n]"
        for name, entries in lists.items()
    ]
    content = ("{\n" + ",\n".join(blocks) + "\n}\n").encode("utf-8", "backslashreplace")
    write_atomically(path, lambda partial: partial.write_bytes(content))
    return ()


def _known(value):
    """A value as JSON has it: null for NaN."""
    return None if value != value else value


def _annotation(xy: np.ndarray, marked: np.ndarray, scores: np.ndarray | None) -> dict:
    """One annotation but for its ids: keypoints (K, 2), their box, and their scores."""
    keypoints: list[float | int] = []
    for (x, y), there in zip(xy.tolist(), marked, strict=True):
        keypoints += [x, y, 2] if there else [0, 0, 0]
    box = [0.0, 0.0, 0.0, 0.0]
    if marked.any():
        low, high = xy[marked].min(axis=0), xy[marked].max(axis=0)
        box = [*low.tolist(), *(high - low + 1).tolist()]
    found = {
        "category_id": 1,
        "keypoints": keypoints,
        "num_keypoints": int(marked.sum()),
        "bbox": box,
        "area": box[2] * box[3],
        "iscrowd": 0,
    }
    if scores is not None:
        known = scores[np.isfinite(scores)]
        found["score"] = float(known.mean()) if known.size else 0.0
        found["keypoint_scores"] = [_known(score) for score in scores.tolist()]
    return found
