"""Pictures as tensors: how the nets take them, who is whose partner, where rounding must not be."""

import torch
from einops import rearrange
from jaxtyping import Float, Int, UInt8
from torch import Tensor


def as_model_input(
    squares: UInt8[Tensor, "batch height width 3"], device: torch.device | str = "cpu"
) -> Float[Tensor, "batch 3 height width"]:
    """Pictures as read to what the nets take: float32 in [0, 1] on the device.

    >>> as_model_input(torch.full((1, 2, 2, 3), 255, dtype=torch.uint8)).unique().tolist()
    [1.0]
    """
    images = rearrange(squares, "b h w c -> b c h w").to(device).float() / 255
    return images.contiguous(memory_format=torch.channels_last)


def partners_of(images: Float[Tensor, "batch 3 height width"]) -> Int[Tensor, " batch"]:
    """The index of each image's partner: 1, 0, 3, 2, … There must be an even number of images.

    >>> partners_of(torch.zeros(4, 3, 2, 2)).tolist()
    [1, 0, 3, 2]
    """
    return torch.arange(len(images), device=images.device) ^ 1


def full_precision(device: torch.device) -> torch.autocast:
    """A context without autocast, which would round products, and so places, to bfloat16.

    >>> with torch.autocast("cpu", torch.bfloat16), full_precision(torch.device("cpu")):
    ...     (torch.eye(2) @ torch.eye(2)).dtype
    torch.float32
    """
    return torch.autocast(device.type, enabled=False)
