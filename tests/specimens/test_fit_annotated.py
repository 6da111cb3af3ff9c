"""From landmarks and marks of the same images to a map, its error, and what is said about it."""

import io
import json

import numpy as np
import pytest
from rich.console import Console

from swapmark.data.items import Skipped
from swapmark.errors import InputError
from swapmark.specimens.fit import fit_annotated
from swapmark.specimens.fit_result import PointFit
from swapmark.types import Annotations, Landmarks

K = 4
SIZE = np.array([[200, 160]])


def made(count: int = 30, *, noise: float = 0.0, seed: int = 0) -> tuple[Landmarks, Annotations]:
    """Images in which two points are linear in the landmarks but for noise, in pixels."""
    random = np.random.default_rng(seed)
    xy = random.uniform(40, 120, (1, K, 2)) + random.normal(0, 10, (count, K, 2))
    marks = np.stack([xy.mean(axis=1), 2 * xy[:, 0] - xy[:, 1]], axis=1)
    marks += noise * random.normal(size=marks.shape)
    files = tuple(f"{i:03d}.png" for i in range(count))
    sizes = np.tile(SIZE, (count, 1))
    names = ("middle", "tip")
    return (
        Landmarks(xy, np.ones(xy.shape[:2]), files, sizes),
        Annotations(names, files, ("fit",) * count, ("",) * count, marks),
    )


def changed(annotations: Annotations, **fields) -> Annotations:
    return Annotations(**{**vars(annotations), **fields})


def screen(fit: PointFit) -> str:
    console = Console(width=80, record=True, file=io.StringIO())
    console.print(fit.table())
    return console.export_text()


def test_points_that_are_linear_in_the_landmarks_are_found_exactly():
    landmarks, annotations = made(40)
    fit = fit_annotated(landmarks, annotations, draws=2)
    new, expected = made(5, seed=1)
    assert fit.error < 0.01
    assert fit.map.apply(new).xy == pytest.approx(expected.xy, abs=0.05)
    assert fit.map.names == ("middle", "tip")
    assert fit.mean_shape > 1


def test_the_error_is_in_percent_of_the_normaliser_and_in_pixels():
    landmarks, annotations = made(200, noise=2.0)
    diagonal = np.hypot(*SIZE[0])
    fit = fit_annotated(landmarks, annotations, draws=1, normaliser="diagonal")
    assert fit.pixels == pytest.approx(2 * np.sqrt(np.pi / 2), rel=0.15)  # mean of a Rayleigh
    assert fit.error == pytest.approx(100 * fit.pixels / diagonal)
    assert np.mean(list(fit.per_point.values())) == pytest.approx(fit.error)
    assert np.mean(list(fit.per_point_pixels.values())) == pytest.approx(fit.pixels)


def test_the_estimate_agrees_with_the_error_on_new_images():
    estimates, truths = [], []
    for seed in range(8):
        landmarks, annotations = made(212, noise=3.0, seed=seed)
        few = changed(annotations, splits=("fit",) * 12 + ("test",) * 200)
        fit = fit_annotated(landmarks, few, draws=0)
        found = fit.map.apply(landmarks).xy[12:]
        truths.append(np.linalg.norm(found - annotations.xy[12:], axis=-1).mean())
        estimates.append(fit.pixels)
    assert np.mean(estimates) == pytest.approx(np.mean(truths), rel=0.15)


def test_only_fit_rows_are_used():
    landmarks, annotations = made(20)
    marks = annotations.xy.copy()
    marks[10:] = 1e6  # would ruin the map
    splits = ("fit",) * 10 + ("test",) * 5 + ("train",) * 5
    fit = fit_annotated(landmarks, changed(annotations, xy=marks, splits=splits), draws=1)
    assert (fit.specimens, fit.other_rows) == (10, 10)
    assert fit.map.apply(landmarks).xy[10:] == pytest.approx(annotations.xy[10:], abs=3)
    with pytest.raises(InputError, match=r"No image .* 'fit'.*there are 5 'test', 5 'train'"):
        fit_annotated(
            landmarks,
            changed(
                annotations,
                files=annotations.files[10:],
                xy=marks[10:],
                splits=splits[10:],
                groups=("",) * 10,
            ),
        )


def test_a_set_in_which_nothing_is_marked_is_told():
    landmarks, annotations = made(3)
    nothing = changed(annotations, xy=np.full_like(annotations.xy, np.nan))
    with pytest.raises(InputError, match=r"No point is marked in any of the 3 images .* 'fit'"):
        fit_annotated(landmarks, nothing)


def test_points_may_be_missing_and_one_that_is_never_marked_is_left_out():
    landmarks, annotations = made(24)
    marks = np.concatenate([annotations.xy, np.full((24, 1, 2), np.nan)], axis=1)
    marks[::2, 1] = np.nan
    marks[3] = np.nan
    fit = fit_annotated(
        landmarks, changed(annotations, xy=marks, names=("middle", "tip", "tail")), draws=1
    )
    assert fit.map.names == ("middle", "tip")
    assert fit.marked == {"middle": 23, "tip": 11}
    assert (fit.other_rows, fit.unmarked) == (1, 1)
    assert np.isfinite(fit.map.weights).all()
    assert "not in the map: tail." in " ".join(fit.warnings)


