"""The model folder: config.json, model.safetensors, and README.md, the model's card.

Reading one runs no code from it, and allocates nothing before the sizes are known to be right.
"""

import hashlib
import json
from dataclasses import asdict, fields
from pathlib import Path
from typing import TypeVar

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save

from swapmark.errors import RunError
from swapmark.files import write_atomically, write_text
from swapmark.model.model import ModelConfig, PoseModel, SwapModel

FORMAT = 2
"""Format 1 had `resize` beside the settings of the networks, under the name `fit`."""
WEIGHTS = "model.safetensors"
Model = TypeVar("Model", bound=PoseModel)
_PAINTERS = ("appearance_encoder.", "decoder.")
"""How the names of those weights begin that only training needs."""


def save_model(folder: Path, model: PoseModel, card: str) -> None:
    """Write config.json, model.safetensors and README.md, each in one step.

    Of a SwapModel all networks are written; `load_model` reads those that find landmarks, and
    `load_whole_model` all.
    """
    weights = {name: value.contiguous().cpu() for name, value in model.state_dict().items()}
    settings = asdict(model.config)
    # Not by `save_file` of safetensors, whose files nobody but their owner may read.
    content = save(weights, {"settings": json.dumps(settings)})
    write_atomically(folder / WEIGHTS, lambda partial: partial.write_bytes(content))
    values = {"format": FORMAT, "model": settings}
    write_text(folder / "config.json", json.dumps(values, indent=2) + "\n")
    write_text(folder / "README.md", card)


def load_model(folder: Path) -> PoseModel:
    """The networks of a model folder that find landmarks, in float32 and evaluation mode.

    Raises RunError that says what is wrong with the folder.
    """
    return _loaded(PoseModel, folder)


def load_whole_model(folder: Path) -> SwapModel:
    """All networks of a model folder, likewise; RunError, too, where those that paint are missing.

    They are in the folder model/ of a run, and not in what `swapmark export` makes of it.
    """
    return _loaded(SwapModel, folder)


def _loaded(kind: type[Model], folder: Path) -> Model:
    for name in ("config.json", WEIGHTS):
        if not (folder / name).is_file():
            raise RunError(
                f"{folder} is no model folder: it has no {name}. Expected a run folder made by "
                f"`swapmark train`, or the folder model/ in it."
            )
    try:
        return _filled(kind, _config(folder), folder)
    except (SafetensorError, TypeError, ValueError, RuntimeError, OSError) as error:
        raise RunError(
            f"The model in {folder} cannot be read: {error}. Copy the folder again, or write it "
            f"anew: swapmark train … --resume"
        ) from error


def fingerprint(folder: Path) -> str:
    """SHA-256 of the weights of a model folder, by which a point map knows its model."""
    return hashlib.sha256((folder / WEIGHTS).read_bytes()).hexdigest()


def _config(folder: Path) -> ModelConfig:
    """The settings of the networks; raises RunError, TypeError or ValueError."""
    values = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    if not isinstance(values, dict):
        raise ValueError(f"config.json holds {type(values).__name__}; expected settings")
    if values.get("format") not in (1, FORMAT):
        raise RunError(
            f"{folder} has model format {values.get('format')}; this version of swapmark reads 1 "
            f"and {FORMAT}. Install the version that made it, or train again."
        )
    settings = {**values.get("model", {})}
    if values["format"] == 1:
        settings["resize"] = values.get("fit")
    # A default in the place of a missing setting, such as the size, would go unnoticed.
    if differ := settings.keys() ^ {field.name for field in fields(ModelConfig)}:
        raise ValueError(f"config.json lacks or should not have {_some(differ)}")
    return ModelConfig(**settings)


def _filled(kind: type[Model], config: ModelConfig, folder: Path) -> Model:
    """The networks with their weights; raises RunError, SafetensorError or ValueError."""
    with torch.device("meta"):  # of the right sizes, and without memory
        model = kind(config, pretrained=False)
    expected = {name: list(value.shape) for name, value in model.state_dict().items()}
    with safe_open(folder / WEIGHTS, framework="pt") as file:
        # No shape tells the size of the images; earlier versions did not write the settings here.
        trained = dict(json.loads((file.metadata() or {}).get("settings", "{}")))
        for name, value in trained.items():
            if value != getattr(config, name, value):
                now = getattr(config, name)
                raise ValueError(
                    f"config.json has {name} {now}; {WEIGHTS} was trained with {value}"
                )
        names = set(file.keys())
        if kind is PoseModel:
            names = {name for name in names if not name.startswith(_PAINTERS)}
        elif not any(name.startswith(_PAINTERS) for name in names):
            raise RunError(
                f"The model in {folder} finds landmarks and cannot paint: what paints is left out "
                f"of exports. Use the run that it was exported from."
            )
        if differ := names ^ expected.keys():
            raise ValueError(f"{WEIGHTS} lacks or should not have {_some(differ)}")
        for name, shape in expected.items():
            if (found := file.get_slice(name).get_shape()) != shape:
                if name.startswith(_PAINTERS):
                    raise RunError(
                        f"The model in {folder} was trained by an earlier version of swapmark, "
                        f"whose painting this one does not know. It still finds landmarks; to see "
                        f"swapped pictures, train again."
                    )
                raise ValueError(f"{name} has shape {found}; expected {shape}")
        weights = {name: file.get_tensor(name) for name in names}
    model.to_empty(device="cpu").load_state_dict(weights)
    wrong = {name for name, value in model.state_dict().items() if not value.isfinite().all()}
    if wrong:
        raise ValueError(f"{WEIGHTS} has values that are not finite in {_some(wrong)}")
    return model.eval()


def _some(names: set[str]) -> str:
    first, *rest = sorted(names)
    return f"{first} and {len(rest)} more" if rest else first
