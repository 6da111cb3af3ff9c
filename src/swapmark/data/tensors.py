"""Pictures as tensors: how the nets take them, who is whose partner, where rounding must not be."""

import torch
from einops import rearrange
from jaxtyping import Float, Int, UInt8
from torch import Tensor


def as_model_input(
    squares: UInt8[Tensor, "batch height width 3"], device: torch.device | str = "cpu"
) -> Float[Tensor, "batch 3 height width"]:
    """Pictures as read to what the nets take: float32 in [0, 1] on the device."""
    images = rearrange(squares, "b h w c -> b c h w").to(device).float() / 255
    return images.contiguous(memory_format=torch.channels_last)


def as_pictures(
    images: Float[Tensor, "batch 3 height width"],
) -> UInt8[Tensor, "batch height width 3"]:
    """What the nets paint, in [0, 1], as pictures."""
    return (rearrange(images, "b c h w -> b h w c").clamp(0, 1) * 255).round().byte().cpu()


def partners_of(images: Float[Tensor, "batch 3 height width"]) -> Int[Tensor, " batch"]:
    """The index of each image's partner: 1, 0, 3, 2, … There must be an even number of images."""
    return torch.arange(len(images), device=images.device) ^ 1


def full_precision(device: torch.device) -> torch.autocast:
    """A context without autocast, which would round products, and so places, to bfloat16."""
    return torch.autocast(device.type, enabled=False)
