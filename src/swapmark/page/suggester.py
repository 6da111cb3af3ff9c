"""What a model adds to marking: points suggested in a picture, and which picture to mark next."""

import math
import threading
from collections.abc import Collection, Sequence
from dataclasses import replace

import numpy as np

from swapmark.coordinates import to_relative
from swapmark.data.items import Item
from swapmark.detector import Detector
from swapmark.errors import InputError, SwapmarkError
from swapmark.points.table import Points
from swapmark.specimens.fit import PointFit, fit_points
from swapmark.specimens.looks import Looks, look, together
from swapmark.specimens.notes import FALL, ROUGH

FEWEST = 3
"""From so many marked pictures on points are suggested."""
BATCH = 16
"""Pictures whose landmarks are found at once: so long a suggestion may have to wait."""
POOL = 400
"""Pictures that are compared with one another to choose the next: of more, a fair sample."""
DRAWS = 5
"""Random halves of the marked pictures that tell whether the error still falls."""


class Suggester:
    """Finds the landmarks of pictures in a thread of its own, and fits marked points to them.

    Whatever is asked of it is answered at once, from what is known by then; `version` counts what
    was learned. Indices are those of `items`.
    """

    def __init__(self, detector: Detector, items: Sequence[Item]):
        self.detector, self.items = detector, items
        count, landmarks = len(items), len(detector.names)
        self.found = Points(
            detector.names,
            tuple(map(str, range(count))),
            np.full((count, landmarks, 2), np.nan),
            confidence=np.full((count, landmarks), np.nan),
            sizes=np.full((count, 2), np.nan),
        )
        self.fit: PointFit | None = None
        self.errors: list[tuple[int, float]] = []
        """The number of marked pictures and the left-out error, in %, of each fit."""
        self.problem = ""
        """Why nothing is suggested although there are marks."""
        self.version = 0
        self._left = dict.fromkeys(np.random.default_rng(0).permutation(count).tolist())
        """Pictures not yet looked at, in the order in which they will be."""
        self._marks: Points | None = None
        """What has yet to be fitted."""
        self._looks: dict[int, Looks] = {}
        """What was seen of the marked pictures, by index."""
        self._fitting = self._closed = False
        self._changed = threading.Condition()
        self._thread = threading.Thread(target=self._work, name="swapmark-suggest", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """End the thread after what it is at."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        self._thread.join()

    def update(self, marks: Points) -> None:
        """Fit anew, soon: to a row a marked picture, whose file is its index."""
        with self._changed:
            self._marks = marks
            self._first(map(int, marks.files))
            self._changed.notify_all()

    def look_at(self, index: int) -> None:
        """Find the landmarks of this picture, and of those after it, before all others."""
        with self._changed:
            self._first(range(index, min(index + BATCH // 2, len(self.items))))

    def busy(self, index: int) -> bool:
        """Whether more will soon be known of a picture."""
        waits = self._fitting or self._marks is not None or index in self._left
        return waits and self._thread.is_alive()

    def suggest(self, index: int) -> Points | None:
        """The points in a picture, a table of one row; None where they are not known (yet)."""
        fit, found = self.fit, self.found.take([index])
        if fit is None or np.isnan(found.xy).any():
            return None
        return replace(self.detector, point_map=fit.map).predict([self.items[index]])

    def next(self, marked: Collection[int], seen: Collection[int]) -> int | None:
        """The picture to mark next, neither marked nor seen; None where none is known.

        Of all pictures it brings the others nearest to a marked one, by the shape of their
        landmarks: it is like many that are unlike the marked ones, and so not an odd one.
        """
        assert self.found.sizes is not None
        shapes = to_relative(self.found.xy, self.found.sizes, "centre")
        shapes = (shapes - shapes.mean(axis=1, keepdims=True)).reshape(len(shapes), -1)
        known = np.isfinite(shapes).all(axis=1)
        new = known.copy()
        new[[*marked, *seen]] = False
        pool = np.random.default_rng(0).permutation(np.flatnonzero(new))[:POOL]
        if not len(pool):
            return None
        among = _distances(shapes[pool], shapes[pool])
        nearest = np.full(len(pool), among.max())
        if there := [index for index in marked if known[index]]:
            nearest = _distances(shapes[pool], shapes[there]).min(axis=1)
        return int(pool[np.argmax(np.maximum(nearest[:, None] - among, 0).sum(axis=0))])

    def report(self) -> dict:
        """The left-out errors as they fell, and in words what they are and what follows."""
        fit = self.fit
        if fit is None or not math.isfinite(fit.error):
            advice = f"Points are suggested once {FEWEST} pictures are marked."
            return {"errors": [], "error": self.problem, "advice": advice}
        count = fit.counts["specimens"]
        if count < ROUGH:
            advice = f"A rough estimate until {ROUGH} pictures are marked."
        elif fit.curve and fit.error > (1 - FALL) * fit.curve[-1].error:
            before = fit.curve[-1]
            advice = (
                f"More marks hardly help: with {before.specimens} of these pictures the error "
                f"would be {before.error:.2f} %."
            )
        else:
            advice = "It still falls: more marks help."
        error = f"{fit.error:.2f} % of {fit.normaliser}, {fit.pixels:.1f} pixels"
        return {"errors": self.errors, "error": self.problem or error, "advice": advice}

    def _first(self, indices) -> None:
        wanted = {index: None for index in indices if index in self._left}
        self._left = wanted | {index: None for index in self._left if index not in wanted}

    def _work(self) -> None:
        while True:
            with self._changed:
                self._fitting = False
                self._changed.wait_for(
                    lambda: self._closed or self._marks is not None or self._left
                )
                if self._closed:
                    return
                batch, marks = list(self._left)[:BATCH], self._marks
                if marks is not None and self._left.keys().isdisjoint(map(int, marks.files)):
                    self._marks = None
                else:
                    marks = None
                self._fitting = marks is not None
            try:
                if marks is None:
                    self._find(batch)
                else:
                    self._fit(marks)
                    self.problem = ""
            except SwapmarkError as error:
                self.problem = str(error)
            except Exception as error:  # marking goes on, and the page says why alone
                self.problem = f"Nothing can be suggested: {error!r}"
            self.version += 1

    def _find(self, batch: list[int]) -> None:
        items = [self.items[index]._replace(name=str(index)) for index in batch]
        try:
            found = self.detector.predict(items, batch_size=BATCH)
            rows = list(map(int, found.files))
            for name in ("xy", "confidence", "sizes"):
                getattr(self.found, name)[rows] = getattr(found, name)
        except InputError:  # none of them can be read, and the page says so of each
            pass
        finally:
            with self._changed:
                self._left = {index: None for index in self._left if index not in batch}

    def _fit(self, marks: Points) -> None:
        known = np.asarray(np.isfinite(self.found.xy).all(axis=(1, 2)))
        marks = marks.take(known[list(map(int, marks.files))])
        if marks.marked.any(axis=1).sum() < FEWEST:
            self.fit, self.errors = None, []
            return
        indices = list(map(int, marks.files))
        looks = self._look(indices)
        found = self.found.take(indices)
        self.fit = fit_points(found, marks, looks=looks, draws=DRAWS)
        count = self.fit.counts["specimens"]
        before = [entry for entry in self.errors if entry[0] < count]
        self.errors = [*before, (count, self.fit.error)]

    def _look(self, indices: list[int]) -> Looks:
        """What is seen of these pictures, kept for the next time."""
        network = self.detector.network
        if not self._looks:  # what all are described by is chosen by the first few together
            first = look(network, [self.items[index] for index in indices])
            self._looks = {index: first.take(np.array([row])) for row, index in enumerate(indices)}
        channels = next(iter(self._looks.values())).channels
        for index in indices:
            if index not in self._looks:
                self._looks[index] = look(network, [self.items[index]], channels, seed=index)
        return together([self._looks[index] for index in indices])


def _distances(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """(N, M) between (N, D) and (M, D)."""
    return np.linalg.norm(one[:, None] - other[None], axis=-1)
