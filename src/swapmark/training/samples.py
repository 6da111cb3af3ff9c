"""The pictures of a run: what the swaps look like."""

import torch
from jaxtyping import Float
from torch import Tensor

from swapmark.coordinates import unit_to_pixels
from swapmark.data.tensors import as_pictures, partners_of
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
    first = model.decode(model.appearance(images).of(partners), pose)
    second = model.decode(model.appearance(first).of(partners), model.pose(first))
    sheet = sample_sheet(
        as_pictures(images).numpy(),
        unit_to_pixels(pose.points.cpu().numpy(), model.config.image_size),
        as_pictures(first).numpy(),
        partners=as_pictures(images[partners]).numpy(),
        second_swap=as_pictures(second).numpy() if swap_back else None,
    )
    save_image(sheet, run.samples / f"step-{step:07d}.png")
