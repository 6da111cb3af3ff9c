"""`swapmark.train`: from pictures to a run folder."""

import hashlib
import json
import os
import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
import yaml

from swapmark.data.cache import ImageSet, load_images, write_skipped
from swapmark.data.sources import Source
from swapmark.environment import environment_report
from swapmark.errors import InputError, RunError
from swapmark.files import write_text
from swapmark.training.checkpoint import checkpoint_paths
from swapmark.training.config import (
    Config,
    Method,
    config_from_mapping,
    config_to_mapping,
    override,
    parse_setting,
    read_yaml,
)
from swapmark.training.loop import train_loop
from swapmark.training.presets import PRESETS, PresetName, preset_values
from swapmark.training.processes import (
    check_devices,
    device_share,
    process_state,
    start_processes,
    under_torchrun,
)
from swapmark.training.run import Run, existing_run, new_run, refuse_run


def train(
    images: Source,
    out: str | Path,
    *,
    landmarks: int | None = None,
    preset: PresetName | None = None,
    method: Method | None = None,
    steps: int | None = None,
    seed: int | None = None,
    config: str | Path | None = None,
    settings: Sequence[str] = (),
    devices: int = 1,
    resume: bool = False,
    overwrite: bool = False,
    progress: bool = True,
    on_checkpoint: Callable[[Run, int], None] | None = None,
) -> Run:
    """Learn landmarks from a folder, zip, tar, list or array of pictures of one kind of thing.

    Settings are the preset's (`laptop` unless given; with other rates for `imm`), then those of the
    YAML file `config`, then `settings` (`section.name=value`), then the arguments by name. `resume`
    goes on with the run in `out`, and then no other settings may be given; `overwrite` replaces it.
    With `devices` > 1 one process a device is started; under torchrun, its processes are used.
    `on_checkpoint` is called with the run and the step each time model and checkpoint were written;
    with one device only.

    Raises InputError, OutputError, RunError or TrainingError, each saying what to do. Nothing is
    written before settings and images are known to be usable.
    """
    out = Path(out)
    named = _given(
        {
            "method": method,
            "model": {"landmarks": landmarks},
            "training": {"steps": steps, "seed": seed},
        }
    )
    if resume:
        if preset is not None or config or settings or overwrite or any(named.values()):
            raise InputError(
                "A run is resumed with the settings it was started with, and not overwritten. "
                "Steps cannot be added either: its learning rate falls to zero at the last one. "
                "Leave the other settings out, or start a new run with another --out."
            )
        values = read_config(existing_run(out))
    else:
        values = resolve_config(preset, config, settings, named)
    batch_size = values.training.batch_size
    if devices != 1 and not under_torchrun():
        if on_checkpoint:
            raise InputError(
                f"on_checkpoint cannot be called in the processes of {devices} devices. Leave it "
                f"out, or train on one device."
            )
        check_devices(devices, images)
        if progress and not torch.cuda.is_available():
            print(
                f"Note: no CUDA device was found, so {devices} processes share the CPU. On two "
                f"cores that was slower than one process, --devices 1.",
                file=sys.stderr,
            )
        device_share(batch_size, 0, devices)
        if not resume:
            refuse_run(out, overwrite=overwrite)
            _note_without_effect(preset, values, progress)
        _load(images, values, progress)  # decoded here, and found in the cache by the processes
        run = existing_run(out) if resume else _make_run(out, values, overwrite)
        start_processes(images, run.path, devices, progress=progress)
        return run
    process = process_state()
    main = process.is_main_process
    device_share(batch_size, 0, process.num_processes)
    if main and not resume:
        refuse_run(out, overwrite=overwrite)
        _note_without_effect(preset, values, progress)
    with process.main_process_first():
        pictures = _load(images, values, progress and main)
    if main and not resume:
        _make_run(out, values, overwrite)
    process.wait_for_everyone()
    return _train(existing_run(out), values, images, pictures, progress, on_checkpoint)


def continue_run(images: Source, run: Run, *, progress: bool = True) -> Run:
    """Train a prepared run to its end: in this process, or as one of several."""
    process = process_state()
    values = read_config(run)
    with process.main_process_first():
        pictures = _load(images, values, progress and process.is_main_process)
    return _train(run, values, images, pictures, progress)


def _train(
    run: Run,
    config: Config,
    source: Source,
    images: ImageSet,
    progress: bool,
    on_checkpoint: Callable[[Run, int], None] | None = None,
) -> Run:
    process = process_state()
    if process.is_main_process:
        _record(run, source, images, progress)
    process.wait_for_everyone()
    train_loop(run, config, images, progress=progress, on_checkpoint=on_checkpoint)
    return run


