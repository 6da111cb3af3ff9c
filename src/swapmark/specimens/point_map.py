"""From learned landmarks to the points that a user marked: the map that `fit_points` makes.

It is one linear map, kept beside the model as points/NAME.json. Axes: N images, K landmarks,
P points.
"""

import json
import re
from base64 import b64decode, b64encode
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError

from swapmark.coordinates import to_pixels, to_relative
from swapmark.errors import InputError, RunError
from swapmark.files import parse_json, read_regular, refuse_existing, write_text
from swapmark.points.table import Points
from swapmark.predict.network import Network, Sight
from swapmark.predict.predict import Squares
from swapmark.specimens.closer import ZOOMS, CloserLook
from swapmark.specimens.describe import describe
from swapmark.specimens.refine import Refinement

FORMATS = (1, 2)
"""2 where points are refined: `refinement` is a file of safetensors in base 64."""
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
    refinement: Refinement | None = field(default=None, repr=False)
    """What moves the points to their places, where that helps."""
    closer: CloserLook | None = field(default=None, repr=False)
    """What then moves them by a second look at larger pictures, where that helps."""

    @property
    def landmarks(self) -> int:
        """K, the number of landmarks that it takes."""
        return self.weights.shape[1] // 2

    @property
    def zoom(self) -> int:
        """See `Finder`."""
        return self.closer.zoom if self.closer else 1

    def find(
        self, network: Network, sight: Sight, pictures: Sequence[Squares]
    ) -> tuple[np.ndarray, np.ndarray]:
        """Points (B, P, 2) in pixels of the pictures, and their confidence (B, P); see `Finder`."""
        places = [placement for (_, placement), *_ in pictures]
        sizes = np.array([(place.width, place.height) for place in places])
        landmarks = np.stack([at.to_original(xy) for at, xy in zip(places, sight.xy, strict=True)])
        xy = self._of_landmarks(landmarks, sizes)
        if self.refinement:
            square = np.stack([at.to_model(of) for at, of in zip(places, xy, strict=True)])
            maps = describe(sight.maps, self.refinement.channels)
            square = self.refinement.apply(maps, square, network.image_size)
            if self.closer:
                larger = [squares[-1][0] for squares in pictures]
                square = self.closer.apply(network, larger, square)
            xy = np.stack([at.to_original(of) for at, of in zip(places, square, strict=True)])
        return xy, sight.confidence @ self._shares().T

    def _of_landmarks(self, landmarks: np.ndarray, sizes: np.ndarray) -> np.ndarray:
        """Points (N, P, 2) from landmarks (N, K, 2), both in pixels of pictures of `sizes`."""
        relative = to_relative(landmarks, sizes, "centre").reshape(len(landmarks), -1)
        xy = np.einsum("nd,pdc->npc", relative, self.weights) + self.offset
        return to_pixels(xy, sizes, "centre")

    def _shares(self) -> np.ndarray:
        """(P, K): how much each landmark counts for a point, 1 in all; alike where none does."""
        size = np.linalg.norm(self.weights.reshape(len(self.names), self.landmarks, 4), axis=-1)
        total = size.sum(axis=1, keepdims=True)
        return np.divide(size, total, out=np.full_like(size, 1 / self.landmarks), where=total > 0)

    def apply(self, points: Points) -> Points:
        """The named points in the images of the landmarks `points`, in pixels: the map alone.

        The confidence of a point is the mean confidence of the landmarks, each counted by the size
        of its weights for that point. Raises InputError if the number
        of landmarks is another.
        """
        if len(points.names) != self.landmarks or points.sizes is None:
            raise InputError(
                f"This point map takes {self.landmarks} landmarks in images of known size, but "
                f"there are {len(points.names)}. Use the model that it was fitted on."
            )
        return replace(
            points,
            names=self.names,
            xy=self._of_landmarks(points.xy, points.sizes),
            confidence=None if points.confidence is None else points.confidence @ self._shares().T,
        )

    def save(self, folder: Path, name: str, *, overwrite: bool = False) -> Path:
        """Write FOLDER/points/NAME.json.

        Raises InputError if it exists and `overwrite` is not set, OutputError if it can't be
        written.
        """
        path = point_map_path(folder, name)
        refuse_existing(path, overwrite=overwrite)
        return write_text(path, self.to_json() + "\n")

    def to_json(self) -> str:
        """The whole map as text, which `read_point_map` reads."""
        values = {
            "format": FORMATS[self.refinement is not None],
            "model": self.model,
            "landmarks": self.landmarks,
            "coordinates": COORDINATES,
            "names": list(self.names),
            "record": self.record,
            "offset": self.offset.tolist(),
            "weights": self.weights.tolist(),
        }
        if self.refinement:
            values["refinement"] = b64encode(self.refinement.to_bytes()).decode()
        if self.closer:
            each = [b64encode(part.to_bytes()).decode() for part in self.closer.refinements]
            values["closer"] = {"zoom": self.closer.zoom, "points": each}
        return json.dumps(values, ensure_ascii=False, allow_nan=False)


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
        if not where.is_file():
            others = ", ".join(sorted(path.stem for path in where.parent.glob("*.json"))) or "none"
            raise RunError(
                f"There is no {where}. Point maps there: {others}. Make one: swapmark fit"
            )
        found = read_point_map(where)
    if found.model not in ("", fingerprint):
        raise RunError(
            f"{where} was fitted on another model, or on an earlier step of its training: its "
            "landmarks mean other places. Fit again: swapmark fit"
        )
    return found


def read_point_map(path: Path, text: str | None = None) -> PointMap:
    """The map in a file, or that `PointMap.to_json` put as text into another; RunError if none."""
    try:
        values = parse_json(read_regular(path).decode() if text is None else text)
        for name, known in {"format": FORMATS, "coordinates": (COORDINATES,)}.items():
            if values[name] not in known:
                raise ValueError(f"{name} is {values[name]!r}; expected {known[0]!r}")
        names, count = tuple(values["names"]), values["landmarks"]
        if not names or not all(isinstance(name, str) for name in names):
            raise ValueError(f"names is {values['names']!r}; expected a list of names")
        arrays = {name: np.array(values[name], dtype=float) for name in ("weights", "offset")}
        shapes = {"weights": (len(names), 2 * count, 2), "offset": (len(names), 2)}
        for name, array in arrays.items():
            if array.shape != shapes[name] or not np.isfinite(array).all():
                raise ValueError(f"{name}: expected finite numbers of shape {shapes[name]}")
        refinement = closer = None
        if values["format"] == 2:
            refinement = Refinement.from_bytes(b64decode(values["refinement"]), len(names))
        if "closer" in values:
            parts = values["closer"]["points"]
            if len(parts) != len(names) or (zoom := values["closer"]["zoom"]) not in ZOOMS:
                raise ValueError(f"closer: expected {len(names)} points and a zoom of {ZOOMS}")
            each = tuple(Refinement.from_bytes(b64decode(part), 1) for part in parts)
            closer = CloserLook(zoom, each)
        return PointMap(
            names,
            arrays["weights"],
            arrays["offset"],
            model=str(values["model"]),
            record=dict(values["record"]),
            refinement=refinement,
            closer=closer,
        )
    except (
        *(OSError, ValueError, TypeError, KeyError, OverflowError),
        SafetensorError,
    ) as error:
        raise RunError(
            f"{path} is no point map that can be read ({error}). Copy it again, or fit again with "
            "--overwrite."
        ) from error
