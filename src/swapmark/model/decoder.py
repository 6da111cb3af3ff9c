"""The decoder D: an appearance and a pose to an image."""

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from swapmark.model.blocks import ConvBlock


class Decoder(nn.Module):
    """D: appearance and Gaussians at stride 4 to images in [0, 1] at full resolution.

    Bilinear upsampling and convolutions of falling width, as in Jakab et al. 2018.
    """

    def __init__(self, appearance: int, landmarks: int, width: int):
        super().__init__()
        self.inner = nn.Sequential(
            ConvBlock(appearance + landmarks, width), ConvBlock(width, width)
        )
        self.middle = ConvBlock(width, width // 2)
        self.outer = ConvBlock(width // 2, width // 4)
        self.colours = nn.Conv2d(width // 4, 3, 3, padding=1)

    def forward(
        self,
        appearance: Float[Tensor, "batch channel height width"],
        gaussians: Float[Tensor, "batch landmark height width"],
    ) -> Float[Tensor, "batch 3 full_height full_width"]:
        maps = self.inner(torch.cat([appearance, gaussians.to(appearance.dtype)], dim=1))
        maps = self.middle(_double(maps))
        maps = self.outer(_double(maps))
        return self.colours(maps).float().sigmoid()


def _double(maps: Tensor) -> Tensor:
    return F.interpolate(maps, scale_factor=2, mode="bilinear", align_corners=False)