def resolve_config(
    preset: PresetName | None,
    config: str | Path | None,
    settings: Sequence[str],
    named: dict[str, Any],
) -> Config:
    """Lay the sources of settings over one another: preset, YAML file, settings, `named`.

    The preset is `laptop` unless given; for the method `imm` it has rates of its own. A relative
    path of `perceptual_vgg` is made absolute, so that the run can be resumed from another folder.

    >>> config = resolve_config("laptop", None, ["training.steps=7"], {"method": "imm"})
    >>> config.training.steps, config.method, config.model.image_size
    (7, 'imm', 128)
    """
    preset = "laptop" if preset is None else preset
    if preset not in PRESETS:
        raise InputError(f"There is no preset {preset!r}; choose one of {', '.join(PRESETS)}.")
    given = read_yaml(Path(config)) if config else {}
    for setting in settings:
        given = override(given, parse_setting(setting))
    given = override(given, named)
    resolved = config_from_mapping(override(preset_values(preset, given.get("method")), given))
    if not resolved.perceptual_vgg:
        return resolved
    return replace(resolved, perceptual_vgg=str(Path(resolved.perceptual_vgg).absolute()))


def _note_without_effect(preset: PresetName | None, config: Config, progress: bool) -> None:
    """Say which settings of c3 were changed from the preset's, where the method is not c3."""
    if config.method == "c3" or not progress:
        return
    usual = asdict(resolve_config(preset, None, [], {"method": config.method}).c3)
    names = [f"c3.{name}" for name, value in asdict(config.c3).items() if value != usual[name]]
    if names:
        print(
            f"Note: the method is {config.method}, so nothing comes of {', '.join(names)}. "
            f"These settings act with --method c3.",
            file=sys.stderr,
        )


def read_config(run: Run) -> Config:
    """The settings a run was started with."""
    return config_from_mapping(read_yaml(run.config), source=str(run.config))


def _given(values: dict[str, Any]) -> dict[str, Any]:
    """`values` without those that are None."""
    kept = {}
    for key, value in values.items():
        if isinstance(value, dict):
            kept[key] = _given(value)
        elif value is not None:
            kept[key] = value
    return kept


def _load(source: Source, config: Config, progress: bool) -> ImageSet:
    images = load_images(
        source, config.model.image_size, fit=config.training.fit, progress=progress
    )
    if len(images) < 2:
        raise InputError(
            f"There is only one usable image ({images.names[0]}). Landmarks are learned from how "
            f"images differ: give at least 2; some hundreds are usual."
        )
    return images


def _make_run(out: Path, config: Config, overwrite: bool) -> Run:
    """Make the run folder, with its config.yaml and environment.json."""
    run = new_run(out, overwrite=overwrite)
    write_text(run.config, yaml.safe_dump(config_to_mapping(config), sort_keys=False))
    report = json.dumps(environment_report(), indent=2) + "\n"
    write_text(run.path / "environment.json", report)
    return run


def _record(run: Run, source: Source, images: ImageSet, progress: bool) -> None:
    """Note which pictures the run is of; on resume, check that they are the same."""
    shown = str(source) if isinstance(source, str | os.PathLike) else "given as a list or array"
    found = {"images": len(images), "fingerprint": fingerprint(images)}
    if checkpoint_paths(run.checkpoints):
        known = _recorded(run)
        if known is None and progress:
            print(
                f"Warning: {run.images} is missing or damaged, so nobody can check that these are "
                f"the images that {run.path} was trained on.",
                file=sys.stderr,
            )
        if known is not None and known["fingerprint"] != found["fingerprint"]:
            raise RunError(
                f"{run.path} was trained on {known['images']} images ({known['source']}), and now "
                f"there are {len(images)} ({shown}), which are not the same. Give it the same "
                f"images to resume, or start a new run with another --out."
            )
    write_text(run.images, json.dumps({"source": shown, **found}, indent=2) + "\n")
    if images.skipped:
        skipped = run.path / "skipped.csv"
        write_skipped(skipped, images.skipped)
        if progress:
            print(
                f"Skipped {len(images.skipped)} of {len(images.skipped) + len(images)} images; "
                f"the reasons are in {skipped}.",
                file=sys.stderr,
            )


def _recorded(run: Run) -> dict[str, Any] | None:
    """What images.json holds, or None where it is missing or damaged."""
    try:
        known = json.loads(run.images.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    whole = isinstance(known, dict) and known.keys() >= {"source", "images", "fingerprint"}
    return known if whole else None


def fingerprint(images: ImageSet) -> str:
    """A hash of the names and sizes of all images, and of the pixels of 16 of them."""
    digest = hashlib.sha256()
    for name, frame in zip(images.names, images.frames, strict=True):
        digest.update(f"{name}\0{frame.width}x{frame.height}\n".encode(errors="surrogateescape"))
    chosen = np.unique(np.linspace(0, len(images) - 1, 16).astype(int))
    digest.update(images.batch(chosen).tobytes())
    return digest.hexdigest()
