"""Teach a model that only finds landmarks to paint, and leave its landmarks as they are.

    python benchmarks/teach_painting.py faces faces-unlabelled.zip --out painted --steps 1600

E_a and D are learned from nothing by the terms `reconstruction` and `swap` of C³, while N and E_p
are those of the model. This made what paints in the built-in `faces`.
"""

import json
import time
from pathlib import Path

import numpy as np
import torch
from cyclopts import run
from safetensors.torch import load_file

from harness.machine import circumstances
from swapmark.data.cache import load_images
from swapmark.data.views import ViewsConfig, make_batch
from swapmark.model.model import ModelConfig, SwapModel
from swapmark.model.store import WEIGHTS, load_model, save_model
from swapmark.objectives.c3 import C3, C3Config
from swapmark.objectives.perceptual import PerceptualDistance
from swapmark.predict.find import find_model
from swapmark.training.schedule import batch_indices, rate_factor


def main(
    model: str,
    images: Path,
    *,
    out: Path,
    steps: int = 1600,
    batch_size: int = 8,
    rate: float = 0.004,
    seed: int = 0,
) -> None:
    """Write the whole model into the folder `out`; what is new in it in half precision."""
    torch.manual_seed(seed)
    folder = find_model(model)
    finder = load_model(folder)
    whole = SwapModel(ModelConfig(**vars(finder.config)))
    whole.load_state_dict(finder.state_dict(), strict=False)
    painters = [*whole.appearance_encoder.parameters(), *whole.decoder.parameters()]
    whole.requires_grad_(False)
    for value in painters:
        value.requires_grad_(True)
    settings = C3Config(inverse=0, known_equivariance=0, separation=0, ramp_start=0.3, ramp_end=0.4)
    objective = C3(whole, PerceptualDistance(), settings)
    pictures = load_images(images, finder.config.image_size, resize=finder.config.resize)
    optimizer = torch.optim.AdamW(painters, lr=rate)
    began, line = time.monotonic(), {}
    for step in range(steps):
        chosen = np.sort(batch_indices(step, batch_size, len(pictures), seed))
        generator = torch.Generator().manual_seed(seed * 1_000_003 + step)
        squares = torch.from_numpy(pictures.batch(chosen))
        batch = make_batch(squares, ViewsConfig(), generator)
        for group in optimizer.param_groups:
            group["lr"] = rate * rate_factor(step, steps, 50)
        terms = objective(batch, step / steps)
        optimizer.zero_grad(set_to_none=True)
        terms["loss"].backward()
        torch.nn.utils.clip_grad_norm_(painters, 1.0)
        optimizer.step()
        if step % 100 == 99:
            line = {name: round(value.item(), 4) for name, value in terms.items()}
            print(step + 1, line, f"{time.monotonic() - began:.0f} s", flush=True)
    whole.half().load_state_dict(load_file(folder / WEIGHTS), strict=False, assign=True)
    save_model(out, whole, (folder / "README.md").read_text(encoding="utf-8"))
    record = {"steps": steps, "batch_size": batch_size, "seed": seed, **line, **circumstances()}
    print(json.dumps(record))


if __name__ == "__main__":
    run(main)
