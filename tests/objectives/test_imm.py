"""The TPS-paired baseline: which image lends what."""

import pytest
from tagged import PixelDistance, TaggedModel, rounded, tagged_batch

from swapmark.objectives.imm import Imm


def test_the_copy_lends_its_appearance_and_the_view_its_pose():
    model = TaggedModel()
    batch = tagged_batch([1.0, 2.0], [0.1, -0.3], warped_places=[0.6, 0.7])
    terms = Imm(model, PixelDistance()).eval()(batch)
    assert model.painted == [rounded([1.5, 2.5], [0.1, -0.3])]
    # Off by 0.5 in red and by 1 in blue, of three channels.
    assert terms["loss"].item() == pytest.approx((0.5**2 + 1) / 3)
    assert terms["reconstruction"] == terms["loss"]
