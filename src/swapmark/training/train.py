"""`swapmark.train`: from pictures to a run folder."""

import hashlib
import json
import os
import sys
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import asdict
from pathlib import Path
from typing import Any

import yaml

from swapmark.data.cache import ImageSet, load_images, write_skipped
from swapmark.data.items import evenly
from swapmark.data.sources import Source, is_run
from swapmark.environment import environment_report
from swapmark.errors import InputError, RunError, shown
from swapmark.files import local_path, write_text
from swapmark.training.config import Config, Method, read_config
from swapmark.training.loop import train_loop
from swapmark.training.notes import refuse_one, training_notes
from swapmark.training.presets import resolve_config
from swapmark.training.processes import (
    device_share,
    paths_for_processes,
    start_processes,
    under_torchrun,
    use_device,
)
from swapmark.training.run import Run, new_run, only_here, refuse_run


def train(
    images: Source,
    out: str | Path,
    *,
    landmarks: int | None = None,
    preset: str | None = None,
    method: Method | None = None,
    steps: int | None = None,
    seed: int | None = None,
    config: Config | str | Path | Mapping[str, Any] | None = None,
    model: Mapping[str, Any] | None = None,
    views: Mapping[str, Any] | None = None,
    c3: Mapping[str, Any] | None = None,
    training: Mapping[str, Any] | None = None,
    device: str | None = None,
    devices: int = 1,
    resume: bool = False,
    overwrite: bool = False,
    progress: bool = True,
    on_checkpoint: Callable[[Run, int], None] | None = None,
) -> Run:
    """Learn landmarks from a folder, zip, tar, list or array of pictures of one kind of thing.

    Settings are the preset's (`laptop` unless given; with other rates for `imm`), then those of
    `config` (a Config, a YAML file, a nested mapping), then those of the sections `model`, `views`,
    `c3` and `training`, then the single values. `resume` goes on with the run in `out`, and then no
    settings may be given; `overwrite` replaces it. `device` is `cuda`, `mps` or `cpu`: the best
    there is by default. With `devices` > 1 torchrun starts one process a device; where torchrun has
    started this one already, its processes are used. `on_checkpoint` is called with the run and the
    step each time model and checkpoint were written; with one device only.

    Raises InputError, OutputError, RunError or TrainingError, each saying what to do. Nothing is
    written before settings and images are known to be usable.

    >>> import numpy as np
    >>> from tempfile import TemporaryDirectory
    >>> pictures = np.random.default_rng(0).integers(0, 256, (4, 32, 32), dtype=np.uint8)
    >>> small = {"image_size": 32, "backbone": "plain", "backbone_width": 4}
    >>> with TemporaryDirectory() as folder:
    ...     run = train(pictures, f"{folder}/run", steps=1, model=small, progress=False)
    ...     run.metrics()[-1]["step"]
    1
    """
    # Parse the settings.
    out = local_path(out)
    sections = {"model": model, "views": views, "c3": c3, "training": training, "method": method}
    single = {"landmarks": landmarks, "steps": steps, "seed": seed}
    settings = {"preset": preset, "config": config, **sections, **single}
    if not resume:
        values = resolve_config(**settings)
    elif overwrite or any(value is not None for value in settings.values()):
        raise InputError(
            "A run is resumed with the settings it was started with, and not overwritten. Steps "
            "cannot be added: its learning rate falls to zero at the last one. Leave the other "
            "settings out, or start a new run with another --out."
        )
    elif not is_run(out):
        raise RunError(f"{out} holds no swapmark run to go on with. Start one without --resume.")
    else:
        values = read_config(out / "config.yaml")
    # Refuse what cannot work.
    process = use_device(device)
    several = devices != 1 and not under_torchrun()
    paths = paths_for_processes(images, devices, on_checkpoint, device) if several else []
    device_share(values.training.batch_size, 0, devices if several else process.num_processes)
    first = process.is_main_process
    tell = progress and first
    with ExitStack() as held:
        if first and not resume:
            refuse_run(out, overwrite=overwrite)
        if there := first and is_run(out):
            held.enter_context(only_here(out))
        # Decode the images, or find them in the cache.
        with process.main_process_first():
            pictures = load_images(
                images, values.model.image_size, resize=values.model.resize, progress=tell
            )
        refuse_one(pictures)
        # Make the run folder, or check that it is of these images.
        if first and not there:
            held.enter_context(only_here(out))
        run = Run(out)
        given = str(images) if isinstance(images, str | os.PathLike) else "given as a list or array"
        found = {"source": given, "images": len(pictures), "fingerprint": fingerprint(pictures)}
        if resume:
            _refuse_others(run, found, tell=tell)
        if first and not resume:
            new_run(out, overwrite=overwrite)
            write_text(run.config, yaml.safe_dump(asdict(values), sort_keys=False))
            report = json.dumps(environment_report(), indent=2) + "\n"
            write_text(out / "environment.json", report)
        if first:
            write_text(run.images, json.dumps(found, indent=2) + "\n")
        if first and pictures.skipped:
            write_skipped(out / "skipped.csv", pictures.skipped)
        if tell and not resume:
            usual = resolve_config(preset=preset, method=values.method)
            _tell(training_notes(values, usual, pictures, out / "skipped.csv"))
        process.wait_for_everyone()
        # Train, here or in processes of their own, of which the first takes the lock.
        try:
            if several:
                held.close()
                start_processes(paths, run, devices, device=device, progress=progress)
            else:
                train_loop(
                    run,
                    values,
                    pictures,
                    resume=resume,
                    progress=progress,
                    on_checkpoint=on_checkpoint,
                )
        except KeyboardInterrupt:
            raise KeyboardInterrupt(run.saved()) from None
    return run


def _refuse_others(run: Run, found: dict[str, Any], *, tell: bool) -> None:
    """Raise RunError if a run that goes on was trained on other images than those `found`."""
    known = run.recorded_images()
    if known.get("fingerprint", found["fingerprint"]) != found["fingerprint"]:
        raise RunError(
            f"{run.path} was trained on {known.get('images')} images ({known.get('source')}), and "
            f"now there are {found['images']} ({found['source']}), which are not the same. Give it "
            f"the same images to resume, or start a new run with another --out."
        )
    if tell and not known:
        _tell([f"{run.images} is missing or damaged, so these images were not checked."])


def _tell(notes: list[str]) -> None:
    for note in notes:
        print(f"Note: {shown(note)}", file=sys.stderr)


def fingerprint(images: ImageSet) -> str:
    """A hash of the names and sizes of all images, and of the pixels of 16 of them."""
    digest = hashlib.sha256()
    for name, place in zip(images.names, images.placements, strict=True):
        digest.update(f"{name}\0{place.width}x{place.height}\n".encode(errors="surrogateescape"))
    chosen = evenly(len(images), 16)
    digest.update(images.batch(chosen).tobytes())
    return digest.hexdigest()
