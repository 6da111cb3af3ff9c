"""Checkpoints: the training state on disk; reading one runs no code from it."""

from pathlib import Path
from typing import Any

import torch

from swapmark.errors import RunError, one_line
from swapmark.files import write_atomically
from swapmark.training.run import checkpoint_paths

KEPT = 2
"""Checkpoints kept in a run: the newest, and one more in case that is damaged."""


def save_checkpoint(folder: Path, state: dict[str, Any], step: int) -> Path:
    """Write checkpoints/step-N.pt, and drop all but the newest `KEPT`."""

    def save(partial: Path) -> None:
        try:
            torch.save(state, partial)
        except RuntimeError as error:  # torch reports a full disk so
            raise OSError(one_line(error)) from error

    path = write_atomically(folder / f"step-{step:07d}.pt", save)
    # Besides old ones, what a process that was killed while it wrote has left.
    for old in [*checkpoint_paths(folder)[KEPT:], *folder.glob(".step-*.part")]:
        old.unlink(missing_ok=True)
    return path


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
