"""Own points from few marked specimens, by `fit_points` and by what one would do instead.

For each number and draw, specimens are drawn from the `fit` images of ANNOTATED; what learned from
them is scored on all `test` images, in % and in pixels. A JSON line for each draw and method:

- mean_shape: the specimens' mean place of each point
- map: the points by the landmarks alone; refined: the same, moved by a look at their places;
  first_look: refined without the second look, where the pictures are large enough for one
- nearest: the place that looks most like the point in one of the specimens, by the same backbone
- carried_by_flow, _by_landmarks, _by_both: the marks of a single specimen by correspondence
- supervised: a network fine-tuned on the specimens, see `harness.supervised`; a minute or more

`seconds` of one core are those of learning, with seeing the specimens; `test_seconds` those of
finding the points in all test pictures once the backbone has seen them.
`estimate` is the error that the user is told, from the specimens alone.

    python benchmarks/few_specimens.py faces lfw.zip --out few.jsonl --sizes 10 --draws 20

Large pictures for the second look, 20 marked and 30 to test:

    python -c "from swapmark.faces.drawn import *; \
        save_faces(draw_faces(50, size=1024, fit=0.4, test=0.6, seed=0), 'drawn-0.zip')"
    python benchmarks/few_specimens.py faces drawn-0.zip --out few.jsonl --sizes 20
"""

import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np
from cyclopts import run

import swapmark
from harness.machine import append_line, circumstances
from harness.supervised import find, mirrored, train
from swapmark.coordinates import pixels_to_unit, to_pixels, to_relative
from swapmark.data.images import Placement
from swapmark.data.items import Item
from swapmark.insight.correspondence import Carried
from swapmark.insight.findings import see
from swapmark.points.annotated import read_annotated
from swapmark.points.table import Points
from swapmark.predict.network import Network, Sight
from swapmark.specimens.describe import describe, find_channels, sample
from swapmark.specimens.fit import fit_points
from swapmark.specimens.looks import look, read_squares
from swapmark.specimens.metrics import choose_normaliser, mean_error, point_errors
from swapmark.specimens.point_map import PointMap

BATCH = 64


@dataclass(frozen=True)
class Pictures:
    """Marked pictures, and what the network saw in them."""

    network: Network
    items: list[Item]
    marks: Points
    found: Points
    """The landmarks."""
    squares: np.ndarray
    """uint8 (N, side, side, 3)"""
    placements: list[Placement]
    sight: Sight

    @staticmethod
    def see(network: Network, items: list[Item], marks: Points, found: Points) -> "Pictures":
        """Look at all of them once."""
        squares, placements = zip(*read_squares(network, items, 1), strict=True)
        squares = np.stack(squares)
        return Pictures(
            network, items, marks, found, squares, list(placements), see(network, squares)
        )

    def take(self, rows: np.ndarray) -> "Pictures":
        """Some of them."""
        return Pictures(
            self.network,
            [self.items[row] for row in rows],
            self.marks.take(rows),
            self.found.take(rows),
            self.squares[rows],
            [self.placements[row] for row in rows],
            self.sight.take(rows),
        )

    def batches(self) -> Iterator["Pictures"]:
        """All of them, some at a time."""
        for at in range(0, len(self.items), BATCH):
            yield self.take(np.arange(at, min(at + BATCH, len(self.items))))

    def in_squares(self) -> np.ndarray:
        """The marks (N, P, 2) in pixels of the squares."""
        return np.stack(
            [a.to_model(xy) for a, xy in zip(self.placements, self.marks.xy, strict=True)]
        )

    def from_squares(self, xy: np.ndarray) -> np.ndarray:
        """Pixels of the squares (N, P, 2) as pixels of the pictures."""
        return np.stack([a.to_original(of) for a, of in zip(self.placements, xy, strict=True)])


class Found(NamedTuple):
    """What a method found in the test pictures."""

    method: str
    xy: np.ndarray
    """(N, P, 2); NaN for points that no specimen has."""
    seconds: float = np.nan
    test_seconds: float = np.nan
    estimate: float = np.nan


