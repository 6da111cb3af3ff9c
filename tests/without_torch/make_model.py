"""Make what check_prediction.py compares with: pictures, a model as ONNX, and torch's landmarks.

    python tests/without_torch/make_model.py FOLDER

Runs where torch is installed. The model is drawn, not trained: that matters to no comparison.
"""

import sys
from pathlib import Path

import numpy as np
import torch

import swapmark
from swapmark.faces.drawn import save_faces
from swapmark.model.model import ModelConfig, SwapModel
from swapmark.model.store import save_model


def main(folder: Path) -> None:
    """Fill the folder."""
    torch.manual_seed(0)
    save_model(folder / "model", SwapModel(ModelConfig()), "# Card")
    detector = swapmark.load(folder / "model", device="cpu")
    detector.export(folder / "model.onnx", overwrite=True)
    save_faces(swapmark.draw_faces(20, size=100), folder / "faces.zip", overwrite=True)
    found = detector.predict(folder / "faces.zip")
    np.savez(folder / "torch.npz", xy=found.xy, confidence=found.confidence, files=found.files)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
