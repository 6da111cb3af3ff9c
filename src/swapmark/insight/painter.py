"""What a whole model can show: its heatmaps, swapped pictures, one landmark moved by itself.

All pictures here are the network's squares, uint8 RGB (N, side, side, 3).
"""

from collections.abc import Callable, Sequence

import numpy as np
import torch
from einops import rearrange
from torch import Tensor

from swapmark.coordinates import unit_to_pixels
from swapmark.data.tensors import as_model_input
from swapmark.model.devices import choose_device
from swapmark.model.model import SwapModel
from swapmark.model.networks import Pose

BATCH = 32


class Painter:
    """The networks N, E_p, E_a and D of a trained model, to look at."""

    def __init__(self, model: SwapModel, device: str | None = None):
        """device: `cuda`, `mps` or `cpu`; the best there is by default. InputError if absent."""
        self.device = choose_device(device)
        self.model = model.to(self.device).eval()

    def heatmaps(self, squares: np.ndarray) -> np.ndarray:
        """Where each landmark may be: float32 (N, K, h, w), each of sum 1, at stride 4."""
        return self._batches(lambda images: self.model.pose(images).probabilities, squares)

    def swap(self, appearance_of: np.ndarray, pose_of: np.ndarray) -> np.ndarray:
        """D(a_i, p_j): the looks of N squares in the pose of N others."""

        def paint(looks: Tensor, poses: Tensor) -> Tensor:
            return self._shown(self.model.decode(self.model.appearance(looks), self.model.pose(poses)))

        return self._batches(paint, appearance_of, pose_of)

    def traverse(self, square: np.ndarray, landmark: int, offsets: np.ndarray) -> np.ndarray:
        """One square (side, side, 3) painted M times, with one landmark moved by offsets (M, 2).

        landmark: its index from 0 on. offsets: pixels of the square, x to the right, y down.
        """

        def paint(moves: Tensor) -> Tensor:
            images = as_model_input(torch.from_numpy(square[None]), self.device)
            pose = self.model.pose(images)
            appearance = self.model.appearance(images)[[0] * len(moves)]
            points = pose.points.repeat(len(moves), 1, 1)
            points[:, landmark] += moves.to(points) * (2 / len(square))
            moved = self.model.landmark_encoder.drawn(points, pose.probabilities.shape[-2:])
            return self._shown(self.model.decode(appearance, moved))

        with torch.inference_mode():
            parts = [paint(part) for part in torch.from_numpy(offsets).split(BATCH)]
        return torch.cat(parts).numpy()
