"""What finds landmarks in squares, and the one that does so in torch.

torch is imported when it is first needed: an ONNX file finds landmarks without it.
"""

from typing import TYPE_CHECKING, Any, NamedTuple, Protocol, runtime_checkable

import numpy as np

from swapmark.coordinates import unit_to_pixels

if TYPE_CHECKING:
    from swapmark.model.model import PoseModel


AT_ONCE = 16
"""Squares that a CPU works on together: with more, their maps leave its caches, and a batch of 64
takes half as long again."""


class Sight(NamedTuple):
    """What a network makes of B squares."""

    xy: np.ndarray
    """Landmarks (B, K, 2), in pixels of the squares."""
    confidence: np.ndarray
    """(B, K) in [0, 1]."""
    maps: tuple[np.ndarray, ...]
    """The backbone's maps, float32 (B, h, w, C) each, from fine to coarse."""

    def take(self, rows: Any) -> "Sight":
        """That of the squares at these indices (B',)."""
        return Sight(self.xy[rows], self.confidence[rows], tuple(maps[rows] for maps in self.maps))


@runtime_checkable
class Network(Protocol):
    """A trained network, whatever runs it: squares in, landmarks out."""

    landmarks: int
    """K, the number of landmarks."""
    image_size: int
    """Side of the squares that it takes, in pixels."""
    resize: str
    """How a picture becomes a square: `pad` or `crop`."""
    fingerprint: str
    """SHA-256 of the weights: maps to a user's own points belong to one network."""
    points: str
    """The map to own points that was exported with it, `PointMap.to_json`; empty if none was."""

    def find(self, squares: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Landmarks (B, K, 2), in pixels of the squares, and their confidence (B, K) in [0, 1].

        squares: uint8 RGB (B, image_size, image_size, 3).
        """
        ...

    def see(self, squares: np.ndarray) -> Sight:
        """The same, with the maps that it was found in."""
        ...


class TorchNetwork:
    """The backbone and landmark encoder of a model, on any device that torch knows."""

    def __init__(self, model: "PoseModel", device: str | None = None, fingerprint: str = ""):
        """device: `cuda`, `mps` or `cpu`; the best there is by default. InputError if absent."""
        import torch

        from swapmark.model.devices import choose_device

        self.device = choose_device(device)
        self.encoder = model.to(self.device).eval().landmark_encoder
        backbone = model.backbone.folded()
        self.backbone = backbone.to(memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue]
        self.landmarks = model.config.landmarks
        self.image_size = model.config.image_size
        self.resize = model.config.resize
        self.fingerprint, self.points = fingerprint, ""

    def find(self, squares: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Landmarks (B, K, 2) in pixels of the squares, and their confidence (B, K)."""
        xy, confidence, _ = self._run(squares, maps=False)
        return xy, confidence

    def see(self, squares: np.ndarray) -> Sight:
        """The same, with the backbone's maps."""
        return self._run(squares, maps=True)

    def _run(self, squares: np.ndarray, *, maps: bool) -> Sight:
        import torch

        from swapmark.data.tensors import as_model_input

        found = []
        with torch.inference_mode():
            for some in torch.from_numpy(np.require(squares, requirements="W")).split(
                AT_ONCE if self.device.type == "cpu" else len(squares)
            ):
                features = self.backbone(as_model_input(some, self.device))
                pose = self.encoder(features)
                kept = [level.permute(0, 2, 3, 1) for level in features if maps]
                found.append((pose.points, self.encoder.confidence(pose), *kept))
            points, confidence, *levels = (
                torch.cat(parts).cpu().numpy() for parts in zip(*found, strict=True)
            )
        xy = unit_to_pixels(points.astype(np.float64), self.image_size)
        return Sight(xy, confidence.astype(np.float64), tuple(levels))
