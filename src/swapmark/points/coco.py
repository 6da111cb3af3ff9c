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

import numpy as np

from swapmark.errors import InputError, LeftOutWarning
from swapmark.files import write_atomically
from swapmark.points.text import decode_text
from swapmark.points.wide import check_table, plain_name, whole
from swapmark.types import PointTable

EXPECTED = "Expected COCO keypoints: an object with images, annotations and categories."
EXTRA = {
    "split": "splits",
    "group": "groups",
    "scale": "scales",
    "frame": "frames",
    "time": "times",
}
"""Names inside an image's `swapmark`, and the fields of PointTable that they are."""


def read_coco(path: Path, images: Path | None = None) -> PointTable:
    """Read keypoints, a row an image in the order of the file; `images` is not needed.

    An image without annotation has all points missing. Warns of hidden points, which become points
    like any other. Raises InputError for several annotations of one image, several categories with
    keypoints, and, with the annotation's id, for keypoints that are no numbers or too few.

    >>> import tempfile
    >>> text = '''{"images": [{"id": 1, "file_name": "a.png"}],
    ...   "categories": [{"id": 1, "name": "fly", "keypoints": ["tip"]}],
    ...   "annotations": [{"id": 1, "image_id": 1, "category_id": 1, "keypoints": [3, 4, 2]}]}'''
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     _ = Path(folder, "a.json").write_text(text)
    ...     read_coco(Path(folder, "a.json")).xy.tolist()
    [[[3.0, 4.0]]]
    """
    where = str(path)
    data = _parse(where, decode_text(where, path.read_bytes()))
    names, category = _category(where, data["categories"])
    entries = _by_id(where, data["images"])
    xy = np.full((len(entries), len(names), 2), np.nan)
    confidence = np.full((len(entries), len(names)), np.nan)
    scored, hidden = False, 0
    rows = {key: row for row, key in enumerate(entries)}
    seen: dict = {}
    categories = [entry.get("id") for entry in data["categories"]]
    for annotation in data["annotations"]:
        label = f"annotation {annotation.get('id')}"
        if annotation.get("category_id") not in categories:
            raise InputError(
                f"{where}, {label}: there is no category with the id "
                f"{annotation.get('category_id')}."
            )
        if annotation["category_id"] != category or "keypoints" not in annotation:
            continue
        image = annotation.get("image_id")
        if not isinstance(image, int | str) or image not in rows:
            raise InputError(f"{where}, {label}: there is no image with the id {image}.")
        if image in seen:
            raise InputError(
                f"{where}: {entries[image].get('file_name')} has several annotations "
                f"({seen[image]} and {label}), and swapmark keeps one set of points an image. "
                "Split the file."
            )
        seen[image] = label
        values = _keypoints(where, label, annotation["keypoints"], len(names))
        there = values[:, 2] > 0
        hidden += int((values[:, 2] == 1).sum())
        xy[rows[image], there] = values[there, :2]
        if "keypoint_scores" in annotation:
            scored = True
            scores = annotation["keypoint_scores"]
            confidence[rows[image]] = _numbers(where, label, scores, len(names), unknown=True)
    if hidden:
        warnings.warn(
            f"{path}: {hidden} hidden points (visibility 1) are read as points like any other.",
            LeftOutWarning,
            stacklevel=2,
        )
    table = PointTable(
        names,
        tuple(plain_name(entry["file_name"]) for entry in entries.values()),
        xy,
        confidence=confidence if scored else None,
        **_about_images(where, list(entries.values())),
    )
    check_table(table, where, [f"image {key}" for key in entries])
    return table


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
    if not data["images"]:
        raise InputError(f"{where} has an empty list of images. {EXPECTED}")
    return data


def _category(where: str, categories: list[dict]) -> tuple[tuple[str, ...], int]:
    """Names of the points, and the id of the one category that has them."""
    found = [category for category in categories if category.get("keypoints")]
    if len(found) != 1:
        names = ", ".join(str(category.get("name")) for category in found) or "none"
        raise InputError(
            f"{where} has {len(found)} categories with keypoints ({names}); expected one. Leave "
            "one kind of thing in the file."
        )
    names = found[0]["keypoints"]
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise InputError(f"{where}: the keypoints of the category are {names!r}; expected names.")
    return tuple(names), found[0].get("id")  # pyright: ignore[reportReturnType]


def _by_id(where: str, images: list[dict]) -> dict[int | str, dict]:
    entries = {}
    for entry in images:
        key = entry.get("id")
        if not isinstance(key, int | str) or key in entries:
            raise InputError(f"{where}: the image id {key!r} is missing or there twice.")
        if not isinstance(entry.get("file_name"), str):
            name = entry.get("file_name")
            raise InputError(f"{where}, image {key}: file_name is {name!r}; expected a name.")
        entries[key] = entry
    return entries


