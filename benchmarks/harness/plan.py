"""The comparison to be made, read from YAML."""

import dataclasses
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from pydantic import ConfigDict, TypeAdapter, ValidationError

from swapmark.errors import InputError
from swapmark.training.config import read_yaml
from swapmark.training.presets import PresetName

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


for _section in (Budget, Method, Dataset, Plan):
    _section.__pydantic_config__ = ConfigDict(extra="forbid")  # pyright: ignore[reportAttributeAccessIssue]


def read_plan(path: Path) -> Plan:
    """Read a plan; raises InputError that names what is not valid. See check.py for the rest."""
    try:
        return TypeAdapter(Plan).validate_python(read_yaml(path))
    except ValidationError as error:
        problems = [
            f"  {'.'.join(map(str, detail['loc']))}: {detail['msg']}" for detail in error.errors()
        ]
        raise InputError("\n".join([f"{path} is not a valid plan:", *problems])) from None
