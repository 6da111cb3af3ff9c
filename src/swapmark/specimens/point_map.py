"""From discovered landmarks to the points that a user marked: the map that `swapmark fit` makes.

It is one linear map, kept in the run as points/NAME.json. Axes: N images, K landmarks, P points.
"""

import hashlib
import json
import re
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from swapmark.coordinates import to_pixels, to_relative
from swapmark.errors import InputError, RunError
from swapmark.files import refuse_existing, write_text
from swapmark.types import Landmarks

FORMAT = 1
COORDINATES = "from the centre of the image, in units of its longer side"


@dataclass(frozen=True)
class PointMap:
    """Named points as a linear function of the landmarks of one model.

    >>> half = np.zeros((1, 4, 2))
    >>> half[0, [0, 2], 0] = half[0, [1, 3], 1] = 0.5  # the middle of two landmarks
    >>> middle = PointMap(("nose",), half, np.zeros((1, 2)), model="")
    >>> xy, size = np.array([[[10.0, 20.0], [30.0, 24.0]]]), np.array([[64, 48]])
    >>> found = middle.apply(Landmarks(xy, np.ones((1, 2)), ("a.png",), size))
    >>> found.names, found.xy.tolist()
    (('nose',), [[[20.0, 22.0]]])
    """

    names: tuple[str, ...]
    """P names of the points."""
    weights: np.ndarray
    """(P, 2K, 2): from x and y of each landmark to x and y of each point."""
    offset: np.ndarray
    """(P, 2), in units of the longer side of the image."""
    model: str
    """Fingerprint of the weights of the model whose landmarks it takes (`model_fingerprint`)."""
    record: dict[str, Any] = field(default_factory=dict)
    """How it was fitted and how well it does: what `swapmark fit` shows, for JSON."""

    @property
    def landmarks(self) -> int:
        """K, the number of landmarks that it takes."""
        return self.weights.shape[1] // 2

    def apply(self, landmarks: Landmarks) -> Landmarks:
        """The named points in the images of `landmarks`, in pixels.

        The confidence of a point is the mean confidence of the landmarks, each counted by the size
        of its weights for that point; NaN if no landmark has any. Raises InputError if the number
        of landmarks is another.
        """
        count = landmarks.xy.shape[1]
        if count != self.landmarks:
            raise InputError(
                f"This point map takes {self.landmarks} landmarks, but the images have {count} "
                f"each. Use the run that it was fitted on, or fit again: swapmark fit"
            )
        relative = to_relative(landmarks.xy, landmarks.sizes, "centre").reshape(len(landmarks), -1)
        points = np.einsum("nd,pdc->npc", relative, self.weights) + self.offset
        return replace(
            landmarks,
            xy=to_pixels(points, landmarks.sizes, "centre"),
            confidence=landmarks.confidence @ self._shares().T,
            names=self.names,
        )

    def _shares(self) -> np.ndarray:
        """(P, K): how much each landmark counts for each point; rows sum to 1."""
        size = np.linalg.norm(self.weights.reshape(len(self.names), self.landmarks, 4), axis=-1)
        total = size.sum(axis=1, keepdims=True)
        return np.divide(size, total, out=np.full_like(size, np.nan), where=total > 0)

    def save(self, run: Path, name: str, *, overwrite: bool = False) -> Path:
        """Write RUN/points/NAME.json.

        Raises InputError if it exists and `overwrite` is not set, OutputError if it can't be
        written.
        """
        path = point_map_path(run, name)
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


def model_fingerprint(run: Path) -> str:
    """SHA-256 of the weights of the model in a run or model folder; RunError if there is none."""
    for folder in (run / "model", run):
        path = folder / "model.safetensors"
        if path.is_file():
            with path.open("rb") as file:
                return hashlib.file_digest(file, "sha256").hexdigest()
    if run.suffix.lower() == ".onnx":
        raise RunError(
            f"{run} is an ONNX file; point maps belong to a run. Give the run it was made from."
        )
    raise RunError(f"{run} holds no model.safetensors. Make a run with: swapmark train")


