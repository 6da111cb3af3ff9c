"""Everything a run can be told, as frozen dataclasses, and reading them from YAML.

Config stays at the edge: networks and objectives take plain arguments or their own section.
"""

import dataclasses
import difflib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from annotated_types import Ge, Le, MultipleOf
from pydantic import ConfigDict, TypeAdapter, ValidationError

from swapmark.bounds import NotNegative, Positive, Share, check_bounds
from swapmark.data.views import ViewsConfig
from swapmark.errors import InputError
from swapmark.files import read_regular
from swapmark.model.model import ModelConfig
from swapmark.objectives.c3 import C3Config

Method = Literal["c3", "imm"]
Steps = Annotated[int, Ge(1)]


@dataclass(frozen=True)
class TrainingConfig:
    """The loop: how long, how fast, how often things are written."""

    steps: Steps = 2000
    """Optimiser steps. The learning rate falls to zero at the last, so choose before starting."""
    batch_size: Annotated[int, Ge(2), MultipleOf(2)] = 32
    """Images a step over all devices; even, as C³ pairs them."""
    learning_rate: Positive = 1e-3
    """Peak learning rate of AdamW."""
    backbone_rate: NotNegative = 1.0
    """Factor on the learning rate of the backbone; below 1 to keep pretrained weights nearer, 0 to
    freeze it, which is faster."""
    warmup: Annotated[int, Ge(0)] = 100
    """Steps over which the learning rate rises linearly."""
    weight_decay: NotNegative = 1e-5
    """Decoupled weight decay of AdamW."""
    clip: Positive = 1.0
    """Largest norm of the gradient."""
    average: Share = 0.99
    """Decay of the moving average of the weights that is evaluated and exported; 0 for none."""
    precision: Literal["auto", "float32", "bfloat16"] = "auto"
    """Of the networks and the frozen network of P; on a CPU the backbone stays in float32, which is
    faster there. `auto`: bfloat16 where the machine computes it natively."""
    seed: Annotated[int, Ge(0), Le(2**32 - 1)] = 0
    """Every random choice follows from it."""
    log_every: Steps = 50
    """Steps between lines of metrics.jsonl; one more with each sample sheet."""
    sample_every: Steps = 500
    """Steps between sample sheets; one more is made after the first 100 steps."""
    checkpoint_every: Annotated[int, Ge(0)] = 0
    """Steps between checkpoints. 0: the first after 100 steps, then one every two minutes."""

    def __post_init__(self):
        check_bounds(self)


@dataclass(frozen=True)
class Config:
    """One run: the networks, the views, the objective and the loop.

    >>> Config(model=ModelConfig(landmarks=4)).model.landmarks
    4
    """

    method: Method = "c3"
    """`c3`: unpaired, cross-image cycle (Xu et al. 2020). `imm`: TPS pairs (Jakab et al. 2018)."""
    model: ModelConfig = field(default_factory=ModelConfig)
    views: ViewsConfig = field(default_factory=ViewsConfig)
    c3: C3Config = field(default_factory=C3Config)
    training: TrainingConfig = field(default_factory=TrainingConfig)
    perceptual_vgg: str | None = None
    """A torchvision VGG-16/19 state dict for P; EfficientNet-Lite0 if unset."""

    @property
    def swaps_begin(self) -> int | None:
        """The step after which the swaps fade in; None where none do."""
        c3 = self.c3
        swaps = self.method == "c3" and any(c3.late.values())
        return round(c3.ramp_start * self.training.steps) if swaps else None

    def __post_init__(self):
        check_bounds(self)
        if self.model.backbone == "plain" and not self.training.backbone_rate:
            raise ValueError(
                "training.backbone_rate is 0, which freezes the backbone; expected more than 0 "
                "with model.backbone=plain, whose weights are random at first"
            )
        pairs, landmarks = self.c3.mirror_pairs, self.model.landmarks
        if self.method == "c3" and 2 * pairs > landmarks:
            raise ValueError(
                f"c3.mirror_pairs is {pairs}; expected at most {landmarks // 2}, half of the "
                f"{landmarks} landmarks (model.landmarks)"
            )
        if self.method == "c3" and pairs and not self.c3.known_equivariance:
            raise ValueError(
                f"c3.known_equivariance is 0; expected more than 0 with c3.mirror_pairs={pairs}, "
                "which acts by it"
            )


for _section in (Config, ModelConfig, ViewsConfig, C3Config, TrainingConfig):
    _section.__pydantic_config__ = ConfigDict(extra="forbid", allow_inf_nan=False)  # pyright: ignore[reportAttributeAccessIssue]


