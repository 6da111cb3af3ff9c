"""Landmarks from unmarked images, learned by swapping appearance and pose between them.

The public names are imported when they are first used, so that `import swapmark` takes no time.
"""

import importlib
from typing import TYPE_CHECKING

__version__ = "0.1.0"

if TYPE_CHECKING:
    from swapmark.data.synthetic import draw_faces
    from swapmark.errors import SwapmarkError
    from swapmark.evaluation.run import evaluate_run as evaluate
    from swapmark.inference.detector import load
    from swapmark.inference.video import predict_video
    from swapmark.training.train import train
    from swapmark.types import Annotations, Landmarks

__all__ = [
    "Annotations",
    "Landmarks",
    "SwapmarkError",
    "draw_faces",
    "evaluate",
    "load",
    "predict_video",
    "train",
]

_DEFINED_IN = {
    "Annotations": "swapmark.types:Annotations",
    "Landmarks": "swapmark.types:Landmarks",
    "SwapmarkError": "swapmark.errors:SwapmarkError",
    "draw_faces": "swapmark.data.synthetic:draw_faces",
    "evaluate": "swapmark.evaluation.run:evaluate_run",
    "load": "swapmark.inference.detector:load",
    "predict_video": "swapmark.inference.video:predict_video",
    "train": "swapmark.training.train:train",
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
