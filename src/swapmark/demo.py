"""`swapmark demo`: the whole way on synthetic faces, from pictures to a score."""

import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from swapmark.detector import load
from swapmark.errors import InputError
from swapmark.faces.drawn import DrawnFaces, draw_faces, save_faces
from swapmark.specimens.evaluate import Evaluation
from swapmark.training.run import Run, refuse_run
from swapmark.training.train import train

SHOWN = 24
FIT = 0.25
"""The share of the faces whose points fit the linear map: 1,000 of 4,000, as in LFW and AFLW."""


@dataclass(frozen=True)
class Demo:
    """What the demo made and measured."""

    run: Run
    """The trained run."""
    evaluation: Evaluation
    """The scores on faces that were kept apart."""
    metrics: Path
    """The same in a file."""
    picture: Path
    """Landmarks on faces that were kept apart."""
    report: Path
    """What was learned, to be opened in a browser."""
    verdict: str
    """The same in one line."""


def demo(
    out: str | Path = "demo",
    *,
    count: int = 4000,
    steps: int | None = None,
    seed: int = 0,
    device: str | None = None,
    overwrite: bool = False,
    progress: bool = True,
) -> Demo:
    """Draw `count` faces, learn their landmarks with the preset `demo`, evaluate, write pictures.

    Training sees the train split alone, so that the scores are of faces that were kept apart.
    Raises InputError if `out` holds an earlier demo and `overwrite` is not set, and RunError if
    the place of the run is taken by something else.
    """
    out = Path(out)
    faces_path, run_path = out / "faces.zip", out / "run"
    if not overwrite and (faces_path.exists() or run_path.exists()):
        raise InputError(
            f"{out} already holds a demo. Replace it by --overwrite, or name another --out."
        )
    refuse_run(run_path, overwrite=overwrite)
    _say(f"Drawing {count} faces …", progress)
    faces = draw_faces(count, seed=seed, fit=FIT)
    save_faces(faces, faces_path, overwrite=overwrite)
    _say("Learning landmarks from the train split, without annotation …", progress)
    run = train(
        _images_of(faces, "train"),
        run_path,
        preset="demo",
        steps=steps,
        seed=seed,
        device=device,
        overwrite=overwrite,
        progress=progress,
    )
    detector = load(run, device=device)
    evaluation = detector.evaluate(faces_path)
    metrics = evaluation.save(detector.metrics_path(faces_path), overwrite=overwrite)
    shown = detector.predict(_images_of(faces, "test")[:SHOWN])
    picture = shown.draw(out / "landmarks.png", overwrite=overwrite)
    made = detector.report(_images_of(faces, "test"), run.path / "report.html", overwrite=True)
    return Demo(run, evaluation, metrics, picture, made.path, made.verdict)


def _images_of(faces: DrawnFaces, split: str) -> np.ndarray:
    return faces.images[np.array(faces.points.split) == split]


def _say(text: str, progress: bool) -> None:
    if progress:
        print(text, file=sys.stderr, flush=True)
