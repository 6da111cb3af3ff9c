"""Points moved to where they belong: descriptions, views, the cascade, the second look."""

from dataclasses import replace

import numpy as np
import pytest

from swapmark.data.images import Placement
from swapmark.data.sources import list_with_unread
from swapmark.predict.network import Sight
from swapmark.predict.predict import predict_points
from swapmark.specimens.describe import describe, find_channels, sample
from swapmark.specimens.fit import fit_points
from swapmark.specimens.looks import look
from swapmark.specimens.point_map import find_point_map
from swapmark.specimens.refine import Training, limited, refine

SIZE = 64


class Smudged:
    """Stands in for a network that sees colours, and finds its landmarks only roughly.

    The two landmarks are the corners of a square that is centred on what is bright, and moved by
    some pixels that depend on the picture.
    """

    image_size, resize, landmarks, fingerprint, points = SIZE, "pad", 2, "abc", ""

    def find(self, squares):
        light = np.clip(squares.mean(axis=-1) - 100.0, 0, None) + 1e-9
        light /= light.sum(axis=(1, 2), keepdims=True)
        rows, columns = np.mgrid[:SIZE, :SIZE]
        xy = np.stack([(light * columns).sum(axis=(1, 2)), (light * rows).sum(axis=(1, 2))], -1)
        xy += 3 * np.sin(squares.sum(axis=(1, 2))[:, :2])
        return np.stack([xy - 6, xy + 6], axis=1), np.full((len(squares), 2), 0.5)

    def see(self, squares):
        fine = squares.reshape(-1, SIZE // 4, 4, SIZE // 4, 4, 3).mean(axis=(2, 4)) / 255
        coarse = fine.reshape(-1, SIZE // 8, 2, SIZE // 8, 2, 3).mean(axis=(2, 4))
        spread = [np.concatenate([part, part**2, 1 - part], -1) for part in (fine, coarse)]
        return Sight(*self.find(squares), tuple(part.astype(np.float32) for part in spread))


def pictures(count, size=SIZE, seed=0, symmetric=False):
    """Two coloured blobs side by side, with dark dots in their middles, at (N, 2, 2) pixels."""
    random = np.random.default_rng(seed)
    rows, columns = np.mgrid[:size, :size] / size
    drawn, places = [], []
    for _ in range(count):
        middle, apart = random.uniform(0.4, 0.6, 2), random.uniform(0.1, 0.16)
        at = middle + apart * np.array([[-1, 0], [1, 0]])
        picture = np.full((size, size, 3), 60.0)
        colours = ((250, 120, 60), (250, 120, 60) if symmetric else (60, 120, 250))
        for (x, y), colour in zip(at, colours, strict=True):
            away = ((columns - x) ** 2 + (rows - y) ** 2)[..., None]
            blob, dot = np.exp(-away / (2 * 0.06**2)), np.exp(-away / (2 * 0.008**2))
            picture = (picture * (1 - blob) + blob * colour) * (1 - dot)
        drawn.append(np.rint(picture + random.normal(0, 2, picture.shape)).clip(0, 255))
        places.append(at * size)
    return np.array(drawn, np.uint8), np.array(places)


@pytest.fixture
def seen(tables):
    """Looks at pictures, with the landmarks found in them and their marks."""

    def make(count, size=SIZE, seed=0, symmetric=False):
        drawn, places = pictures(count, size, seed, symmetric)
        items = list_with_unread(drawn)[0]
        found = predict_points(Smudged(), drawn)
        _, marked = tables(found.xy, places, size=(size, size), names=("left", "right"))
        return found, replace(marked, files=found.files), look(Smudged(), items), drawn

    return make


def test_points_are_refined_where_it_helps_and_new_pictures_agree_with_the_estimate(seen):
    found, marked, looks, _ = seen(20)
    fit = fit_points(found, marked, looks=looks, model="abc", draws=2)
    assert fit.map.refinement
    assert fit.map.zoom == 1, "the pictures are no larger than the square"
    assert fit.error < fit.unrefined / 2
    assert [row.specimens for row in fit.curve] == [1, 2, 5, 10]
    assert fit.curve[-1].error < fit.unrefined
    new, places = pictures(30, seed=1)
    points = predict_points(Smudged(), new, fit.map)
    assert points.names == ("left", "right")
    distance = np.linalg.norm(points.xy - places, axis=-1).mean()
    assert distance == pytest.approx(fit.pixels, rel=0.3)
    assert (
        distance
        < np.linalg.norm(fit.map.apply(predict_points(Smudged(), new)).xy - places, axis=-1).mean()
        / 2
    )


def test_refining_is_left_alone_where_nothing_is_to_be_seen(seen):
    found, marked, looks, _ = seen(12)
    blank = replace(looks, maps=np.random.default_rng(0).normal(size=looks.maps.shape))
    fit = fit_points(found, marked, looks=blank, draws=0)
    plain = fit_points(found, marked, draws=0)
    assert fit.map.refinement is None
    assert fit.error == pytest.approx(fit.unrefined)
    assert fit.error < 1.2 * plain.error


@pytest.mark.parametrize(("count", "refined"), [(2, False), (3, True)])
def test_specimens_to_refine_from_are_three_or_more(seen, count, refined):
    found, marked, looks, _ = seen(count)
    assert bool(fit_points(found, marked, looks=looks, draws=0).map.refinement) == refined


def test_points_may_be_missing(seen):
    found, marked, looks, _ = seen(16)
    marked.xy[::2, 1] = np.nan
    marked.xy[3, 0] = np.nan
    fit = fit_points(found, marked, looks=looks, draws=1)
    assert fit.marked == {"left": 15, "right": 8}
    assert fit.error < fit.unrefined / 1.5


def test_larger_pictures_are_looked_at_twice(seen, tmp_path):
    found, marked, looks, _ = seen(16, size=512)
    fit = fit_points(found, marked, looks=looks, model="abc", draws=0)
    assert fit.map.zoom > 1
    new, places = pictures(20, size=512, seed=1)

    def error(point_map):
        return np.linalg.norm(predict_points(Smudged(), new, point_map).xy - places, axis=-1).mean()

    assert error(fit.map) < error(replace(fit.map, closer=None)) / 1.5
    fit.map.save(tmp_path, "blobs")
    kept = find_point_map(tmp_path, "blobs", "abc")
    assert predict_points(Smudged(), new, kept).xy == pytest.approx(
        predict_points(Smudged(), new, fit.map).xy, abs=1e-3
    )


def test_mirror_images_are_learned_from_where_points_are_found_there_again(seen, monkeypatch):
    used = []
    monkeypatch.setattr(
        "swapmark.specimens.learning.refine",
        lambda *args, **options: used.append(args[4]) or refine(*args, **options),
    )
    for symmetric in (True, False):
        found, marked, looks, _ = seen(12, symmetric=symmetric)
        fit_points(found, marked, looks=looks, draws=0)
    assert used[0].shape[1] == 8
    assert used[0].all()


def test_views_show_the_marks_where_they_are_said_to_be(seen):
    _, marked, looks, _ = seen(6)
    there = looks.into_views(marked.xy)
    assert there[:, 1, :, 0] == pytest.approx(SIZE - 1 - marked.xy[..., 0], abs=1e-6)
    # The first blob is red: there its description is what it is in the picture itself.
    flat = looks.maps.reshape(-1, *looks.maps.shape[2:]).astype(np.float32)
    at = sample(flat, np.arange(len(flat)), there.reshape(len(flat), 2, 2), SIZE)
    at = at.reshape(6, -1, 2, at.shape[-1])
    own = np.linalg.norm(at - at[:, :1], axis=-1).mean()
    other = np.linalg.norm(at - at[:, :1, ::-1], axis=-1).mean()
    assert own < other / 3


def test_descriptions_keep_what_differs_at_the_finest_resolution():
    random = np.random.default_rng(0)
    maps = (random.normal(size=(2, 8, 8, 5)), random.normal(size=(2, 4, 4, 7)))
    maps = tuple(level.astype(np.float32) for level in maps)
    channels = find_channels(maps)
    assert [part.shape for part in channels] == [(5, 12), (7, 12)]
    turn = np.concatenate(channels)
    assert turn.T @ turn == pytest.approx(np.eye(12), abs=1e-5)
    described = describe(maps, channels)
    assert described.shape == (2, 8, 8, 12)
    unit = maps[0] / np.linalg.norm(maps[0], axis=-1, keepdims=True)
    assert described @ channels[0].T == pytest.approx(unit, abs=1e-5)


def test_samples_are_bilinear_and_end_at_the_edge():
    rows, columns = np.mgrid[:8, :8]
    maps = np.stack([columns, rows], axis=-1)[None].astype(np.float32)
    xy = np.array([[[13.5, 21.5], [15.5, 20.0], [-50, 500]]])
    got = sample(maps, np.zeros(1, int), xy, 32)
    assert got[0] == pytest.approx(np.array([[3, 5], [3.5, 4.625], [0, 7]]))


def test_no_point_is_moved_farther_than_so():
    start = np.zeros((1, 2, 2))
    moved = limited(start, np.array([[[3.0, 4.0], [0.3, 0.4]]]), 2.0)
    assert moved == pytest.approx(np.array([[[1.2, 1.6], [0.3, 0.4]]]))


def test_a_training_learns_from_its_own_specimens_alone(seen):
    _, marked, looks, _ = seen(10)
    truth = looks.into_views(marked.xy)
    used = np.ones(truth.shape[:3], bool)
    learn = np.arange(10) < 6
    trainings = [Training(learn, np.array([8]))]
    start = [truth[8:9, 0] + 3]
    ways = []
    for spoilt in (0, 30):
        places = truth.copy()
        places[6:] += spoilt
        (moved,), _ = refine(
            *(looks.maps, looks.channels, SIZE, places, used, trainings, start), spread=3.0
        )
        ways.append(moved)
    # The examples' mean is taken over all specimens, which costs some rounding.
    assert ways[0] == pytest.approx(ways[1], abs=0.05)
    assert Placement(64, 64, SIZE).to_model(ways[0]) == pytest.approx(truth[8:9, 0], abs=1.5)
