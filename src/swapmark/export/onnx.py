"""A trained detector as one ONNX file, held against the model it was made from.

All but resizing is inside the file: it takes squares as they come from a picture reader and gives
points in pixels of the square.
"""

import json
import logging
import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from jaxtyping import Float, UInt8
from torch import Tensor, nn

from swapmark import __version__
from swapmark.coordinates import unit_to_pixels
from swapmark.data.tensors import as_model_input
from swapmark.errors import InputError
from swapmark.export.half import halve_weights
from swapmark.export.parity import check_parity
from swapmark.files import refuse_existing, write_atomically
from swapmark.model.model import PoseModel
from swapmark.points.table import default_names
from swapmark.predict.detector import Detector
from swapmark.predict.find import find_model
from swapmark.predict.onnx_detector import ONNX_FORMAT
from swapmark.training.checkpoint import load_model

if TYPE_CHECKING:
    from onnx import ModelProto

OPSET = 18
"""Version of the ONNX operators; onnxruntime reads it since 1.14."""
PREPROCESSING = (
    "images: uint8 RGB, turned upright, transparent parts on white. pad: scale (bicubic, widened "
    "when shrinking) until the longer side is image_size, centre, fill with the mean colour. "
    "crop: scale until the shorter side is image_size, keep the centre. Scaling of pixel values is "
    "inside the graph. points: (x, y) in pixels of the square, (0, 0) being the centre of its top "
    "left pixel. confidence: 0 to 1."
)


@dataclass(frozen=True)
class OnnxExport:
    """What was written, and how near it comes to the model."""

    path: Path
    size: int
    """Bytes of the file."""
    difference: float
    """Largest difference of a coordinate to torch's on a CPU, in pixels of the square."""
    bound: float
    """The difference above which nothing would have been written, in pixels."""


def export_onnx(
    run: str | os.PathLike,
    out: str | os.PathLike = "model.onnx",
    *,
    half: bool = False,
    overwrite: bool = False,
) -> OnnxExport:
    """Write the landmark detector of a run, or of a model by name, as an ONNX file.

    `half` stores the weights of the convolutions in float16, which halves the file; it computes
    in float32 all the same. The file is compared with torch on drawn faces, in batches of several
    sizes, before it is put in place. Needs the extra `export`.

    Raises ExportError where they differ by more than 0.01 px (`half`: 0.1 px of 64), InputError
    where the name does not end in .onnx, or the file exists and `overwrite` is not set, RunError
    where there is no model.

    >>> import swapmark
    >>> swapmark.export_onnx("absent")
    Traceback (most recent call last):
    swapmark.errors.RunError: There is no folder absent. ...
    """
    out = Path(out)
    if out.suffix.lower() != ".onnx" or out.is_dir():
        raise InputError(f"{out} cannot be the exported file: expected a name that ends in .onnx.")
    refuse_existing(out, overwrite=overwrite)
    folder = find_model(run)
    if folder.is_file():
        raise InputError(f"{folder} is an ONNX file already; expected a run to export.")
    require_export_packages()
    model, fit = load_model(folder)
    proto = _onnx_model(model)
    if half:
        halve_weights(proto)
    _describe(proto, model, fit, half=half)
    reference = Detector(model, fit=fit, device="cpu")
    checked = []

    def write(partial: Path) -> None:
        partial.write_bytes(proto.SerializeToString())
        checked.append(check_parity(partial, reference, half=half))

    write_atomically(out, write)
    return OnnxExport(out, out.stat().st_size, *checked[0])


def require_export_packages() -> None:
    """Raise InputError that names what is not installed of the extra `export`."""
    needed = ("onnx", "onnxscript", "onnxruntime")
    if missing := [name for name in needed if find_spec(name) is None]:
        raise InputError(
            f"To export to ONNX {' and '.join(missing)} must be installed: "
            f"pip install 'swapmark[export]'"
        )


class _Graph(nn.Module):
    """What the file computes: squares to points in pixels, and confidences."""

    def __init__(self, model: PoseModel):
        super().__init__()
        self.model = model

    def forward(
        self, images: UInt8[Tensor, "batch height width 3"]
    ) -> tuple[Float[Tensor, "batch landmark 2"], Float[Tensor, "batch landmark"]]:
        encoder = self.model.landmark_encoder
        # Not model.features, whose autocast has no counterpart in ONNX.
        pose = encoder(self.model.backbone(as_model_input(images)))
        points = unit_to_pixels(pose.points, self.model.config.image_size)
        return points, encoder.confidence(pose)


def _onnx_model(model: PoseModel) -> "ModelProto":
    size = model.config.image_size
    with _silence():
        program = torch.onnx.export(
            _Graph(model.detector_only()).eval(),
            (torch.zeros(2, size, size, 3, dtype=torch.uint8),),
            dynamo=True,
            opset_version=OPSET,
            input_names=["images"],
            output_names=["points", "confidence"],
            dynamic_shapes=({0: torch.export.Dim("batch")},),
            verbose=False,
        )
    assert program is not None
    return program.model_proto


@contextmanager
def _silence() -> Iterator[None]:
    """Keep the exporter's notes to its own developers off the screen."""
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(before)


def _describe(proto: "ModelProto", model: PoseModel, fit: str, *, half: bool) -> None:
    """Say in the file what it is; and not on which machine, in which folders, it was made."""
    for part in (*proto.graph.node, *proto.graph.value_info, *proto.graph.initializer, proto.graph):
        part.ClearField("metadata_props")
        part.ClearField("doc_string")
    for part in (*proto.graph.input, *proto.graph.output):
        part.ClearField("metadata_props")
    proto.ClearField("metadata_props")
    proto.producer_name, proto.producer_version = "swapmark", __version__
    config = model.config
    properties = {
        "swapmark_format": str(ONNX_FORMAT),
        "swapmark_version": __version__,
        "image_size": str(config.image_size),
        "fit": fit,
        "landmarks": json.dumps(default_names(config.landmarks)),
        "preprocessing": PREPROCESSING,
        "opset": str(OPSET),
        "precision": "weights float16, computed in float32" if half else "float32",
    }
    for key, value in properties.items():
        proto.metadata_props.add(key=key, value=value)
