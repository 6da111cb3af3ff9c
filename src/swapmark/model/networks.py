"""The networks on top of the backbone: landmark encoder E_p, appearance encoder E_a, decoder D."""

from dataclasses import dataclass
from typing import Literal

import torch
import torch.nn.functional as F
from einops import einsum, reduce, repeat
from jaxtyping import Float
from torch import Tensor, nn

from swapmark.model.backbone import ConvBlock
from swapmark.model.heatmaps import confidences, gaussians, soft_argmax, spatial_softmax

AppearanceForm = Literal["map", "vector", "landmarks"]


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


@dataclass(frozen=True)
class Pose:
    """What E_p says of a batch of images: p_i of the method."""

    probabilities: Float[Tensor, "batch landmark height width"]
    """Softmax of the heatmaps over their cells."""
    points: Float[Tensor, "batch landmark 2"]
    """Soft-argmax points in unit coordinates."""
    gaussians: Float[Tensor, "batch landmark height width"]
    """A Gaussian drawn at each point: all of the pose that the decoder gets to see."""


class LandmarkEncoder(nn.Module):
    """E_p: features at strides 4, 8, 16 to a `Pose` with heatmaps at stride 4."""

    def __init__(self, channels: tuple[int, ...], landmarks: int, width: int, sigma: float):
        super().__init__()
        self.sigma = sigma
        self.fusion = PyramidFusion(channels, width)
        self.heatmaps = nn.Conv2d(width, landmarks, 1)
        # Random scores over hundreds of cells average to the middle; scaled up they start apart.
        nn.init.normal_(self.heatmaps.weight, std=0.1)

    def forward(self, features: list[Tensor]) -> Pose:
        return self.pose(spatial_softmax(self.heatmaps(self.fusion(features))))

    def pose(self, probabilities: Float[Tensor, "batch landmark height width"]) -> Pose:
        """Points and Gaussians of given probability maps."""
        points = soft_argmax(probabilities)
        height, width = probabilities.shape[-2:]
        return Pose(probabilities, points, gaussians(points, height, width, self.sigma))

    def confidence(self, pose: Pose) -> Float[Tensor, "batch landmark"]:
        """In [0, 1]; see `swapmark.model.heatmaps.confidences`."""
        return confidences(pose.probabilities, pose.points, self.sigma)


@dataclass(frozen=True)
class Appearance:
    """What E_a says of a batch of images: a_i of the method. `appearance[order]` reorders it."""

    looks: Tensor
    """Features, in the form of the encoder: what `map`, `vector` and `landmarks` give."""
    paint: Float[Tensor, "batch landmark 3"]
    """The mean colour around each landmark, RGB in [0, 1]."""
    ground: Float[Tensor, "batch 3 cell cell"]
    """The colours away from all landmarks, in few cells, those behind the object filled in."""

    def __getitem__(self, order) -> "Appearance":
        return Appearance(self.looks[order], self.paint[order], self.ground[order])


