"""From landmarks and marks of the same images to a map, its error, and what is said about it."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from swapmark.data.items import Skipped
from swapmark.errors import InputError
from swapmark.points.table import Points
from swapmark.specimens.fit import fit_points

K = 4
SIZE = (200, 160)


@pytest.fixture
def made(tables):
    """Makes images in which two points are linear in the landmarks but for noise, in pixels."""

    def make(count=30, *, noise=0.0, seed=0, split=None):
        random = np.random.default_rng(seed)
        xy = random.uniform(40, 120, (1, K, 2)) + random.normal(0, 10, (count, K, 2))
        marks = np.stack([xy.mean(axis=1), 2 * xy[:, 0] - xy[:, 1]], axis=1)
        marks += noise * random.normal(size=marks.shape)
        return tables(xy, marks, size=SIZE, names=("middle", "tip"), split=split)

    return make


def said(fit, *words):
    """Whether one of the notes has all these words."""
    return any(all(word in note for word in words) for note in fit.notes)


def test_points_that_are_linear_in_the_landmarks_are_found_exactly(made):
    fit = fit_points(*made(40), draws=2)
    found, expected = made(5, seed=1)
    assert fit.error < 0.01
    assert fit.map.apply(found).xy == pytest.approx(expected.xy, abs=0.05)
    assert fit.map.names == ("middle", "tip")
    assert fit.mean_shape > 1


def test_the_error_is_in_percent_of_the_normaliser_and_in_pixels(made):
    fit = fit_points(*made(100, noise=2.0), draws=0, normaliser="diagonal")
    assert fit.pixels == pytest.approx(2 * np.sqrt(np.pi / 2), rel=0.15)  # mean of a Rayleigh
    assert fit.error == pytest.approx(100 * fit.pixels / np.hypot(*SIZE))
    assert np.mean(list(fit.per_point.values())) == pytest.approx(fit.error)
    assert np.mean(list(fit.per_point_pixels.values())) == pytest.approx(fit.pixels)


def test_the_estimate_agrees_with_the_error_on_new_images(made):
    estimates, truths = [], []
    for seed in range(8):
        found, marked = made(212, noise=3.0, seed=seed, split=("fit",) * 12 + ("test",) * 200)
        fit = fit_points(found, marked, draws=0)
        predicted = fit.map.apply(found).xy[12:]
        truths.append(np.linalg.norm(predicted - marked.xy[12:], axis=-1).mean())
        estimates.append(fit.pixels)
    assert np.mean(estimates) == pytest.approx(np.mean(truths), rel=0.15)


def test_only_fit_rows_are_used(made):
    split = ("fit",) * 10 + ("test",) * 5 + ("train",) * 5
    found, marked = made(20, split=split)
    expected = marked.xy[10:].copy()
    marked.xy[10:] = 1e6  # would ruin the map
    marked.xy[3] = np.nan
    fit = fit_points(found, marked, draws=0)
    assert fit.counts["specimens"] == 9
    assert fit.counts["images_of_other_splits"] == 10
    assert fit.counts["images_without_marks"] == 1
    assert said(fit, "10 images of another split", "1 image in which nothing is marked")
    assert fit.map.apply(found).xy[10:] == pytest.approx(expected, abs=3)
    with pytest.raises(InputError, match="split 'fit'"):
        fit_points(found, marked.take(np.arange(10, 20)))


def test_points_may_be_missing_and_one_that_is_never_marked_is_left_out(made, tables):
    found, marked = made(24)
    marks = np.concatenate([marked.xy, np.full((24, 1, 2), np.nan)], axis=1)
    marks[::2, 1] = marks[3] = np.nan
    fit = fit_points(*tables(found.xy, marks, size=SIZE, names=("middle", "tip", "tail")), draws=0)
    assert fit.map.names == ("middle", "tip")
    assert fit.marked == {"middle": 23, "tip": 11}
    assert np.isfinite(fit.map.weights).all()
    assert said(fit, "tail")


def test_one_specimen_gives_a_map_and_no_estimate(made):
    found, marked = made(1)
    fit = fit_points(found, marked)
    assert fit.map.apply(found).xy == pytest.approx(marked.xy)
    assert fit.curve == ()
    assert said(fit, "1 specimen")
    assert fit.metrics()["error"] is None


def test_each_specimen_is_predicted_by_what_the_others_choose_and_fit(made):
    found, marked = made(10, noise=1.0)
    fit = fit_points(found, marked, draws=0)
    for out in (0, 7):
        rest = np.setdiff1d(np.arange(10), [out])
        others = fit_points(found.take(rest), marked.take(rest), draws=0).map
        assert fit.left_out.xy[out] == pytest.approx(others.apply(found).xy[out])


def test_a_point_marked_once_has_no_prediction_where_it_is_left_out(made):
    found, marked = made(10, noise=1.0)
    marked.xy[1:, 1] = np.nan
    fit = fit_points(found, marked, draws=0)
    assert np.isnan(fit.left_out.xy[0, 1]).all()
    assert np.isfinite(fit.left_out.xy[1:]).all()


def test_groups_are_left_out_together_and_one_alone_is_told(made):
    found, marked = made(10, noise=1.0)
    pairs = replace(marked, group=tuple(f"person {i // 2}" for i in range(10)))
    fit = fit_points(found, pairs, draws=1)
    assert fit.counts["parts"] == 5
    fit = fit_points(found, replace(marked, group=("one film",) * 10), draws=1)
    assert fit.counts["parts"] == 10
    assert np.isfinite(fit.error)
    assert said(fit, "one group")


def test_images_without_landmarks_are_listed_and_counted(made):
    found, marked = made(12)
    lost = tuple(marked.files[:2])
    few = replace(found.take(np.arange(2, 12)), skipped=(Skipped(lost[0], "the file is empty"),))
    fit = fit_points(few, marked, draws=0)
    assert (fit.counts["specimens"], fit.missing) == (10, lost)
    assert fit.left_out.skipped == few.skipped
    assert said(fit, "2 images", *lost)


def test_marks_far_outside_are_told_but_not_those_of_other_splits(made):
    found, marked = made(20)
    marked.xy[:10] *= 2
    assert "200 × 160" in fit_points(found, marked, draws=0).notes[0]
    fit = fit_points(found, replace(marked, split=("test",) * 10 + ("fit",) * 10), draws=0)
    assert not said(fit, "200 × 160")


@pytest.mark.parametrize("beyond", [(219.4, 50), (-20.4, 50), (100, 179.4), (100, -20.4)])
def test_a_mark_is_far_from_a_tenth_of_the_longer_side_on(made, beyond):
    found, marked = made(12)
    middle = np.array([99.5, 79.5])
    for factor in (1, 1.01):
        marked.xy[:] = middle
        marked.xy[0, 0] = middle + (np.array(beyond) - middle) * factor
        assert said(fit_points(found, marked, draws=0), "1 mark", "middle") == (factor > 1)


@pytest.mark.parametrize("top", [0.0, 160.0])
def test_marks_all_in_one_corner_are_told(made, top):
    found, marked = made(12)
    marked.xy[:] = np.abs(marked.xy / 20 - (0, top))
    assert said(fit_points(found, marked, draws=0), "corner", "millimetres")
    marked.xy[3, 1] = (100, 80)
    assert not said(fit_points(found, marked, draws=0), "corner")


def test_marks_that_a_model_found_are_told(made):
    found, marked = made(12)
    assert not said(fit_points(found, marked, draws=0), "found by")
    sure = replace(marked, confidence=np.ones((12, 2)))
    assert said(fit_points(found, sure, draws=0), "confidences", "by hand")
    marked.xy[:] = found.xy[:, [2, 0]].round(2)
    marked.xy[0, 1] = np.nan
    assert said(fit_points(found, marked, draws=0), "on its landmarks", "by hand")


def test_useless_landmarks_are_told(made):
    found, marked = made(30)
    found.xy[:] = np.random.default_rng(5).uniform(20, 140, found.xy.shape)
    fit = fit_points(found, marked, draws=0)
    assert said(fit, "mean shape", f"{fit.error:.2f}")


def test_a_curve_that_still_falls_is_told_and_one_that_does_not_is_not(made):
    fit = fit_points(*made(16, noise=1.0))
    assert [row.specimens for row in fit.curve] == [1, 2, 5, 8]
    assert said(fit, "from 8 to 16 specimens")
    fit = fit_points(*made(150, noise=3.0), draws=2)
    assert [row.specimens for row in fit.curve] == [1, 2, 5, 10, 20, 50, 75]
    assert fit.curve[-1].error == pytest.approx(fit.error, rel=0.05)
    assert fit.notes == ()


def test_the_record_in_the_map_holds_every_number_and_is_json(made, tmp_path):
    fit = fit_points(*made(12, noise=1.0), model="abc", draws=2, seed=3)
    values = json.loads(fit.map.save(tmp_path, "both").read_text(encoding="utf-8"))
    assert values["record"] == fit.metrics() == fit.map.record
    assert values["model"] == "abc"
    assert values["record"]["counts"]["specimens"] == 12
    assert set(values["record"]["per_point"]) == {"middle", "tip"}


def test_left_out_points_and_marks_are_drawn_the_largest_errors_first(made, monkeypatch):
    found, marked = made(12, noise=1.0)
    marked.xy[7, 1] = [10, 150]
    fit = fit_points(found, marked, draws=0)
    distance = np.linalg.norm(fit.left_out.xy - fit.marks.xy, axis=-1)
    assert distance.mean() == pytest.approx(fit.pixels)
    drawn = []

    def draw(points, path, *, marked, **_):
        drawn.extend([points, marked])
        return path

    monkeypatch.setattr(Points, "draw", draw)
    fit.draw(Path("look.png"), most=3)
    assert [len(points) for points in drawn] == [3, 3]
    assert [points.files[0] for points in drawn] == [marked.files[7]] * 2
