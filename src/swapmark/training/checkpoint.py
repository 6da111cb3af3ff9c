"""Writing training state and model folders so that a cut at any moment leaves the last good one."""

import dataclasses
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file

from swapmark.errors import RunError
from swapmark.model.model import ModelConfig, SwapModel

MODEL_FORMAT = 1
KEPT = 2
"""Checkpoints kept in a run: the newest, and one more in case that is damaged."""


def write_atomically(path: Path, write: Callable[[Path], Any]) -> None:
    """Let `write` fill a temporary file beside `path`, then put it in place in one step.

    Raises RunError, naming the file, when the disk is full or the folder cannot be written.
    """
    partial = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write(partial)
        with partial.open("rb+") as file:
            os.fsync(file.fileno())
        partial.replace(path)
    except (OSError, RuntimeError, SafetensorError) as error:
        raise RunError(
            f"{path} could not be written: {error}. What was there before is untouched; make room "
            f"or check the permissions of {path.parent}, then go on with --resume."
        ) from error
    finally:
        partial.unlink(missing_ok=True)


def save_checkpoint(folder: Path, state: dict[str, Any], step: int) -> Path:
    """Write checkpoints/step-N.pt, and drop all but the newest `KEPT`."""
    path = folder / f"step-{step:07d}.pt"
    write_atomically(path, lambda partial: torch.save(state, partial))
    for old in sorted(folder.glob("step-*.pt"))[:-KEPT]:
        old.unlink()
    return path


def load_checkpoint(folder: Path) -> tuple[dict[str, Any], Path] | None:
    """The newest readable checkpoint of a run, or None where there is none.

    Read with weights_only=True: a checkpoint from a stranger runs no code.
    """
    paths = sorted(folder.glob("step-*.pt"), reverse=True)
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


def save_model(folder: Path, model: SwapModel, fit: str, card: str) -> None:
    """Write config.json, model.safetensors and README.md, each in one step.

    `fit` is how pictures were made square (see `swapmark.data.images.Frame`).
    """
    values = {"format": MODEL_FORMAT, "fit": fit, "model": dataclasses.asdict(model.config)}
    config = json.dumps(values, indent=2) + "\n"
    weights = {name: value.contiguous().cpu() for name, value in model.state_dict().items()}
    write_atomically(folder / "model.safetensors", lambda path: save_file(weights, path))
    write_atomically(folder / "config.json", lambda path: path.write_text(config))
    write_atomically(folder / "README.md", lambda path: path.write_text(card, encoding="utf-8"))


def load_model(folder: Path) -> tuple[SwapModel, str]:
    """The model and `fit` of a model folder; raises RunError that says what is wrong with it."""
    try:
        config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
        if config["format"] != MODEL_FORMAT:
            raise RunError(
                f"{folder} has model format {config['format']}; this version of swapmark reads "
                f"format {MODEL_FORMAT}."
            )
        model = SwapModel(ModelConfig(**config["model"]), pretrained=False)
        model.load_state_dict(load_file(folder / "model.safetensors"))
    except FileNotFoundError as error:
        raise RunError(
            f"{folder} is no model folder: {Path(error.filename or folder).name} is missing. "
            f"Expected a run folder made by `swapmark train`, with model/config.json and "
            f"model/model.safetensors."
        ) from error
    except (SafetensorError, KeyError, TypeError, ValueError, RuntimeError, OSError) as error:
        raise RunError(f"The model in {folder} cannot be read: {error}") from error
    return model.eval(), config["fit"]
