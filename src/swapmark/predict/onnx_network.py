"""A network that was exported to ONNX, run by onnxruntime; torch is not needed."""

import hashlib
import json
import os
from pathlib import Path

import numpy as np

from swapmark.data.images import RESIZE_MODES
from swapmark.errors import InputError, RunError, one_line
from swapmark.predict.network import Sight

ONNX_FORMAT = 1
"""Raised when the inputs, outputs or properties of an exported file change their meaning."""
_PROVIDERS = {"cpu": "CPUExecutionProvider", "cuda": "CUDAExecutionProvider"}


class OnnxNetwork:
    """A file made by `swapmark export`: all but the resizing of pictures is inside the file.

    `device` is `cpu`, the default, or `cuda` with the package onnxruntime-gpu. On a CPU it takes
    as many threads as OMP_NUM_THREADS says, if that is set.
    """

    def __init__(self, path: str | os.PathLike, device: str | None = None):
        self.path = path = Path(path)
        try:
            self.session = _session(path, device or "cpu")
            self._read_properties()
        except InputError:
            raise
        except Exception as error:  # onnxruntime has a dozen classes of error, none of them public
            raise RunError(
                f"{path} is damaged, or not made by swapmark ({type(error).__name__}: "
                f"{one_line(error)}). Make it anew: swapmark export RUN --out {path.name}"
            ) from error
        named = self.properties.get("fingerprint")
        self.points = self.properties.get("points", "")
        self.fingerprint = named or hashlib.sha256(path.read_bytes()).hexdigest()

    def find(self, squares: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Landmarks (B, K, 2) in pixels of the squares, and their confidence (B, K)."""
        xy, confidence = self.session.run(["points", "confidence"], {"images": squares})
        return np.asarray(xy, np.float64), np.asarray(confidence, np.float64)

    def see(self, squares: np.ndarray) -> Sight:
        """The same, with the backbone's maps; InputError for a file of before these were in it."""
        if not self.maps:
            raise InputError(
                f"{self.path} was exported by an earlier version, without what own points need. "
                f"Export the run again: swapmark export RUN --out {self.path.name} --overwrite"
            )
        names = ["points", "confidence", *self.maps]
        xy, confidence, *maps = self.session.run(names, {"images": squares})
        levels = tuple(np.asarray(level) for level in maps)
        return Sight(np.asarray(xy, float), np.asarray(confidence, float), levels)

    def _read_properties(self) -> None:
        """Set what the file says; KeyError, TypeError or ValueError where its graph differs."""
        self.properties: dict[str, str] = self.session.get_modelmeta().custom_metadata_map
        """What the file says of itself; docs/export.md lists the keys."""
        properties = self.properties
        if (found := properties["swapmark_format"]) != str(ONNX_FORMAT):
            raise ValueError(f"swapmark_format is {found}, expected {ONNX_FORMAT}")
        self.resize = properties.get("resize") or properties["fit"]  # the name in version 0.1
        if self.resize not in RESIZE_MODES:
            raise ValueError(f"resize is {self.resize!r}, expected {' or '.join(RESIZE_MODES)}")
        self.image_size = size = int(properties["image_size"])
        self.landmarks = count = len(json.loads(properties["landmarks"]))
        expected = {"images": [size, size, 3], "points": [count, 2], "confidence": [count]}
        parts = (*self.session.get_inputs(), *self.session.get_outputs())
        self.maps = [part.name for part in parts if part.name.startswith("map_")]
        """Names of the outputs that are the backbone's maps, from fine to coarse."""
        found = {part.name: list(part.shape[1:]) for part in parts if part.name not in self.maps}
        if found != expected:
            raise ValueError(f"inputs and outputs are {found}, expected {expected}")


def _session(path: Path, device: str):
    """An onnxruntime session on one device; raises InputError where one of them is not there."""
    try:
        import onnxruntime
    except ImportError as error:
        raise InputError(
            f"To predict with {path}, install onnxruntime (onnxruntime-gpu for CUDA): "
            f"pip install onnxruntime"
        ) from error
    there = onnxruntime.get_available_providers()
    if _PROVIDERS.get(device) not in there:
        able = " or ".join(name for name, provider in _PROVIDERS.items() if provider in there)
        raise InputError(
            f"device {device!r} is not available for {path}. Choose {able}; cuda needs: pip "
            f"install onnxruntime-gpu"
        )
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3  # errors; warnings speak to those who work on onnxruntime
    threads = os.environ.get("OMP_NUM_THREADS", "")
    if threads.isdecimal():
        options.intra_op_num_threads = int(threads)
    return onnxruntime.InferenceSession(path, options, providers=[_PROVIDERS[device]])
