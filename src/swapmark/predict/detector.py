"""The landmark encoder of a model folder in torch: squares to points on any device."""

import sys

import numpy as np
import torch
from jaxtyping import UInt8

from swapmark.coordinates import unit_to_pixels
from swapmark.data.tensors import as_model_input
from swapmark.errors import InputError
from swapmark.model.model import PoseModel
from swapmark.predict.predictor import Predictor


class Detector(Predictor):
    """The backbone and landmark encoder of a run, with what is needed to feed them."""

    def __init__(self, model: PoseModel, *, fit: str = "pad", device: str | None = None):
        self.device = _device(device)
        self.model = model.to(self.device).eval()
        self.fit = fit

    @property
    def landmarks(self) -> int:
        """K, the number of landmarks."""
        return self.model.config.landmarks

    @property
    def image_size(self) -> int:
        """Side of the square the model sees, in pixels."""
        return self.model.config.image_size

    @torch.inference_mode()
    def predict_squares(
        self, squares: UInt8[np.ndarray, "batch size size 3"]
    ) -> tuple[np.ndarray, np.ndarray]:
        """Landmarks (B, K, 2), in pixels of the squares, and their confidence (B, K)."""
        images = as_model_input(torch.from_numpy(squares), self.device)
        pose = self.model.pose(images)
        confidence = self.model.landmark_encoder.confidence(pose)
        xy = unit_to_pixels(pose.points.cpu().double().numpy(), self.image_size)
        return xy, confidence.cpu().double().numpy()


def _device(name: str | None) -> torch.device:
    """The device by name, tried out; the best there is for None."""
    name = name or _best_device()
    try:
        return torch.empty(0, device=name).device
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        reason = str(error).splitlines()[0]
        raise InputError(
            f"device is {name!r}, which this machine or this build of torch has not ({reason}). "
            f"Use one of cuda, mps and cpu, or leave it out for the best there is."
        ) from error


def _best_device() -> str:
    if torch.cuda.is_available():
        return "cuda"
    if sys.platform == "darwin" and torch.backends.mps.is_available():
        return "mps"
    return "cpu"
