"""`swapmark.train`: from pictures to a run folder."""

import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from swapmark.data.cache import ImageSet, load_images, write_skipped
from swapmark.data.sources import Source
from swapmark.environment import environment_report
from swapmark.errors import InputError, RunError, TrainingError
from swapmark.training.checkpoint import load_checkpoint
from swapmark.training.config import (
    Config,
    Method,
    config_from_mapping,
    config_to_mapping,
    override,
    parse_setting,
    read_yaml,
)
from swapmark.training.presets import PRESETS, PresetName
from swapmark.training.run import Run, existing_run, new_run


def train(
    images: Source,
    out: str | Path,
    *,
    landmarks: int | None = None,
    preset: PresetName = "laptop",
    method: Method | None = None,
    steps: int | None = None,
    seed: int | None = None,
    config: str | Path | None = None,
    settings: Sequence[str] = (),
    devices: int = 1,
    resume: bool = False,
    overwrite: bool = False,
    progress: bool = True,
) -> Run:
    """Learn landmarks from a folder, zip, tar, list or array of pictures of one kind of thing.

    Settings are the preset's, then those of the YAML file `config`, then `settings`
    (`section.name=value`), then the arguments by name. `resume` goes on with the run in `out`, and
    then no other settings may be given; `overwrite` replaces it. With `devices` > 1 one process a
    device is started; under torchrun, its processes are used.

    Raises InputError, RunError or TrainingError, each saying what to do.
    """
    out = Path(out)
    if resume and (
        preset != "laptop" or config or settings or any((landmarks, method, steps, seed))
    ):
        raise InputError(
            "A run is resumed with the settings it was started with. Leave the other settings out, "
            "or start a new run with another --out."
        )
    named = {
        "method": method,
        "model": {"landmarks": landmarks},
        "training": {"steps": steps, "seed": seed},
    }
    if devices > 1 and not under_torchrun():
        run, values = _prepare(out, resume, overwrite, preset, config, settings, named)
        load_images(images, values.model.image_size, fit=values.training.fit, progress=progress)
        _start_processes(images, run, devices, progress)
        return run
    from accelerate import PartialState

    process = PartialState()
    if process.is_main_process:
        _prepare(out, resume, overwrite, preset, config, settings, named)
    process.wait_for_everyone()
    return continue_run(images, existing_run(out), progress=progress)


def continue_run(images: Source, run: Run, *, progress: bool = True) -> Run:
    """Train a prepared run to its end: in this process, or as one of torchrun's."""
    from accelerate import PartialState

    from swapmark.training.loop import train_loop

    process = PartialState()
    main = process.is_main_process
    config = config_from_mapping(read_yaml(run.config), source=str(run.config))
    with process.main_process_first():
        picture_set = load_images(
            images, config.model.image_size, fit=config.training.fit, progress=progress and main
        )
    if main:
        _record(run, images, picture_set, progress)
    process.wait_for_everyone()
    train_loop(run, config, picture_set, progress=progress)
    return run


def under_torchrun() -> bool:
    """Whether this process is one of several that torchrun started."""
    return "WORLD_SIZE" in os.environ and "RANK" in os.environ


def resolve_config(
    preset: PresetName,
    config: str | Path | None,
    settings: Sequence[str],
    named: dict[str, Any],
) -> Config:
    """Lay the sources of settings over one another; None in `named` is what was not given."""
    if preset not in PRESETS:
        raise InputError(f"There is no preset {preset!r}; choose one of {', '.join(PRESETS)}.")
    values: dict[str, Any] = PRESETS[preset]
    if config:
        values = override(values, read_yaml(Path(config)))
    for setting in settings:
        values = override(values, parse_setting(setting))
    return config_from_mapping(override(values, _given(named)))


def _given(values: dict[str, Any]) -> dict[str, Any]:
    kept = {}
    for key, value in values.items():
        if isinstance(value, dict):
            kept[key] = _given(value)
        elif value is not None:
            kept[key] = value
    return kept


def _prepare(
    out: Path,
    resume: bool,
    overwrite: bool,
    preset: PresetName,
    config: str | Path | None,
    settings: Sequence[str],
    named: dict[str, Any],
) -> tuple[Run, Config]:
    """Make or find the run folder, with its config.yaml."""
    if resume:
        run = existing_run(out)
        return run, config_from_mapping(read_yaml(run.config), source=str(run.config))
    resolved = resolve_config(preset, config, settings, named)
    run = new_run(out, overwrite=overwrite)
    text = yaml.safe_dump(config_to_mapping(resolved), sort_keys=False)
    run.config.write_text(text, encoding="utf-8")
    report = json.dumps(environment_report(), indent=2) + "\n"
    (run.path / "environment.json").write_text(report, encoding="utf-8")
    return run, resolved


def _record(run: Run, source: Source, images: ImageSet, progress: bool) -> None:
    """Note which pictures the run is of; on resume, check that they are the same."""
    if images.skipped:
        write_skipped(run.path / "skipped.csv", images.skipped)
        if progress:
            print(
                f"Skipped {len(images.skipped)} of {len(images.skipped) + len(images)} images; "
                f"the reasons are in {run.path / 'skipped.csv'}.",
                file=sys.stderr,
            )
    path = run.path / "images.json"
    shown = str(source) if isinstance(source, str | os.PathLike) else "given as a list or array"
    found = {"images": len(images), "fingerprint": fingerprint(images)}
    if load_checkpoint(run.checkpoints):
        known = json.loads(path.read_text(encoding="utf-8"))
        if known["fingerprint"] != found["fingerprint"]:
            raise RunError(
                f"{run.path} was trained on {known['images']} images of {known['source']}, and "
                f"{shown} now holds {len(images)} others. Give it the same images to resume, or "
                f"start a new run with another --out."
            )
    path.write_text(json.dumps({"source": shown, **found}, indent=2) + "\n", encoding="utf-8")


def fingerprint(images: ImageSet) -> str:
    """A hash of the names and sizes of all images, and of the pixels of 16 of them."""
    digest = hashlib.sha256()
    for name, frame in zip(images.names, images.frames, strict=True):
        digest.update(f"{name}\0{frame.width}x{frame.height}\n".encode(errors="surrogateescape"))
    chosen = np.unique(np.linspace(0, len(images) - 1, 16).astype(int))
    digest.update(images.batch(chosen).tobytes())
    return digest.hexdigest()


def _start_processes(images: Source, run: Run, devices: int, progress: bool) -> None:
    """Start torchrun with one process a device, and wait for it."""
    if not isinstance(images, str | os.PathLike):
        raise InputError("devices > 1 needs images as one path, so that every process can open it.")
    command = [
        *(sys.executable, "-m", "torch.distributed.run", "--standalone"),
        *("--nproc-per-node", str(devices), "-m", "swapmark.training.worker"),
        *(str(images), str(run.path), *([] if progress else ["--quiet"])),
    ]
    finished = subprocess.run(command, check=False)
    if finished.returncode == 130:
        raise KeyboardInterrupt
    if finished.returncode:
        raise TrainingError(
            f"Training on {devices} devices ended with code {finished.returncode}; the reason is "
            f"in the lines above. What was saved is in {run.path}; go on with --resume."
        )
