"""Everything a run can be told, as frozen dataclasses, and reading them from YAML.

Config stays at the edge: the nets and objectives take plain arguments or their own stage.
"""

import dataclasses
import difflib
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import yaml
from pydantic import ConfigDict, TypeAdapter, ValidationError

from swapmark.data.augment import Strength
from swapmark.errors import InputError
from swapmark.model.model import ModelConfig
from swapmark.objectives.c3 import C3Config

Method = Literal["c3", "imm"]


@dataclass(frozen=True)
class TrainingConfig:
    """The loop: how long, how fast, how often things are written."""

    steps: int = 2000
    """Optimiser steps. The learning rate falls to zero at the last, so choose before starting."""
    batch_size: int = 32
    """Images a step over all devices; even, as C³ pairs them."""
    learning_rate: float = 1e-3
    """Peak learning rate of AdamW."""
    backbone_rate: float = 1.0
    """Factor on the learning rate of the backbone; below 1 to keep pretrained weights nearer, 0 to
    freeze it, which is faster."""
    warmup: int = 100
    """Steps over which the learning rate rises linearly."""
    weight_decay: float = 1e-5
    """Decoupled weight decay of AdamW."""
    clip: float = 1.0
    """Largest norm of the gradient."""
    average: float = 0.99
    """Decay of the moving average of the weights that is evaluated and exported; 0 for none."""
    precision: Literal["auto", "float32", "bfloat16"] = "auto"
    """Of the nets and the frozen network of P; on a CPU the backbone stays in float32, which is
    faster there. `auto`: bfloat16 where the machine computes it natively."""
    seed: int = 0
    """Every random choice follows from it."""
    fit: Literal["pad", "crop"] = "pad"
    """How pictures become square: `pad` keeps all, `crop` keeps the centre square."""
    log_every: int = 50
    """Steps between lines of metrics.jsonl; one more with each sample sheet and each checkpoint."""
    sample_every: int = 500
    """Steps between sample sheets; one more is made after the first 100 steps."""
    checkpoint_every: int = 500
    """Steps between checkpoints."""

    def __post_init__(self):
        if self.batch_size < 2 or self.batch_size % 2:
            raise ValueError(f"batch_size is {self.batch_size}; expected an even number from 2 up")


@dataclass(frozen=True)
class Config:
    """One run: the nets, the views, the objective and the loop."""

    method: Method = "c3"
    """`c3`: unpaired, cross-image cycle (Xu et al. 2020). `imm`: TPS pairs (Jakab et al. 2018)."""
    model: ModelConfig = field(default_factory=ModelConfig)
    views: Strength = field(default_factory=Strength)
    c3: C3Config = field(default_factory=C3Config)
    training: TrainingConfig = field(default_factory=TrainingConfig)
    perceptual_vgg: str | None = None
    """A torchvision VGG-16/19 state dict for P; EfficientNet-Lite0 if unset."""

    def __post_init__(self):
        if self.model.backbone == "plain" and not self.training.backbone_rate:
            raise ValueError(
                "training.backbone_rate is 0, which freezes the backbone; expected more than 0 "
                "with model.backbone=plain, whose weights are random at first"
            )
        pairs, landmarks = self.c3.mirror_pairs, self.model.landmarks
        if self.method == "c3" and 2 * pairs > landmarks:
            raise ValueError(
                f"c3.mirror_pairs is {pairs}; expected at most {landmarks // 2}, as there are "
                f"{landmarks} landmarks (model.landmarks)"
            )
        if self.method == "c3" and pairs and not self.c3.known_equivariance:
            raise ValueError(
                f"c3.known_equivariance is 0; expected more than 0 with c3.mirror_pairs={pairs}, "
                "which acts by it"
            )


_SECTIONS = (Config, ModelConfig, Strength, C3Config, TrainingConfig)
for _section in _SECTIONS:
    _section.__pydantic_config__ = ConfigDict(extra="forbid")  # pyright: ignore[reportAttributeAccessIssue]


# Every number is finite and not negative; these are bounded more closely.
_AT_LEAST = {
    **{f"model.{name}_width": 1 for name in ("backbone", "landmark", "appearance")},
    "model.decoder_width": 4,  # its last layer has a quarter of it
    **{f"training.{name}_every": 1 for name in ("log", "sample", "checkpoint")},
    "training.steps": 1,
    "c3.flow_scale": 1,
    "views.controls": 2,
}
_AT_MOST = {
    "views.flip": 1,
    "views.colour": 1,
    "c3.ramp_start": 1,
    "c3.ramp_end": 1,
    "training.average": 1,
    "training.seed": 2**32 - 1,
}
_ABOVE_ZERO = (
    *("model.sigma", "c3.separation_width", "c3.flow_temperature", "c3.flow_locality"),
    *("training.learning_rate", "training.clip"),
)


