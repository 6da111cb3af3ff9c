"""What the training pictures look like to the backbone, to know when a model does not apply.

Of each picture the mean of each channel is taken. Its distance is the root mean square of how many
standard deviations these lie off those of the training pictures. The limit comes from training
pictures that were held out. These are a few hundred numbers, of which no picture can be made.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from swapmark.files import write_text

FILE = "familiar.json"
"""In a model folder; those of earlier versions have none, and nothing is said then."""
FEWEST, MOST = 50, 1000
"""Training pictures: of fewer nothing is kept, of more so many are looked at."""
QUANTILE, MARGIN = 0.99, 1.1
"""The limit is so many times the quantile of held-out training pictures."""
FOLDS = 5


@dataclass(frozen=True, eq=False)
class Familiar:
    """Mean and standard deviation of C channels over the training pictures, and the limit."""

    mean: np.ndarray
    spread: np.ndarray
    limit: float

    def distance(self, features: np.ndarray) -> np.ndarray:
        """(N,) distances of features (N, C), in units of the limit: above 1 is unlike."""
        off = (features - self.mean) / self.spread
        return np.sqrt(np.square(off).mean(axis=1)) / self.limit

    def to_json(self) -> str:
        """As a model folder and an ONNX file keep it."""
        rows = (self.mean, self.spread, [self.limit])
        mean, spread, (limit,) = ([float(f"{x:.5g}") for x in row] for row in rows)
        return json.dumps({"mean": mean, "spread": spread, "limit": limit})

    def save(self, folder: Path) -> None:
        """Write it into a model folder."""
        write_text(folder / FILE, self.to_json() + "\n")


def learn_familiar(features: np.ndarray) -> Familiar | None:
    """From features (N, C) of training pictures; None of fewer than FEWEST."""
    if len(features) < FEWEST:
        return None
    order = np.random.default_rng(0).permutation(len(features))
    held_out = []
    for fold in np.array_split(order, FOLDS):
        others = _spread_of(np.delete(features, fold, axis=0), 1.0)
        held_out.append(others.distance(features[fold]))
    return _spread_of(features, MARGIN * float(np.quantile(np.concatenate(held_out), QUANTILE)))


def _spread_of(features: np.ndarray, limit: float) -> Familiar:
    # A channel that is dead in all training pictures must not decide.
    spread = features.std(axis=0)
    return Familiar(features.mean(axis=0), spread + 0.05 * spread.mean() + 1e-9, limit)


def pool(maps: Sequence[np.ndarray]) -> np.ndarray:
    """Features (B, C) of the backbone's maps (B, h, w, C) each."""
    return np.concatenate([level.mean(axis=(1, 2)) for level in maps], axis=1).astype(float)


def parse_familiar(text: str) -> Familiar | None:
    """What `to_json` gave; None of an empty or damaged text: it is a help, and not needed."""
    try:
        known = json.loads(text)
        mean, spread = (np.array(known[name], dtype=float) for name in ("mean", "spread"))
        limit = float(known["limit"])
    except (KeyError, TypeError, ValueError):
        return None
    sound = mean.shape == spread.shape and np.isfinite(mean).all() and (spread > 0).all()
    return Familiar(mean, spread, limit) if sound and limit > 0 else None


def read_familiar(folder: Path) -> Familiar | None:
    """What a model folder keeps of its training pictures; None where it has nothing."""
    try:
        return parse_familiar((folder / FILE).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