def mean_shape(specimens: Pictures, test: Pictures, seed: int) -> Iterator[Found]:
    """The mean place of each point, in units of the picture's longer side from its centre."""
    sizes, new = specimens.found.sizes, test.found.sizes
    assert sizes is not None
    assert new is not None
    mean = np.nanmean(to_relative(specimens.marks.xy, sizes, "centre"), axis=0)
    yield Found("mean_shape", to_pixels(np.tile(mean, (len(new), 1, 1)), new, "centre"))


def fitted(specimens: Pictures, test: Pictures, seed: int) -> Iterator[Found]:
    """What `swapmark fit` does, and its map alone."""
    began = time.process_time()
    looks = look(specimens.network, specimens.items)
    fit = fit_points(specimens.found, specimens.marks, looks=looks, draws=0)
    seconds = time.process_time() - began
    columns = [test.marks.names.index(name) for name in fit.map.names]
    first = replace(fit.map, closer=None)
    ways = [
        ("map", replace(first, refinement=None), fit.unrefined),
        ("refined", fit.map, fit.error),
    ]
    if fit.map.closer:
        ways.insert(1, ("first_look", first, np.nan))
    for method, of, estimate in ways:
        began = time.process_time()
        xy = np.full_like(test.marks.xy, np.nan)
        xy[:, columns] = np.concatenate([_find(of, part) for part in test.batches()])
        took = time.process_time() - began
        yield Found(method, xy, seconds if of is fit.map else np.nan, took, estimate)


def _find(points: PointMap, pictures: Pictures) -> np.ndarray:
    squares = [[pair] for pair in zip(pictures.squares, pictures.placements, strict=True)]
    if points.zoom > 1:
        for of, larger in zip(
            squares, read_squares(pictures.network, pictures.items, points.zoom), strict=True
        ):
            of.append(larger)
    return points.find(pictures.network, pictures.sight, squares)[0]


def nearest(specimens: Pictures, test: Pictures, seed: int) -> Iterator[Found]:
    """Each point where the picture is most like it in one of the specimens: by cosine."""
    began = time.process_time()
    size, maps = specimens.network.image_size, specimens.sight.maps
    channels = find_channels(maps)
    at = specimens.in_squares()
    of = sample(describe(maps, channels), np.arange(len(at)), np.nan_to_num(at), size)
    of = np.where(np.isnan(at[..., :1]), np.nan, _unit(of)).astype(np.float32)
    seconds = time.process_time() - began
    xy = []
    for part in test.batches():
        places = _unit(describe(part.sight.maps, channels))
        _, height, width, _ = places.shape
        for picture in places.reshape(len(places), height * width, -1):
            like = np.full((at.shape[1], height * width), -1.0)
            for point, known in enumerate(of.swapaxes(0, 1)):
                known = known[~np.isnan(known[:, 0])]
                if len(known):
                    like[point] = (known @ picture.T).max(axis=0)
            xy.append([_peak(each.reshape(height, width)) for each in like])
    cell = size / maps[0].shape[1]
    cells = test.from_squares((np.array(xy) + 0.5) * cell - 0.5)
    cells[:, np.isnan(at[..., 0]).all(axis=0)] = np.nan
    yield Found("nearest", cells, seconds, time.process_time() - began - seconds)


def _unit(of: np.ndarray) -> np.ndarray:
    return of / np.maximum(np.linalg.norm(of, axis=-1, keepdims=True), 1e-6)


def _peak(scores: np.ndarray) -> tuple[float, float]:
    """x and y of the highest of the scores, between the cells by a parabola each way."""
    y, x = np.unravel_index(scores.argmax(), scores.shape)

    def between(line: np.ndarray, at: int) -> float:
        if not 0 < at < len(line) - 1:
            return float(at)
        before, here, after = line[at - 1 : at + 2]
        bend = before - 2 * here + after
        return at + (0.5 * (before - after) / bend if bend < 0 else 0.0)

    return between(scores[y], int(x)), between(scores[:, x], int(y))


