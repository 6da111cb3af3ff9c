"""The supervised network of the comparison learns points where they are marked, and no others."""

import numpy as np
import pytest
import torch

from harness import supervised
from swapmark.faces.drawn import draw_faces
from swapmark.model.heatmaps import soft_argmax


@pytest.fixture(scope="module")
def faces():
    """Six drawn faces of 32 pixels, the first without its first point."""
    drawn = draw_faces(6, size=32)
    marks = drawn.points.xy.copy()
    marks[0, 0] = np.nan
    return drawn.images, marks


@pytest.mark.parametrize("count", [1, 2, 6])
def test_missing_marks_and_few_specimens_give_finite_points(faces, count, monkeypatch):
    for name in ("MOST", "ALONE", "EVERY"):
        monkeypatch.setattr(supervised, name, 2)
    images, marks = faces[0][:count], faces[1][:count]
    network = supervised.train(images, marks, None, 0)
    assert np.isfinite(supervised.find(network, images)).all()
    untrained = supervised.PoseModel(network.config)
    assert any(
        not torch.equal(a, b)
        for a, b in zip(network.parameters(), untrained.parameters(), strict=True)
    )


def test_views_carry_the_points_along_and_swap_them_in_mirror_images():
    images = torch.zeros(40, 3, 64, 64)
    images[:, 0, 30:34, 18:22] = images[:, 1, 22:26, 36:40] = 1  # a red point and a green one
    points = torch.tensor([[-0.375, 0.0], [0.1875, -0.25]]).expand(40, 2, 2)
    swap = np.array([1, 0])
    views, there = supervised._views(images, points, swap, torch.Generator().manual_seed(0))
    bright = (views[:, :2] - 0.5).relu()
    found = soft_argmax(bright / bright.sum(dim=(-2, -1), keepdim=True))
    straight = (found - there).norm(dim=-1).amax(dim=-1) < 0.05
    crossed = (found - there.flip(1)).norm(dim=-1).amax(dim=-1) < 0.05  # the left is the right one
    assert straight.sum() + crossed.sum() == 40
    assert 10 < crossed.sum() < 30


@pytest.mark.parametrize(
    ("names", "swap"),
    [
        (("snout", "left_ear", "right_ear"), [0, 2, 1]),
        (("p0", "p1"), None),
        (("left_eye", "nose"), None),
    ],
)
def test_mirror_images_only_where_the_names_tell_left_from_right(names, swap):
    found = supervised.mirrored(names)
    assert (None if found is None else found.tolist()) == swap
