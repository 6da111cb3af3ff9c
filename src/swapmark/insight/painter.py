"""What a whole model can show: its heatmaps, swapped pictures, one landmark moved by itself.

All pictures here are the network's squares, uint8 RGB (N, side, side, 3).
"""

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from swapmark.data.tensors import as_model_input, as_pictures
from swapmark.model.devices import choose_device
from swapmark.model.heatmaps import gaussians
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
        """Where each landmark may be: float32 (N, K, h, w) at stride 4, each of sum 1."""
        return self._batches(lambda images: self.model.pose(images).probabilities, squares)

    def swap(self, appearance_of: np.ndarray, pose_of: np.ndarray) -> np.ndarray:
        """D(a_i, p_j): N squares painted with the looks of one set and the pose of the other."""

        def paint(looks: Tensor, poses: Tensor) -> Tensor:
            return as_pictures(
                self.model.decode(self.model.appearance(looks), self.model.pose(poses))
            )

        return self._batches(paint, appearance_of, pose_of)

    def traverse(self, square: np.ndarray, landmark: int, offsets: np.ndarray) -> np.ndarray:
        """One square (side, side, 3) painted M times, with one landmark moved by offsets (M, 2).

        landmark: its index from 0 on. offsets: pixels of the square.
        """
        sigma = self.model.config.sigma

        def paint(images: Tensor, moves: Tensor) -> Tensor:
            pose = self.model.pose(images)
            points = pose.points.clone()
            points[:, landmark] += moves * (2 / len(square))
            height, width = pose.gaussians.shape[-2:]
            drawn = gaussians(points, height, width, sigma)
            moved = Pose(pose.probabilities, points, drawn)
            return as_pictures(self.model.decode(self.model.appearance(images), moved))

        squares = np.broadcast_to(square, (len(offsets), *square.shape))
        return self._batches(paint, squares, np.asarray(offsets, np.float32))

    def _batches(self, work: Callable[..., Tensor], *arrays: np.ndarray) -> np.ndarray:
        """What `work` makes of arrays with N rows, BATCH rows at a time; pictures become (0, 1)."""
        found = []
        for start in range(0, len(arrays[0]), BATCH):
            rows = [torch.from_numpy(np.array(array[start : start + BATCH])) for array in arrays]
            given = [
                as_model_input(part, self.device) if part.ndim == 4 else part.to(self.device)
                for part in rows
            ]
            with torch.inference_mode():
                found.append(work(*given).cpu().numpy())
        return np.concatenate(found)