def supervised(specimens: Pictures, test: Pictures, seed: int) -> Iterator[Found]:
    """A network that learned from the specimens and ImageNet alone."""
    began = time.process_time()
    marks = specimens.in_squares()
    network = train(specimens.squares, marks, mirrored(specimens.marks.names), seed)
    seconds = time.process_time() - began
    xy = test.from_squares(find(network, test.squares))
    xy[:, np.isnan(marks[..., 0]).all(axis=0)] = np.nan
    yield Found("supervised", xy, seconds, time.process_time() - began - seconds)


def carried(specimens: Pictures, test: Pictures, seed: int) -> Iterator[Found]:
    """The marks of one specimen, carried over by correspondence."""
    there = np.isfinite(specimens.in_squares()[0, :, 0])
    unit = pixels_to_unit(specimens.in_squares()[0, there], specimens.network.image_size)
    pictures = [[pair] for pair in zip(test.squares, test.placements, strict=True)]
    for by in ("flow", "landmarks", "both"):
        points = Carried(test.marks.names, specimens.sight, unit, by)
        began = time.process_time()
        xy = np.full_like(test.marks.xy, np.nan)
        xy[:, there] = points.find(test.network, test.sight, pictures)[0]
        yield Found(f"carried_by_{by}", xy, test_seconds=time.process_time() - began)


METHODS = {
    of.__name__: of for of in (mean_shape, fitted, nearest, carried, supervised)
}  # in this order


def main(
    model: str,
    annotated: Path,
    *,
    out: Path,
    sizes: tuple[int, ...] = (5, 10, 20, 50),
    draws: int = 20,
    seed: int = 0,
    methods: tuple[Literal["mean_shape", "fitted", "nearest", "carried", "supervised"], ...] = (
        "mean_shape",
        "fitted",
        "nearest",
        "supervised",
    ),
) -> None:
    """Run all draws, the i-th with `seed` + i, and print the means; one draw of all there are."""
    marked, detector = read_annotated(annotated), swapmark.load(model)
    found, marks = detector.predict(marked.items), marked.points
    all_found = [marks.files.index(file) for file in found.files]
    marks, items = marks.take(all_found), [marked.items[row] for row in all_found]
    pictures = Pictures.see(detector.network, items, marks, found)
    fit, test = (np.flatnonzero(np.array(marks.split) == split) for split in ("fit", "test"))
    new = pictures.take(test)
    assert new.found.sizes is not None
    lengths = choose_normaliser(None, marks.names).lengths(new.marks.xy, new.found.sizes)
    for size in (size for size in sizes if size <= len(fit)):
        errors: dict[str, list[float]] = {}
        for draw in range(seed, seed + (draws if size < len(fit) else 1)):
            chosen = np.random.default_rng(draw).permutation(fit)[:size]
            line = {"run": model, "annotated": annotated.name, "specimens": size, "seed": draw}
            for method in (method for method in methods if method != "carried" or size == 1):
                for of in METHODS[method](pictures.take(chosen), new, draw):
                    error = mean_error(point_errors(of.xy, new.marks.xy, lengths))
                    pixels = np.nanmean(np.linalg.norm(of.xy - new.marks.xy, axis=-1))
                    numbers = {"test": error, "pixels": float(pixels)} | {
                        name: value
                        for name in ("estimate", "seconds", "test_seconds")
                        if np.isfinite(value := getattr(of, name))
                    }
                    row = {name: round(value, 4) for name, value in numbers.items()}
                    append_line(out, {**line, "method": of.method, **row, **circumstances()})
                    errors.setdefault(of.method, []).append(error)
        means = {method: f"{np.mean(of):.2f} %" for method, of in errors.items()}
        print(f"{annotated.name}, {size} specimens: {means}", flush=True)


if __name__ == "__main__":
    run(main)
