"""A trained detector as one ONNX file, held against the model it was made from.

All but resizing is inside the file: it takes squares as they come from a picture reader and gives
points in pixels of the square.
"""

import json
import logging
import os
import warnings
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from jaxtyping import UInt8
from torch import Tensor, nn

from swapmark import __version__
from swapmark.coordinates import unit_to_pixels
from swapmark.data.images import resize_image
from swapmark.data.tensors import as_model_input
from swapmark.errors import ExportError, InputError
from swapmark.faces.drawn import draw_faces
from swapmark.files import refuse_existing, write_atomically
from swapmark.model.familiar import Familiar
from swapmark.model.model import PoseModel
from swapmark.points.table import default_names
from swapmark.predict.network import Network, TorchNetwork
from swapmark.predict.onnx_network import ONNX_FORMAT, OnnxNetwork
from swapmark.specimens.point_map import PointMap

if TYPE_CHECKING:
    from onnx import ModelProto

OPSET = 18
"""Version of the ONNX operators; onnxruntime reads it since 1.14."""
BATCHES = (1, 3, 16)
"""Sizes of the batches that are compared: 1 is the one that exporters like to take as fixed."""
STRIDES = (4, 8, 16)
"""Of the backbone's maps, by which own points are refined: outputs (B, S/stride, S/stride, C)."""
BOUND = 0.01
"""Largest difference to torch that is allowed, in pixels of the square."""
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
    """The .onnx file."""
    difference: float
    """Largest difference of a coordinate to torch's on a CPU, in pixels of the square."""


def export_onnx(
    model: PoseModel,
    path: str | os.PathLike,
    *,
    fingerprint: str = "",
    point_map: PointMap | None = None,
    familiar: Familiar | None = None,
    overwrite: bool = False,
) -> OnnxExport:
    """Write the landmark detector as an ONNX file, compared with torch before it is put in place.

    `fingerprint` names the weights, so that own points fitted on the model are known to belong to
    the file. With `point_map` the file finds these points; with `familiar` it knows
    pictures that are unlike its training pictures. Needs the extra `export`. Raises
    ExportError where what is found on drawn faces differs by more than BOUND, and InputError where
    the name does not end in .onnx, or the file exists and `overwrite` is not set.
    """
    path = Path(path)
    if path.suffix.lower() != ".onnx" or path.is_dir():
        raise InputError(f"{path} cannot be the exported file. Expected a name ending in .onnx.")
    refuse_existing(path, overwrite=overwrite)
    needed = ("onnx", "onnxscript", "onnxruntime")
    if missing := [name for name in needed if find_spec(name) is None]:
        raise InputError(
            f"Export to ONNX needs {' and '.join(missing)}: pip install 'swapmark[export]'"
        )
    proto = _onnx_model(model)
    _describe(proto, model, fingerprint, point_map, familiar)
    differences = []

    def write(partial: Path) -> None:
        partial.write_bytes(proto.SerializeToString())
        exported = OnnxNetwork(partial, device="cpu")
        differences.append(check_parity(exported, TorchNetwork(model, device="cpu"), point_map))

    write_atomically(path, write)
    return OnnxExport(path, differences[0])


def check_parity(exported: Network, reference: Network, point_map: PointMap | None = None) -> float:
    """Largest difference on drawn faces, of coordinates in pixels and of confidences.

    With `point_map` its points are compared, too.

    Raises ExportError if it is above BOUND, or no number, in a batch of any size.
    """
    size, mode = reference.image_size, reference.resize
    zoom = point_map.zoom if point_map else 1
    large = draw_faces(max(BATCHES), size=zoom * size, clutter=True).images
    pictures = [[resize_image(face, side, mode) for side in (size, zoom * size)] for face in large]
    faces = np.stack([square for (square, _), _ in pictures])
    largest = 0.0
    for count in BATCHES:
        pairs = [*zip(exported.find(faces[:count]), reference.find(faces[:count]), strict=True)]
        if point_map:
            own = (
                point_map.find(network, network.see(faces[:count]), pictures[:count])
                for network in (exported, reference)
            )
            pairs += zip(*own, strict=True)
        for found, expected in pairs:
            same = found.shape == expected.shape
            difference = np.abs(found - expected).max() if same else np.inf
            largest = max(largest, float(np.nan_to_num(difference, nan=np.inf)))
    if largest > BOUND:
        raise ExportError(
            f"The exported model's landmarks differ from torch's by up to {largest:.3g} px; at "
            f"most {BOUND:g} px is allowed. No file was written. Please report this with the "
            f"output of: swapmark doctor"
        )
    return largest


class _Graph(nn.Module):
    """What the file computes: squares to points (B, K, 2) in pixels, confidences (B, K), maps."""

    def __init__(self, model: PoseModel):
        super().__init__()
        self.model = model
        self.backbone = model.backbone.folded()

    def forward(self, images: UInt8[Tensor, "batch height width 3"]) -> tuple[Tensor, ...]:
        encoder = self.model.landmark_encoder
        maps = self.backbone(as_model_input(images))
        pose = encoder(maps)
        points = unit_to_pixels(pose.points, self.model.config.image_size)
        return points, encoder.confidence(pose), *(level.permute(0, 2, 3, 1) for level in maps)


def _onnx_model(model: PoseModel) -> "ModelProto":
    """The graph; the exporter's notes to its own developers are kept off the screen."""
    size = model.config.image_size
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            program = torch.onnx.export(
                _Graph(model).eval(),
                (torch.zeros(2, size, size, 3, dtype=torch.uint8),),
                dynamo=True,
                opset_version=OPSET,
                input_names=["images"],
                output_names=["points", "confidence", *(f"map_{stride}" for stride in STRIDES)],
                dynamic_shapes=({0: torch.export.Dim("batch")},),
                verbose=False,
            )
    finally:
        logging.disable(before)
    assert program is not None
    return program.model_proto


def _describe(
    proto: "ModelProto",
    model: PoseModel,
    fingerprint: str,
    point_map: PointMap | None,
    familiar: Familiar | None,
) -> None:
    """Say in the file what it is; and not on which machine, in which folders, it was made."""
    for part in (*proto.graph.node, *proto.graph.value_info, *proto.graph.initializer, proto.graph):
        part.ClearField("metadata_props")
        part.ClearField("doc_string")
    for part in (*proto.graph.input, *proto.graph.output, proto):
        part.ClearField("metadata_props")
    proto.producer_name, proto.producer_version = "swapmark", __version__
    properties = {
        "swapmark_format": str(ONNX_FORMAT),
        "swapmark_version": __version__,
        "image_size": str(model.config.image_size),
        "resize": model.config.resize,
        "landmarks": json.dumps(default_names(model.config.landmarks)),
        "fingerprint": fingerprint,
        "preprocessing": PREPROCESSING,
        "opset": str(OPSET),
    }
    if point_map:
        properties["points"] = point_map.to_json()
    if familiar:
        properties["familiar"] = familiar.to_json()
    for key, value in properties.items():
        proto.metadata_props.add(key=key, value=value)