def config_from_mapping(values: Mapping[str, Any], source: str = "the configuration") -> Config:
    """Check and convert nested plain values; raises InputError that names the field.

    >>> config_from_mapping({"model": {"landmarks": 4}}).model.landmarks
    4
    """
    try:
        config = TypeAdapter(Config).validate_python(dict(values))
    except ValidationError as error:
        problems = [_problem(dict(detail)) for detail in error.errors()]
        raise InputError("\n".join([f"{source} is not valid:", *problems])) from None
    if problems := [problem for name, value in _settings(config) if (problem := _out(name, value))]:
        raise InputError("\n".join([f"{source} is not valid:", *problems]))
    return config


def _out(name: str, value: Any) -> str | None:
    """What is wrong with a number, or None."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    if name in _ABOVE_ZERO:
        low, inside, expected = 0, value > 0, "more than 0"
    else:
        low = _AT_LEAST.get(name, 0)
        inside, expected = value >= low, f"at least {low}"
    if name in _AT_MOST:
        inside, expected = inside and value <= _AT_MOST[name], f"{low} to {_AT_MOST[name]}"
    return None if inside and math.isfinite(value) else f"  {name} is {value}; expected {expected}"


def _problem(detail: dict[str, Any]) -> str:
    """One of pydantic's findings, in our words."""
    place = ".".join(str(part) for part in detail["loc"])
    if detail["type"] == "unexpected_keyword_argument":
        return f"  {place}: there is no such setting.{_nearest(place)}"
    if detail["type"] == "value_error":  # from a dataclass, whose message names the field
        return f"  {place}{'.' if place else ''}{detail['ctx']['error']}"
    return f"  {place or 'value'}: {detail['msg']} (found {detail.get('input')!r})"


def _nearest(place: str) -> str:
    """` Did you mean …?` with the full name of the setting or section that is most alike."""
    full = [name for name, _ in _settings(Config())]
    names = {name.rpartition(".")[2]: name for name in full}
    names |= {name.partition(".")[0]: name.partition(".")[0] for name in full}
    names |= {name: name for name in full}
    for part in (place, place.rpartition(".")[2]):
        if near := difflib.get_close_matches(part, names, n=1):
            return f" Did you mean {names[near[0]]}?"
    return ""


def _settings(config: Config) -> list[tuple[str, Any]]:
    """The full name and value of every setting."""
    found = []
    for name, value in config_to_mapping(config).items():
        if isinstance(value, dict):
            found += [(f"{name}.{inner}", entry) for inner, entry in value.items()]
        else:
            found.append((name, value))
    return found


def config_to_mapping(config: Config) -> dict[str, Any]:
    """Nested plain values, as written to config.yaml."""
    return dataclasses.asdict(config)


def read_yaml(path: Path) -> dict[str, Any]:
    """The nested values of a YAML file; raises InputError if it is none."""
    try:
        values = yaml.safe_load(path.read_text(encoding="utf-8")) or {}
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise InputError(f"{path} cannot be read as YAML: {error}") from error
    if not isinstance(values, dict):
        raise InputError(f"{path} holds {type(values).__name__}; expected settings as key: value.")
    return {str(key): value for key, value in values.items()}


def override(base: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """`base` with the nested values of `changes` laid over it.

    >>> override({"model": {"landmarks": 10}}, {"model": {"sigma": 0.2}})
    {'model': {'landmarks': 10, 'sigma': 0.2}}
    """
    merged = dict(base)
    for key, value in changes.items():
        if isinstance(value, Mapping) and isinstance(merged.get(key), Mapping):
            merged[key] = override(merged[key], value)
        else:
            merged[key] = value
    return merged


def parse_setting(text: str) -> dict[str, Any]:
    """One `section.name=value` of the command line as a nested mapping, the value read as YAML.

    >>> parse_setting("training.steps=500")
    {'training': {'steps': 500}}
    """
    path, separator, value = text.partition("=")
    if not separator or not path:
        raise InputError(f"--set {text!r}: expected NAME=VALUE, such as training.steps=500.")
    try:
        nested: Any = yaml.safe_load(value)
    except yaml.YAMLError as error:
        raise InputError(f"--set {text!r}: the value cannot be read as YAML: {error}") from None
    for key in reversed(path.strip().split(".")):
        nested = {key: nested}
    return nested
