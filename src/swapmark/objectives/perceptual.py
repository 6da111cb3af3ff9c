"""The perceptual distance P: squared differences of network features, each layer made to count.

Source: the feature loss of Jakab et al. 2018 (§3, "perceptual loss"), whose layers are divided by
running means of their own size. Features: EfficientNet-Lite0, or a VGG file that the user has.
"""

from pathlib import Path

import torch
import torch.nn.functional as F
from jaxtyping import Float
from safetensors.torch import load_file
from torch import Tensor, nn

from swapmark.errors import InputError, one_line
from swapmark.model.backbone import EfficientNetLite0
from swapmark.model.devices import mean_over_devices

# Convolutions of each stage in torchvision's `features`, and the widths of the stages.
_VGG_REPEATS = {"VGG-16": (2, 2, 3, 3, 3), "VGG-19": (2, 2, 4, 4, 4)}
_VGG_WIDTHS = (64, 128, 256, 512, 512)
# Mean and standard deviation of the red, green and blue of ImageNet, as torchvision's nets expect.
_IMAGENET = ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
_MOMENTUM = 0.99
"""Of the layers' running means."""


class VggFeatures(nn.Module):
    """Maps after conv1_2 … conv5_2 of VGG-16 or VGG-19, from a torchvision-format state dict.

    Raises InputError if the file is not one.
    """

    mean: Tensor
    deviation: Tensor

    def __init__(self, path: str | Path):
        super().__init__()
        try:
            weights = _read_vgg(Path(path))
            self._build("VGG-19" if "features.34.weight" in weights else "VGG-16")
            self.load_state_dict(weights)
        except Exception as error:  # a damaged or hostile file raises a dozen different errors
            raise InputError(
                f"{path} holds no weights of VGG-16 or VGG-19. Expected a state dict as "
                f"torchvision has it, without batch norm ({one_line(error)})."
            ) from error
        for name, values in zip(("mean", "deviation"), _IMAGENET, strict=True):
            self.register_buffer(name, torch.tensor(values).view(1, 3, 1, 1), persistent=False)

    def forward(self, images: Float[Tensor, "batch 3 height width"]) -> list[Tensor]:
        maps = (images - self.mean) / self.deviation
        kept = []
        for index, layer in enumerate(list(self.features)[: self._taps[-1] + 1]):
            maps = layer(maps)
            if index in self._taps:
                kept.append(maps)
        return kept

    def _build(self, layout: str) -> None:
        self.features = nn.Sequential()
        self._taps = []
        inputs = 3
        for repeats, width in zip(_VGG_REPEATS[layout], _VGG_WIDTHS, strict=True):
            self._taps.append(len(self.features) + 3)  # the second ReLU of the stage
            for _ in range(repeats):
                self.features.extend([nn.Conv2d(inputs, width, 3, padding=1), nn.ReLU()])
                inputs = width
            self.features.append(nn.MaxPool2d(2))


def _read_vgg(path: Path) -> dict[str, Tensor]:
    """The tensors named features.* of a .pth or .safetensors file."""
    if path.suffix == ".safetensors":
        weights = load_file(path)
    else:
        weights = torch.load(path, map_location="cpu", weights_only=True)
    return {name: value for name, value in weights.items() if name.startswith("features.")}


class PerceptualDistance(nn.Module):
    """P(I, Î): the pixels and the maps of a frozen network, compared layer by layer.

    Each layer's mean squared difference is divided by its running mean over the
    calls with `update`, a buffer that is kept in checkpoints, so that every layer counts about 1.
    `vgg` names a VGG file to use in place of EfficientNet-Lite0. `shared` says that the backbone N
    is this very network, frozen too, so that what N made of a picture need not be computed again.
    """

    running: Tensor

    def __init__(self, vgg: str | Path | None = None, *, shared: bool = False):
        super().__init__()
        self.shared = shared
        self.network = VggFeatures(vgg) if vgg else EfficientNetLite0.pretrained().folded()
        self.network.requires_grad_(False).eval()
        self.register_buffer("running", torch.zeros(6 if vgg else 4))

    def train(self, mode: bool = True) -> "PerceptualDistance":
        super().train(mode)
        self.network.eval()
        return self

    def features(self, images: Float[Tensor, "batch 3 height width"]) -> list[Tensor]:
        """The compared maps: the images themselves, then the network's layers from fine to coarse.

        EfficientNet-Lite0's are at strides 4, 8 and 16. That at stride 4 does not behave
        perceptually by itself, but it places the landmarks: see docs/lab-notebook.md.
        """
        return [images, *self.network(images)]

    @torch.no_grad()
    def targets(
        self,
        images: Float[Tensor, "batch 3 height width"],
        found: list[Tensor] | None = None,
    ) -> list[Tensor]:
        """`features` of images that are compared with, and not trained through.

        `found` is N(I) of the same images, where it is at hand: taken as it is if N is `shared`.
        """
        if self.shared and found is not None:
            return [images.detach(), *(layer.detach() for layer in found)]
        return self.features(images.detach())

    def forward(
        self,
        targets: list[Tensor],
        images: Float[Tensor, "batch 3 height width"],
        mask: Float[Tensor, "batch 1 height width"],
        *,
        update: bool = False,
    ) -> Float[Tensor, ""]:
        """Mean over the batch of P, given `features` of the targets; about the number of layers.

        `mask` weighs the pixels; `update` moves the running means by this batch.
        """
        pairs = zip(targets, self.features(images), strict=True)
        errors = torch.stack([_masked_error(target, maps, mask) for target, maps in pairs])
        if update:
            found = mean_over_devices(errors)
            moved = _MOMENTUM * self.running + (1 - _MOMENTUM) * found
            self.running.copy_(torch.where(self.running == 0, found, moved))
        return (errors / self.running.clamp_min(1e-8)).sum()


def _masked_error(target: Tensor, maps: Tensor, mask: Tensor) -> Tensor:
    squared = (target.float() - maps.float()).square().mean(dim=1, keepdim=True)
    weights = F.interpolate(mask, size=squared.shape[-2:], mode="area")
    # Each image by itself: the mean over a batch is then the same however devices share it.
    total = (squared * weights).sum(dim=(1, 2, 3))
    return (total / weights.sum(dim=(1, 2, 3)).clamp_min(1e-6)).mean()
