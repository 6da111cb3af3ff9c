"""Points moved to where they belong by what the picture looks like around them.

A cascade of ridge regressions (Xiong and De la Torre 2013): the descriptions at a point and on two
rings around it, of all points together, say how far each is from its place. It is learned from the
marked specimens alone, each seen in several views with its points moved at random, as far as the
points found so far are from the marks; each round is finer.

Axes: N specimens, V views, P points, n examples, F features of a point: descriptions of D channels
at O places around it.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from safetensors.numpy import load, save

from swapmark.specimens.describe import sample

RINGS = ((3.0, 4), (7.0, 8))
"""Radius in pixels, and number of places."""
ROUNDS = (1.0, 0.6, 0.4)
"""Spread of the examples of each round, as a share of the spread of the points to be refined."""
RIDGE = 16.0
LEVEL = 100.0
"""Weight of the offset, which so is hardly held back."""
JOINT = 0.25
"""Weight of the other points' features against a point's own."""
EXAMPLES, MOST_EXAMPLES = 40, 1000
"""For each specimen, and for all; but at least four for each of up to 1,000 specimens, and two of
more: the time grows with their square."""
FARTHEST = 4.0
"""A point is moved no farther than this many times the spread of the points to be refined."""


def _places() -> np.ndarray:
    """(O, 2) in pixels: the point itself, and the places of the rings."""
    places = [np.zeros((1, 2))]
    for radius, count in RINGS:
        angle = 2 * np.pi * (np.arange(count) + 0.5 * (count == RINGS[0][1])) / count
        places.append(radius * np.stack([np.cos(angle), np.sin(angle)], axis=-1))
    return np.concatenate(places)


AROUND = _places()


@dataclass(frozen=True)
class Refinement:
    """What moves points to their places."""

    channels: tuple[np.ndarray, ...]
    """What turns the network's maps into descriptions, see `describe`."""
    weights: np.ndarray
    """float32 (rounds, P·F, 2P)."""
    offsets: np.ndarray
    """float32 (rounds, P, 2), in pixels of the square."""
    farthest: float
    """How far a point is moved at most, in pixels of the square."""

    def to_bytes(self) -> bytes:
        """What `from_bytes` reads: a file of safetensors."""
        arrays = {"weights": self.weights.astype(np.float16), "offsets": self.offsets}
        arrays["farthest"] = np.array(self.farthest, np.float32)
        arrays |= {f"channels.{level}": part for level, part in enumerate(self.channels)}
        return save({name: np.ascontiguousarray(part) for name, part in arrays.items()})

    @staticmethod
    def from_bytes(data: bytes, points: int) -> "Refinement":
        """The refinement of so many points; ValueError or SafetensorError where it is none."""
        arrays = load(data)
        if not all(np.isfinite(part).all() for part in arrays.values()):
            raise ValueError("refinement: expected finite numbers")
        levels = sorted(name for name in arrays if name.startswith("channels."))
        channels = tuple(arrays[name] for name in levels)
        weights, offsets = arrays["weights"].astype(np.float32), arrays["offsets"]
        depth = {part.shape[-1] for part in channels}
        inputs = points * len(AROUND) * sum(depth)
        shapes = {
            "weights": (len(offsets), inputs, 2 * points),
            "offsets": (len(offsets), points, 2),
        }
        if len(depth) != 1 or (weights.shape, offsets.shape) != tuple(shapes.values()):
            raise ValueError(f"refinement: expected arrays of the shapes {shapes}")
        return Refinement(channels, weights, offsets, arrays["farthest"].item())

    def apply(self, maps: np.ndarray, xy: np.ndarray, size: int) -> np.ndarray:
        """Points (B, P, 2) in pixels of squares of `size`, moved; maps (B, H, W, D) of these."""
        moved = xy
        for weights, offset in zip(self.weights, self.offsets, strict=True):
            found = features(maps, np.arange(len(xy)), moved, size).reshape(len(xy), -1)
            moved = moved + (found @ weights).reshape(xy.shape) + offset
        return limited(xy, moved, self.farthest)


def features(maps: np.ndarray, which: np.ndarray, xy: np.ndarray, size: int) -> np.ndarray:
    """float32 (n, P, F): the descriptions around points xy (n, P, 2) of the maps `which` (n,)."""
    around = xy[:, :, None] + AROUND
    columns = [sample(maps, which, at, size) for at in around.swapaxes(0, 1)]
    return np.stack(columns, axis=1).reshape(*xy.shape[:2], -1)


