"""The perceptual distance on a VGG file: which maps it takes, and which files it refuses."""

from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from swapmark.errors import InputError
from swapmark.objectives.perceptual import PerceptualDistance, VggFeatures

VGG_REPEATS = {"VGG-16": (2, 2, 3, 3, 3), "VGG-19": (2, 2, 4, 4, 4)}


def random_images(size: int) -> torch.Tensor:
    return torch.rand(1, 3, size, size, generator=torch.Generator().manual_seed(size))


def vgg_state(layout: str, scale: float = 0.05) -> dict[str, torch.Tensor]:
    """A state dict as torchvision names it, of random weights, with one entry of its classifier."""
    source = torch.Generator().manual_seed(0)
    state, place, inputs = {"classifier.6.bias": torch.zeros(1000)}, 0, 3
    for repeats, width in zip(VGG_REPEATS[layout], (64, 128, 256, 512, 512), strict=True):
        for _ in range(repeats):
            weight = torch.empty(width, inputs, 3, 3)
            state[f"features.{place}.weight"] = weight.uniform_(-scale, scale, generator=source)
            state[f"features.{place}.bias"] = torch.zeros(width)
            place, inputs = place + 2, width
        place += 1
    return state


@pytest.fixture(scope="module")
def vgg_files(tmp_path_factory) -> dict[str, str]:
    folder = tmp_path_factory.mktemp("vgg")
    files = {}
    for layout in VGG_REPEATS:
        files[layout] = str(folder / f"{layout}.pth")
        torch.save(vgg_state(layout), files[layout])
    return files


@pytest.mark.parametrize("layout", list(VGG_REPEATS))
@torch.no_grad()
def test_vgg_maps_follow_the_second_convolution_of_each_stage(vgg_files, layout):
    """Against the stages written out: convolutions and ReLUs, halved by a maximum in between."""
    state, images = vgg_state(layout), random_images(64)
    colours = ((0.485, 0.229), (0.456, 0.224), (0.406, 0.225))
    maps = torch.stack(
        [(images[:, k] - mean) / deviation for k, (mean, deviation) in enumerate(colours)], dim=1
    )
    expected, place = [], 0
    for repeats in VGG_REPEATS[layout]:
        for convolution in range(repeats):
            weight = state[f"features.{place}.weight"]
            maps = F.conv2d(maps, weight, state[f"features.{place}.bias"], padding=1).relu()
            place += 2
            if convolution == 1:
                expected.append(maps)
        maps, place = F.max_pool2d(maps, 2), place + 1
    found = VggFeatures(vgg_files[layout])(images)
    assert [layer.shape[1] for layer in found] == [64, 128, 256, 512, 512]
    for layer, other in zip(found, expected, strict=True):
        torch.testing.assert_close(layer, other)


def test_a_vgg_file_takes_the_place_of_efficientnet(vgg_files):
    distance = PerceptualDistance(vgg_files["VGG-16"])
    images = random_images(32)
    targets = distance.targets(images)
    value = distance(targets, images.flip(-1), torch.ones(1, 1, 32, 32), update=True)
    assert value.item() == pytest.approx(6, rel=1e-4)
    assert len(targets) == len(distance.running) == 6
    assert not any(parameter.requires_grad for parameter in distance.parameters())


def test_vgg_weights_may_be_safetensors(tmp_path):
    from safetensors.torch import save_file

    state = vgg_state("VGG-16")
    save_file(state, tmp_path / "vgg.safetensors")
    network = VggFeatures(tmp_path / "vgg.safetensors")
    assert torch.equal(network.state_dict()["features.26.weight"], state["features.26.weight"])
    assert network.state_dict().keys() == state.keys() - {"classifier.6.bias"}


class Trap:
    """Unpickled, this makes the folder `sprung`: what a hostile weights file would do."""

    def __reduce__(self):
        return Path.mkdir, (Path("sprung"),)


WRONG = {
    "another network": {"conv1.weight": torch.zeros(64, 3, 7, 7)},
    "a list": [torch.zeros(1)],
    "a layer of another size": {"features.0.weight": torch.zeros(1)},
    "text for weights": {"features.0.weight": "no"},
    "a pickled object": nn.Linear(2, 2),
    "a hostile pickle": {"features.0.weight": Trap()},
}


@pytest.mark.parametrize("content", [*WRONG, "bytes", "absent"])
@pytest.mark.parametrize("name", ["weights.pth", "weights.safetensors"])
def test_a_file_that_is_not_vgg_is_refused(tmp_path, monkeypatch, content, name):
    monkeypatch.chdir(tmp_path)
    if content in WRONG:
        torch.save(WRONG[content], name)
    elif content == "bytes":
        Path(name).write_bytes(b"not weights at all" * 10)
    with pytest.raises(InputError, match=name):
        PerceptualDistance(name)
    assert not Path("sprung").exists()
