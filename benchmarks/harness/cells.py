"""The runs that a plan is made of, and which of them are the same but for their seed."""

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from harness.plan import Budget, Dataset, Method, Plan
from swapmark.errors import InputError
from swapmark.training.config import Config, config_from_mapping, config_to_mapping
from swapmark.training.train import resolve_config

# Settings of training that are no part of a setup: the seed, what the budget decides, and how often
# something is written.
_APART = ("seed", "steps", "log_every", "sample_every", "checkpoint_every")
_DATA = ("dataset", "train", "fit_images", "annotated", "normaliser")


@dataclass(frozen=True)
class Cell:
    """A method on a data set with a seed."""

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
        given = [self.plan.settings, self.dataset.settings, self.method.settings]
        return [f"{name}={json.dumps(value)}" for part in given for name, value in part.items()]

    def config(self) -> Config:
        """Every setting but the steps; raises InputError for one that does not exist."""
        method = {} if self.method.method == "untrained" else {"method": self.method.method}
        named = {**method, "training": {"seed": self.seed}}
        return resolve_config(self.plan.preset, None, self.settings, named)

    @property
    def key(self) -> str:
        """Names the cell in the results, and its run folder."""
        return f"{self.dataset_name}/{self.method_name}-{self.seed}-{setup_of(self.record())}"

    def record(self) -> dict[str, Any]:
        """What is known of its line of the results beforehand."""
        return {
            "method": self.method_name,
            "dataset": self.dataset_name,
            "seed": self.seed,
            "score": self.plan.score,
            "budget": self.plan.budget.words,
            "preset": self.plan.preset,
            "settings": self.settings,
            "untrained": self.method.method == "untrained",
            "train": self.dataset.train,
            "fit_images": self.dataset.fit_images,
            "annotated": self.dataset.annotated,
            "normaliser": self.dataset.normaliser,
            "config": config_to_mapping(self.config()),
        }


def cells_of(plan: Plan) -> Iterator[Cell]:
    """All cells, a seed at a time, so that an early stop leaves every method with a number."""
    for seed in plan.seeds:
        for dataset in plan.datasets:
            for method in plan.methods:
                yield Cell(plan, dataset, method, seed)


def planned_steps(budget: Budget, config: Config) -> int:
    """The steps of a budget that isn't one of time."""
    if budget.images is not None:
        return budget.images // config.training.batch_size
    assert budget.steps is not None
    return budget.steps


def setup_of(record: Mapping[str, Any]) -> str:
    """A hash of all that decides a result but the seed and the code.

    Settings that the record is too old to have count as what they are by default.
    """
    try:
        config = config_to_mapping(config_from_mapping(record["config"]))
    except InputError:  # of a version with other settings
        config = dict(record["config"])
    training = {key: value for key, value in config["training"].items() if key not in _APART}
    values = {
        "config": config | {"training": training},
        "untrained": record.get("untrained", False),
        "score": record.get("score", "test"),
        "budget": record.get("budget"),
        **{name: record.get(name) for name in _DATA},
    }
    return hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()[:10]


def same_cell(record: dict, other: dict) -> bool:
    """Whether two records are of one method, data set, seed and setup."""
    names = ("method", "dataset", "seed")
    same = all(record.get(name) == other.get(name) for name in names)
    return same and setup_of(record) == setup_of(other)


def is_finished(records: list[dict], cell: Cell) -> bool:
    """Whether the cell has a result; one that failed has none, and is tried again."""
    own = cell.record()
    return any("error" not in record and same_cell(record, own) for record in records)
