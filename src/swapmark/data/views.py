"""What the objectives are fed: a jittered view of each image, and a warped copy of that view.

Everything random here is drawn on the CPU from one generator, for the whole batch of all devices,
so that a step is a function of (seed, step) alone: that is what makes resuming exact.
"""

from dataclasses import dataclass
from typing import Annotated, Literal

import torch
from annotated_types import Ge
from jaxtyping import Float, UInt8
from torch import Tensor

from swapmark.bounds import NotNegative, Share, check_bounds
from swapmark.data.tensors import as_model_input, partners_of
from swapmark.data.warp import Warp, inside, random_warp, warp_images


@dataclass(frozen=True)
class ViewsConfig:
    """How strongly images are jittered and warped; standard deviations (see `random_warp`)."""

    rotation: NotNegative = 10.0
    """Degrees, of the view and again of its warped copy."""
    scale: NotNegative = 0.1
    """Fraction, of the view and again of its warped copy."""
    translation: NotNegative = 0.1
    """Unit lengths, of the warped copy; the view itself is shifted half as far."""
    warp: NotNegative = 0.08
    """Unit lengths each control point of the copy's spline is moved."""
    controls: Annotated[int, Ge(2)] = 4
    """Control points a side of that spline: few bend whole features, many jolt each place."""
    flip: Share = 0.5
    """Probability of a left-right mirror; 0 where left and right must be told apart."""
    pairs: Literal["unpaired", "tps"] = "unpaired"
    """`unpaired`: partners are different images. `tps`: one image and a warp of it (ablation)."""
    colour: Share = 0.2
    """Strength of the brightness, contrast and saturation jitter."""

    def __post_init__(self):
        check_bounds(self)


@dataclass(frozen=True)
class Batch:
    """The views of one step; images are (batch, 3, height, width) in [0, 1].

    Images 2m and 2m + 1 form a pair of the C³ method: `partners` swaps them.
    """

    images: Tensor
    """I: a jittered view of each image, the target of reconstruction."""
    warped: Tensor
    """A thin-plate-spline warp of I, for the appearance."""
    mask: Tensor
    """(batch, 1, height, width): 1 where I shows the picture, 0 where it shows padding."""
    warp: Warp
    """The warp that made `warped` of `images`."""

    @property
    def partners(self) -> Tensor:
        """The index of each image's partner: 1, 0, 3, 2, …"""
        return partners_of(self.images)


def make_batch(
    images: UInt8[Tensor, "batch height width 3"],
    config: ViewsConfig,
    generator: torch.Generator,
    *,
    share: slice = slice(None),
    device: torch.device | str = "cpu",
) -> Batch:
    """Make the views of `images[share]`, with what is random drawn for the whole batch.

    `images` are all images of the step, or those of `share` alone with the others left blank.
    """
    count, turn = len(images), {"rotation": config.rotation, "scale": config.scale}
    near, far = config.translation / 2, config.translation
    view = random_warp(
        count, generator, side=3, warp=0.0, translation=near, flip=config.flip, **turn
    )
    copy = random_warp(
        count, generator, side=config.controls, warp=config.warp, translation=far, **turn
    )
    gains = 1 + config.colour * (2 * torch.rand(count, 5, generator=generator) - 1)
    between = random_warp(count, generator) if config.pairs == "tps" else None
    view, copy = view[share].to(device), copy[share].to(device)
    pictures = jitter_colours(as_model_input(images[share], device), gains[share].to(device))
    pictures = pictures.contiguous(memory_format=torch.channels_last)
    seen = warp_images(pictures, view)
    mask = inside(view, *seen.shape[-2:])
    if between is not None:
        seen, mask = _pair_with_warps(seen, mask, between[share].to(device))
    return Batch(images=seen, warped=warp_images(seen, copy), mask=mask, warp=copy)


def _pair_with_warps(images: Tensor, mask: Tensor, warp: Warp) -> tuple[Tensor, Tensor]:
    """Put a thin-plate-spline warp of every first image of a pair in the place of the second."""
    second = torch.arange(len(images), device=images.device) % 2 == 1
    first = torch.arange(len(images), device=images.device) & ~1
    choose = second[:, None, None, None]
    warped_mask = warp_images(mask[first], warp, padding="zeros")
    return (
        torch.where(choose, warp_images(images[first], warp), images),
        torch.where(choose, warped_mask, mask),
    )


def jitter_colours(
    images: Float[Tensor, "batch 3 height width"], gains: Float[Tensor, "batch 5"]
) -> Float[Tensor, "batch 3 height width"]:
    """Scale the three channels, the contrast and the saturation by the five `gains`."""
    gains = gains[:, :, None, None]
    images = images * (1 + (gains[:, :3] - 1) / 2)
    centre = images.mean(dim=(1, 2, 3), keepdim=True)
    images = centre + (images - centre) * gains[:, 3:4]
    grey = images.mean(dim=1, keepdim=True)
    return (grey + (images - grey) * gains[:, 4:5]).clamp(0, 1)
