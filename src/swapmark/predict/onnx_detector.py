"""A detector that was exported to ONNX, run by onnxruntime; torch is not needed."""

import json
import os
from pathlib import Path

import numpy as np

from swapmark.data.images import FIT_MODES
from swapmark.errors import InputError, RunError
from swapmark.predict.predictor import Predictor

ONNX_FORMAT = 1
"""Raised when the inputs, outputs or properties of an exported file change their meaning."""
_PROVIDERS = {"cpu": "CPUExecutionProvider", "cuda": "CUDAExecutionProvider"}


class OnnxDetector(Predictor):
    """A file made by `swapmark export`: all but the resizing of pictures is inside the file.

    `device` is `cpu`, the default, or `cuda` with the package onnxruntime-gpu. On a CPU it takes
    as many threads as OMP_NUM_THREADS says, if that is set.
    """

    def __init__(self, path: str | os.PathLike, *, device: str | None = None):
        path = Path(path)
        self.session = _session(path, device or "cpu")
        self.properties: dict[str, str] = self.session.get_modelmeta().custom_metadata_map
        """What the file says of itself; docs/export.md lists the keys."""
        if self.properties.get("swapmark_format") != str(ONNX_FORMAT):
            found = self.properties.get("swapmark_format", "none")
            raise RunError(
                f"{path} is no ONNX file of swapmark's format {ONNX_FORMAT} (its format: {found}). "
                f"Make one with: swapmark export RUN --out {path.name}"
            )
        try:
            self.fit, self._image_size, self._landmarks = _described(self.session, self.properties)
        except (KeyError, TypeError, ValueError) as error:
            wrong = f"it lacks {error}" if isinstance(error, KeyError) else error
            raise RunError(
                f"{path} says it is a model of swapmark, but something changed it: {wrong}. Make "
                f"it anew: swapmark export RUN --out {path.name}"
            ) from error

    @property
    def landmarks(self) -> int:
        """K, the number of landmarks."""
        return self._landmarks

    @property
    def image_size(self) -> int:
        """Side of the square the model sees, in pixels."""
        return self._image_size

    def predict_squares(self, squares: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Landmarks (B, K, 2), in pixels of the squares, and their confidence (B, K)."""
        xy, confidence = self.session.run(["points", "confidence"], {"images": squares})
        return np.asarray(xy, np.float64), np.asarray(confidence, np.float64)


def _described(session, properties: dict[str, str]) -> tuple[str, int, int]:
    """Fit, image size and K that the file says; KeyError or ValueError where its graph differs."""
    fit = properties["fit"]
    if fit not in FIT_MODES:
        raise ValueError(f"fit is {fit!r}, expected one of {', '.join(FIT_MODES)}")
    size, count = int(properties["image_size"]), len(json.loads(properties["landmarks"]))
    expected = {"images": [size, size, 3], "points": [count, 2], "confidence": [count]}
    parts = (*session.get_inputs(), *session.get_outputs())
    found = {part.name: list(part.shape[1:]) for part in parts}
    if found != expected:
        raise ValueError(f"inputs and outputs are {found}, expected {expected}")
    return fit, size, count


def _session(path: Path, device: str):
    """An onnxruntime session on one device; raises InputError and RunError in words."""
    try:
        import onnxruntime
    except ImportError as error:
        raise InputError(
            f"To predict with {path} the package onnxruntime is needed: pip install onnxruntime "
            f"(or onnxruntime-gpu, for CUDA)."
        ) from error
    there = onnxruntime.get_available_providers()
    if _PROVIDERS.get(device) not in there:
        able = " and ".join(name for name, provider in _PROVIDERS.items() if provider in there)
        raise InputError(
            f"device is {device!r}, which this build of onnxruntime has not for {path}; it has "
            f"{able}. For cuda: pip install onnxruntime-gpu. An .onnx file runs on cpu or cuda."
        )
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3  # errors; warnings speak to those who work on onnxruntime
    threads = os.environ.get("OMP_NUM_THREADS", "")
    if threads.isdecimal():
        options.intra_op_num_threads = int(threads)
    try:
        return onnxruntime.InferenceSession(path, options, providers=[_PROVIDERS[device]])
    except Exception as error:  # onnxruntime has a dozen classes of error, none of them public
        reason = " ".join(str(error).split())[:200]
        raise RunError(
            f"{path} cannot be read as ONNX: {reason}. Copy it again from where it was made, or "
            f"make it anew: swapmark export RUN --out {path.name}"
        ) from error
