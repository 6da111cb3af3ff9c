"""The networks on top of the backbone: landmark encoder E_p, appearance encoder E_a, decoder D."""

from dataclasses import dataclass
from typing import Literal, NamedTuple

import torch
import torch.nn.functional as F
from einops import einsum, reduce, repeat
from jaxtyping import Float
from torch import Tensor, nn

from swapmark.model.backbone import ConvBlock
from swapmark.model.colours import Colours, first_coat, pick_colours
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


class Appearance(NamedTuple):
    """What E_a says of a batch of images: a_i of the method."""

    looks: Tensor
    """Features, in the form of the encoder."""
    colours: Colours

    def of(self, order) -> "Appearance":
        """The appearance of the images at these indices."""
        near, ground = self.colours
        return Appearance(self.looks[order], Colours(near[order], ground[order]))


class AppearanceEncoder(nn.Module):
    """E_a: colours, and features in one of three forms; `placed` spreads both out again.

    - map: a spatial map at stride 4 (Jakab et al. 2018). Rich, and able to carry the pose: see
      docs/how-it-works.md on collapse.
    - vector: the map averaged over all cells. Carries no place at all.
    - landmarks: the map averaged under each landmark's heatmap, and one background code: the map
      averaged over all cells (Lorenz et al. 2019). Useless without the landmarks.
    """

    def __init__(self, channels: tuple[int, ...], width: int, form: AppearanceForm = "map"):
        super().__init__()
        self.form = form
        self.fusion = PyramidFusion(channels, width)
        self.project = nn.Conv2d(width, width, 1)

    def forward(
        self, images: Float[Tensor, "batch 3 height width"], features: list[Tensor], pose: Pose
    ) -> Appearance:
        """The appearance of images with these features N(I) and this pose."""
        return Appearance(self._looks(features, pose), pick_colours(images, pose.points))

    def _looks(self, features: list[Tensor], pose: Pose) -> Tensor:
        maps = self.project(self.fusion(features))
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
        """The looks and the colours over the cells: at the landmarks of `pose`, but for a `map`."""
        height, width = pose.gaussians.shape[-2:]
        coat = first_coat(appearance.colours, pose.points, height, width)
        looks = appearance.looks
        if self.form == "map":
            return looks, coat
        background = repeat(looks[:, -1], "b c -> b c h w", h=height, w=width)
        if self.form == "vector":
            return background, coat
        near = pose.gaussians.to(looks.dtype)
        return background + einsum(near, looks[:, :-1], "b k h w, b k c -> b c h w"), coat


class Decoder(nn.Module):
    """D: appearance and Gaussians at stride 4 to images in [0, 1] at full resolution.

    Bilinear upsampling and convolutions of falling width, as in Jakab et al. 2018. Ours: what they
    give is added to the first coat of colours, so that these need not be learned.
    """

    def __init__(self, appearance: int, landmarks: int, width: int):
        super().__init__()
        self.inner = nn.Sequential(
            ConvBlock(appearance + 3 + landmarks, width), ConvBlock(width, width)
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
        maps = self.inner(
            torch.cat([looks, coat.to(looks.dtype), gaussians.to(looks.dtype)], dim=1)
        )
        maps = self.middle(_double(maps))
        maps = self.outer(_double(maps))
        coat = _double(_double(coat)).logit(eps=0.02)
        return (self.colours(maps).float() + coat).sigmoid()


def _double(maps: Tensor) -> Tensor:
    return F.interpolate(maps, scale_factor=2, mode="bilinear", align_corners=False)
