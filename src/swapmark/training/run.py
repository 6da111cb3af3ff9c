"""The run folder: what lies where, who may write into it, and what happened in it."""

import json
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from filelock import FileLock, Timeout

from swapmark.data.sources import is_run
from swapmark.errors import RunError
from swapmark.files import parse_json, read_json_lines, read_regular, sweep, write_text, writing

LOCK = ".lock"
"""Locked by the process that trains in the folder; it stays, unlocked, when the process has ended,
however it did."""
# What training writes into a run folder, and what the other verbs do: --overwrite removes these and
# nothing else. The settings, by which a folder is known to be a run, go last.
_TRAINED = (
    *("environment.json", "images.json", "metrics.jsonl", "loss.png", "report.html", "skipped.csv"),
    *("samples/step-*.png", "checkpoints/step-*.pt"),
    *("model/config.json", "model/model.safetensors", "model/README.md", "model/familiar.json"),
    "config.yaml",
)
_ADDED = ("evaluation/*/metrics.json", "points/*.json")


@dataclass(frozen=True, repr=False)
class Run:
    """A run folder on disk, such as `train` returns; it can be moved and copied.

    >>> run = Run(Path("runs/faces"))
    >>> run, run.model.as_posix()
    (Run('runs/faces', not trained yet), 'runs/faces/model')
    """

    path: Path

    def __repr__(self) -> str:
        steps = [step_of(path) for path in checkpoint_paths(self.checkpoints)[:1]]
        images = self.recorded_images().get("images", "?")
        trained = f"step {steps[0]}, {images} images" if steps else "not trained yet"
        return f"Run({str(self.path)!r}, {trained})"

    def __fspath__(self) -> str:
        """A run is taken wherever a path of one is."""
        return str(self.path)

    @property
    def config(self) -> Path:
        """All settings, as YAML."""
        return self.path / "config.yaml"

    @property
    def images(self) -> Path:
        """Where the images came from, and their fingerprint."""
        return self.path / "images.json"

    @property
    def checkpoints(self) -> Path:
        """Training state, for --resume."""
        return self.path / "checkpoints"

    @property
    def model(self) -> Path:
        """The exported model: config.json, model.safetensors, README.md."""
        return self.path / "model"

    @property
    def samples(self) -> Path:
        """Sample sheets, a picture each."""
        return self.path / "samples"

    def metrics(self) -> list[dict[str, Any]]:
        """The lines of metrics.jsonl; one that was cut short or damaged is left out."""
        lines = read_json_lines(self.path / "metrics.jsonl")
        return [line for line in lines if type(line.get("step")) is int]

    def saved(self) -> str:
        """What of the training is on the disk, in words."""
        paths = checkpoint_paths(self.checkpoints)
        step = f"step {step_of(paths[0])} is saved" if paths else "no step was saved yet"
        return f"{step} in {self.path}"

    def unfinished(self) -> str:
        """In words, how far the training is, where its steps are not reached; else empty."""
        try:
            wanted = yaml.safe_load(read_regular(self.config).decode())["training"]["steps"]
        except (OSError, ValueError, LookupError, TypeError, RecursionError, yaml.YAMLError):
            return ""
        steps = [step_of(path) for path in checkpoint_paths(self.checkpoints)[:1]]
        return f"step {steps[0]} of {wanted}" if steps and steps[0] < wanted else ""

    def recorded_images(self) -> dict[str, Any]:
        """What images.json holds; nothing where it is missing or damaged."""
        try:
            known = parse_json(read_regular(self.images).decode())
        except (OSError, ValueError):
            return {}
        return known if isinstance(known, dict) else {}

    def keep_metrics_until(self, step: int) -> None:
        """Drop metrics past `step`: a resumed run writes them again."""
        kept = [line for line in self.metrics() if line["step"] <= step]
        text = "".join(json.dumps(line) + "\n" for line in kept)
        write_text(self.path / "metrics.jsonl", text)

    def append_metrics(self, line: dict[str, Any]) -> None:
        """Add one line to metrics.jsonl; raises OutputError when the disk is full."""
        path = self.path / "metrics.jsonl"
        with writing(path), path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(line) + "\n")


def checkpoint_paths(folder: Path) -> list[Path]:
    """The checkpoints of a run, newest first."""
    found = [path for path in folder.glob("step-*.pt") if path.stem[5:].isdigit()]
    return sorted(found, key=step_of, reverse=True)


def step_of(checkpoint: Path) -> int:
    """The step after which a checkpoint was written."""
    return int(checkpoint.stem[5:])


@contextmanager
def only_here(path: Path) -> Iterator[None]:
    """Hold the lock of a run folder, made if need be, so that no other process trains in it.

    It is one of the system, which frees it when the process ends, however it does. Half-written
    files that a killed process left are removed. Raises RunError that names who holds the lock.
    """
    lock = FileLock(path / LOCK)
    try:
        path.mkdir(parents=True, exist_ok=True)
        lock.acquire(blocking=False)
    except Timeout:
        raise RunError(
            f"Training is going on in {path}{_holder(path / LOCK)}. Wait for its end, stop it by "
            f"Ctrl-C, or choose another --out."
        ) from None
    except OSError as error:
        raise RunError(f"The run folder {path} cannot be made or locked: {error}.") from error
    try:
        with suppress(OSError):  # the name of the holder is a help, the lock is what counts
            (path / LOCK).write_text(f"{os.getpid()}\n{socket.gethostname()}\n")
        for own in _TRAINED:
            sweep((path / own).parent, Path(own).name, seconds=0)
        yield
    finally:
        lock.release()


def _holder(lock: Path) -> str:
    try:
        process, host = lock.read_text().split()
    except (OSError, ValueError):
        return ""
    return f" (process {process} on {host})"


def refuse_run(path: Path, *, overwrite: bool) -> None:
    """Raise RunError when a new run in `path` would lose something; touches nothing."""
    if path.exists() and not path.is_dir():
        raise RunError(f"{path} is a file; expected a folder to put the run in.")
    # A process that was killed before its settings were written has left no more than these.
    begun = (LOCK, ".config.yaml.")
    if not path.is_dir() or all(found.name.startswith(begun) for found in path.iterdir()):
        return
    if not is_run(path):
        raise RunError(
            f"{path} is not empty and holds no swapmark run. Choose another --out: nothing in "
            f"it was touched."
        )
    if not overwrite:
        raise RunError(
            f"{path} already holds a run. Go on with it by --resume, replace it by "
            f"--overwrite, or choose another --out."
        )


def new_run(path: Path, *, overwrite: bool) -> Run:
    """Make room for a new run in a folder that is held by `only_here`.

    With `overwrite` the files of an earlier run are removed; others in the folder stay. Raises
    RunError when there is something that would be lost.
    """
    refuse_run(path, overwrite=overwrite)
    try:
        own = [found for pattern in (*_ADDED, *_TRAINED) for found in path.glob(pattern)]
        for file in own:
            file.unlink()
        for folder in {file.parent for file in own} - {path}:
            if not any(folder.iterdir()):
                folder.rmdir()
    except OSError as error:
        raise RunError(f"The run in {path} cannot be removed: {error}.") from error
    return Run(path)