def limited(xy: np.ndarray, moved: np.ndarray, farthest: float) -> np.ndarray:
    """`moved`, but no point farther than so from `xy`."""
    way = moved - xy
    length = np.linalg.norm(way, axis=-1, keepdims=True)
    return xy + way * np.minimum(1, farthest / np.maximum(length, 1e-9))


@dataclass(frozen=True)
class Training:
    """Learn from some specimens, try on others."""

    learn: np.ndarray
    """(N,) bool: the specimens to learn from."""
    tested: np.ndarray
    """Numbers (m,) of those to try it on."""


def refine(
    maps: np.ndarray,
    channels: tuple[np.ndarray, ...],
    size: int,
    truth: np.ndarray,
    used: np.ndarray,
    trainings: Sequence[Training],
    starts: Sequence[np.ndarray],
    *,
    spread: float,
    seed: int = 0,
) -> tuple[list[np.ndarray], Refinement]:
    """The points of each training, refined, and what the first of them has learned.

    maps: (N, V, H, W, D) of views of `size` pixels. truth: (N, V, P, 2) in pixels of the views, any
    guess where `used` (N, V, P) is not set, for other points look there. starts: (m, P, 2) a
    training, where the points of those tested are so far. spread: standard deviation of such points
    from their places, of each coordinate. The first training learns from all; they go through
    a round together, as they share most of its work.
    """
    count, views, points = truth.shape[:3]
    flat, random = maps.reshape(-1, *maps.shape[2:]), np.random.default_rng(seed)
    each = int(np.clip(MOST_EXAMPLES // count, 4 if count <= 1000 else 2, EXAMPLES))
    owner = np.repeat(np.arange(count), each)
    sight = owner * views + np.tile(np.arange(each) % views, count)
    places, seen = truth.reshape(-1, points, 2)[sight], used.reshape(-1, points)[sight]
    now = [np.nan_to_num(start, nan=size / 2) for start in starts]
    weights, offsets = [], []
    for share in ROUNDS:
        away = random.normal(0, spread * share, places.shape)
        given = features(flat, sight, places + away, size)
        mean = given.mean(axis=0)
        given -= mean
        wide = given.reshape(len(given), -1)
        shared = JOINT * (wide @ wide.T)
        solved = np.zeros((len(trainings), len(given), points, 2), np.float32)
        learns = np.array([training.learn[owner] for training in trainings])
        for point in range(points):
            likeness = shared + given[:, point] @ given[:, point].T
            rows = np.flatnonzero(learns[0] & seen[:, point])
            target = -away[rows, point].astype(np.float32)
            solved[:, rows, point] = _ridge(likeness[np.ix_(rows, rows)], target, learns[:, rows])
        for number, training in enumerate(trainings):
            dual = solved[number].reshape(len(given), -1)
            weight = JOINT * (wide.T @ dual)  # (P·F, 2P)
            blocks = weight.reshape(points, -1, points, 2)
            for point in range(points):
                blocks[point, :, point] += given[:, point].T @ solved[number, :, point]
            weight = weight.astype(np.float16).astype(np.float32)  # as it is kept
            base = (LEVEL * dual.sum(axis=0) - mean.reshape(-1) @ weight).reshape(points, 2)
            if number == 0:
                weights.append(weight)
                offsets.append(base)
            if len(training.tested):
                found = features(flat, training.tested * views, now[number], size)
                move = found.reshape(len(training.tested), -1) @ weight
                now[number] = now[number] + move.reshape(-1, points, 2) + base
    learned = Refinement(channels, np.stack(weights), np.stack(offsets), FARTHEST * spread)
    return (
        [limited(start, xy, learned.farthest) for start, xy in zip(starts, now, strict=True)],
        learned,
    )


def _ridge(likeness: np.ndarray, target: np.ndarray, learns: np.ndarray) -> np.ndarray:
    """Dual coefficients (T, n, 2) of ridge regressions on some of n examples, `learns` (T, n).

    The first learns from all. From its inverse matrix follow those that leave out a few, in closed
    form; 0 where an example is left out.
    """
    penalised = likeness + LEVEL
    penalised.flat[:: len(likeness) + 1] += RIDGE
    inverse = np.linalg.inv(penalised)
    whole = inverse @ target
    found = np.zeros((len(learns), *target.shape), np.float32)
    for number, learn in enumerate(learns):
        rows, out = np.flatnonzero(learn), np.flatnonzero(~learn)
        if len(out) < len(rows):
            inner = inverse[np.ix_(out, out)]
            found[number] = whole - inverse[:, out] @ np.linalg.solve(inner, whole[out])
            found[number, out] = 0
        else:
            found[number, rows] = np.linalg.solve(penalised[np.ix_(rows, rows)], target[rows])
    return found
