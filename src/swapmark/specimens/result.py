"""The typed result of an evaluation: numbers, and what they mean in words."""

import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from swapmark.files import write_text
from swapmark.specimens.protocols import PROTOCOLS

if TYPE_CHECKING:
    from rich.table import Table

FIT_WORDS = (
    "A linear map, fitted on the fit images and scored on the test images. Coordinates are in "
    "units of each image's longer side, from its outer edge, so the centre of the first pixel is "
    "at half a pixel. Each point is fitted on the images where it is marked; backward uses the "
    "images where every point is marked. Too few images: the solution with the smallest weights."
)
INTERVAL_WORDS = (
    "95 % percentile bootstrap over test images, by group where groups are given, with the linear "
    "map held fixed"
)


@dataclass(frozen=True)
class Score:
    """A normalised mean error in %."""

    nme: float
    """Mean over the scored points; NaN if there are none."""
    interval: tuple[float, float] | None
    """The 95 % interval; None if it cannot be had."""
    per_point: dict[str, float]
    """The mean of each point by itself; NaN where it was never scored."""


@dataclass(frozen=True)
class FewShot:
    """Forward errors with the map fitted on only some of the fit images."""

    images: int
    """Marked examples of each point (all there are, where a point has fewer)."""
    draws: int
    """How many random choices of them were averaged."""
    nme: dict[str, float]
    """Mean over the draws, by protocol, in %."""
    spread: dict[str, float]
    """Standard deviation over the draws, by protocol, in %; NaN with one draw."""


@dataclass(frozen=True)
class Evaluation:
    """How well landmarks and annotated points predict one another.

    >>> score = Score(5.0, (4.0, 6.0), {"nose": 5.0})
    >>> one = dict.fromkeys(PROTOCOLS, score)
    >>> result = Evaluation(one, one, score, (), "the diagonal of the image", {}, (), (), {})
    >>> result.metrics()["forward.imm.nme"], result.metrics()["forward.imm.nme_interval"]
    (5.0, [4.0, 6.0])
    """

    forward: dict[str, Score]
    """Discovered landmarks to annotated points, by protocol."""
    backward: dict[str, Score]
    """Annotated points to discovered landmarks, by protocol."""
    mean_shape: Score
    """Predicting the mean annotation of the fit images, whatever the landmarks say."""
    few_shot: tuple[FewShot, ...]
    """Forward errors by the number of fit images."""
    normaliser: str
    """The length that errors are measured in, in words."""
    counts: dict[str, int]
    """How many images were fitted, scored, and left out and why."""
    missing: tuple[str, ...]
    """Annotated images that had no landmarks."""
    notes: tuple[str, ...]
    """What the reader of the numbers should know about them, in words."""
    settings: dict[str, int]
    """The numbers of draws and the seed."""

    def metrics(self) -> dict:
        """A flat dictionary for metrics.json: errors in %, null where there is no number."""
        scores = {"mean_shape": self.mean_shape}
        for direction in ("forward", "backward"):
            for protocol, score in getattr(self, direction).items():
                scores[f"{direction}.{protocol}"] = score
        flat: dict = {}
        for name, score in scores.items():
            flat[f"{name}.nme"] = _number(score.nme)
            flat[f"{name}.nme_interval"] = score.interval and [*map(_number, score.interval)]
        return flat | {
            "few_shot": [
                {"images": row.images, "draws": row.draws}
                | {
                    protocol: {
                        "nme": _number(row.nme[protocol]),
                        "spread": _number(row.spread[protocol]),
                    }
                    for protocol in row.nme
                }
                for row in self.few_shot
            ],
            "per_point": {
                name: {point: _number(value) for point, value in score.per_point.items()}
                for name, score in scores.items()
            },
            "counts": self.counts,
            "missing": list(self.missing),
            "normaliser": self.normaliser,
            "protocols": {name: protocol.words for name, protocol in PROTOCOLS.items()},
            "fit": FIT_WORDS,
            "interval": INTERVAL_WORDS,
            "unit": "% of the normaliser",
            "settings": self.settings,
            "notes": list(self.notes),
        }

    def write(self, path: str | Path) -> Path:
        """Write `metrics()` as JSON, replacing the file in one step so it is never half written.

        Raises OutputError if it cannot be written.
        """
        text = json.dumps(self.metrics(), indent=2, ensure_ascii=False, allow_nan=False)
        return write_text(Path(path), text + "\n")

    def table(self) -> "Table":
        """A rich table for the screen: the errors, the few-shot curve, the points, the notes."""
        from swapmark.specimens.tables import evaluation_table

        return evaluation_table(self)


def _number(value: float) -> float | None:
    return round(value, 4) if math.isfinite(value) else None
