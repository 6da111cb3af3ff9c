"""One cell: train or go on training, score, and tell what it cost and what it gave."""

import json
import math
import shutil
from pathlib import Path

from harness.cells import Cell, planned_steps
from harness.images import training_items
from harness.machine import load_average, processor
from harness.scoring import score
from harness.timing import steps_in
from swapmark.data.cache import load_images
from swapmark.data.items import Item
from swapmark.environment import environment_report
from swapmark.predict.detector import Detector
from swapmark.predict.load import load
from swapmark.training.config import Config, config_to_mapping
from swapmark.training.monitor import LandmarkHealth
from swapmark.training.run import Run
from swapmark.training.state import make_accelerator, make_state
from swapmark.training.train import read_config, train

HEALTH = ("spread", "spread_min", "coverage", "nearest", "nearest_min", "following")


def run_cell(
    cell: Cell, data: Path, runs: Path, *, again: bool = False, progress: bool = True
) -> dict:
    """Bring a cell to its end, from where an earlier call was stopped, and tell what it gave.

    `again` starts from the beginning.
    """
    load_before = load_average()
    if cell.method.method == "untrained":
        config = cell.config()
        found = {"steps": 0, "images_seen": 0, "seconds": 0.0}
        detector = untrained(config)
    else:
        run = trained(cell, data, runs / cell.key, again=again, progress=progress)
        config = read_config(run)
        found = _history(run, config)
        detector = load(run)
    scores = score(detector, cell.dataset, data, cell.plan.score)
    end = {"step": found["steps"], "images_seen": found["images_seen"], "scores": scores}
    curve = [*_along(cell, data, runs / cell.key), end] if cell.plan.curve else []
    return {
        **found,
        **_environment(),
        "load": [load_before, load_average()],
        "scores": scores,
        **({"curve": curve} if curve else {}),
        "config": config_to_mapping(config),
    }


def untrained(config: Config) -> Detector:
    """The nets before the first step: a pretrained backbone, if asked for, and random landmarks."""
    state = make_state(config, make_accelerator(config))
    return Detector(state.average, fit=config.training.fit)


def trained(cell: Cell, data: Path, folder: Path, *, again: bool, progress: bool) -> Run:
    """The run of a cell, trained to its end."""
    items = training_items(cell.dataset, data, cell.plan.score)
    points = cell.plan.curve

    def keep(run: Run, step: int) -> None:
        if points and step in curve_steps(read_config(run), points)[:-1]:
            shutil.copytree(run.model, _snapshots(folder) / f"{step:07d}", dirs_exist_ok=True)

    if Run(folder).config.exists() and not again:
        return train(items, folder, resume=True, progress=progress, on_checkpoint=keep)
    remove_snapshots(folder)
    steps = _steps(cell, items)
    settings = cell.settings
    if points:
        settings = [*settings, f"training.checkpoint_every={max(1, steps >> (points - 1))}"]
    return train(
        items,
        folder,
        preset=cell.plan.preset,
        settings=settings,
        method=cell.config().method,
        seed=cell.seed,
        steps=steps,
        overwrite=again,
        progress=progress,
        on_checkpoint=keep,
    )


def _steps(cell: Cell, items: list[Item]) -> int:
    config, budget = cell.config(), cell.plan.budget
    if budget.minutes is None:
        return planned_steps(budget, config)
    images = load_images(items, config.model.image_size, fit=config.training.fit)
    return steps_in(budget.minutes, config, images)


def curve_steps(config: Config, points: int) -> list[int]:
    """The steps along a run that are scored too: each twice the one before, and the last.

    The first is that of the first checkpoint.

    >>> from swapmark.training.config import config_from_mapping
    >>> config = config_from_mapping({"training": {"steps": 100, "checkpoint_every": 12}})
    >>> curve_steps(config, points=4)
    [12, 24, 48, 100]
    """
    last, first = config.training.steps, config.training.checkpoint_every
    doubled = [first << power for power in range(points - 1)]
    return [step for step in doubled if step < last] + [last]


def _snapshots(folder: Path) -> Path:
    """Where the models along a run lie until they are scored and recorded."""
    return folder / "curve"


def remove_snapshots(folder: Path) -> None:
    """Delete the models along a run."""
    shutil.rmtree(_snapshots(folder), ignore_errors=True)


def _along(cell: Cell, data: Path, folder: Path) -> list[dict]:
    """Scores along a run, before its end."""
    batch_size = cell.config().training.batch_size
    return [
        {
            "step": int(path.name),
            "images_seen": int(path.name) * batch_size,
            "scores": score(load(path), cell.dataset, data, cell.plan.score),
        }
        for path in sorted(_snapshots(folder).glob("*"))
    ]


def _history(run: Run, config: Config) -> dict:
    """What a run cost, and the state of its landmarks at the end."""
    last = run.metrics()[-1]
    health = LandmarkHealth(**{name: last.get(name, math.nan) for name in HEALTH})
    images = json.loads(run.images.read_text(encoding="utf-8"))
    return {
        "images": images["images"],
        "fingerprint": images["fingerprint"],
        "steps": last["step"],
        "images_seen": last["step"] * config.training.batch_size,
        "seconds": last["seconds"],
        **{name: last[name] for name in HEALTH if name in last},
        "warnings": list(health.warnings(config.method)),
    }


def _environment() -> dict:
    report = environment_report()
    return {
        "threads": report["torch_threads"],
        "devices": report["devices"],
        "processor": processor(),
        "torch": report["packages"]["torch"],
    }
