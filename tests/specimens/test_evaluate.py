"""The whole evaluation, on points with a known relation."""

import json
from dataclasses import replace

import numpy as np
import pytest

from swapmark.errors import InputError
from swapmark.specimens.evaluate import evaluate
from swapmark.specimens.protocols import PROTOCOLS

NAMES = ("left_eye", "right_eye", "nose")
COUNT = 160
SPLIT = ("fit", "test") * (COUNT // 2)


def scored(found, marked, **options):
    """The evaluation with few draws, to be quick."""
    return evaluate(found, marked, **{"draws": 1, "bootstrap": 50, **options})


@pytest.fixture
def faces(tables):
    """Makes points and landmarks that are exact linear functions, from the corner, of a pose."""

    def make(seed=0, noise=0.0, points=3, landmarks=4, split: tuple[str, ...] | None = SPLIT):
        generator = np.random.default_rng(seed)
        pose = generator.uniform(20, 80, (COUNT, 6))

        def mixtures(count):
            weights = generator.dirichlet(np.ones(6), (count, 2)).T.swapaxes(1, 2)
            return np.einsum("nd,dpc->npc", pose, weights)

        marks, found = mixtures(points), mixtures(landmarks)
        found = found + generator.normal(0, noise, found.shape)
        names = NAMES if points == 3 else None
        return tables(found - 0.5, marks - 0.5, names=names, split=split)

    return make


def test_a_perfect_linear_relation_has_no_error_in_either_direction(faces):
    result = scored(*faces(), draws=0, bootstrap=0)
    assert result.forward["imm"].nme == pytest.approx(0, abs=1e-6)
    assert result.backward["imm"].nme == pytest.approx(0, abs=1e-6)
    assert result.mean_shape.nme > 5
    assert result.mean_shape.interval is None
    assert [row.draws for row in result.few_shot["imm"]] == [1]
    assert result.notes == ()


def test_noise_on_landmarks_shows_in_the_backward_error_as_its_expected_length(tables):
    marks = np.random.default_rng(1).uniform(10, 90, (COUNT, 3, 2))
    marks[:, :2] = [[10, 10], [60, 10]]  # 50 px between the eyes, everywhere
    jitter = np.random.default_rng(2).normal(0, 2.0, (COUNT, 30, 2))
    result = scored(*tables(marks[:, [2] * 30] + jitter, marks, names=NAMES, split=SPLIT))
    expected = 100 * 2.0 * np.sqrt(np.pi / 2) / 50  # mean of a Rayleigh distribution
    assert result.backward["imm"].nme == pytest.approx(expected, rel=0.05)


def test_the_mean_shape_is_the_mean_of_the_fit_marks(faces):
    found, marked = faces(seed=3, points=5)
    expected = 100 * np.linalg.norm(marked.xy[1::2] - marked.xy[::2].mean(axis=0), axis=-1).mean()
    result = scored(found, marked)
    assert "diagonal" in result.normaliser
    assert result.mean_shape.nme == pytest.approx(expected / np.hypot(100, 100))


def test_an_image_without_marks_is_as_if_it_were_not_there(faces):
    found, marked = faces(noise=3.0)
    shorter = marked.take(np.setdiff1d(np.arange(COUNT), [4, 5, 10]))
    marked.xy[[4, 5, 10]] = np.nan
    with_gaps, without = scored(found, marked).metrics(), scored(found, shorter).metrics()
    assert with_gaps["counts"]["images_without_marks"] == 3
    for key in ("forward.imm.nme", "forward.imm.nme_interval", "backward.centred.nme", "few_shot"):
        assert with_gaps[key] == without[key]


def test_a_missing_point_leaves_the_forward_error_of_the_others_alone(faces):
    found, marked = faces(noise=3.0)
    whole = scored(found, marked).forward["imm"].per_point
    marked.xy[::7, 2] = np.nan
    partly = scored(found, marked).forward["imm"].per_point
    assert partly["left_eye"] == pytest.approx(whole["left_eye"])
    assert partly["nose"] != pytest.approx(whole["nose"])


def test_a_point_never_marked_for_the_fit_is_named_and_not_scored(faces):
    found, marked = faces(noise=1.0)
    marked.xy[::2, 2] = np.nan
    result = scored(found, marked)
    assert np.isfinite(result.forward["imm"].nme)
    assert np.isnan(result.backward["imm"].nme)
    assert any("nose" in note for note in result.notes)
    assert result.metrics()["backward.imm.nme"] is None
    assert result.metrics()["per_point"]["forward.imm"]["nose"] is None


def test_test_images_without_a_normaliser_are_dropped_and_counted(faces):
    found, marked = faces(noise=1.0)
    marked.xy[1, 0] = np.nan
    marked.xy[3, 0] = marked.xy[3, 1]
    result = scored(found, marked)
    assert result.counts["test_images_without_normaliser"] == 2
    assert result.counts["test_images"] == COUNT // 2 - 2
    assert any("2 images" in note for note in result.notes)
    marked.xy[:, 0] = np.nan
    with pytest.raises(InputError, match="left_eye and right_eye"):
        scored(found, marked)


def test_nothing_marked_in_both_splits_is_an_error(faces):
    found, marked = faces()
    marked.xy[::2, :2] = np.nan
    marked.xy[1::2, 2] = np.nan
    with pytest.raises(InputError, match="both"):
        scored(found, marked)


def test_collapsed_landmarks_score_as_the_mean_shape_and_are_said_to_have_collapsed(faces):
    found, marked = faces()
    found.xy[:] = [[20.0, 30.0], [40.0, 50.0], [70.0, 60.0], [10.0, 80.0]]
    result = scored(found, marked)
    for protocol in PROTOCOLS:
        assert result.forward[protocol].nme == pytest.approx(result.mean_shape.nme)
    assert result.backward["centred"].nme == pytest.approx(0, abs=1e-6)
    assert any("collapsed" in note for note in result.notes)


@pytest.mark.parametrize(
    ("options", "change", "said"),
    [
        ({}, lambda found, _: found[:, 1].fill(40), ("1 of 4", "landmark_2")),
        ({"noise": 1.0}, lambda _, marks: marks[6, 2].fill(400), ("nose", "006.png", "(400, 400)")),
        ({"noise": 1.0}, lambda _, marks: marks[7, 2].fill(400), ("nose", "007.png", "100 × 100")),
        ({"landmarks": 60}, lambda *_: None, ("80", "120", "swapmark fit")),
    ],
    ids=["still landmark", "far mark in fit", "far mark in test", "few images"],
)
def test_what_is_odd_is_told_in_one_note(faces, options, change, said):
    found, marked = faces(**options)
    change(found.xy, marked.xy)
    (note,) = scored(found, marked).notes
    for value in said:
        assert value in note


@pytest.mark.parametrize(
    ("options", "blamed"),
    [
        ({"noise": 10.0, "landmarks": 40}, False),  # 80 coordinates, 80 fit images: read centred
        ({"noise": 30.0, "landmarks": 13, "seed": 3}, True),  # 26 coordinates
    ],
)
def test_landmarks_are_blamed_only_where_fit_images_are_plenty(faces, options, blamed):
    result = scored(*faces(**options))
    imm, centred = result.forward["imm"].nme, result.forward["centred"].nme
    assert imm > result.mean_shape.nme > centred
    assert any(f"{imm:.2f} %" in note for note in result.notes) == blamed


def test_the_few_shot_curve_ends_at_the_full_result_and_is_seeded(faces):
    found, marked = faces(noise=2.0)
    result = scored(found, marked, draws=4)
    for protocol, curve in result.few_shot.items():
        assert [row.specimens for row in curve] == [1, 5, 10, 20, 50, 80]
        assert [row.draws for row in curve] == [4, 4, 4, 4, 4, 1]
        assert curve[-1].error == result.forward[protocol].nme < curve[0].error
    assert result.metrics() == scored(found, marked, draws=4).metrics()
    other = scored(found, marked, draws=4, seed=1)
    assert other.few_shot["imm"][0] != result.few_shot["imm"][0]


def test_few_shot_gives_every_point_as_many_examples_as_it_says(faces):
    found, marked = faces(noise=2.0)
    marked.xy[:120:2, 2] = np.nan  # the nose is marked in the last 20 fit images only
    curve = scored(found, marked, draws=3).few_shot["imm"]
    assert [row.draws for row in curve] == [3, 3, 3, 3, 3, 1]


def test_an_interval_by_group_is_wider_and_one_group_has_none(faces):
    found, marked = faces(noise=2.0, points=5)
    film = np.arange(COUNT) // 20
    marked.xy[1::2] += np.random.default_rng(7).normal(0, 8, (8, 1, 2))[film[1::2]]

    def interval(groups):
        grouped = replace(marked, group=groups)
        return scored(found, grouped, bootstrap=500).forward["imm"].interval

    single, grouped = interval(None), interval(tuple(f"film {i}" for i in film))
    assert grouped[1] - grouped[0] > 1.5 * (single[1] - single[0])
    one = scored(found, replace(marked, group=("film",) * COUNT))
    assert one.forward["imm"].interval is None
    assert any("one group" in note for note in one.notes)


def test_without_splits_every_image_is_scored_by_a_map_of_the_others(faces):
    found, marked = faces(noise=3.0, split=None)
    result = scored(found, marked, draws=1)
    assert (result.counts["test_images"], result.counts["parts"]) == (COUNT, 5)
    assert result.few_shot["imm"][-1].specimens == result.counts["fit_images"] == COUNT * 4 // 5
    marked.xy[3, 2] = [99.0, 1.0]  # has no say in its own prediction, so it only adds its error
    without = scored(found, marked.take(np.arange(COUNT) != 3))
    assert scored(found, marked).forward["imm"].nme > without.forward["imm"].nme


@pytest.mark.parametrize("split", [None, 0.5, 0.3])
def test_groups_stay_together_where_there_are_no_splits(faces, split):
    """Landmarks that say nothing but the group: they predict marks only within their group."""
    found, marked = faces(split=None)
    random = np.random.default_rng(0)
    group = np.arange(COUNT) // 2
    found.xy[:] = random.uniform(10, 90, (COUNT // 2, 4, 2))[group]
    marked.xy[:] = random.uniform(10, 90, (COUNT // 2, 3, 2))[group]
    grouped = replace(marked, group=tuple(map(str, group)))
    result = scored(found, grouped, split=split, normaliser="diagonal", draws=0)
    assert result.forward["centred"].nme > 0.9 * result.mean_shape.nme
    if split:
        assert result.counts["fit_images"] == pytest.approx(split * COUNT, abs=2)
        assert result.counts["fit_images"] + result.counts["test_images"] == COUNT


@pytest.mark.parametrize(("split", "column"), [(0.5, SPLIT), (0.0, None), (1.0, None)])
def test_a_share_beside_a_column_split_or_out_of_bounds_is_refused(faces, split, column):
    with pytest.raises(InputError, match=str(split)):
        scored(*faces(split=column), split=split)


def test_one_image_cannot_be_both_fitted_and_scored(tables):
    with pytest.raises(InputError, match="One image"):
        scored(*tables(np.ones((1, 2, 2)), np.ones((1, 1, 2))))


def test_the_file_holds_every_number_and_is_not_replaced_unasked(faces, tmp_path):
    result = scored(*faces(noise=2.0), bootstrap=50, draws=2)
    path = result.save(tmp_path / "deep" / "metrics.json")
    written = json.loads(path.read_text(encoding="utf-8"))
    assert written == result.metrics()
    directions = [f"{way}.{name}" for way in ("forward", "backward") for name in PROTOCOLS]
    for name in ("mean_shape", *directions):
        low, high = written[f"{name}.nme_interval"]
        assert low <= written[f"{name}.nme"] <= high
        points = list(written["per_point"][name].values())
        assert np.mean(points) == pytest.approx(written[f"{name}.nme"], abs=1e-3)
    assert written["counts"]["fit_images"] == written["counts"]["test_images"] == 80
    assert written["settings"] == {"bootstrap": 50, "draws": 2, "seed": 0}
    with pytest.raises(InputError, match=r"metrics\.json"):
        result.save(path)
    result.save(path, overwrite=True)
