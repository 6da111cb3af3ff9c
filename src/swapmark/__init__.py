"""Landmarks from unlabelled images, learned by swapping appearance and pose between them.

The public names are imported when they are first used, so that `import swapmark` takes no time.
"""

import importlib
import os
from typing import TYPE_CHECKING

__version__ = "0.1.0"

# Threads of torch that wait for one another spin; on a CPU with other work that made training and
# prediction ten times slower. Spinning briefly costs 5 % on an idle one. Set before torch loads.
os.environ.setdefault("GOMP_SPINCOUNT", "10000")

if TYPE_CHECKING:
    from swapmark.detector import Detector, load
    from swapmark.errors import (
        ExportError,
        InputError,
        LeftOutWarning,
        OutputError,
        RunError,
        SwapmarkError,
        TrainingError,
    )
    from swapmark.faces.drawn import draw_faces
    from swapmark.points.formats import convert, read_points
    from swapmark.points.table import Points
    from swapmark.specimens.evaluate import Evaluation
    from swapmark.specimens.fit import PointFit
    from swapmark.training.config import Config
    from swapmark.training.run import Run
    from swapmark.training.train import train

_MODULES = {
    "detector": ("Detector", "load"),
    "errors": (
        *("ExportError", "InputError", "LeftOutWarning", "OutputError", "RunError"),
        *("SwapmarkError", "TrainingError"),
    ),
    "faces.drawn": ("draw_faces",),
    "points.formats": ("convert", "read_points"),
    "points.table": ("Points",),
    "specimens.evaluate": ("Evaluation",),
    "specimens.fit": ("PointFit",),
    "training.config": ("Config",),
    "training.run": ("Run",),
    "training.train": ("train",),
}
_DEFINED_IN = {name: module for module, names in _MODULES.items() for name in names}

__all__ = [
    "Config",
    "Detector",
    "Evaluation",
    "ExportError",
    "InputError",
    "LeftOutWarning",
    "OutputError",
    "PointFit",
    "Points",
    "Run",
    "RunError",
    "SwapmarkError",
    "TrainingError",
    "convert",
    "draw_faces",
    "load",
    "read_points",
    "train",
]


def __getattr__(name: str):
    """Import a public name on its first use, and keep it."""
    if name not in _DEFINED_IN:
        raise AttributeError(
            f"swapmark has no {name!r}; its public names are {', '.join(__all__)}."
        )
    value = getattr(importlib.import_module(f"swapmark.{_DEFINED_IN[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
