"""Scores are taken on the images they should be; the detector is a stand-in."""

from types import SimpleNamespace

import numpy as np
import pytest

from harness.images import halves
from harness.plan import Dataset
from harness.scoring import mean_numbers, score
from swapmark.points.annotations import read_annotations
from swapmark.specimens.evaluate import evaluate
from swapmark.types import Landmarks

FACES = Dataset(train=["marked.zip"], annotated={"drawn": "marked.zip"})


@pytest.fixture
def detector(data):
    """Finds the marked points, a little off, and keeps the names it was asked for."""
    marks = read_annotations(data / "marked.zip")
    off = marks.xy + np.random.default_rng(0).normal(0, 1, marks.xy.shape)
    row_of = {name: row for row, name in enumerate(marks.files)}
    asked: list[str] = []

    def predict(items) -> Landmarks:
        asked.extend(item.name for item in items)
        xy = off[[row_of[item.name] for item in items]]
        names = tuple(item.name for item in items)
        return Landmarks(xy, np.ones(xy.shape[:2]), names, np.full((len(items), 2), 32))

    return SimpleNamespace(predict=predict, asked=asked)


def files_of(data, *splits: str) -> set[str]:
    marks = read_annotations(data / "marked.zip")
    return {f for f, s in zip(marks.files, marks.splits, strict=True) if s in splits}


def test_the_score_on_test_is_that_of_evaluate(detector, data):
    found = score(detector, FACES, data, "test")["drawn"]
    assert set(detector.asked) == files_of(data, "fit", "test")
    marks = read_annotations(data / "marked.zip")
    items = [SimpleNamespace(name=name) for name in sorted(files_of(data, "fit", "test"))]
    expected = evaluate(detector.predict(items), marks).metrics()
    assert found["forward.imm.nme"] == expected["forward.imm.nme"]
    assert found["forward.imm.nme_interval"] == expected["forward.imm.nme_interval"]
    assert found["per_point"]["forward.imm"] == expected["per_point"]["forward.imm"]


def test_the_score_on_halves_is_the_mean_of_both_and_never_sees_a_test_image(detector, data):
    found = score(detector, FACES, data, "fit-halves")["drawn"]
    assert set(detector.asked) == files_of(data, "fit")
    parts = halves(read_annotations(data / "marked.zip"))
    landmarks = detector.predict([SimpleNamespace(name=name) for name in parts[0].files])
    errors = [evaluate(landmarks, part).metrics()["forward.imm.nme"] for part in parts]
    assert errors[0] != errors[1]
    assert found["forward.imm.nme"] == pytest.approx(np.mean(errors), abs=1e-4)
    assert not [name for name in found if name.endswith("interval")]


def test_a_point_that_is_scored_in_one_half_alone_counts_by_that():
    one = {"per_point": {"mean_shape": {"nose": None, "chin": 4.0}}, "normaliser": "x"}
    other = {"per_point": {"mean_shape": {"nose": 2.0, "chin": 6.0}}, "normaliser": "x"}
    assert mean_numbers([one, other])["per_point"] == {"mean_shape": {"nose": 2.0, "chin": 5.0}}
