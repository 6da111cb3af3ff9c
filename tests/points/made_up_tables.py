"""Made-up tables of points, and what each format keeps of one."""

from dataclasses import fields, replace

import numpy as np
from hypothesis import strategies as st
from PIL import Image

from swapmark.points.formats import FORMATS, LOST
from swapmark.points.table import Points, default_names

IMAGES = {
    "a.png": (40, 30),
    "my fly 1.png": (31, 57),
    "Zoë/1.png": (64, 48),
    "Zoë/2.png": (17, 9),
    "labeled-data/v/img001.png": (100, 3),
}
"""Names of the images that `draw_images` writes, and their (width, height)."""
LETTERS = "abcXYZ019 _-.éß漢\u00a0"


def draw_images(folder):
    for name, size in IMAGES.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        Image.new("L", size, 128).save(folder / name)


def words(extra: str = "") -> st.SearchStrategy[str]:
    """Names as people give them: spaces inside, other letters, perhaps signs of the format."""
    return st.text(LETTERS + extra, min_size=1, max_size=8).filter(
        lambda word: word == word.strip() and word.strip(".") != ""
    )


def column(count: int, values: st.SearchStrategy) -> st.SearchStrategy[np.ndarray | None]:
    return st.none() | st.lists(values, min_size=count, max_size=count).map(np.array)


@st.composite
def tables(draw, *, images: bool = False, extra: str = "", video=True):
    """Arguments of Points; `images` draws names and places of `IMAGES`.

    Not the table itself: its types are checked by random samples, which a strategy must not take.
    """
    name = st.lists(words(extra), min_size=1, max_size=3).map("/".join)
    name = st.sampled_from(sorted(IMAGES)) if images else name
    files = draw(st.lists(name, min_size=1, max_size=4, unique=True))
    names = draw(st.lists(words(extra), min_size=1, max_size=3, unique=True))
    count, points = len(files), len(names)
    pixel = st.floats(-1e9, 1e9)
    xy = np.array([[[draw(pixel) for _ in "xy"] for _ in names] for _ in files])
    sizes = draw(column(2 * count, st.integers(1, 10**6) | st.just(np.nan)))
    if images:
        sizes = np.array([IMAGES[file] for file in files])
        xy = (np.abs(xy) / 1e9) * (sizes[:, None] - 0.01) - 0.5  # not 0 0 of TPS, which is missing
    xy[(xy == 0).all(axis=-1)] = 1  # several at 0 0 are missing
    gone = st.lists(st.booleans(), min_size=count * points, max_size=count * points)
    xy[np.array(draw(gone)).reshape(count, points)] = np.nan
    confidence = draw(column(count * points, st.floats(0, 1) | st.just(np.nan)))
    some_split = st.sampled_from(["train", "fit", "test"])
    split = draw(st.none() | st.lists(some_split, min_size=count, max_size=count))
    group = draw(st.none() | st.lists(words() | st.just(""), min_size=count, max_size=count))
    fingerprint = draw(st.none() | st.lists(words(), min_size=count, max_size=count))
    return {
        "names": tuple(names),
        "files": tuple(files),
        "xy": xy,
        "confidence": None if confidence is None else confidence.reshape(count, points),
        "sizes": None if sizes is None else sizes.reshape(count, 2),
        "split": None if split is None else tuple(split),
        "group": None if group is None else tuple(group),
        "fingerprint": None if fingerprint is None else tuple(fingerprint),
        "scale": draw(column(count, st.floats(1e-6, 1e3) | st.just(np.nan))),
        "unlike": draw(column(count, st.floats(0, 9) | st.just(np.nan))),
        "frame": draw(column(count, st.integers(0, 10**9))) if video else None,
        "time": draw(column(count, st.floats(0, 1e6))) if video else None,
    }


def kept(points: Points, format: str) -> Points:
    """What should be left of points in still images after a format wrote and read them."""
    holds = FORMATS[format].holds
    left = replace(points, **{name: None for name in LOST if name not in ("names", *holds)})
    if format == "tps":
        known = points.scale is not None and not np.isnan(points.scale).any()
        sizes = np.array([IMAGES[file] for file in points.files])
        scale = points.scale if known else None
        left = replace(left, names=default_names(len(points.names)), sizes=sizes, scale=scale)
    return left


def assert_same(found: Points, expected: Points, *, digits: int | None = None):
    """Every field alike, to the last bit or so many digits of a pixel; NaN where NaN was."""
    for field in fields(Points):
        one, other = getattr(found, field.name), getattr(expected, field.name)
        if field.name == "xy" and digits is not None:
            assert np.allclose(one, other, rtol=0, atol=0.5001 * 10**-digits, equal_nan=True)
        elif isinstance(one, np.ndarray) and isinstance(other, np.ndarray):
            assert np.array_equal(one, other, equal_nan=True), (field.name, one, other)
        else:
            assert one == other, field.name


def example() -> Points:
    """Two images, two points, one of them missing, with everything that may be known."""
    xy = np.array([[[1.5, 2.0], [30.25, 4.0]], [[0.1, 29.3], [np.nan, np.nan]]])
    return Points(
        ("left eye", "nose"),
        ("a.png", "Zoë/1.png"),
        xy,
        confidence=np.array([[0.9, 0.5], [1.0, np.nan]]),
        sizes=np.array([[40, 30], [64, 48]]),
        split=("fit", "test"),
        group=("fly 1", ""),
        scale=np.array([0.01, 0.02]),
    )