class AppearanceEncoder(nn.Module):
    """E_a: features in one of three forms, and colours, which `placed` spreads out again.

    - map: a spatial map at stride 4 (Jakab et al. 2018). Rich, and able to carry the pose: see
      docs/how-it-works.md on collapse.
    - vector: the map averaged over all cells. Carries no place at all.
    - landmarks: the map averaged under each landmark's heatmap, and one background code: the map
      averaged over all cells (Lorenz et al. 2019). Useless without the landmarks.

    The backbone's features hardly know colours. So E_a is given them: one colour a landmark, and
    what lies beyond the landmarks in GROUND by GROUND cells, which cannot tell where the object is.
    """

    def __init__(self, channels: tuple[int, ...], width: int, form: AppearanceForm = "map"):
        super().__init__()
        self.form = form
        self.fusion = PyramidFusion(channels, width)
        self.project = nn.Conv2d(width, width, 1)

    def forward(
        self, images: Float[Tensor, "batch 3 height width"], features: list[Tensor], pose: Pose
    ) -> Appearance:
        """The appearance of images, given their features and pose."""
        maps = self.project(self.fusion(features))
        colours = F.adaptive_avg_pool2d(images.float(), pose.probabilities.shape[-2:])
        near, away = _around(pose, colours.shape[-2:])
        paint = einsum(near, colours, "b k h w, b c h w -> b k c")
        paint = paint / reduce(near, "b k h w -> b k 1", "sum").clamp_min(1e-6)
        return Appearance(self._looks(maps, pose), paint, _ground(colours, away))

    def _looks(self, maps: Tensor, pose: Pose) -> Tensor:
        if self.form == "map":
            return maps
        background = reduce(maps, "b c h w -> b 1 c", "mean")
        if self.form == "vector":
            return background
        parts = einsum(pose.probabilities.to(maps.dtype), maps, "b k h w, b c h w -> b k c")
        return torch.cat([parts, background], dim=1)

    def placed(
        self, appearance: Appearance, pose: Pose
    ) -> tuple[Float[Tensor, "batch channel h w"], Float[Tensor, "batch 3 h w"]]:
        """An appearance spread over the cells in `pose`: looks, and a first coat of colours."""
        size = pose.gaussians.shape[-2:]
        near, away = _around(pose, size)
        ground = F.interpolate(appearance.ground, size=size, mode="bilinear", align_corners=False)
        coat = einsum(near, appearance.paint, "b k h w, b k c -> b c h w") + away * ground
        coat = coat / (reduce(near, "b k h w -> b 1 h w", "sum") + away)
        looks = appearance.looks
        if self.form == "map":
            return looks, coat
        background = repeat(looks[:, -1], "b c -> b c h w", h=size[0], w=size[1])
        if self.form == "vector":
            return background, coat
        parts = pose.gaussians.to(looks.dtype)
        return background + einsum(parts, looks[:, :-1], "b k h w, b k c -> b c h w"), coat


GROUND = 4
REACH = 0.25
"""Of a landmark's colour, as `sigma` of a Gaussian, in units of half the image side."""


def _around(pose: Pose, size: tuple[int, int]) -> tuple[Tensor, Tensor]:
    """How much each cell belongs to each landmark (b, k, h, w), and to none of them (b, 1, h, w).

    No gradient: colours are not to move landmarks.
    """
    near = gaussians(pose.points.detach(), *size, REACH)
    return near, (1 - near).prod(dim=1, keepdim=True)


def _ground(colours: Tensor, away: Tensor) -> Tensor:
    """Mean colours of GROUND by GROUND cells, weighted by `away`; hidden cells take the mean."""
    weight = F.adaptive_avg_pool2d(away, GROUND)
    seen = F.adaptive_avg_pool2d(colours * away, GROUND)
    mean = seen.sum(dim=(2, 3), keepdim=True) / weight.sum(dim=(2, 3), keepdim=True).clamp_min(1e-6)
    return (seen + 0.05 * mean) / (weight + 0.05)


class Decoder(nn.Module):
    """D: appearance and Gaussians at stride 4 to images in [0, 1] at full resolution.

    Bilinear upsampling and convolutions of falling width, as in Jakab et al. 2018.
    """

    def __init__(self, appearance: int, landmarks: int, width: int):
        super().__init__()
        self.inner = nn.Sequential(
            ConvBlock(appearance + landmarks + 3, width), ConvBlock(width, width)
        )
        self.middle = ConvBlock(width, width // 2)
        self.outer = ConvBlock(width // 2, width // 4)
        self.colours = nn.Conv2d(width // 4, 3, 3, padding=1)

    def forward(
        self,
        looks: Float[Tensor, "batch channel height width"],
        coat: Float[Tensor, "batch 3 height width"],
        gaussians: Float[Tensor, "batch landmark height width"],
    ) -> Float[Tensor, "batch 3 full_height full_width"]:
        maps = self.inner(torch.cat([looks, coat.to(looks), gaussians.to(looks)], dim=1))
        maps = self.middle(_double(maps))
        maps = self.outer(_double(maps))
        under = _double(_double(coat)).logit(eps=0.02)
        return (self.colours(maps).float() + under).sigmoid()


def _double(maps: Tensor) -> Tensor:
    return F.interpolate(maps, scale_factor=2, mode="bilinear", align_corners=False)