def config_from_mapping(values: Mapping[str, Any], source: str = "the configuration") -> Config:
    """Check and convert nested plain values; raises InputError that names the field.

    >>> config_from_mapping({"model": {"landmarks": 4}}).model.landmarks
    4
    """
    problems = _truths(values, dataclasses.asdict(Config()))
    try:
        config = TypeAdapter(Config).validate_python(dict(values))
        if not problems:
            return config
    except ValidationError as error:
        problems += [f"  {_problem(dict(detail))}" for detail in error.errors()]
    raise InputError("\n".join([f"{source} is not valid:", *problems])) from None


def _truths(values: Mapping[str, Any], known: Mapping[str, Any], section: str = "") -> list[str]:
    """Problems of yes and no in the place of numbers, which pydantic takes for 1 and 0."""
    found = []
    for name, value in values.items():
        default = known.get(name)
        if isinstance(value, Mapping) and isinstance(default, Mapping):
            found += _truths(value, default, f"{name}.")
        elif isinstance(value, bool) and type(default) in (int, float):
            found.append(f"  {section}{name}: expected a number such as {default} (found {value})")
    return found


def _problem(detail: dict[str, Any]) -> str:
    """One of pydantic's findings, in our words."""
    place = ".".join(str(part) for part in detail["loc"])
    if detail["type"] == "unexpected_keyword_argument":
        return f"{place}: there is no such setting.{_nearest(place)}"
    if detail["type"] == "value_error":  # from a dataclass, whose message names the field
        return f"{place}{'.' if place else ''}{detail['ctx']['error']}"
    return f"{place or 'value'}: {detail['msg']} (found {detail.get('input')!r})"


def _nearest(place: str) -> str:
    """` Did you mean …?` with the full name of the setting or section that is most alike."""
    names = {}
    for section, value in dataclasses.asdict(Config()).items():
        names[section] = section
        for name in value if isinstance(value, dict) else ():
            names |= {f"{section}.{name}": f"{section}.{name}", name: f"{section}.{name}"}
    for part in (place, place.rpartition(".")[2]):
        if near := difflib.get_close_matches(part, names, n=1):
            return f" Did you mean {names[near[0]]}?"
    return ""


def read_config(path: Path) -> Config:
    """The settings in a run's config.yaml; raises InputError that names the field."""
    return config_from_mapping(read_yaml(path), source=str(path))


def read_yaml(path: Path) -> dict[str, Any]:
    """The nested values of a YAML file; raises InputError if it is none."""
    try:
        values = yaml.safe_load(read_regular(path).decode()) or {}
    except (OSError, ValueError, RecursionError, yaml.YAMLError) as error:
        raise InputError(f"{path} cannot be read as YAML: {error}") from error
    if not isinstance(values, dict):
        raise InputError(f"{path} holds {type(values).__name__}; expected settings as key: value.")
    # Runs of an earlier version: c3.cycle weighed the second swap, or else the first.
    c3, training = values.get("c3"), values.get("training")
    if isinstance(training, dict) and "fit" in training:
        values = override(values, {"model": {"resize": training.pop("fit")}})
    if isinstance(c3, dict) and "second_swap" in c3:
        weight = c3.get("cycle", 1.0)
        first, second = (0.0, weight) if c3.pop("second_swap") else (weight, 0.0)
        c3 |= {"swap": first, "cycle": second}
    return {str(key): value for key, value in values.items()}


def override(base: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """`base` with the nested values of `changes` laid over it."""
    merged = dict(base)
    for key, value in changes.items():
        both = isinstance(value, Mapping) and isinstance(merged.get(key), Mapping)
        merged[key] = override(merged[key], value) if both else value
    return merged


def parse_settings(texts: Sequence[str]) -> dict[str, Any]:
    """`section.name=value` texts of the command line as a nested mapping, values read as YAML.

    >>> parse_settings(["training.steps=500", "method=imm"])
    {'training': {'steps': 500}, 'method': 'imm'}
    """
    settings: dict[str, Any] = {}
    for text in texts:
        path, separator, value = text.partition("=")
        if not separator or not path:
            raise InputError(f"--set {text!r}: expected NAME=VALUE, such as training.steps=500.")
        try:
            nested: Any = yaml.safe_load(value)
        except yaml.YAMLError as error:
            raise InputError(f"--set {text!r}: the value is no YAML: {error}") from None
        for key in reversed(path.strip().split(".")):
            nested = {key: nested}
        settings = override(settings, nested)
    return settings
