"""Scores of a detector on the annotated pictures of a data set."""

from pathlib import Path

import numpy as np

from harness.images import halves
from harness.plan import Dataset, ScoreOn
from swapmark.points.annotations import annotated_items, read_annotations
from swapmark.predict.predictor import Predictor
from swapmark.specimens.evaluate import evaluate
from swapmark.specimens.matching import marked_rows
from swapmark.specimens.result import Evaluation
from swapmark.types import Annotations


def score(detector: Predictor, dataset: Dataset, data: Path, on: ScoreOn) -> dict[str, dict]:
    """Errors in %, by the label of the annotated file, flat as in metrics.json of `evaluate`."""
    return {
        label: _score_file(detector, data / name, dataset.normaliser, on)
        for label, name in dataset.annotated.items()
    }


def _score_file(detector: Predictor, path: Path, normaliser: str | None, on: ScoreOn) -> dict:
    annotations = read_annotations(path)
    parts = [annotations] if on == "test" else halves(annotations)
    item_of = {item.name: item for item in annotated_items(path, annotations)}
    wanted = [parts[0].files[i] for i in marked_rows(parts[0])]
    landmarks = detector.predict([item_of[name] for name in wanted])

    def scored(part: Annotations) -> Evaluation:
        return evaluate(landmarks, part, normaliser=normaliser, draws=0)

    if on == "test":
        return numbers(scored(annotations))
    return mean_numbers([numbers(scored(part)) for part in parts])


def numbers(evaluation: Evaluation) -> dict:
    """What is kept of an evaluation: errors, their intervals over images, those of each point."""
    metrics = evaluation.metrics()
    kept = {
        key: value
        for key, value in metrics.items()
        if key.endswith((".nme", ".nme_interval")) and value is not None
    }
    points = {
        name: values
        for name, values in metrics["per_point"].items()
        if name == "mean_shape" or name.startswith("forward")
    }
    return {**kept, "per_point": points, "normaliser": evaluation.normaliser}


def mean_numbers(parts: list[dict]) -> dict:
    """The mean over both halves; their intervals are left out, as they hold for one half each."""
    first = parts[0]
    mean = {
        key: round(float(np.mean([part[key] for part in parts])), 4)
        for key in first
        if key.endswith(".nme") and all(key in part for part in parts)
    }
    points = {
        name: {point: _mean([part["per_point"][name][point] for part in parts]) for point in values}
        for name, values in first["per_point"].items()
    }
    return {**mean, "per_point": points, "normaliser": first["normaliser"]}


def _mean(values: list[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return round(float(np.mean(known)), 4) if known else None
