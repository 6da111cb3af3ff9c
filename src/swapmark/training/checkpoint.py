"""The training state and the model folder on disk; reading either runs no code from them."""

import dataclasses
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save

from swapmark.data.images import FIT_MODES
from swapmark.errors import InputError, RunError
from swapmark.files import write_atomically, write_text
from swapmark.model.model import ModelConfig, PoseModel, SwapModel
from swapmark.training.config import config_from_mapping

MODEL_FORMAT = 1
PARTS = {"all": SwapModel, "detector": PoseModel}
"""What a model.safetensors may hold: all nets, or those that find landmarks. Without a word: all.
"""
_UNREADABLE = (InputError, SafetensorError, KeyError, TypeError, ValueError, RuntimeError, OSError)
"""What a damaged model folder, or one of another version, may raise."""
KEPT = 2
"""Checkpoints kept in a run: the newest, and one more in case that is damaged."""


def checkpoint_paths(folder: Path) -> list[Path]:
    """The checkpoints of a run, newest first."""
    found = [path for path in folder.glob("step-*.pt") if path.stem[5:].isdigit()]
    return sorted(found, key=lambda path: int(path.stem[5:]), reverse=True)


def save_checkpoint(folder: Path, state: dict[str, Any], step: int) -> Path:
    """Write checkpoints/step-N.pt, and drop all but the newest `KEPT`."""
    path = folder / f"step-{step:07d}.pt"
    write_atomically(path, lambda partial: _as_os_error(torch.save, state, partial))
    # Besides old ones, what a process that was killed while it wrote has left.
    for old in [*checkpoint_paths(folder)[KEPT:], *folder.glob(".step-*.part")]:
        old.unlink(missing_ok=True)
    return path


def _as_os_error(save: Callable[[Any, Path], Any], content: Any, path: Path) -> None:
    """Save; torch and safetensors report a full disk by errors of their own."""
    try:
        save(content, path)
    except (RuntimeError, SafetensorError) as error:
        raise OSError(one_line(error)) from error


def _save_weights(weights: dict[str, torch.Tensor], path: Path) -> None:
    """Not by `save_file` of safetensors, whose files nobody but their owner may read."""
    path.write_bytes(save(weights))


def load_checkpoint(folder: Path) -> tuple[dict[str, Any], Path] | None:
    """The newest readable checkpoint of a run, or None where there is none.

    Read with weights_only=True: a checkpoint from a stranger runs no code. Raises RunError when
    there are checkpoints and none can be read.
    """
    paths = checkpoint_paths(folder)
    for path in paths:
        try:
            return torch.load(path, map_location="cpu", weights_only=True), path
        except Exception:  # a damaged file raises a dozen different errors; the next is tried
            continue
    if paths:
        raise RunError(
            f"None of the {len(paths)} checkpoints in {folder} can be read. "
            f"Start again with --overwrite."
        )
    return None


def one_line(error: Exception, limit: int = 200) -> str:
    """The beginning of a message: torch lists every tensor that does not fit.

    >>> one_line(ValueError("two\\n\\tlines"))
    'two lines'
    """
    text = " ".join(str(error).split()) or type(error).__name__
    return text if len(text) <= limit else f"{text[:limit]} …"


def save_model(folder: Path, model: PoseModel, fit: str, card: str, *, half: bool = False) -> None:
    """Write config.json, model.safetensors and README.md, each in one step.

    `fit` is how pictures were made square (see `swapmark.data.images.Frame`). With `half` the
    weights of the convolutions are rounded to float16; norms and biases are few, and stay.
    """
    parts = "all" if isinstance(model, SwapModel) else "detector"
    settings = dataclasses.asdict(model.config)
    values = {"format": MODEL_FORMAT, "fit": fit, "parts": parts, "model": settings}
    weights = {name: value.contiguous().cpu() for name, value in model.state_dict().items()}
    if half:
        weights = {n: value.half() if value.ndim > 1 else value for n, value in weights.items()}
    write_atomically(
        folder / "model.safetensors", lambda partial: _as_os_error(_save_weights, weights, partial)
    )
    write_text(folder / "config.json", json.dumps(values, indent=2) + "\n")
    write_text(folder / "README.md", card)


def load_model(folder: Path) -> tuple[PoseModel, str]:
    """The model, in float32, and `fit` of a model folder: a SwapModel, if all nets are in it.

    Raises RunError that says what is wrong with the folder.
    """
    for name in ("config.json", "model.safetensors"):
        if not (folder / name).is_file():
            raise RunError(
                f"{folder} is no model folder: it has no {name}. Expected a run folder made by "
                f"`swapmark train`, or the folder model/ in it with config.json and "
                f"model.safetensors."
            )
    try:
        config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
        if config["format"] != MODEL_FORMAT:
            raise RunError(
                f"{folder} has model format {config['format']}; this version of swapmark reads "
                f"format {MODEL_FORMAT}. Install the version that made it, or train again."
            )
        fit = config["fit"]
        if fit not in FIT_MODES:
            raise ValueError(f"fit is {fit!r}, expected one of {', '.join(FIT_MODES)}")
        parts = config.get("parts", "all")
        if parts not in PARTS:
            raise ValueError(f"parts is {parts!r}, expected one of {', '.join(PARTS)}")
        expected, given = set(ModelConfig.__dataclass_fields__), set(config["model"])
        if expected != given:
            differ = ", ".join(sorted(expected ^ given))
            raise ValueError(f"missing, or not known to this version, in config.json: {differ}")
        nets = config_from_mapping({"model": config["model"]}, "config.json").model
        model = PARTS[parts](nets, pretrained=False)
        model.load_state_dict(load_file(folder / "model.safetensors"))
    except _UNREADABLE as error:
        raise RunError(
            f"The model in {folder} cannot be read: {one_line(error)}. Copy the folder again from "
            f"where it was made; `swapmark train … --resume` on that run writes it anew."
        ) from error
    return model.eval(), fit
