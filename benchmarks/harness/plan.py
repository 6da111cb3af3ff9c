"""The comparison to be made, read from YAML, and the cells it is made of."""

import dataclasses
import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from pydantic import ConfigDict, TypeAdapter, ValidationError

from swapmark.errors import InputError
from swapmark.training.config import Config, config_to_mapping, read_yaml
from swapmark.training.presets import PresetName
from swapmark.training.train import resolve_config

ScoreOn = Literal["test", "fit-halves"]
Settings = dict[str, Any]
"""`section.name: value`, as `--set section.name=value` of `swapmark train`."""


@dataclass(frozen=True)
class Budget:
    """How long each method trains: exactly one of these."""

    steps: int | None = None
    """Optimiser steps."""
    minutes: float | None = None
    """Wall-clock time on this machine; steps are derived from the time of a few."""
    images: int | None = None
    """Images seen, repeats counted."""

    def __post_init__(self):
        given = [value for value in dataclasses.astuple(self) if value is not None]
        if len(given) != 1 or given[0] <= 0:
            raise ValueError("expected exactly one of steps, minutes and images, above 0")

    @property
    def words(self) -> str:
        """Such as `1200 steps`."""
        return " ".join(
            f"{value:g} {name}"
            for name, value in dataclasses.asdict(self).items()
            if value is not None
        )


@dataclass(frozen=True)
class Method:
    """A row of the table."""

    method: Literal["c3", "imm", "untrained"]
    """`untrained`: the nets as they are before the first step."""
    settings: Settings = field(default_factory=dict)


@dataclass(frozen=True)
class Dataset:
    """Pictures to learn from without annotation, and annotated ones to score on.

    Files are relative to the data folder. Of a training file with a landmarks.csv only the `train`
    images are taken.
    """

    train: list[str]
    annotated: dict[str, str]
    """By the label under which the scores are shown."""
    fit_images: bool = False
    """Learn from the `fit` images of those training files too, without their annotation."""
    normaliser: str | None = None
    """As `--normaliser` of `swapmark evaluate`."""
    settings: Settings = field(default_factory=dict)


@dataclass(frozen=True)
class Plan:
    """Methods × data sets × seeds, one budget, one way to score."""

    budget: Budget
    methods: dict[str, Method]
    datasets: dict[str, Dataset]
    preset: PresetName = "laptop"
    settings: Settings = field(default_factory=dict)
    seeds: list[int] = field(default_factory=lambda: [0])
    score: ScoreOn = "test"
    """`fit-halves` leaves the `test` images alone, for choosing between settings."""
    curve: int = 0
    """Score at this many steps along each run too, each at twice the step of the one before."""

    def cells(self) -> "Iterator[Cell]":
        """All cells, a seed at a time, so that an early stop leaves every method with a number."""
        for seed in self.seeds:
            for dataset in self.datasets:
                for method in self.methods:
                    yield Cell(self, dataset, method, seed)


for _section in (Budget, Method, Dataset, Plan):
    _section.__pydantic_config__ = ConfigDict(extra="forbid")  # pyright: ignore[reportAttributeAccessIssue]


@dataclass(frozen=True)
class Cell:
    """One run of the comparison."""

    plan: Plan
    dataset_name: str
    method_name: str
    seed: int

    @property
    def dataset(self) -> Dataset:
        """What it learns from and is scored on."""
        return self.plan.datasets[self.dataset_name]

    @property
    def method(self) -> Method:
        """How it learns."""
        return self.plan.methods[self.method_name]

    @property
    def settings(self) -> list[str]:
        """As for `swapmark.train`: of all, then of the data set, then of the method."""
        plan = self.plan
        given = [plan.settings, self.dataset.settings, self.method.settings]
        return [f"{name}={json.dumps(value)}" for part in given for name, value in part.items()]

    def config(self, steps: int | None = None) -> Config:
        """Every setting of the run; raises InputError for one that does not exist."""
        method = {} if self.method.method == "untrained" else {"method": self.method.method}
        training = {"seed": self.seed} | ({} if steps is None else {"steps": steps})
        named = {**method, "training": training}
        return resolve_config(self.plan.preset, None, self.settings, named)

    @property
    def setup(self) -> str:
        """A hash of all that decides the result but the seed and the code."""
        config = config_to_mapping(self.config())
        del config["training"]["seed"], config["training"]["steps"]
        dataset = dataclasses.asdict(self.dataset)
        del dataset["settings"]  # they are in the configuration
        values = {
            "method": self.method.method,
            "config": config,
            "dataset": dataset,
            "budget": dataclasses.asdict(self.plan.budget),
            "score": self.plan.score,
            "curve": self.plan.curve,
        }
        return hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()[:10]

    @property
    def key(self) -> str:
        """Names the cell in the results, and its run folder."""
        return f"{self.dataset_name}/{self.method_name}-{self.seed}-{self.setup}"


def read_plan(path: Path, data: Path) -> Plan:
    """Read a plan and check all of it, so that nothing is found wrong after hours of training.

    Raises InputError for what is not valid, settings that do not exist, and files that are not in
    the folder `data`.
    """
    try:
        plan = TypeAdapter(Plan).validate_python(read_yaml(path))
    except ValidationError as error:
        problems = [
            f"  {'.'.join(map(str, detail['loc']))}: {detail['msg']}" for detail in error.errors()
        ]
        raise InputError("\n".join([f"{path} is not valid:", *problems])) from None
    for cell in plan.cells():
        try:
            config = cell.config()
        except InputError as error:
            raise InputError(
                f"{path}, {cell.method_name} on {cell.dataset_name}: {error}"
            ) from None
        if plan.budget.minutes is None and planned_steps(plan.budget, config) < 1:
            raise InputError(f"{path}: {plan.budget.words} are less than one step.")
    files = [name for d in plan.datasets.values() for name in [*d.train, *d.annotated.values()]]
    missing = sorted({name for name in files if not (data / name).exists()})
    if missing:
        raise InputError(
            f"{path} names {', '.join(missing)}, not found in {data}. Name the folder that holds "
            f"them by --data."
        )
    return plan


def planned_steps(budget: Budget, config: Config) -> int:
    """The steps of a budget that isn't one of time."""
    if budget.images is not None:
        return budget.images // config.training.batch_size
    assert budget.steps is not None
    return budget.steps
