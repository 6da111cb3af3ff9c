"""Made-up tables of points, and what each format keeps of one."""

from dataclasses import fields

import numpy as np
from hypothesis import strategies as st
from PIL import Image

from swapmark.types import PointTable

IMAGES = {
    "a.png": (40, 30),
    "my fly 1.png": (31, 57),
    "Zoë/1.png": (64, 48),
    "Zoë/2.png": (17, 9),
    "labeled-data/v/img001.png": (100, 3),
}
"""Names of the images that `draw_images` writes, and their (width, height)."""
LETTERS = "abcXYZ019 _-.éß漢\u00a0"
ALL_FIELDS = tuple(field.name for field in fields(PointTable))


def draw_images(folder):
    for name, size in IMAGES.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        Image.new("L", size, 128).save(folder / name)


def words(extra: str = "") -> st.SearchStrategy[str]:
    """Names as people give them: spaces inside, other letters, perhaps signs of the format."""
    return st.text(LETTERS + extra, min_size=1, max_size=8).filter(
        lambda word: word == word.strip() and word.strip(".") != ""
    )


def file_names(extra: str = "") -> st.SearchStrategy[str]:
    return st.lists(words(extra), min_size=1, max_size=3).map("/".join)


def column(count: int, values: st.SearchStrategy) -> st.SearchStrategy[np.ndarray | None]:
    return st.none() | st.lists(values, min_size=count, max_size=count).map(np.array)


@st.composite
def tables(draw, *, images: bool = False, missing: bool = True, extra: str = "", video=True):
    """Arguments of a PointTable; `images` draws names and places of `IMAGES`.

    Not the table itself: its types are checked by random samples, which a strategy must not take.
    """
    files = draw(
        st.lists(
            st.sampled_from(sorted(IMAGES)) if images else file_names(extra),
            min_size=1,
            max_size=4,
            unique=True,
        )
    )
    names = draw(st.lists(words(extra), min_size=1, max_size=3, unique=True))
    count, points = len(files), len(names)
    pixel = st.floats(-1e9, 1e9)
    xy = np.array([[[draw(pixel) for _ in "xy"] for _ in names] for _ in files])
    sizes = draw(column(2 * count, st.integers(1, 10**6) | st.just(np.nan)))
    if images:
        sizes = np.array([IMAGES[file] for file in files])
        xy = (np.abs(xy) / 1e9) * sizes[:, None] - 0.5
    if missing:
        gone = st.lists(st.booleans(), min_size=count * points, max_size=count * points)
        xy[np.array(draw(gone)).reshape(count, points)] = np.nan
    share = st.floats(0, 1) | st.just(np.nan)
    confidence = draw(column(count * points, share))
    some_split = st.sampled_from(["train", "fit", "test"])
    splits = draw(st.none() | st.lists(some_split, min_size=count, max_size=count))
    groups = draw(st.none() | st.lists(words() | st.just(""), min_size=count, max_size=count))
    return {
        "names": tuple(names),
        "files": tuple(files),
        "xy": xy,
        "confidence": None if confidence is None else confidence.reshape(count, points),
        "sizes": None if sizes is None else sizes.reshape(count, 2),
        "splits": None if splits is None else tuple(splits),
        "groups": None if groups is None else tuple(groups),
        "scales": draw(column(count, st.floats(1e-6, 1e3) | st.just(np.nan))),
        "frames": draw(column(count, st.integers(0, 10**9))) if video else None,
        "times": draw(column(count, st.floats(0, 1e6))) if video else None,
    }


def kept(table: PointTable, format: str) -> PointTable:
    """What should be left of a table of still images after it was written in a format and read."""
    if format in ("csv", "parquet", "coco"):
        return table
    if format == "dlc":
        return PointTable(table.names, table.files, table.xy, confidence=table.confidence)
    if format == "morphoj":
        return PointTable(table.names, table.files, table.xy)
    names = tuple(f"landmark_{k + 1}" for k in range(len(table.names)))
    scaled = table.scales is not None and not np.isnan(table.scales).any()
    sizes = np.array([IMAGES[file] for file in table.files])
    scales = table.scales if scaled else None
    return PointTable(names, table.files, table.xy, sizes=sizes, scales=scales)


def assert_same(found: PointTable, expected: PointTable, names: tuple[str, ...] = ALL_FIELDS):
    """Every field alike, to the last bit; NaN where NaN was."""
    for name in names:
        one, other = getattr(found, name), getattr(expected, name)
        if isinstance(one, np.ndarray) and isinstance(other, np.ndarray):
            assert np.array_equal(one, other, equal_nan=True), (name, one, other)
        else:
            assert one == other, name


def example() -> PointTable:
    """Two images, two points, one of them missing, with everything that may be known."""
    xy = np.array([[[1.5, 2.0], [30.25, 4.0]], [[0.1, 29.3], [np.nan, np.nan]]])
    return PointTable(
        ("left eye", "nose"),
        ("a.png", "Zoë/1.png"),
        xy,
        confidence=np.array([[0.9, 0.5], [1.0, np.nan]]),
        sizes=np.array([[40, 30], [64, 48]]),
        splits=("fit", "test"),
        groups=("fly 1", ""),
        scales=np.array([0.01, 0.02]),
    )
