"""The comparison to be made: every method on every data set with every seed is a cell.

A plan is a YAML file with these keys (those with a default may be left out):

    budget    how long each method trains, one of {steps: 1200}, {images: 4800}, {minutes: 25}
    methods   by name, arguments of `swapmark.train`, such as {method: imm} or {c3: {inverse: 0}}
    datasets  by name, what is learned from and scored on:
        train       files in the data folder; of one that is annotated too only the `train` images
        annotated   files to score on, by the label that is shown
        fit_images  learn from the `fit` images of such files too (false)
        normaliser  as --normaliser of `swapmark evaluate` (null)
        settings    arguments of `swapmark.train` for this data set ({})
    preset    of all cells (laptop)
    settings  of all cells; those of the data set, then of the method are laid over them ({})
    seeds     ([0])
    score     test, or fit-folds, which leaves the `test` images alone: to choose settings (test)
    curve     points along each run that are scored too, each at twice the step of the last (0)
"""

import hashlib
import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

from swapmark.errors import InputError
from swapmark.training.config import config_from_mapping, override, read_yaml
from swapmark.training.presets import resolve_config

Cell = dict[str, Any]
"""What is known of a line of the results before the run is made."""
# Settings that are no part of a setup: the seed, and what the budget decides or is only written.
APART = ("seed", "steps", "log_every", "sample_every", "checkpoint_every")
DATA = ("train", "annotated", "fit_images", "normaliser")


def read_plan(path: Path) -> list[Cell]:
    """The cells of a plan, a seed at a time, so that an early stop leaves every method a number.

    Raises InputError that names what is not valid.
    """
    plan = read_yaml(path)
    try:
        return [
            _cell(method, dataset, seed, **plan)
            for seed in plan.get("seeds", [0])
            for dataset in plan["datasets"]
            for method in plan["methods"]
        ]
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise InputError(f"{path} is not a valid plan: {error}") from None


def _cell(
    method, name, seed, *, budget, methods, datasets, preset="laptop", settings=None, seeds=None,
    score="test", curve=0,
) -> Cell:  # fmt: skip
    data = {"fit_images": False, "normaliser": None, "settings": {}} | datasets[name]
    [(unit, amount), *more] = budget.items()
    if unit not in ("steps", "images", "minutes") or amount <= 0 or more:
        raise ValueError(f"budget is {budget}; expected steps, images or minutes, above 0")
    if unknown := data.keys() - {*DATA, "settings"}:
        raise ValueError(f"{name} has {', '.join(unknown)}; expected {', '.join(DATA)}, settings")
    if score not in ("test", "fit-folds"):
        raise ValueError(f"score is {score}; expected test or fit-folds")
    arguments = override(override(settings or {}, data["settings"]), methods[method])
    arguments = {"preset": preset, **arguments, "seed": seed}
    try:
        config = asdict(resolve_config(**arguments))
    except InputError as error:
        raise InputError(f"{method} on {name}: {error}") from None
    cell = {"method": method, "dataset": name, "seed": seed, "score": score, "curve": curve}
    sections = [(key, own) for key, own in arguments.items() if isinstance(own, dict)]
    settings = [f"{key}.{name}={value}" for key, own in sections for name, value in own.items()]
    cell |= {"budget": f"{amount:g} {unit}", "arguments": arguments, "config": config}
    cell |= {"preset": preset, "settings": settings}
    cell |= {key: data[key] for key in DATA}
    return {"key": f"{name}/{method}-{seed}-{setup_of(cell)}", **cell}


def setup_of(record: Cell) -> str:
    """A hash of all that decides a result but the seed and the code; one setup is one row."""
    config = modern(record["config"])
    training = {key: value for key, value in config["training"].items() if key not in APART}
    values = [config | {"training": training}, record.get("score", "test")]
    values += [record.get(name) or None for name in (*DATA, "dataset", "budget", "untrained")]
    return hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()[:10]


def identity(record: Cell) -> tuple:
    """What a result is of: of several with one identity the last counts."""
    return record.get("dataset"), record["method"], record["seed"], setup_of(record)


def modern(config: dict[str, Any]) -> dict[str, Any]:
    """Recorded settings by their names of today; those younger than the record by default."""
    c3, training = dict(config["c3"]), dict(config["training"])
    if "second_swap" in c3 and not c3.pop("second_swap"):  # `cycle` was the weight of one swap
        c3 |= {"swap": c3["cycle"], "cycle": 0.0}
    resize = {"resize": training.pop("fit")} if "fit" in training else {}
    values = {"c3": {"swap": 0.0} | c3, "training": training, "model": config["model"] | resize}
    return asdict(config_from_mapping(config | values))
