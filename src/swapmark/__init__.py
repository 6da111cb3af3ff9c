"""Landmarks from unmarked images, learned by swapping appearance and pose between them.

The public names are imported when they are first used, so that `import swapmark` takes no time.
"""

import importlib
from typing import TYPE_CHECKING

__version__ = "0.1.0"

if TYPE_CHECKING:
    from swapmark.drawing.overlay_sheet import draw_sheet
    from swapmark.errors import SwapmarkError
    from swapmark.export.hub import export_hub
    from swapmark.export.onnx import export_onnx
    from swapmark.faces.synthetic import draw_faces
    from swapmark.points.convert import convert
    from swapmark.points.formats import read_points, write_points
    from swapmark.predict.load import load
    from swapmark.predict.video import predict_video
    from swapmark.specimens.evaluate_run import evaluate_run as evaluate
    from swapmark.specimens.fit_run import fit_run as fit
    from swapmark.training.train import train
    from swapmark.types import Annotations, Landmarks, PointTable

__all__ = [
    "Annotations",
    "Landmarks",
    "PointTable",
    "SwapmarkError",
    "convert",
    "draw_faces",
    "draw_sheet",
    "evaluate",
    "export_hub",
    "export_onnx",
    "fit",
    "load",
    "predict_video",
    "read_points",
    "train",
    "write_points",
]

_DEFINED_IN = {
    "Annotations": "swapmark.types:Annotations",
    "Landmarks": "swapmark.types:Landmarks",
    "PointTable": "swapmark.types:PointTable",
    "SwapmarkError": "swapmark.errors:SwapmarkError",
    "convert": "swapmark.points.convert:convert",
    "draw_faces": "swapmark.faces.synthetic:draw_faces",
    "draw_sheet": "swapmark.drawing.overlay_sheet:draw_sheet",
    "evaluate": "swapmark.specimens.evaluate_run:evaluate_run",
    "export_hub": "swapmark.export.hub:export_hub",
    "export_onnx": "swapmark.export.onnx:export_onnx",
    "fit": "swapmark.specimens.fit_run:fit_run",
    "load": "swapmark.predict.load:load",
    "predict_video": "swapmark.predict.video:predict_video",
    "read_points": "swapmark.points.formats:read_points",
    "train": "swapmark.training.train:train",
    "write_points": "swapmark.points.formats:write_points",
}


def __getattr__(name: str):
    """Import a public name on its first use, and keep it."""
    if name not in _DEFINED_IN:
        raise AttributeError(
            f"swapmark has no {name!r}; its public names are {', '.join(__all__)}."
        )
    module, _, attribute = _DEFINED_IN[name].partition(":")
    value = getattr(importlib.import_module(module), attribute)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
