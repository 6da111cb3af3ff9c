"""How fast are the steps of a training, before the swaps begin and after? A line of JSON.

    OMP_NUM_THREADS=1 python benchmarks/train_speed.py --preset laptop
    OMP_NUM_THREADS=1 PYTHONPATH=OTHER/src python benchmarks/train_speed.py   # of another commit

Seconds are of processor time: other work on the machine tells less. The losses are printed, so that
two commits can be compared: the same pictures and weights give the same to rounding. `code` is the
commit of the swapmark that was measured.
"""

import json
import os
import statistics
import subprocess
import time
from pathlib import Path

import torch
from cyclopts import run

import swapmark
from harness.machine import circumstances
from swapmark.data.views import make_batch
from swapmark.faces.drawn import draw_faces
from swapmark.training.presets import resolve_config
from swapmark.training.state import make_accelerator, make_state


def main(*, preset: str = "laptop", precision: str = "float32", steps: int = 12) -> None:
    """Time steps of a preset on drawn faces; the first three of each kind are not counted."""
    config = resolve_config(preset=preset, training={"precision": precision})
    accelerator = make_accelerator(config)
    state = make_state(config, accelerator)
    training = config.training
    faces = torch.from_numpy(draw_faces(64, size=config.model.image_size).images)
    measured = {}
    for name, progress in (("before", 0.0), ("after", 1.0)):
        times, losses = [], []
        for step in range(steps):
            began = time.process_time()
            generator = torch.Generator().manual_seed(step)
            chosen = torch.randperm(len(faces), generator=generator)[: training.batch_size]
            batch = make_batch(faces[chosen], config.views, generator, device=accelerator.device)
            for group in state.optimizer.param_groups:
                group["lr"] = group["peak"] * 1e-3
            terms = state.prepared(batch, progress)
            state.optimizer.zero_grad(set_to_none=True)
            accelerator.backward(terms["loss"])
            torch.nn.utils.clip_grad_norm_(state.trained, training.clip)
            state.optimizer.step()
            state.update_average(training.average)
            times.append(time.process_time() - began)
            losses.append(terms["loss"].item())
        rate = training.batch_size / statistics.median(times[3:])
        measured[f"{name}_images_a_second"] = round(rate, 2)
        measured[f"{name}_losses"] = [float(f"{losses[at]:.6g}") for at in (0, 1, -1)]
    threads = os.environ.get("OMP_NUM_THREADS")
    line = {"preset": preset, "precision": precision, **measured, "threads": threads}
    words = ["git", "-C", str(Path(swapmark.__file__).parent), "rev-parse", "--short", "HEAD"]
    line["code"] = subprocess.check_output(words, text=True).strip()
    print(json.dumps({**line, **circumstances()}))


if __name__ == "__main__":
    run(main)
