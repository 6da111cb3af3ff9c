"""The whole model: backbone N, landmark encoder E_p, appearance encoder E_a, decoder D."""

from dataclasses import dataclass
from typing import Annotated, Literal

import torch
from annotated_types import Ge, Le, MultipleOf
from jaxtyping import Float
from torch import Tensor, nn

from swapmark.bounds import Positive, check_bounds
from swapmark.model.backbone import BackboneName, build_backbone
from swapmark.model.networks import (
    Appearance,
    AppearanceEncoder,
    AppearanceForm,
    Decoder,
    LandmarkEncoder,
    Pose,
)

Width = Annotated[int, Ge(1), Le(4096)]


@dataclass(frozen=True)
class ModelConfig:
    """The networks; all that is needed to build them again around saved weights."""

    landmarks: Annotated[int, Ge(1), Le(1000)] = 10
    """K, the number of landmarks; 5 to 30 are usual. More give finer cover and take longer."""
    image_size: Annotated[int, MultipleOf(16), Ge(32), Le(1024)] = 64
    """Side of the square images that the networks see, in pixels."""
    resize: Literal["pad", "crop"] = "pad"
    """How pictures become square: `pad` keeps all, `crop` keeps the centre square."""
    backbone: BackboneName = "efficientnet"
    """`efficientnet`: EfficientNet-Lite0 with ImageNet weights. `plain`: random weights."""
    backbone_width: Width = 32
    """Channels of the first layer of the `plain` backbone."""
    landmark_width: Width = 96
    """Channels of the landmark encoder E_p."""
    appearance: AppearanceForm = "map"
    """What E_a gives: a spatial `map`, one `vector`, or one code under each of the `landmarks`."""
    appearance_width: Width = 64
    """Channels of the appearance."""
    decoder_width: Annotated[int, Ge(4), Le(4096)] = 128
    """Channels of the decoder D at stride 4; halved at each doubling of the resolution."""
    sigma: Positive = 0.15
    """Width of the Gaussian at each landmark, exp(-d²/σ²), in units of half the image side."""

    def __post_init__(self):
        check_bounds(self)


class PoseModel(nn.Module):
    """N and E_p: all that finding landmarks needs.

    `pretrained=False` builds the nets without the ImageNet weights, to be filled from a file.
    """

    def __init__(self, config: ModelConfig, *, pretrained: bool = True):
        super().__init__()
        self.config = config
        self.backbone = build_backbone(
            config.backbone, width=config.backbone_width, pretrained=pretrained
        )
        self.landmark_encoder = LandmarkEncoder(
            self.backbone.channels, config.landmarks, config.landmark_width, config.sigma
        )
        self.to(memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue]

    def features(self, images: Float[Tensor, "batch 3 height width"]) -> list[Tensor]:
        """N(I). On a CPU in float32 also under autocast: depthwise layers are slower in bf16."""
        if images.device.type != "cpu":
            return self.backbone(images)
        with torch.autocast("cpu", enabled=False):
            return self.backbone(images.float())

    def pose(self, images: Float[Tensor, "batch 3 height width"]) -> Pose:
        """p = E_p(N(I))."""
        return self.landmark_encoder(self.features(images))


class SwapModel(PoseModel):
    """N, E_p, E_a and D with one set of weights, used in every place of the method."""

    def __init__(self, config: ModelConfig, *, pretrained: bool = True):
        super().__init__(config, pretrained=pretrained)
        self.appearance_encoder = AppearanceEncoder(
            self.backbone.channels, config.appearance_width, config.appearance
        )
        self.decoder = Decoder(config.appearance_width, config.landmarks, config.decoder_width)
        self.to(memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue]

    def appearance(self, images: Float[Tensor, "batch 3 height width"]) -> Appearance:
        """a = E_a(N(I))."""
        features = self.features(images)
        return self.appearance_encoder(images, features, self.landmark_encoder(features))

    def decode(self, appearance: Appearance, pose: Pose) -> Float[Tensor, "batch 3 height width"]:
        """D(a, p)."""
        return self.decoder(*self.appearance_encoder.placed(appearance, pose), pose.gaussians)
