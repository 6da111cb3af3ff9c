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
import warnings
from pathlib import Path
from typing import Any

import numpy as np

from swapmark.errors import InputError, LeftOutWarning
from swapmark.files import parse_json, write_text
from swapmark.points.csv import NUMBER_COLUMNS, TEXT_COLUMNS, points_of_table
from swapmark.points.table import Points
from swapmark.points.text import Table, cell_of, decode_text

COLUMNS = (*TEXT_COLUMNS, *NUMBER_COLUMNS)
MALFORMED = (AttributeError, LookupError, TypeError, ValueError)
"""What JSON raises that is cut, or has other things than expected in it."""


def read_coco(path: Path, images=None) -> Points:
    """Read keypoints, a row an image in the order of the file; `images` is not needed.

    An image without annotation has all points missing. Hidden points become points like any other.
    """
    where = str(path)
    text = decode_text(where, path.read_bytes())
    try:
        table, hidden = _table(where, parse_json(text))
    except MALFORMED as error:
        raise InputError(
            f"{where}: {type(error).__name__}: {error}. Expected COCO keypoints: a whole object "
            "with images, annotations and categories. A bare list, as of results, has no images."
        ) from error
    if hidden:
        told = f"{path}: {hidden} hidden points (visibility 1) are read as points like any other."
        warnings.warn(told, LeftOutWarning, stacklevel=2)
    return points_of_table(table)


def _table(where: str, data: Any) -> tuple[Table, int]:
    """The wide table, and how many points are hidden."""
    about = {entry["id"]: _about(entry) for entry in data["images"]}
    if len(about) < len(data["images"]):
        raise ValueError("two images have one id")
    names, category = _category(where, data["categories"])
    known = [entry["id"] for entry in data["categories"]]
    found: dict[Any, np.ndarray] = {}
    hidden, scored = 0, False
    for annotation in data["annotations"]:
        label = f"annotation {annotation.get('id')}"
        image, kind = annotation["image_id"], annotation["category_id"]
        if image not in about or kind not in known:
            raise ValueError(f"{label}: there is no image {image} or no category {kind}")
        if kind != category or "keypoints" not in annotation:
            continue
        if image in found:
            raise InputError(
                f"{where}, {label}: the image {image} has points already, and swapmark keeps one "
                "set of points an image. Split the file."
            )
        keypoints = _numbers(label, annotation["keypoints"], (len(names), 3))
        scores = annotation.get("keypoint_scores", [None] * len(names))
        scored |= "keypoint_scores" in annotation
        if np.isnan(keypoints[:, 2]).any():
            raise ValueError(f"{label}: a visibility is no number; a missing point is 0, 0, 0")
        hidden += int((keypoints[:, 2] == 1).sum())
        keypoints[keypoints[:, 2] <= 0] = np.nan
        keypoints[:, 2:] = _numbers(label, scores, (len(names), 1))
        found[image] = keypoints
    parts = ("x", "y", "confidence") if scored else ("x", "y")
    seen = {"file"}.union(*about.values())
    fields = [field for field in COLUMNS if field in seen]
    rows = [("the header", [*fields, *(f"{name}_{part}" for name in names for part in parts)])]
    missing = np.full((len(names), 3), np.nan)
    for key, image in about.items():
        points = found.get(key, missing)[:, : len(parts)].ravel().tolist()
        cells = [*(image.get(field) for field in fields), *points]
        rows.append((f"image {key}", [cell_of(cell) for cell in cells]))
    return Table(where, rows), hidden


def _about(entry: dict) -> dict:
    """What is known of an image, under the names of the wide table's columns."""
    own = entry.get("swapmark")
    sides = {side: entry[side] for side in ("width", "height") if side in entry}
    return {**(own if isinstance(own, dict) else {}), **sides, "file": entry["file_name"]}


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
    return names, found[0]["id"]


def _numbers(label: str, values, shape: tuple[int, int]) -> np.ndarray:
    """Numbers in one list; null and NaN stand for what is not known."""
    try:
        return np.array(values, dtype=np.float64).reshape(shape)
    except (TypeError, ValueError, OverflowError) as error:
        raise ValueError(f"{label}: expected a list of {shape[0] * shape[1]} numbers") from error


def write_coco(points: Points, path: Path) -> tuple[str, ...]:
    """Write keypoints that pycocotools loads; nothing is lost."""
    about = {name: [_known(v) for v in values] for name, values in points.about().items()}
    images, annotations = [], []
    for row, file in enumerate(about.pop("file")):
        known = {name: values[row] for name, values in about.items()}
        sides = {side: known.pop(side) for side in ("width", "height") if side in known}
        own = {"swapmark": known} if known else {}
        images.append({"id": row + 1, "file_name": file, **sides, **own})
        scores = None if points.confidence is None else points.confidence[row]
        annotation = _annotation(points.xy[row], scores)
        if annotation["num_keypoints"] or scores is not None:
            annotations.append({"id": len(annotations) + 1, "image_id": row + 1, **annotation})
    category = {"id": 1, "name": "object", "supercategory": "", "keypoints": list(points.names)}
    category["skeleton"] = []
    lists = {"images": images, "annotations": annotations, "categories": [category]}
    # A line an entry: to be read by people, and by far faster than json's own indents.
    encode = json.JSONEncoder(ensure_ascii=False, allow_nan=False).encode
    blocks = [
        f'"{name}": [\n' + ",\n".join(map(encode, entries)) + "\n]"
        for name, entries in lists.items()
    ]
    write_text(path, "{\n" + ",\n".join(blocks) + "\n}\n")
    return ()


def _known(value):
    """A value as JSON has it: null for NaN."""
    return None if value != value else value


def _annotation(xy: np.ndarray, scores: np.ndarray | None) -> dict:
    """One annotation but for its ids: keypoints (P, 2), their box, and their scores."""
    marked = np.asarray(np.isfinite(xy).all(axis=-1))
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
