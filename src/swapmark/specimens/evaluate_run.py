"""From a trained run and annotated images to an evaluation on disk."""

import os
from pathlib import Path

from swapmark.files import refuse_existing
from swapmark.specimens.evaluate import evaluate
from swapmark.specimens.matching import marked_rows
from swapmark.specimens.normaliser import choose_normaliser
from swapmark.specimens.result import Evaluation


def metrics_path(run: str | os.PathLike, annotated: str | os.PathLike) -> Path:
    """Where the numbers of `annotated` belong: in the run folder, or here where `run` is none.

    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as run:
    ...     metrics_path(run, "data/wings/landmarks.csv").relative_to(run).as_posix()
    'evaluation/wings/metrics.json'
    >>> metrics_path("exported/faces.onnx", "data/lfw.zip").as_posix()
    'faces-evaluation-lfw.json'
    >>> metrics_path("jane/wings-1.2", "data/lfw.zip").as_posix()
    'wings-1.2-evaluation-lfw.json'
    """
    source = Path(annotated).resolve()
    name = source.name if source.is_dir() else source.stem
    if source.suffix.lower() == ".csv":
        name = source.parent.name
    run = Path(run)
    if not run.is_dir():  # an .onnx file, or the name of a model, which may have dots in it
        model = run.stem if run.suffix.lower() == ".onnx" else run.name
        return Path(f"{model}-evaluation-{name}.json")
    return run / "evaluation" / name / "metrics.json"


def evaluate_run(
    run: str | os.PathLike,
    annotated: str | os.PathLike,
    *,
    normaliser: str | None = None,
    out: str | os.PathLike | None = None,
    overwrite: bool = False,
    bootstrap: int = 1000,
    draws: int = 10,
    seed: int = 0,
    progress: bool = True,
) -> Evaluation:
    """Find landmarks in the fit and test images of `annotated`, score them, write metrics.json.

    `run` is what `swapmark.load` takes, a run folder say; `annotated` a zip or folder with images
    and landmarks.csv, or that file; `out` the JSON file (default: `metrics_path(run, annotated)`).
    The other options are those of `swapmark.specimens.evaluate.evaluate`. Only images with a
    marked point are looked at.

    Raises InputError if the file exists and `overwrite` is not set, before any work is done.
    """
    from swapmark.points.annotations import annotated_items, read_annotations
    from swapmark.predict.load import load

    out = metrics_path(run, annotated) if out is None else Path(out)
    refuse_existing(out, overwrite=overwrite)
    annotations = read_annotations(annotated)
    choose_normaliser(normaliser, annotations.names)
    wanted = marked_rows(annotations)
    items = annotated_items(annotated, annotations)
    landmarks = load(run).predict([items[i] for i in wanted], progress=progress)
    evaluation = evaluate(
        landmarks, annotations, normaliser=normaliser, bootstrap=bootstrap, draws=draws, seed=seed
    )
    evaluation.write(out)
    return evaluation
