"""Nets of which everything is known, for holding the objectives against their equations."""

import torch
from torch import Tensor, nn

from swapmark.data.views import Batch
from swapmark.data.warp import Warp
from swapmark.model.colours import pick_colours
from swapmark.model.heatmaps import gaussians
from swapmark.model.model import ModelConfig, SwapModel
from swapmark.model.networks import Appearance, Pose
from swapmark.objectives.c3 import C3Config
from swapmark.objectives.perceptual import PerceptualDistance

SIZE = 64
TERMS = (
    *("reconstruction", "known_equivariance", "separation"),
    *("swap", "cycle", "inverse", "equivariance", "nearby"),
)


def config(**changes) -> C3Config:
    """Settings with all terms switched off but those that are named."""
    return C3Config(**{**dict.fromkeys(TERMS, 0.0), **changes})


def pose_at(points: Tensor) -> Pose:
    """A pose with these points; its maps are the Gaussians drawn there."""
    maps = gaussians(points, 8, 8, 0.2)
    return Pose(maps / maps.sum(dim=(-2, -1), keepdim=True), points, maps)


def tagged_images(appearances: list[float], places: list[float]) -> Tensor:
    """Flat images that say what they are: red the appearance, green the x of the one landmark.

    Blue is 0, and 1 in images that a `TaggedModel` painted.
    """
    tags = torch.tensor([appearances, places, [0.0] * len(places)]).T
    return tags[:, :, None, None].expand(-1, -1, SIZE, SIZE).clone()


def tagged_batch(
    appearances: list[float], places: list[float], *, warped_places: list[float] | None = None
) -> Batch:
    """Tagged images; the warped copies have half a unit more of appearance, to be told apart."""
    count = len(places)
    other = [value + 0.5 for value in appearances]
    return Batch(
        images=tagged_images(appearances, places),
        warped=tagged_images(other, warped_places or places),
        mask=torch.ones(count, 1, SIZE, SIZE),
        warp=Warp.identity(count),
    )


class TaggedPoses(nn.Module):
    """Reads the landmark off the image; one that was painted seems to be `drift` further right."""

    def __init__(self, drift: float):
        super().__init__()
        self.drift = drift

    def forward(self, features: list[Tensor]) -> Pose:
        _, place, painted = features[0].mean(dim=(2, 3)).unbind(dim=1)
        x = place + self.drift * painted
        return pose_at(torch.stack([x, torch.zeros_like(x)], dim=-1)[:, None])


class TaggedAppearances(nn.Module):
    """Reads the appearance off the image; of one that was painted, `aging` more than is there."""

    def __init__(self, aging: float):
        super().__init__()
        self.aging = aging

    def forward(self, images: Tensor, features: list[Tensor], pose: Pose) -> Appearance:
        tag, _, painted = features[0].mean(dim=(2, 3)).unbind(dim=1)
        return Appearance(tag + self.aging * painted, pick_colours(images, pose.points))


class TaggedModel(SwapModel):
    """Paints images that say which appearance and which pose they were given.

    `painted` lists what was asked of the decoder: (appearance, place) of each image, for each call.
    """

    def __init__(self, *, drift: float = 0.0, aging: float = 0.0):
        nn.Module.__init__(self)
        self.config = ModelConfig(landmarks=1, image_size=SIZE)
        self.landmark_encoder = TaggedPoses(drift)
        self.appearance_encoder = TaggedAppearances(aging)
        self.painted: list[list[tuple[float, float]]] = []

    def features(self, images: Tensor) -> list[Tensor]:
        return [images]

    def decode(self, appearance: Appearance, pose: Pose) -> Tensor:
        tags, places = appearance.looks.tolist(), pose.points[:, 0, 0].tolist()
        self.painted.append(rounded(tags, places))
        images = tagged_images(tags, places)
        images[:, 2] = 1
        return images


def rounded(appearances: list[float], places: list[float]) -> list[tuple[float, float]]:
    """Pairs that can be compared."""
    pairs = zip(appearances, places, strict=True)
    return [(round(appearance, 3), round(place, 3)) for appearance, place in pairs]


class PixelDistance(PerceptualDistance):
    """The mean squared difference of the pixels; for the flow, features are patches of 8 pixels."""

    def __init__(self):
        nn.Module.__init__(self)
        self.network = nn.Identity()
        self.shared = False
        self.register_buffer("running", torch.tensor([1.0, float("inf"), float("inf")]))

    def features(self, images: Tensor) -> list[Tensor]:
        patches = nn.functional.pixel_unshuffle(images, 8)
        return [images, patches, patches]
