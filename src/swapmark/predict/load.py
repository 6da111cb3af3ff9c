"""`swapmark.load`: from whatever names a model to what finds landmarks."""

import os
from pathlib import Path

from swapmark.errors import InputError
from swapmark.predict.find import find_model
from swapmark.predict.onnx_detector import OnnxDetector
from swapmark.predict.predictor import Predictor


def load(source: str | os.PathLike, *, device: str | None = None) -> Predictor:
    """Load what finds landmarks: by a run or model folder, an .onnx file, or a model's name.

    A name is that of a built-in model, or OWNER/NAME of one on the Hugging Face hub; a folder
    here of that name comes first. `device` is `cuda`, `mps` or `cpu`: the best there is by
    default, for an .onnx file the CPU. An .onnx file needs onnxruntime, and torch for nothing.

    Raises RunError that says what is missing, and InputError for a device that is not there. No
    pickle is read.
    """
    try:
        found = find_model(source)
        if found.is_file():
            return OnnxDetector(found, device=device)
        from swapmark.predict.detector import Detector
        from swapmark.training.checkpoint import load_model
    except ModuleNotFoundError as error:
        raise InputError(
            f"{source} is no .onnx file, and for all else torch is needed, with what else swapmark "
            f"depends on ({error.name} is not installed). Install that, or load an .onnx file."
        ) from error
    model, fit = load_model(found)
    detector = Detector(model, fit=fit, device=device)
    detector.folder = Path(source) if Path(source).is_dir() else None
    return detector
