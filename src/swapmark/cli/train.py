"""`swapmark train`."""

import os
import shlex
import sys
from pathlib import Path
from typing import Literal


def train(
    images: str,
    *,
    out: Path,
    landmarks: int | None = None,
    preset: Literal["laptop", "standard", "paper", "demo"] | None = None,
    method: Literal["c3", "imm"] | None = None,
    steps: int | None = None,
    seed: int | None = None,
    config: Path | None = None,
    set: list[str] | None = None,
    devices: int = 1,
    resume: bool = False,
    overwrite: bool = False,
    quiet: bool = False,
) -> None:
    """Learn landmarks from a folder or archive of images, without annotation.

    Parameters
    ----------
    images
        Folder (with its subfolders), zip or tar of pictures of one kind of thing: 2 at least, some
        hundreds or thousands are usual.
    out
        The run folder to make.
    landmarks
        How many landmarks to learn (K); 10 unless the preset says otherwise.
    preset
        laptop (unless another is given): for a CPU. demo: a few minutes, for drawn faces. standard:
        for a GPU, in large batches. paper: for a GPU, from random weights. The last two have not
        been tried yet.
    method
        c3: pairs of different images exchange their appearance (and back again with
        c3.second_swap=true). imm: the baseline on warped pairs; with laptop and demo at learning
        rates of its own, unless they are set.
    steps
        Training steps: 3600 by laptop, 1600 by demo, 10000 by standard, 60000 by paper. The
        learning rate falls to zero at the last one, so choose before you start.
    seed
        Every random choice follows from it.
    config
        A YAML file of settings, laid over the preset; a run's config.yaml is one.
    set
        One setting, such as training.batch_size=16; may be given several times.
    devices
        Processes to train with, one a GPU.
    resume
        Go on with the run in OUT.
    overwrite
        Replace the run in OUT.
    quiet
        Show no progress.
    """
    from swapmark.training.train import train as train_run

    first_process = os.environ.get("RANK", "0") == "0"  # under torchrun each runs this command
    try:
        run = train_run(
            images,
            out,
            landmarks=landmarks,
            preset=preset,
            method=method,
            steps=steps,
            seed=seed,
            config=config,
            settings=set or (),
            devices=devices,
            resume=resume,
            overwrite=overwrite,
            progress=not quiet,
        )
    except KeyboardInterrupt:
        if first_process and (out / "config.yaml").exists():
            again = ["swapmark", "train", images, "--out", str(out), "--resume"]
            again += ["--devices", str(devices)] if devices != 1 else []
            print(
                f"\nStopped. What was saved is in {out}. Go on with:\n  {shlex.join(again)}",
                file=sys.stderr,
            )
        raise
    if first_process:
        print(f"The run is in {run.path}; look at {run.samples}. Next:")
        print(f"  {shlex.join(['swapmark', 'predict', str(run.path)])} IMAGES --out points.csv")
