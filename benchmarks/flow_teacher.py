"""Would the flow between pictures teach landmarks to lie better? Without any training: move, score.

    python benchmarks/flow_teacher.py faces lfw.zip --out flow.jsonl --images 400

In features of the frozen ImageNet network, or of the model's own backbone, each landmark of a
picture i is looked for in a picture j: a softmax over the cells of j, of the cosine and of the
distance to a place where it is expected: where it lies in i (as in C³'s flow module), or where the
model has it in j (the landmarks' own warp, the flow being the rest). The mean over several partners
i is where the flow would move the landmark of j. If landmarks so moved predict the marked points
better than they do as they are, the flow is a teacher. Scored on `fit` images, each fifth by a map
of the others. A line of JSON for each way.
"""

import itertools
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from cyclopts import run
from torch import Tensor

import swapmark
from harness.machine import append_line, circumstances
from harness.running import scored
from swapmark.coordinates import pixels_to_unit, unit_to_pixels
from swapmark.data.cache import load_images
from swapmark.data.tensors import as_model_input
from swapmark.model.backbone import EfficientNetLite0
from swapmark.model.flow import flow_features, matched_nearby
from swapmark.points.table import Points
from swapmark.predict.network import TorchNetwork
from swapmark.specimens.evaluate import evaluate

RETURNS_WITHIN = 0.06
"""Unit lengths: a match that does not come back as near as this to where it began is left out."""


class Way(NamedTuple):
    """A way to find a landmark of one picture in another."""

    network: str
    """frozen, or trained"""
    enlarged: int
    """by this factor, before the network sees it"""
    levels: tuple[int, ...]
    """which of its maps, at strides 4, 8 and 16"""
    expected: str
    """where it is in the other picture (i), or in this one (j)"""
    locality: float
    """standard deviation of the distance from there, in unit lengths"""
    temperature: float
    returns: bool
    """whether only matches count that lead back"""


def ways() -> Iterator[Way]:
    """All that are tried; the first is the flow module as C³ has it here."""
    yield Way("frozen", 2, (1, 2), "i", 0.2, 0.1, False)
    for source in (("frozen", 2, (0, 1, 2)), ("trained", 1, (0, 1, 2)), ("trained", 2, (0, 1, 2))):
        yield Way(*source, "i", 0.2, 0.1, True)
        for locality, temperature in itertools.product((0.1, 0.05, 0.03), (0.2, 0.1, 0.05)):
            yield Way(*source, "j", locality, temperature, False)
        yield Way(*source, "j", 0.1, 0.05, True)


def features_of(backbone: torch.nn.Module, squares: np.ndarray, way: Way) -> Tensor:
    """What the flow compares, of all pictures: float16 (N, C, h, w)."""
    found: list[list[Tensor]] = []
    with torch.inference_mode():
        for some in torch.from_numpy(squares).split(8):
            images = as_model_input(some, torch.device("cpu"))
            if way.enlarged > 1:
                scale = float(way.enlarged)
                images = F.interpolate(images, scale_factor=scale, mode="bilinear")
            maps = backbone(images)
            found.append([maps[level].half() for level in way.levels])
        return flow_features([torch.cat(level) for level in zip(*found, strict=True)]).half()


def sought(features: Tensor, start: Tensor, pairs: Tensor, prior: Tensor, way: Way) -> Tensor:
    """Where in one picture of each pair that is which lies at `start` in the other: (B, K, 2)."""
    here, there = features[pairs[:, 0]], features[pairs[:, 1]]
    options = {"temperature": way.temperature, "width": way.locality}
    return matched_nearby(here, there, prior, start, **options)


def moved(features: Tensor, points: Tensor, way: Way, partners: int) -> tuple[Tensor, float]:
    """Each landmark (N, K, 2) by the mean over partners; and the share of matches that count."""
    total, weight = torch.zeros_like(points), torch.zeros(points.shape[:2])
    count = len(points)
    for shift in range(1, partners + 1):
        for some in torch.arange(count).split(16):
            other = (some + shift * (count // (partners + 1))) % count
            prior = points[other] if way.expected == "i" else points[some]
            pair = torch.stack([some, other], dim=1)
            place = sought(features, points[other], pair, prior, way)
            keep = torch.ones(place.shape[:2])
            if way.returns:
                back = points[some] if way.expected == "i" else points[other]
                start = sought(features, place, pair.flip(1), back, way)
                keep = ((start - points[other]).norm(dim=-1) < RETURNS_WITHIN).float()
            total[some] += place * keep[..., None]
            weight[some] += keep
    mean = torch.where(weight[..., None] > 0, total / weight.clamp_min(1)[..., None], points)
    return mean, weight.sum().item() / (partners * weight.numel())


def main(model: str, annotated: Path, *, out: Path, images: int = 400, partners: int = 8) -> None:
    """Score the landmarks of a model as they are, and as each way of the flow moves them."""
    detector = swapmark.load(model, device="cpu")
    network = detector.network
    assert isinstance(network, TorchNetwork)
    marked = scored(annotated, "fit-folds")
    items = marked.items[:: max(1, len(marked.items) // images)][:images]
    names = [item.name for item in items]
    marks = marked.points.take([marked.points.files.index(name) for name in names])
    pictures = load_images(items, network.image_size, resize=network.resize, progress=False)
    squares = pictures.batch(np.arange(len(pictures)))
    found = detector.predict(items)
    points = torch.from_numpy(pixels_to_unit(network.find(squares)[0], network.image_size)).float()

    def error(of: Tensor) -> float:
        xy = unit_to_pixels(of.numpy().astype(float), network.image_size)
        places = [p.to_original(one) for p, one in zip(pictures.placements, xy, strict=True)]
        table = Points(found.names, found.files, np.stack(places), sizes=found.sizes)
        metrics = evaluate(table, marks, bootstrap=0, draws=0).metrics()
        return metrics["forward.imm.nme"]

    backbones = {
        "frozen": EfficientNetLite0.pretrained().folded().eval(),
        "trained": network.backbone,
    }
    shared = {"model": model, "annotated": annotated.name, "images": len(items)}
    shared |= {"partners": partners, "as_they_are": error(points)}
    print(shared)
    source, features = None, torch.empty(0)
    for way in ways():
        if source != way[:3]:
            source, features = way[:3], features_of(backbones[way.network], squares, way)
        there, kept = moved(features, points, way, partners)
        line = {**shared, **way._asdict(), "kept": round(kept, 3)}
        line |= {"moved": error(there), "half": error((points + there) / 2)}
        append_line(out, line | circumstances())
        print(*way, f"kept {kept:.2f}: moved {line['moved']:.2f}, half {line['half']:.2f}")


if __name__ == "__main__":
    run(main)
