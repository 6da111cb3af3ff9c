"""The typed result of fitting a user's points: the map, its expected error, and warnings."""

import math
import os
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from swapmark.data.items import Skipped
from swapmark.data.sources import Source
from swapmark.drawing.overlay_sheet import draw_sheet
from swapmark.specimens.curve import CurvePoint
from swapmark.specimens.estimate import MAX_FOLDS
from swapmark.specimens.point_map import PointMap
from swapmark.specimens.shrinkage import Strength
from swapmark.types import Landmarks

if TYPE_CHECKING:
    from rich.table import Table

METHOD_WORDS = (
    "A linear map on coordinates from the centre of the image in units of its longer side: each "
    "point starts as the weighted mean of the landmarks that puts the mean landmarks onto the mean "
    "point, and ridge regression corrects the weights."
)
ESTIMATE_WORDS = (
    f"Each specimen, or all of its group, is predicted by a map that was chosen and fitted on the "
    f"others: the strength of the ridge is chosen by leave-one-out among these others alone. With "
    f"more than {MAX_FOLDS} specimens or groups they are left out in {MAX_FOLDS} parts."
)


@dataclass(frozen=True)
class PointFit:
    """A point map and what is known of it; errors in % of the normaliser, NaN where unknown."""

    map: PointMap
    """The map, for `detector.predict(…, points=…)`."""
    strength: Strength
    """How firmly the weights were held, as the specimens chose it."""
    error: float
    """Mean error over left-out specimens and their points."""
    mean_shape: float
    """The same for the mean place of each point, whatever the landmarks say."""
    pixels: float
    """The mean error in pixels."""
    per_point: dict[str, float]
    """The mean error of each point."""
    per_point_pixels: dict[str, float]
    """The same in pixels."""
    marked: dict[str, int]
    """In how many specimens each point is marked."""
    curve: tuple[CurvePoint, ...]
    """The error by the number of specimens, up to half of them."""
    normaliser: str
    """The length that errors are measured in, in words."""
    specimens: int
    """Images that the map was fitted on."""
    groups: int
    """Groups (persons, recordings) that were left out together; 0 if none."""
    parts: int
    """In how many parts the specimens were left out."""
    missing: tuple[str, ...]
    """Marked images without landmarks."""
    skipped: tuple[Skipped, ...]
    """The reasons, where an image could not be read."""
    other_rows: int
    """Rows of the table that were not used: another split, or nothing marked."""
    unmarked: int
    """How many of these have the split `fit`, but no mark."""
    draws: int
    """Random choices of specimens behind each row of the curve."""
    seed: int
    """Their seed."""
    left_out: Landmarks = field(repr=False, compare=False)
    """The points of each specimen, by a map that had not seen it; NaN where marked in no other."""
    marks: np.ndarray = field(repr=False, compare=False)
    """(N, P, 2): where they were marked, in pixels; NaN where they were not."""
    warnings: tuple[str, ...] = ()
    """What to know before trusting the map, in words."""

    def with_warnings(self, warnings: tuple[str, ...]) -> "PointFit":
        """The same result with these warnings, and with everything in the record of its map."""
        result = replace(self, warnings=warnings)
        return replace(result, map=replace(self.map, record=result.metrics()))

    def metrics(self) -> dict:
        """Everything but the weights, for JSON: null where there is no number."""
        return {
            "specimens": self.specimens,
            "groups": self.groups,
            "error": _number(self.error),
            "error_pixels": _number(self.pixels),
            "mean_shape": _number(self.mean_shape),
            "per_point": {name: _number(value) for name, value in self.per_point.items()},
            "per_point_pixels": {n: _number(value) for n, value in self.per_point_pixels.items()},
            "marked": self.marked,
            "curve": [
                {
                    "specimens": row.specimens,
                    "draws": row.draws,
                    "error": _number(row.error),
                    "spread": _number(row.spread),
                }
                for row in self.curve
            ],
            "normaliser": self.normaliser,
            "unit": "% of the normaliser",
            "strength": {"separate": self.strength.separate, "ridge": self.strength.ridge},
            "parts": self.parts,
            "missing": list(self.missing),
            "skipped": [{"file": entry.file, "reason": entry.reason} for entry in self.skipped],
            "other_rows": self.other_rows,
            "unmarked": self.unmarked,
            "draws": self.draws,
            "seed": self.seed,
            "method": METHOD_WORDS,
            "estimate": ESTIMATE_WORDS,
            "warnings": list(self.warnings),
        }

    def save(self, run: Path, name: str, *, overwrite: bool = False) -> Path:
        """Write the map with this record to RUN/points/NAME.json; see `PointMap.save`."""
        return self.map.save(run, name, overwrite=overwrite)

    def draw(
        self, source: Source, path: str | os.PathLike, *, most: int = 36, overwrite: bool = False
    ) -> Path:
        """Draw `left_out` and `marks` over the specimens, the largest errors first.

        `source` holds the specimens' pictures, under their names; for the rest see
        `swapmark.draw_sheet`.
        """
        distance = np.linalg.norm(self.left_out.xy - self.marks, axis=-1)
        share = np.nan_to_num(distance / self.left_out.sizes.max(axis=1)[:, None])
        order = np.argsort(-share.max(axis=1), kind="stable")
        worst_first = replace(
            self.left_out,
            xy=self.left_out.xy[order],
            confidence=self.left_out.confidence[order],
            paths=tuple(self.left_out.paths[row] for row in order),
            sizes=self.left_out.sizes[order],
        )
        return draw_sheet(
            worst_first,
            source,
            path,
            marked=self.marks[order],
            most=most,
            evenly=False,
            words=("largest errors first", "dots: by a map from the others"),
            overwrite=overwrite,
        )

    def table(self) -> "Table":
        """A rich table for the screen: the points, the curve, the warnings."""
        from swapmark.specimens.fit_tables import fit_table

        return fit_table(self)


def _number(value: float) -> float | None:
    return round(value, 4) if math.isfinite(value) else None