def test_rows_of_another_split_and_rows_without_marks_are_counted_apart():
    landmarks, annotations = made(20)
    marks = annotations.xy.copy()
    marks[[2, 3, 19]] = np.nan
    splits = ("fit",) * 15 + ("test",) * 4 + ("train",)
    alone = fit_annotated(landmarks, changed(annotations, splits=splits), draws=1)
    assert "Not used: 5 rows of another split than fit." in alone.warnings
    fit = fit_annotated(landmarks, changed(annotations, xy=marks, splits=splits), draws=1)
    said = "Not used: 5 rows of another split than fit, 2 rows in which nothing is marked."
    assert said in fit.warnings
    assert fit.metrics()["unmarked"] == 2


def test_one_specimen_gives_a_map_and_no_estimate():
    landmarks, annotations = made(1)
    fit = fit_annotated(landmarks, annotations)
    assert fit.map.apply(landmarks).xy == pytest.approx(annotations.xy)
    assert np.isnan(fit.error)
    assert fit.curve == ()
    assert any("One specimen cannot be left out" in warning for warning in fit.warnings)
    assert fit.metrics()["error"] is None
    assert "–" in screen(fit)
    one = fit_annotated(landmarks, changed(annotations, xy=annotations.xy[:, :1], names=("tip",)))
    assert "1 point fitted to 4 landmarks on 1 specimen. Error" in " ".join(screen(one).split())


def test_groups_are_left_out_together_and_one_alone_is_told():
    landmarks, annotations = made(12, noise=1.0)
    pairs = tuple(f"person {i // 2}" for i in range(12))
    fit = fit_annotated(landmarks, changed(annotations, groups=pairs), draws=1)
    assert (fit.groups, fit.parts) == (6, 6)
    assert "groups together" in " ".join(screen(fit).split())
    fit = fit_annotated(landmarks, changed(annotations, groups=("one film",) * 12), draws=1)
    assert (fit.groups, fit.parts) == (0, 12)
    assert np.isfinite(fit.error)
    assert any("belong to one group" in warning for warning in fit.warnings)


def test_images_without_landmarks_are_listed_and_counted():
    landmarks, annotations = made(12)
    few = Landmarks(
        landmarks.xy[2:],
        landmarks.confidence[2:],
        landmarks.paths[2:],
        landmarks.sizes[2:],
        (Skipped("000.png", "the file is empty"), Skipped("001.png", "there is no such image")),
    )
    fit = fit_annotated(few, annotations, draws=1)
    assert (fit.specimens, fit.missing) == (10, ("000.png", "001.png"))
    assert fit.metrics()["skipped"][0] == {"file": "000.png", "reason": "the file is empty"}
    assert any("2 marked images could not be found or read" in text for text in fit.warnings)
    with pytest.raises(InputError, match="None of the 12 marked images has landmarks"):
        fit_annotated(
            Landmarks(landmarks.xy, landmarks.confidence, ("x",) * 12, landmarks.sizes), annotations
        )


def test_landmarks_that_are_not_finite_are_refused():
    landmarks, annotations = made(3)
    landmarks.xy[1, 0, 0] = np.nan
    with pytest.raises(InputError, match="not finite"):
        fit_annotated(landmarks, annotations)


def test_marks_made_at_another_size_are_told_first_but_not_those_of_other_splits():
    landmarks, annotations = made(20)
    doubled = annotations.xy.copy()
    doubled[:10] *= 2
    fit = fit_annotated(landmarks, changed(annotations, xy=doubled), draws=1)
    assert "Far outside their picture: " in fit.warnings[0]
    assert "in a picture of 200 × 160 px. Was it marked at another size" in fit.warnings[0]
    splits = ("test",) * 10 + ("fit",) * 10
    fit = fit_annotated(landmarks, changed(annotations, xy=doubled, splits=splits), draws=1)
    assert not any("outside" in warning for warning in fit.warnings)


def test_useless_landmarks_are_told():
    landmarks, annotations = made(30)
    noise = np.random.default_rng(5).uniform(20, 140, landmarks.xy.shape)
    random = Landmarks(noise, landmarks.confidence, landmarks.paths, landmarks.sizes)
    fit = fit_annotated(random, annotations, draws=2)
    assert any("no smaller than that of the mean shape" in warning for warning in fit.warnings)


def test_a_curve_that_still_falls_is_told_and_one_that_does_not_is_not():
    landmarks, annotations = made(16, noise=1.0)
    fit = fit_annotated(landmarks, annotations)
    assert [row.specimens for row in fit.curve] == [1, 2, 5, 8]
    assert any("from 8 to 16 specimens: mark more" in warning for warning in fit.warnings)
    landmarks, annotations = made(400, noise=3.0)
    fit = fit_annotated(landmarks, annotations, draws=3)
    assert [row.specimens for row in fit.curve] == [1, 2, 5, 10, 20, 50, 100, 200]
    assert fit.curve[-1].error == pytest.approx(fit.error, rel=0.05)
    assert fit.warnings == ()


def test_the_record_in_the_map_holds_every_number_and_is_json(tmp_path):
    landmarks, annotations = made(12, noise=1.0)
    fit = fit_annotated(landmarks, annotations, model="abc", draws=2, seed=3)
    path = fit.save(tmp_path, "both")
    values = json.loads(path.read_text(encoding="utf-8"))
    assert values["record"] == fit.metrics() == fit.map.record
    assert values["model"] == "abc"
    assert values["record"]["specimens"] == 12
    assert values["record"]["seed"] == 3
    assert set(values["record"]["per_point"]) == {"middle", "tip"}


def test_the_table_fits_eighty_columns_and_names_every_point():
    landmarks, annotations = made(12, noise=1.0)
    text = screen(fit_annotated(landmarks, annotations, draws=2))
    assert max(map(len, text.splitlines())) <= 80
    for words in ("middle", "tip", "mean shape", "error %", "one by one", "2 random choices"):
        assert words in text
