"""`swapmark demo`."""

from pathlib import Path


def demo(
    *,
    out: Path = Path("demo"),
    count: int = 4000,
    steps: int | None = None,
    seed: int = 0,
    overwrite: bool = False,
    quiet: bool = False,
) -> None:
    """Draw faces, learn their landmarks, evaluate them: minutes on a laptop.

    Parameters
    ----------
    out
        Folder for the faces, the run and the pictures.
    count
        How many faces to draw.
    steps
        Optimiser steps; the preset's unless given.
    seed
        Every random choice follows from it.
    overwrite
        Replace an earlier demo in OUT.
    quiet
        Show no progress.
    """
    from rich.console import Console

    from swapmark.demo import demo as run_demo

    made = run_demo(
        out, count=count, steps=steps, seed=seed, overwrite=overwrite, progress=not quiet
    )
    Console().print(made.evaluation.table())
    print(f"Landmarks on faces kept apart: {made.picture}")
    print(f"What the swaps look like:      {made.run.samples}")
    print(f"All numbers:                   {made.run.path / 'evaluation'}")
