"""The state behind the page: pictures, their marks, and what a model suggests; no web in it.

What is set by hand is saved at once, a suggestion when it is accepted.
"""

import io
import threading
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from PIL import Image

from swapmark.data.decoding import decode_item
from swapmark.data.pixels import ImageProblem
from swapmark.data.sources import Source, list_images
from swapmark.detector import Detector
from swapmark.drawing.draw import landmark_colours
from swapmark.errors import InputError
from swapmark.page.marks import Marks
from swapmark.page.suggester import Suggester
from swapmark.points.checks import MAX_COORDINATE, check_sizes

LONGEST = 4096
"""Larger pictures are shown with this longer side; points stay in pixels of the original."""
EXACT = 2**20
"""Pictures of up to so many pixels are shown without the losses of JPEG."""


class Shown(NamedTuple):
    """A picture as the page shows it."""

    content: bytes
    kind: str
    """Its media type."""
    size: tuple[int, int]
    """Width and height of the upright original."""


class Session:
    """Marks the pictures `images` in the table `path`; see `Marks`.

    Pictures are known by their index, points of one of them as P pairs of pixels, None where a
    point has no place.
    """

    def __init__(
        self,
        images: Source,
        path: Path,
        *,
        names: Sequence[str] = (),
        format: str | None = None,
        detector: Detector | None = None,
    ):
        self.items = list_images(images)
        self.marks = Marks(path, [item.name for item in self.items], images, names, format)
        self.suggester = Suggester(detector, self.items) if detector else None
        self._shown = lru_cache(8)(self._encoded)
        self._decoding = threading.Lock()
        self._sizes: dict[int, tuple[int, int]] = {}
        self._seen: set[int] = set()
        self._guard = threading.RLock()
        self._refit()

    def close(self) -> None:
        """Stop finding landmarks, and close the table as `Marks.close` does."""
        if self.suggester:
            self.suggester.close()
        self.marks.close()

    @property
    def start(self) -> int:
        """The picture to begin with: where the marks end."""
        return self._next(max(self.marks.begun, default=-1)) or 0

    def picture(self, index: int) -> dict[str, Any]:
        """What the page shows of a picture besides its pixels; `problem` if it is of no use."""
        if not 0 <= index < len(self.items):
            raise InputError(f"There is no picture {index}; the last is {len(self.items) - 1}.")
        about: dict[str, Any] = {"index": index, "name": self.items[index].name}
        try:
            self._sizes[index] = width, height = self.shown(index).size
            about |= {"width": width, "height": height}
            if index in self.marks.row:
                table = self.marks.table.take([self.marks.row[index]])
                check_sizes(table, np.array([[width, height]]))
        except (ImageProblem, InputError) as problem:
            about["problem"] = str(problem)
        self._seen.add(index)
        with self._guard:
            xy, missing = self.marks.of(index)
            about |= self._news(index)  # first: what is learned meanwhile is asked for again
            return about | {
                "points": list(map(_pair, xy)),
                "missing": missing.tolist(),
                "suggested": self._suggested(index),
            }

    def shown(self, index: int) -> Shown:
        """The picture for the page; raises ImageProblem if it is of no use.

        One after the other: two of 100 million pixels at once would take 2 GB, and the browser
        asks for the next one while it shows one.
        """
        with self._decoding:
            return self._shown(index)

    def state(self, index: int | None = None) -> dict[str, Any]:
        """What the page shows beside the picture `index`, by default the one to begin with."""
        with self._guard:
            index = self.start if index is None else index
            names = self.marks.names
            return {
                "table": self.marks.path.name,
                "names": names,
                "colours": ["#" + bytes(rgb).hex() for rgb in landmark_colours(len(names))],
                "count": len(self.items),
                "index": index,
                "marked": len(self.marks.begun),
                "next": self._next(index),
                "lost": self.marks.lost,
                "report": self.suggester.report() if self.suggester else None,
                **self._news(index),
            }

    def put(self, index: int, points: Sequence, missing: Sequence[bool]) -> None:
        """Take over the points of a picture, and which are `missing` (P,), and save the table.

        Raises InputError if they are nothing of the kind, or another program changed the table.
        """
        with self._guard:
            count = len(self.marks.names)
            try:
                nowhere = [np.nan, np.nan]
                places = [nowhere if place is None else place for place in points]
                xy = np.array(places, dtype=float).reshape(count, 2).round(2)
                if not (np.abs([p for p in places if p is not nowhere]) < MAX_COORDINATE).all():
                    raise ValueError(points)
                gone = np.array(missing, dtype=bool).reshape(count) & np.isnan(xy[:, 0])
                size = self._sizes[index]
            except (KeyError, TypeError, ValueError) as error:
                raise InputError(f"These are not {count} points of a picture shown.") from error
            counts = self.marks.is_done(index)
            try:
                self.marks.put(index, xy, gone, size)
            finally:  # also where it cannot be saved now
                if counts or self.marks.is_done(index):
                    self._refit()

    def rename(self, names: Sequence[str]) -> None:
        """Name the points, in their order; names that are more than before are new points."""
        with self._guard:
            self.marks.rename([str(name).strip() for name in names])
            self._refit()

    def _suggested(self, index: int) -> list:
        if self.suggester is None:
            return [None] * len(self.marks.names)
        self.suggester.look_at(index)
        found = self.suggester.suggest(index)
        places = dict(zip(found.names, map(_pair, found.xy[0]), strict=True)) if found else {}
        return [places.get(name) for name in self.marks.names]

    def _next(self, index: int) -> int | None:
        """The picture to mark after this one; None where all are marked or were seen."""
        marked = {index, *self.marks.begun} - {-1}
        over = marked | self._seen
        if self.suggester and (found := self.suggester.next(marked, over)) is not None:
            return found
        count = len(self.items)
        others = (other % count for other in range(index + 1, index + count))
        return next((other for other in others if other not in over), None)

    def _news(self, index: int) -> dict[str, Any]:
        if self.suggester is None:
            return {"version": 0, "busy": False}
        return {"version": self.suggester.version, "busy": self.suggester.busy(index)}

    def _refit(self) -> None:
        if self.suggester:
            self.suggester.update(self.marks.specimens())

    def _encoded(self, index: int) -> Shown:
        pixels, size = decode_item(self.items[index], draft_size=LONGEST)
        image = Image.fromarray(pixels)
        image.thumbnail((LONGEST, LONGEST), Image.Resampling.BICUBIC)
        file = io.BytesIO()
        if image.width * image.height <= EXACT:
            image.save(file, "PNG", compress_level=1)
            return Shown(file.getvalue(), "image/png", size)
        image.save(file, "JPEG", quality=92, subsampling=0)
        return Shown(file.getvalue(), "image/jpeg", size)


def _pair(place: np.ndarray) -> list[float] | None:
    return None if np.isnan(place).any() else place.tolist()
