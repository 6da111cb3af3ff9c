"""The appearance encoder E_a: backbone features to what things look like, not where they are."""

from typing import Literal

import torch
from einops import einsum, reduce, repeat
from jaxtyping import Float
from torch import Tensor, nn

from swapmark.model.blocks import PyramidFusion
from swapmark.model.landmark_encoder import Pose

AppearanceForm = Literal["map", "vector", "landmarks"]


class AppearanceEncoder(nn.Module):
    """E_a in one of three forms, each giving an appearance that `placed` spreads out again.

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

    def forward(self, features: list[Tensor], pose: Pose | None = None) -> Tensor:
        """The appearance of each image; `pose` of the same images is needed for `landmarks`."""
        maps = self.project(self.fusion(features))
        if self.form == "map":
            return maps
        background = reduce(maps, "b c h w -> b 1 c", "mean")
        if self.form == "vector":
            return background
        assert pose is not None
        parts = einsum(pose.probabilities.to(maps.dtype), maps, "b k h w, b c h w -> b k c")
        return torch.cat([parts, background], dim=1)

    def placed(self, appearance: Tensor, pose: Pose) -> Float[Tensor, "batch channel height width"]:
        """Spread an appearance over the cells, at the landmarks of `pose` for `landmarks`."""
        if self.form == "map":
            return appearance
        height, width = pose.gaussians.shape[-2:]
        background = repeat(appearance[:, -1], "b c -> b c h w", h=height, w=width)
        if self.form == "vector":
            return background
        near = pose.gaussians.to(appearance.dtype)
        return background + einsum(near, appearance[:, :-1], "b k h w, b k c -> b c h w")
