"""What is measured of landmarks, on a network of which everything is known."""

import numpy as np
import pytest

from swapmark.insight.findings import across_runs, measure, pose_taken_on, see, verdict
from swapmark.insight.painter import Painter
from swapmark.predict.network import Sight

SIZE = 64
SPAN = np.array([0.5, 0.4])


class Blobs:
    """Finds bright spots of red, green and blue; its map is the picture, in cells of 4 pixels."""

    landmarks, image_size, resize, fingerprint, points = 3, SIZE, "pad", "", ""

    def find(self, squares):
        weight = squares.astype(float) ** 8 + 1e-9
        line = np.arange(SIZE)
        total = weight.sum(axis=(1, 2))
        x = (weight.sum(axis=1) * line[None, :, None]).sum(axis=1) / total
        y = (weight.sum(axis=2) * line[None, :, None]).sum(axis=1) / total
        return np.stack([x, y], axis=-1), np.ones((len(squares), 3))

    def see(self, squares):
        cells = squares.reshape(-1, SIZE // 4, 4, SIZE // 4, 4, 3).mean(axis=(2, 4))
        return Sight(*self.find(squares), (cells.astype(np.float32),))


class Wall(Blobs):
    """Sees the same, and finds its second landmark on the wall, wherever there is nothing else."""

    def find(self, squares):
        xy, confidence = super().find(squares)
        free = np.stack(np.meshgrid([6.0, 32, 57], [6.0, 32, 57]), axis=-1).reshape(-1, 2)
        far = np.linalg.norm(free[None, :, None] - xy[:, None], axis=-1).min(axis=-1)
        xy[:, 1] = free[far.argmax(axis=1)]
        return xy, confidence


class Fixed(Blobs):
    """Sees the same, and finds three constant places."""

    def find(self, squares):
        places = np.array([[20.0, 20], [40, 25], [30, 45]])
        return np.tile(places, (len(squares), 1, 1)), np.ones((len(squares), 3))


@pytest.fixture(scope="module")
def squares() -> np.ndarray:
    """Thirty pictures with a spot of each colour, wherever, on walls that differ."""
    rng, line = np.random.default_rng(0), np.arange(SIZE)
    pictures = rng.uniform(0, 60, (30, SIZE // 8, SIZE // 8, 3)).repeat(8, 1).repeat(8, 2)
    for picture, places in zip(pictures, rng.uniform(18, 46, (30, 3, 2)), strict=True):
        for colour, (x, y) in enumerate(places):
            far = (line[:, None] - y) ** 2 + (line - x) ** 2
            picture[..., colour] += 190 * np.exp(-far / 18)
    return pictures.astype(np.uint8)


def findings(network, squares):
    return measure(network, squares, see(network, squares))


def test_landmarks_on_things_follow_repeat_and_look_alike(squares):
    found = findings(Blobs(), squares)
    assert found.health.following > 0.85
    assert found.repeatability.max() < 1
    assert found.held.all()
    assert found.spread == pytest.approx(np.full(3, 28 / 12**0.5), rel=0.25)


def test_constant_landmarks_are_told(squares):
    found = findings(Fixed(), squares)
    assert found.repeatability.min() > 2
    assert not found.held.any()
    said = dict(map(reversed, verdict(found, ("a", "b", "c"), squares, SPAN, 0, 0, "")))
    assert any("collaps" in text for text, well in said.items() if not well)
    assert any("a, b, c" in text for text, well in said.items() if not well)


def test_a_plain_wall_looks_alike_and_is_told_by_the_edges(squares):
    wall = squares.max(axis=-1, keepdims=True) < 61
    plain = np.where(wall, np.uint8(20), squares)
    found = findings(Wall(), plain)
    assert found.likeness.min() > 0.35
    assert found.held.tolist() == [True, False, True]
    said = verdict(found, ("a", "b", "c"), plain, SPAN, 0, 0, "")
    assert any("1 landmark (b) may sit" in text for well, text in said if not well)


def test_pictures_are_judged_too(squares):
    found = findings(Blobs(), squares)
    names = ("a", "b", "c")
    assert all(well for well, _ in verdict(found, names, squares, SPAN, 0, 0, ""))
    few = verdict(found, names, squares[:5], SPAN, 2, 3, "step 5 of 9")
    assert [
        word
        for word in ("few", "could not", "step 5")
        for well, text in few
        if word in text and not well
    ] == ["few", "could not", "step 5"]
    same = verdict(found, names, squares[[0] * 30], SPAN, 0, 0, "")
    assert any("1 of 30" in text for well, text in same if not well)


@pytest.mark.parametrize(("share", "well"), [(1.0, True), (0.0, False)])
def test_swaps_that_show_the_pose_of_the_lender_are_told(squares, share, well):
    class Paints(Painter):
        def __init__(self): ...

        def swap(self, appearance_of, pose_of):
            return pose_of if share else appearance_of

    sight = see(Blobs(), squares)
    for often in (1, 2):  # of a video, neighbours are nearly one picture
        frames, xy = (values.repeat(often, axis=0) for values in (squares, sight.xy))
        assert pose_taken_on(Blobs(), Paints(), frames, xy) == pytest.approx(share)
    found = measure(Blobs(), squares, sight, Paints())
    said = verdict(found, ("a", "b", "c"), squares, SPAN, 0, 0, "")
    assert [each for each, text in said if f"take on {share:.0%} of the pose" in text] == [well]


def test_across_runs_a_mixture_is_recognised_and_noise_is_not():
    rng = np.random.default_rng(0)
    others = rng.normal(size=(60, 4, 2))
    these = np.stack([others[:, :2].mean(axis=1), rng.normal(size=(60, 2))], axis=1)
    known, unknown = across_runs(these, others)
    assert known < 0.1 < 0.5 < unknown
