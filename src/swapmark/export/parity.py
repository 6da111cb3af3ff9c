"""An exported file against the model it was made from, on drawn faces."""

from pathlib import Path

import numpy as np

from swapmark.errors import ExportError
from swapmark.faces.synthetic import draw_faces
from swapmark.predict.onnx_detector import OnnxDetector
from swapmark.predict.predictor import Predictor

BATCHES = (1, 3, 16)
"""Sizes of the batches that are compared: 1 is the one that exporters like to take as fixed."""
BOUND = 0.01
"""Largest difference allowed, in pixels of the square."""
HALF_BOUND = 0.1 / 64
"""The same for weights in float16, as a share of the square's side: 0.1 px of 64."""


def check_parity(path: Path, reference: Predictor, *, half: bool = False) -> tuple[float, float]:
    """Largest difference of a coordinate, in pixels of the square, and the bound it keeps to.

    Raises ExportError if the file does not keep to it: points or confidences, in any batch.
    """
    exported = OnnxDetector(path)
    faces = draw_faces(max(BATCHES), size=reference.image_size, clutter=True).images
    bound = HALF_BOUND * reference.image_size if half else BOUND
    largest = 0.0
    for count in BATCHES:
        points, confidence = exported.predict_squares(faces[:count])
        expected, expected_confidence = reference.predict_squares(faces[:count])
        if points.shape != expected.shape:
            raise ExportError(
                f"The exported model gave points of shape {points.shape} for {count} images; "
                f"expected {expected.shape}. No file was written. Please report this with the "
                f"output of: swapmark doctor"
            )
        differences = (np.abs(points - expected), np.abs(confidence - expected_confidence))
        largest = max(largest, *(float(difference.max()) for difference in differences))
        if not all(np.isfinite(difference).all() for difference in differences):
            largest = np.inf
    if not largest <= bound:
        advice = "Export it without --half." if half else "Please report this: swapmark doctor"
        raise ExportError(
            f"The exported model's landmarks differ from torch's by up to {largest:.3g} px; at "
            f"most {bound:g} px is allowed. No file was written. {advice}"
        )
    return largest, bound
