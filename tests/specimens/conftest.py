"""Landmarks and marked points with a known relation."""

import numpy as np
import pytest

from swapmark.points.table import Points, default_names


@pytest.fixture(scope="session")
def tables():
    """Makes the two tables of `found` (N, K, 2) and `marks` (N, P, 2), in pictures of one size."""

    def make(found, marks, *, size=(100, 100), names=None, split=None) -> tuple[Points, Points]:
        count = len(found)
        files = tuple(f"images/{i:03d}.png" for i in range(count))
        names = names or tuple(f"p{i}" for i in range(marks.shape[1]))
        return (
            Points(default_names(found.shape[1]), files, found, sizes=np.tile(size, (count, 1))),
            Points(names, files, marks, split=split),
        )

    return make
