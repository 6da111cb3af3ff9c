"""The two layers everything is built of, and the fusion of a feature pyramid."""

from math import gcd

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn


class ConvBlock(nn.Sequential):
    """3×3 (or `kernel`) convolution, group norm, ReLU; `stride` 2 halves the resolution.

    Group norm in place of the papers' batch norm: it is the same in training and at inference,
    with any batch size, and on several devices. A group is 16 channels, or more where 16 does not
    divide `outputs`.
    """

    def __init__(self, inputs: int, outputs: int, *, kernel: int = 3, stride: int = 1):
        super().__init__(
            nn.Conv2d(inputs, outputs, kernel, stride, padding=kernel // 2, bias=False),
            nn.GroupNorm(gcd(outputs, max(1, outputs // 16)), outputs),
            nn.ReLU(inplace=True),
        )


class PyramidFusion(nn.Module):
    """Sum feature maps of several strides at the finest of them, then one convolution block.

    Takes maps from fine to coarse with `channels[i]` channels; gives (batch, outputs, h, w) at the
    resolution of the first.
    """

    def __init__(self, channels: tuple[int, ...], outputs: int):
        super().__init__()
        self.laterals = nn.ModuleList(nn.Conv2d(inputs, outputs, 1) for inputs in channels)
        self.block = ConvBlock(outputs, outputs)

    def forward(
        self, features: list[Float[Tensor, "batch _c _h _w"]]
    ) -> Float[Tensor, "batch channel height width"]:
        size = features[0].shape[-2:]
        total = self.laterals[0](features[0])
        for lateral, feature in zip(self.laterals[1:], features[1:], strict=True):
            total = total + F.interpolate(
                lateral(feature), size=size, mode="bilinear", align_corners=False
            )
        return self.block(torch.relu(total))
