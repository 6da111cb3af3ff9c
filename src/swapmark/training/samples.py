"""The pictures of a run: what the swaps look like."""

import numpy as np
import torch
from einops import rearrange
from jaxtyping import Float
from torch import Tensor

from swapmark.coordinates import unit_to_pixels
from swapmark.data.tensors import partners_of
from swapmark.drawing.draw import save_image
from swapmark.drawing.sheets import sample_sheet
from swapmark.model.model import SwapModel
from swapmark.training.run import Run

COLUMNS = 8


@torch.no_grad()
def draw_samples(
    run: Run,
    model: SwapModel,
    probes: Float[Tensor, "image 3 height width"],
    step: int,
    *,
    swap_back: bool,
) -> None:
    """Write samples/step-N.png: inputs with landmarks, partners, first swap, and the second too if
    `swap_back`.

    Takes pairs from the front of `probes`, of which there are at least 2.
    """
    images = probes[: min(COLUMNS, len(probes) // 2 * 2)]
    partners = partners_of(images)
    pose = model.pose(images)
    first = model.decode(model.appearance(images)[partners], pose)
    second = model.decode(model.appearance(first)[partners], model.pose(first))
    sheet = sample_sheet(
        _pictures(images),
        unit_to_pixels(pose.points.cpu().numpy(), model.config.image_size),
        _pictures(first),
        partners=_pictures(images[partners]),
        second_swap=_pictures(second) if swap_back else None,
    )
    save_image(sheet, run.samples / f"step-{step:07d}.png")


def _pictures(images: Tensor) -> np.ndarray:
    return (rearrange(images, "b c h w -> b h w c").clamp(0, 1) * 255).round().byte().cpu().numpy()
