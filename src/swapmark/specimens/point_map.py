"""From learned landmarks to the points that a user marked: the map that `fit_points` makes.

It is one linear map, kept beside the model as points/NAME.json. Axes: N images, K landmarks,
P points.
"""

import json
import re
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from swapmark.coordinates import to_pixels, to_relative
from swapmark.errors import InputError, RunError
from swapmark.files import parse_json, read_regular, refuse_existing, write_text
from swapmark.points.table import Points

FORMAT = 1
COORDINATES = "from the centre of the image, in units of its longer side"


@dataclass(frozen=True)
class PointMap:
    """Named points as a linear function of the landmarks of one model."""

    names: tuple[str, ...]
    """P names of the points."""
    weights: np.ndarray
    """(P, 2K, 2): from x and y of each landmark to x and y of each point."""
    offset: np.ndarray
    """(P, 2), in units of the longer side of the image."""
    model: str
    """Fingerprint of the model whose landmarks it takes; empty if that is not known."""
    record: dict[str, Any] = field(default_factory=dict, repr=False)
    """How it was fitted and how well it does: `PointFit.metrics()`."""

    @property
    def landmarks(self) -> int:
        """K, the number of landmarks that it takes."""
        return self.weights.shape[1] // 2

    def apply(self, points: Points) -> Points:
        """The named points in the images of the landmarks `points`, in pixels.

        The confidence of a point is the mean confidence of the landmarks, each counted by the size
        of its weights for that point; NaN if no landmark has any. Raises InputError if the number
        of landmarks is another.
        """
        if len(points.names) != self.landmarks or points.sizes is None:
            raise InputError(
                f"This point map takes {self.landmarks} landmarks in images of known size, but "
                f"there are {len(points.names)}. Use the model that it was fitted on."
            )
        relative = to_relative(points.xy, points.sizes, "centre").reshape(len(points), -1)
        xy = np.einsum("nd,pdc->npc", relative, self.weights) + self.offset
        size = np.linalg.norm(self.weights.reshape(len(self.names), self.landmarks, 4), axis=-1)
        total = size.sum(axis=1, keepdims=True)
        shares = np.divide(size, total, out=np.full_like(size, np.nan), where=total > 0)  # (P, K)
        return replace(
            points,
            names=self.names,
            xy=to_pixels(xy, points.sizes, "centre"),
            confidence=None if points.confidence is None else points.confidence @ shares.T,
        )

    def save(self, folder: Path, name: str, *, overwrite: bool = False) -> Path:
        """Write FOLDER/points/NAME.json.

        Raises InputError if it exists and `overwrite` is not set, OutputError if it can't be
        written.
        """
        path = point_map_path(folder, name)
        refuse_existing(path, overwrite=overwrite)
        values = {
            "format": FORMAT,
            "model": self.model,
            "landmarks": self.landmarks,
            "coordinates": COORDINATES,
            "names": list(self.names),
            "record": self.record,
            "offset": self.offset.tolist(),
            "weights": self.weights.tolist(),
        }
        return write_text(path, json.dumps(values, ensure_ascii=False, allow_nan=False) + "\n")


def point_map_path(folder: Path, name: str) -> Path:
    """Where a point map lies; raises InputError for a name that is no plain file name."""
    if not re.fullmatch(r"\w[\w.\- ]{0,59}", name) or name.lower().endswith(".json"):
        raise InputError(
            f"{name!r} cannot name a point map. Choose up to 60 letters, digits, '-', '_' and '.', "
            "such as 'eyes'."
        )
    return folder / "points" / f"{name}.json"


def find_point_map(folder: Path | None, points: str | PointMap, fingerprint: str) -> PointMap:
    """The point map of a name in a run or model folder, or the given one, checked for the model.

    `folder` None means a model without a folder: only a given map can be used. `fingerprint` is
    the model's. Raises RunError if there is no such map, it is damaged, or of another model.
    """
    if isinstance(points, PointMap):
        found, where = points, "This point map"
    elif folder is None:
        raise InputError(
            f"points is {points!r}, but this model has no folder, where point maps lie. Give the "
            "run or model folder that swapmark fit was given, or in Python the PointMap itself."
        )
    else:
        where = point_map_path(folder, points)
        found = _read(where)
    if found.model not in ("", fingerprint):
        raise RunError(
            f"{where} was fitted on another model, or on an earlier step of its training: its "
            "landmarks mean other places. Fit again: swapmark fit"
        )
    return found


def _read(path: Path) -> PointMap:
    if not path.is_file():
        others = ", ".join(sorted(file.stem for file in path.parent.glob("*.json"))) or "none"
        raise RunError(f"There is no {path}. Point maps there: {others}. Make one: swapmark fit")
    try:
        values = parse_json(read_regular(path).decode())
        for name, expected in {"format": FORMAT, "coordinates": COORDINATES}.items():
            if values[name] != expected:
                raise ValueError(f"{name} is {values[name]!r}; expected {expected!r}")
        names, count = tuple(values["names"]), values["landmarks"]
        if not names or not all(isinstance(name, str) for name in names):
            raise ValueError(f"names is {values['names']!r}; expected a list of names")
        arrays = {name: np.array(values[name], dtype=float) for name in ("weights", "offset")}
        shapes = {"weights": (len(names), 2 * count, 2), "offset": (len(names), 2)}
        for name, array in arrays.items():
            if array.shape != shapes[name] or not np.isfinite(array).all():
                raise ValueError(f"{name}: expected finite numbers of shape {shapes[name]}")
        return PointMap(names, **arrays, model=str(values["model"]), record=dict(values["record"]))
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise RunError(
            f"{path} is no point map that can be read ({error}). Copy it again, or fit again with "
            "--overwrite."
        ) from error