def point_map_path(run: Path, name: str) -> Path:
    """Where a point map lies; raises InputError for a name that is no plain file name.

    >>> point_map_path(Path("runs/faces"), "eyes").as_posix()
    'runs/faces/points/eyes.json'
    """
    if not re.fullmatch(r"\w[\w.\- ]{0,59}", name) or name.lower().endswith(".json"):
        raise InputError(
            f"{name!r} cannot name a point map: expected up to 60 letters, digits, '-', '_' and "
            f"'.' without a folder or the ending .json, such as 'eyes'; it becomes "
            f"{run / 'points'}/NAME.json."
        )
    return run / "points" / f"{name}.json"


def find_point_map(run: Path | None, points: str | PointMap) -> PointMap:
    """The point map of a name in a run, or the given one, checked against the run's model.

    `run` None means a detector that was not loaded from a folder: only a given map can be used.
    Raises RunError if there is none, it is damaged, or it was fitted on another model.
    """
    if run is None:
        if isinstance(points, PointMap):
            return points
        raise InputError(
            f"points is {points!r}, but this model was not loaded from a folder, where point maps "
            f"lie. Use the run or model folder that `swapmark fit` was given (of a model with a "
            f"name, `swapmark export MODEL --format hub --out FOLDER` makes one), or, in Python, "
            f"give the PointMap itself."
        )
    if isinstance(points, PointMap):
        found, where = points, "This point map"
    else:
        path = point_map_path(run, points)
        found, where = read_point_map(path), str(path)
    if found.model != model_fingerprint(run):
        raise RunError(
            f"{where} was fitted on another model than the one in {run} now, or on an earlier step "
            f"of its training: its landmarks mean other places. Fit again with: "
            f"swapmark fit {run} ANNOTATED --out NAME --overwrite"
        )
    return found


def read_point_map(path: Path) -> PointMap:
    """Read what `PointMap.save` wrote; raises RunError that names the file and the wrong value."""
    if not path.is_file():
        others = sorted(file.stem for file in path.parent.glob("*.json"))
        raise RunError(
            f"There is no {path}; the run has "
            f"{'the point maps ' + ', '.join(others) if others else 'no point map'}. "
            f"Make one with: swapmark fit {path.parent.parent} ANNOTATED --out {path.stem}"
        )
    try:
        return _from_json(json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError, RecursionError) as error:
        raise RunError(
            f"{path} is no point map that can be read: {error}. Copy it again, or make it anew "
            f"with: swapmark fit {path.parent.parent} ANNOTATED --out {path.stem} --overwrite"
        ) from error


def _from_json(values: Any) -> PointMap:
    """The checked map; raises ValueError that says what is wrong."""
    if not isinstance(values, dict) or values.get("format") != FORMAT:
        found = values.get("format") if isinstance(values, dict) else type(values).__name__
        raise ValueError(f"its format is {found!r}; this version of swapmark reads {FORMAT}")
    if values.get("coordinates") != COORDINATES:
        raise ValueError(f"coordinates is {values.get('coordinates')!r}; expected {COORDINATES!r}")
    names, count = values.get("names"), values.get("landmarks")
    if not isinstance(names, list) or not names or not all(isinstance(n, str) for n in names):
        raise ValueError(f"names is {names!r}; expected a list of names")
    if type(count) is not int or count < 1:
        raise ValueError(f"landmarks is {count!r}; expected a number of landmarks")
    if not isinstance(values.get("model"), str) or not isinstance(values.get("record"), dict):
        raise ValueError("model or record is missing")
    weights = _array(values, "weights", (len(names), 2 * count, 2))
    offset = _array(values, "offset", (len(names), 2))
    return PointMap(tuple(names), weights, offset, values["model"], values["record"])


def _array(values: dict, name: str, shape: tuple[int, ...]) -> np.ndarray:
    try:
        array = np.array(values.get(name), dtype=float)
    except (TypeError, ValueError) as error:
        raise ValueError(f"{name} is no array of numbers ({error})") from error
    if array.shape != shape:
        raise ValueError(f"{name} has shape {array.shape}; expected {shape}")
    if not np.isfinite(array).all():
        raise ValueError(f"{name} has an entry that is not a finite number")
    return array
