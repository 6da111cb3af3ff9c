"""What finds landmarks in squares, and the one that does so in torch.

torch is imported when it is first needed: an ONNX file finds landmarks without it.
"""

from typing import TYPE_CHECKING, Protocol, runtime_checkable

import numpy as np

from swapmark.coordinates import unit_to_pixels

if TYPE_CHECKING:
    from swapmark.model.model import PoseModel


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

    def find(self, squares: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Landmarks (B, K, 2), in pixels of the squares, and their confidence (B, K) in [0, 1].

        squares: uint8 RGB (B, image_size, image_size, 3).
        """
        ...


class TorchNetwork:
    """The backbone and landmark encoder of a model, on any device that torch knows."""

    def __init__(self, model: "PoseModel", device: str | None = None, fingerprint: str = ""):
        """device: `cuda`, `mps` or `cpu`; the best there is by default. InputError if absent."""
        from swapmark.model.devices import choose_device

        self.device = choose_device(device)
        self.model = model.to(self.device).eval()
        self.landmarks = model.config.landmarks
        self.image_size = model.config.image_size
        self.resize = model.config.resize
        self.fingerprint = fingerprint

    def find(self, squares: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Landmarks (B, K, 2) in pixels of the squares, and their confidence (B, K)."""
        import torch

        from swapmark.data.tensors import as_model_input

        with torch.inference_mode():
            pose = self.model.pose(as_model_input(torch.from_numpy(squares), self.device))
            confidence = self.model.landmark_encoder.confidence(pose)
        xy = unit_to_pixels(pose.points.cpu().double().numpy(), self.image_size)
        return xy, confidence.cpu().double().numpy()
