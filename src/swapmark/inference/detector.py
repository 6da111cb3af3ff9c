"""A trained model that finds landmarks in pictures of any size."""

import os
import sys
from pathlib import Path

import numpy as np
import torch
from jaxtyping import UInt8

from swapmark.coordinates import unit_to_pixels
from swapmark.data.decoding import stream_images, track
from swapmark.data.pixels import ImageProblem
from swapmark.data.sources import Source, list_images
from swapmark.data.tensors import as_model_input
from swapmark.errors import InputError, RunError
from swapmark.model.model import SwapModel
from swapmark.training.checkpoint import load_model
from swapmark.training.run import Run
from swapmark.types import Landmarks, Skipped


class Detector:
    """The landmark encoder of a run, with what is needed to feed it; made by `swapmark.load`."""

    def __init__(self, model: SwapModel, *, fit: str = "pad", device: str | None = None):
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

    def predict(
        self,
        source: Source,
        *,
        batch_size: int = 64,
        workers: int | None = None,
        progress: bool = False,
    ) -> Landmarks:
        """Find the landmarks in every image of a folder, zip, tar, file, list, or array.

        Images are decoded in parallel, a few batches ahead; those that cannot be read are listed
        in `.skipped` of the result. Raises InputError when none can be used.
        """
        if batch_size < 1:
            raise InputError(f"batch_size is {batch_size}; expected at least 1.")
        items = list_images(source)
        points, confidences, names, sizes = [], [], [], []
        skipped: list[Skipped] = []
        squares, frames = [], []

        def flush() -> None:
            if squares:
                xy, confidence = self.predict_squares(np.stack(squares))
                points.extend(frame.to_original(p) for frame, p in zip(frames, xy, strict=True))
                confidences.extend(confidence)
                squares.clear()
                frames.clear()

        stream = stream_images(items, self.image_size, fit=self.fit, workers=workers)
        for item, result in track(stream, len(items), "Finding landmarks", show=progress):
            if isinstance(result, ImageProblem):
                skipped.append(Skipped(item.name, str(result)))
                continue
            square, frame = result
            squares.append(square)
            frames.append(frame)
            names.append(item.name)
            sizes.append((frame.width, frame.height))
            if len(squares) == batch_size:
                flush()
        flush()
        if not points:
            reasons = "; ".join(f"{entry.file}: {entry.reason}" for entry in skipped[:3])
            raise InputError(f"None of the {len(items)} images can be used ({reasons}).")
        return Landmarks(
            xy=np.stack(points),
            confidence=np.stack(confidences),
            paths=tuple(names),
            sizes=np.array(sizes),
            skipped=tuple(skipped),
        )

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


def load(run: str | os.PathLike, *, device: str | None = None) -> Detector:
    """Load the detector of a run folder, or of a `model/` folder alone.

    `device` is `cuda`, `mps` or `cpu`; the best there is by default. Raises RunError that says
    what is missing. No pickle is read.
    """
    folder = Path(run)
    if not folder.exists():
        raise RunError(f"There is no folder {folder}. Expected one made by `swapmark train`.")
    inside = Run(folder).model
    if Run(folder).config.exists() and not inside.is_dir():
        raise RunError(
            f"The run in {folder} has no model yet: the first is written with its first "
            f"checkpoint. Go on with: swapmark train IMAGES --out {folder} --resume"
        )
    model, fit = load_model(inside if inside.is_dir() else folder)
    return Detector(model, fit=fit, device=device)


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
