"""One cell: train it, or go on, score it, and tell what it cost and what it gave."""

import hashlib
import shutil
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import yaml

import swapmark
from harness.plan import Cell
from swapmark.data.items import Item
from swapmark.data.sources import list_images
from swapmark.errors import InputError
from swapmark.points.annotated import Annotated, read_annotated
from swapmark.specimens.evaluate import evaluate

TRIAL_STEPS = 40


def training_items(cell: Cell, data: Path) -> list[Item]:
    """List the pictures to learn from.

    Raises InputError where one of them has the content of a picture that the score is taken on,
    under whatever name: a `test` picture, and with `fit-folds` a `fit` picture as well.
    """
    splits = ("train", "fit") if cell["fit_images"] else ("train",)
    annotated = cell["annotated"].values()
    items = []
    for name in cell["train"]:
        path = data / name
        found = _of_splits(path, splits).items if name in annotated else list_images(path)
        items += [item._replace(name=f"{name}/{item.name}") for item in found]
    splits = ("test",) if cell["score"] == "test" else ("fit", "test")
    apart = {
        _digest(item): f"{name}/{item.name}"
        for name in annotated
        for item in _of_splits(data / name, splits).items
    }
    for item in items:
        if other := apart.get(_digest(item)):
            raise InputError(
                f"{item.name} would be trained on, and is {other}, which is kept apart for the "
                f"score ({cell['score']}). Take it out of the training files."
            )
    return items


def scored(path: Path, score: str) -> Annotated:
    """The images that a score is taken on; for `fit-folds` without their split."""
    marks = _of_splits(path, ("fit", "test") if score == "test" else ("fit",))
    return marks if score == "test" else replace(marks, points=replace(marks.points, split=None))


def run_cell(cell: Cell, data: Path, folder: Path, *, again: bool) -> dict[str, Any]:
    """Bring a cell to its end, from where an earlier call was stopped; `again`: from its start."""
    items = training_items(cell, data)
    resume, along = (folder / "config.yaml").exists() and not again, folder / "curve"

    def keep(run: swapmark.Run, step: int) -> None:
        if not cell["curve"]:
            return
        doublings, rest = divmod(step, _read(run, "config")["training"]["checkpoint_every"])
        if not rest and doublings in [2**n for n in range(cell["curve"] - 1)]:
            shutil.copytree(run.model, along / f"{step:07d}", dirs_exist_ok=True)

    arguments: dict[str, Any] = {"resume": True}
    if not resume:
        shutil.rmtree(along, ignore_errors=True)
        arguments = _arguments(cell, items) | {"overwrite": again}
    run = swapmark.train(items, folder, on_checkpoint=keep, **arguments)
    config, environment, last = _read(run, "config"), _read(run, "environment"), run.metrics()[-1]
    batch = config["training"]["batch_size"]
    places = {int(path.name): path for path in along.glob("*")} | {last["step"]: run.path}
    curve = [
        {"step": n, "images_seen": n * batch, "scores": _score(places[n], cell, data)}
        for n in sorted(places)
    ]
    shutil.rmtree(along, ignore_errors=True)
    return {
        "images": _read(run, "images")["images"],
        "steps": last.pop("step"),
        **last,
        "images_seen": curve[-1]["images_seen"],
        "threads": environment["torch_threads"],
        "devices": environment["devices"],
        "torch": environment["packages"]["torch"],
        "config": config,
        "scores": curve[-1]["scores"],
        "curve": curve if cell["curve"] else None,
    }


def _arguments(cell: Cell, items: list[Item]) -> dict[str, Any]:
    """What `swapmark.train` is given; the steps that fit into minutes are found by a short run."""
    arguments, (amount, unit) = dict(cell["arguments"]), cell["budget"].split()
    own, steps = arguments.pop("training", {}), float(amount)
    if unit == "images":
        steps /= cell["config"]["training"]["batch_size"]
    if unit == "minutes":
        every = dict.fromkeys(("log_every", "sample_every", "checkpoint_every"), TRIAL_STEPS)
        with tempfile.TemporaryDirectory() as folder:
            trial = {**arguments, "training": own | every, "steps": TRIAL_STEPS}
            run = swapmark.train(items, Path(folder, "trial"), **trial)
            steps *= 60 * TRIAL_STEPS / run.metrics()[-1]["seconds"]
    steps = arguments.pop("steps", max(1, int(steps)))
    if cell["curve"]:
        own = own | {"checkpoint_every": max(1, steps >> (cell["curve"] - 1))}
    return {**arguments, "training": own, "steps": steps}


def _score(model: Path, cell: Cell, data: Path) -> dict[str, dict]:
    """Errors in %, by the label of the annotated file, as in metrics.json of `evaluate`."""
    detector, scores = swapmark.load(model), {}
    for label, file in cell["annotated"].items():
        marks = scored(data / file, cell["score"])
        found = detector.predict(marks.items)
        metrics = evaluate(found, marks.points, normaliser=cell["normaliser"], draws=0).metrics()
        kept = {key: value for key, value in metrics.items() if ".nme" in key and value is not None}
        scores[label] = kept | {name: metrics[name] for name in ("per_point", "normaliser")}
    return scores


def _of_splits(path: Path, splits: tuple[str, ...]) -> Annotated:
    marks = read_annotated(path)
    if marks.points.split is None:
        raise InputError(f"{path} has no column split. Give it one with train, fit and test.")
    rows = [row for row, split in enumerate(marks.points.split) if split in splits]
    items = [marks.items[row] for row in rows]
    return replace(marks, points=marks.points.take(rows), items=items)


def _read(run: swapmark.Run, name: str) -> dict[str, Any]:
    """A YAML or JSON file of a run, by its name."""
    (path,) = run.path.glob(f"{name}.*")
    return yaml.safe_load(path.read_text(encoding="utf-8"))


def _digest(item: Item) -> bytes:
    content = item.read()
    data = content.tobytes() if isinstance(content, np.ndarray) else content
    return hashlib.blake2b(data, digest_size=16).digest()