def _keypoints(where: str, label: str, values, count: int) -> np.ndarray:
    """x, y and visibility (count, 3); where that is 0, x and y may be unknown."""
    numbers = _numbers(where, label, values, 3 * count, unknown=True).reshape(count, 3)
    unknown = np.isnan(numbers[:, 2]) | (np.isnan(numbers).any(axis=1) & (numbers[:, 2] > 0))
    if unknown.any():
        point = int(np.argmax(unknown))
        raise InputError(
            f"{where}, {label}: keypoint {point + 1} is {values[3 * point : 3 * point + 3]}; "
            "expected x, y and a visibility. Give a missing point as 0, 0, 0."
        )
    return numbers


def _numbers(where: str, label: str, values, count: int, *, unknown: bool = False) -> np.ndarray:
    """A list of `count` finite numbers; null and NaN stand for what is not known, if allowed."""
    try:
        if not isinstance(values, list) or any(isinstance(value, str) for value in values):
            raise TypeError
        numbers = np.array([math.nan if v is None else v for v in values], dtype=np.float64)
    except (TypeError, ValueError, OverflowError):
        numbers = np.empty(0)
    fine = np.isfinite(numbers) | (np.isnan(numbers) & unknown)
    if numbers.shape != (count,) or not fine.all():
        raise InputError(f"{where}, {label}: expected a list of {count} numbers.")
    return numbers


def _about_images(where: str, entries: list[dict]) -> dict:
    """Sizes and what lies under `swapmark`, as arguments of PointTable."""
    sizes = [
        _numbers(where, f"image {e.get('id')}", [e.get("width"), e.get("height")], 2, unknown=True)
        for e in entries
    ]
    known = any("width" in entry or "height" in entry for entry in entries)
    about: dict = {"sizes": whole(np.array(sizes).reshape(-1, 2)) if known else None}
    extra = [entry.get("swapmark", {}) for entry in entries]
    for name, argument in EXTRA.items():
        if not any(isinstance(own, dict) and name in own for own in extra):
            continue
        values = [own.get(name) if isinstance(own, dict) else None for own in extra]
        if name in ("split", "group"):
            about[argument] = tuple("" if value is None else str(value) for value in values)
            continue
        numbers = _numbers(where, f"{name} of the images", values, len(values), unknown=True)
        about[argument] = whole(numbers) if name == "frame" else numbers
    return about


def write_coco(table: PointTable, path: Path) -> tuple[str, ...]:
    """Write keypoints that pycocotools loads; nothing is lost.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     place = Path(folder, "a.json")
    ...     _ = write_coco(PointTable(("tip",), ("a.png",), np.array([[[3.0, 4.0]]])), place)
    ...     json.loads(place.read_text())["annotations"][0]["bbox"]
    [3.0, 4.0, 1.0, 1.0]
    """
    images, annotations = [], []
    marked = table.marked
    for row, file in enumerate(table.files):
        images.append({"id": row + 1, "file_name": file, **_about(table, row)})
        scores = None if table.confidence is None else table.confidence[row]
        if marked[row].any() or scores is not None:
            annotation = _annotation(table.xy[row], marked[row], scores)
            annotations.append({"id": len(annotations) + 1, "image_id": row + 1, **annotation})
    category = {"id": 1, "name": "object", "supercategory": "", "keypoints": list(table.names)}
    category["skeleton"] = []
    lists = {"images": images, "annotations": annotations, "categories": [category]}
    # A line an entry: to be read by people, and by far faster than json's own indents.
    blocks = [
        f'"{name}": [\n' + ",\n".join(map(_encoded, entries)) + "\n]"
        for name, entries in lists.items()
    ]
    content = ("{\n" + ",\n".join(blocks) + "\n}\n").encode("utf-8", "backslashreplace")
    write_atomically(path, lambda partial: partial.write_bytes(content))
    return ()


def _encoded(entry: dict) -> str:
    return json.dumps(entry, ensure_ascii=False, allow_nan=False)


def _about(table: PointTable, row: int) -> dict:
    """Width and height of an image where known, and what COCO has no field for."""
    found: dict = {}
    if table.sizes is not None:
        pairs = zip(("width", "height"), table.sizes[row].tolist(), strict=True)
        found = {side: _known(value) for side, value in pairs}
    own = {
        name: _known(getattr(table, argument)[row])
        for name, argument in EXTRA.items()
        if getattr(table, argument) is not None
    }
    return {**found, "swapmark": own} if own else found


def _known(value) -> str | int | float | None:
    """A value as JSON has it: whole numbers without a point, null for NaN."""
    if isinstance(value, str):
        return value
    number = float(value)
    if math.isnan(number):
        return None
    return int(number) if number.is_integer() and abs(number) < 2**53 else number


def _annotation(points: np.ndarray, marked: np.ndarray, scores: np.ndarray | None) -> dict:
    """One annotation but for its ids: keypoints (K, 2), their box, and their scores."""
    keypoints: list[float | int] = []
    for (x, y), there in zip(points.tolist(), marked, strict=True):
        keypoints += [x, y, 2] if there else [0, 0, 0]
    box = [0.0, 0.0, 0.0, 0.0]
    if marked.any():
        low, high = points[marked].min(axis=0), points[marked].max(axis=0)
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
        found["keypoint_scores"] = [_known(score) for score in scores]
    return found
