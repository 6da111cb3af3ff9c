"""The run folder: what lies where, who may write into it, and what happened in it."""

import json
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from swapmark.errors import RunError

# All that training ever writes into a run folder: --overwrite removes these and nothing else.
_OWN = (
    "config.yaml",
    "environment.json",
    "images.json",
    "metrics.jsonl",
    "loss.png",
    "skipped.csv",
    "samples",
    "checkpoints",
    "model",
    "evaluation",
)


@dataclass(frozen=True)
class Run:
    """A run folder on disk; everything in it is relative, so it can be moved and copied."""

    path: Path

    @property
    def config(self) -> Path:
        """All settings, as YAML."""
        return self.path / "config.yaml"

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
        """The lines of metrics.jsonl; a line cut short by a crash is left out."""
        path = self.path / "metrics.jsonl"
        if not path.exists():
            return []
        kept = []
        for line in path.read_text(encoding="utf-8").splitlines():
            try:
                kept.append(json.loads(line))
            except json.JSONDecodeError:
                continue
        return kept

    def keep_metrics_until(self, step: int) -> None:
        """Drop metrics past `step`: a resumed run writes them again."""
        kept = [line for line in self.metrics() if line["step"] <= step]
        text = "".join(json.dumps(line) + "\n" for line in kept)
        (self.path / "metrics.jsonl").write_text(text, encoding="utf-8")

    def append_metrics(self, line: dict[str, Any]) -> None:
        """Add one line to metrics.jsonl."""
        with (self.path / "metrics.jsonl").open("a", encoding="utf-8") as file:
            file.write(json.dumps(line) + "\n")


def new_run(path: Path, *, overwrite: bool) -> Run:
    """Make the folder of a new run; raises RunError when there is something that would be lost."""
    if path.exists() and not path.is_dir():
        raise RunError(f"{path} is a file; expected a folder to put the run in.")
    if path.is_dir() and any(path.iterdir()):
        is_run = (path / "config.yaml").exists() or (path / "checkpoints").exists()
        if not is_run:
            raise RunError(
                f"{path} is not empty and holds no swapmark run. Choose another --out: nothing in "
                f"it was touched."
            )
        if not overwrite:
            raise RunError(
                f"{path} already holds a run. Go on with it by --resume, replace it by "
                f"--overwrite, or choose another --out."
            )
        for name in _OWN:
            inside = path / name
            if inside.is_dir() and not inside.is_symlink():
                shutil.rmtree(inside)
            else:
                inside.unlink(missing_ok=True)
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise RunError(f"The run folder {path} cannot be made: {error}.") from error
    return Run(path)


def existing_run(path: Path) -> Run:
    """The run in a folder; raises RunError if there is none."""
    run = Run(path)
    if not run.config.is_file():
        raise RunError(
            f"{path} holds no swapmark run (no config.yaml). Make one with: "
            f"swapmark train IMAGES --out {path}"
        )
    return run
