"""The whole evaluation, on points with a known relation."""

import json
from dataclasses import replace

import numpy as np
import pytest
from rich.console import Console

from swapmark.errors import InputError
from swapmark.specimens.evaluate import evaluate
from swapmark.specimens.protocols import PROTOCOLS
from swapmark.types import Annotations, Landmarks

NAMES = ("left_eye", "right_eye", "nose")
COUNT = 160


def faces(seed=0, noise=0.0, points=3, landmarks=4):
    """Points and landmarks that are exact linear functions, from the corner, of six numbers."""
    generator = np.random.default_rng(seed)
    pose = generator.uniform(20, 80, (COUNT, 6))
    marks = np.einsum(
        "nd,dpc->npc", pose, generator.dirichlet(np.ones(6), (points, 2)).T.swapaxes(1, 2)
    )
    found = np.einsum(
        "nd,dkc->nkc", pose, generator.dirichlet(np.ones(6), (landmarks, 2)).T.swapaxes(1, 2)
    )
    found = found + generator.normal(0, noise, found.shape)
    return package(found - 0.5, marks - 0.5)


def package(found, marks):
    files = tuple(f"images/{i:03d}.png" for i in range(COUNT))
    names = NAMES if marks.shape[1] == 3 else tuple(f"p{i}" for i in range(marks.shape[1]))
    return (
        Landmarks(found, np.ones(found.shape[:2]), files, np.full((COUNT, 2), 100)),
        Annotations(names, files, ("fit", "test") * (COUNT // 2), ("",) * COUNT, marks),
    )


def test_a_perfect_linear_relation_has_no_error_in_either_direction():
    result = evaluate(*faces())
    assert result.forward["imm"].nme == pytest.approx(0, abs=1e-6)
    assert result.backward["imm"].nme == pytest.approx(0, abs=1e-6)
    assert result.mean_shape.nme > 5
    assert result.notes == ()


def test_noise_on_landmarks_shows_in_the_backward_error_as_its_expected_length():
    marks = np.random.default_rng(1).uniform(10, 90, (COUNT, 3, 2))
    marks[:, :2] = [[10, 10], [60, 10]]  # 50 px between the eyes, everywhere
    jitter = np.random.default_rng(2).normal(0, 2.0, (COUNT, 30, 2))
    result = evaluate(*package(marks[:, [2] * 30] + jitter, marks))
    expected = 100 * 2.0 * np.sqrt(np.pi / 2) / 50  # mean of a Rayleigh distribution
    assert result.backward["imm"].nme == pytest.approx(expected, rel=0.05)


def test_the_mean_shape_is_the_mean_of_the_fit_annotations():
    landmarks, annotations = faces(seed=3, points=5)
    marks = annotations.xy
    expected = 100 * np.linalg.norm(marks[1::2] - marks[::2].mean(axis=0), axis=-1).mean()
    result = evaluate(landmarks, annotations)
    assert "diagonal" in result.normaliser
    assert result.mean_shape.nme == pytest.approx(expected / np.hypot(100, 100))


def test_the_points_average_to_the_total_when_nothing_is_missing():
    metrics = evaluate(*faces(noise=3.0)).metrics()
    for name in ("forward.imm", "backward.zhang", "mean_shape"):
        points = list(metrics["per_point"][name].values())
        assert np.mean(points) == pytest.approx(metrics[f"{name}.nme"], abs=1e-3)


def test_an_image_without_marks_is_as_if_it_were_not_there():
    landmarks, annotations = faces(noise=3.0)
    unmarked = annotations.xy.copy()
    unmarked[[4, 5, 10]] = np.nan
    kept = np.setdiff1d(np.arange(COUNT), [4, 5, 10])
    shorter = Annotations(
        NAMES,
        tuple(annotations.files[i] for i in kept),
        tuple(annotations.splits[i] for i in kept),
        tuple(annotations.groups[i] for i in kept),
        annotations.xy[kept],
    )
    with_gaps = evaluate(landmarks, replace(annotations, xy=unmarked)).metrics()
    without = evaluate(landmarks, shorter).metrics()
    assert with_gaps["counts"]["images_without_marks"] == 3
    for key in ("forward.imm.nme", "forward.imm.nme_interval", "backward.centred.nme", "few_shot"):
        assert with_gaps[key] == without[key]


def test_a_missing_point_leaves_the_forward_error_of_the_others_alone():
    landmarks, annotations = faces(noise=3.0)
    gaps = annotations.xy.copy()
    gaps[::7, 2] = np.nan
    whole = evaluate(landmarks, annotations).forward["imm"].per_point
    partly = evaluate(landmarks, replace(annotations, xy=gaps)).forward["imm"].per_point
    assert partly["left_eye"] == pytest.approx(whole["left_eye"])
    assert partly["nose"] != pytest.approx(whole["nose"])


def test_a_point_never_marked_for_the_fit_is_named_and_not_scored():
    landmarks, annotations = faces(noise=1.0)
    annotations.xy[::2, 2] = np.nan
    result = evaluate(landmarks, annotations)
    assert np.isnan(result.forward["imm"].per_point["nose"])
    assert np.isfinite(result.forward["imm"].nme)
    assert np.isnan(result.backward["imm"].nme)
    assert any("nose" in note for note in result.notes)
    assert result.metrics()["backward.imm.nme"] is None
    assert result.metrics()["per_point"]["forward.imm"]["nose"] is None


def test_test_images_without_a_normaliser_are_dropped_and_counted():
    landmarks, annotations = faces(noise=1.0)
    annotations.xy[1, 0] = np.nan
    annotations.xy[3, 0] = annotations.xy[3, 1]
    result = evaluate(landmarks, annotations)
    assert result.counts["test_images_without_normaliser"] == 2
    assert result.counts["test_images"] == COUNT // 2 - 2
    assert any("2 test images dropped" in note for note in result.notes)


def test_no_usable_normaliser_is_an_error():
    landmarks, annotations = faces()
    annotations.xy[:, 0] = np.nan
    with pytest.raises(InputError, match="distance between left_eye and right_eye"):
        evaluate(landmarks, annotations)


def test_nothing_marked_in_both_splits_is_an_error():
    landmarks, annotations = faces()
    annotations.xy[::2, :2] = np.nan
    annotations.xy[1::2, 2] = np.nan
    with pytest.raises(InputError, match="both in a fit image and in a test image"):
        evaluate(landmarks, annotations)


def test_collapsed_landmarks_score_as_the_mean_shape_and_are_said_to_have_collapsed():
    landmarks, annotations = faces()
    landmarks.xy[:] = [[20.0, 30.0], [40.0, 50.0], [70.0, 60.0], [10.0, 80.0]]
    result = evaluate(landmarks, annotations)
    for protocol in PROTOCOLS:
        assert result.forward[protocol].nme == pytest.approx(result.mean_shape.nme)
    assert result.backward["centred"].nme == pytest.approx(0, abs=1e-6)
    assert any("collapsed" in note for note in result.notes)


def test_landmarks_no_better_than_the_mean_shape_are_said_to_be_so():
    landmarks, annotations = faces()
    assert not any("mean shape" in note for note in evaluate(landmarks, annotations).notes)
    landmarks.xy[:] = landmarks.xy[np.random.default_rng(0).permutation(len(landmarks))]
    result = evaluate(landmarks, annotations)
    assert result.forward["imm"].nme > result.mean_shape.nme
    assert any(f"{result.mean_shape.nme:.2f} %" in note for note in result.notes)


def test_the_protocol_is_blamed_and_not_the_landmarks_where_centred_is_better():
    landmarks, annotations = faces(noise=10.0, landmarks=40)  # 80 coordinates, 80 fit images
    result = evaluate(landmarks, annotations)
    imm, centred = result.forward["imm"].nme, result.forward["centred"].nme
    assert imm > result.mean_shape.nme > centred
    (note,) = [note for note in result.notes if "mean shape" in note]
    assert f"by centred it is ({centred:.2f} %): 80 fit images are few" in note
    assert "say nothing" not in note


def test_the_protocol_is_not_blamed_where_the_fit_images_are_many():
    landmarks, annotations = faces(seed=3, noise=30.0, landmarks=13)  # 26 coordinates
    result = evaluate(landmarks, annotations)
    assert result.forward["imm"].nme > result.mean_shape.nme > result.forward["centred"].nme
    (note,) = [note for note in result.notes if "mean shape" in note]
    assert "say nothing" in note


def test_a_few_still_landmarks_are_named():
    landmarks, annotations = faces()
    landmarks.xy[:, 1] = [40.0, 50.0]
    (note,) = evaluate(landmarks, annotations).notes
    assert "1 of 4" in note
    assert "landmark_2" in note


@pytest.mark.parametrize("row", [6, 7], ids=["fit", "test"])
def test_a_mark_far_outside_its_picture_is_named(row):
    landmarks, annotations = faces(noise=1.0)
    annotations.xy[row, 2] = [30.2, 400]
    (note,) = evaluate(landmarks, annotations).notes
    assert "1 of 480 marks. The farthest, nose in images/00" in note
    assert f"{row}.png, is at (30, 400) in a picture of 100 × 100 px" in note


def test_too_few_fit_images_are_warned_of():
    landmarks, annotations = faces(landmarks=60)
    notes = evaluate(landmarks, annotations).notes
    (note,) = [note for note in notes if "80 fit images are fewer than the 120" in note]
    assert "swapmark fit" in note, "the command that makes do with few"


def test_the_few_shot_curve_ends_at_the_full_result_and_is_seeded():
    landmarks, annotations = faces(noise=2.0)
    result = evaluate(landmarks, annotations, draws=4)
    assert [row.images for row in result.few_shot] == [1, 5, 10, 20, 50, 80]
    assert [row.draws for row in result.few_shot] == [4, 4, 4, 4, 4, 1]
    for protocol in PROTOCOLS:
        assert result.few_shot[-1].nme[protocol] == result.forward[protocol].nme
        assert result.few_shot[0].nme[protocol] > result.few_shot[-1].nme[protocol]
    assert result.metrics() == evaluate(landmarks, annotations, draws=4).metrics()
    assert result.few_shot[0] != evaluate(landmarks, annotations, draws=4, seed=1).few_shot[0]


def test_few_shot_gives_every_point_as_many_examples_as_it_says():
    landmarks, annotations = faces(noise=2.0)
    annotations.xy[:120:2, 2] = np.nan  # the nose is marked in the last 20 fit images only
    result = evaluate(landmarks, annotations, draws=3)
    assert all(np.isfinite(row.nme["imm"]) for row in result.few_shot)


def test_an_interval_by_group_is_wider_and_one_group_has_none():
    landmarks, annotations = faces(noise=2.0, points=5)
    marks = annotations.xy.copy()
    film = np.arange(COUNT) // 20
    marks[1::2] += np.random.default_rng(7).normal(0, 8, (8, 1, 2))[film[1::2]]
    annotations = replace(annotations, xy=marks)
    by_film = replace(annotations, groups=tuple(f"film {i}" for i in film))
    single = evaluate(landmarks, annotations).forward["imm"].interval
    grouped = evaluate(landmarks, by_film).forward["imm"].interval
    assert single is not None
    assert grouped is not None
    assert grouped[1] - grouped[0] > 1.5 * (single[1] - single[0])
    one_film = evaluate(landmarks, replace(annotations, groups=("film",) * COUNT))
    assert one_film.forward["imm"].interval is None
    assert any("one group (film)" in note for note in one_film.notes)


def test_metrics_have_the_promised_keys_and_are_written_in_one_step(tmp_path):
    result = evaluate(*faces(noise=2.0), bootstrap=50, draws=2)
    path = result.write(tmp_path / "deep" / "metrics.json")
    written = json.loads(path.read_text(encoding="utf-8"))
    for name in (
        "mean_shape",
        *(f"{way}.{p}" for way in ("forward", "backward") for p in PROTOCOLS),
    ):
        low, high = written[f"{name}.nme_interval"]
        assert low <= written[f"{name}.nme"] <= high
    assert written["counts"]["fit_images"] == written["counts"]["test_images"] == 80
    assert set(written["protocols"]) == set(PROTOCOLS)
    assert written["normaliser"] == "the distance between left_eye and right_eye"
    assert written["settings"] == {"bootstrap": 50, "draws": 2, "seed": 0}
    assert [file.name for file in path.parent.iterdir()] == ["metrics.json"]


def test_the_table_fits_eighty_columns_and_shows_the_numbers():
    landmarks, annotations = faces(noise=2.0)
    annotations.xy[1, 0] = np.nan
    result = evaluate(landmarks, annotations)
    console = Console(width=80)
    with console.capture() as capture:
        console.print(result.table())
    text = capture.get()
    for words in (
        f"{result.forward['imm'].nme:.2f}",
        f"{result.backward['zhang'].nme:.2f}",
        f"{result.mean_shape.nme:.2f}",
        "right_eye",
        "between left_eye and right_eye",
        "1 test image dropped",
    ):
        assert words in text
    assert "…" not in text
    assert max(map(len, text.splitlines())) <= 80
