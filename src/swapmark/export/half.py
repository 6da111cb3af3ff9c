"""Weights of an ONNX model in half the room."""

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from onnx import ModelProto


def halve_weights(proto: "ModelProto") -> None:
    """Store every float32 weight of two axes or more as float16, in place; norms and biases stay.

    A Cast back to float32 follows each, which onnxruntime computes once, when it reads the file:
    the softmax and the points are computed as before, and as fast.
    """
    from onnx import TensorProto, helper, numpy_helper

    casts = []
    for weight in proto.graph.initializer:
        if weight.data_type != TensorProto.FLOAT or len(weight.dims) < 2:
            continue
        name, stored = weight.name, f"{weight.name}_float16"
        values = numpy_helper.to_array(weight).astype(np.float16)
        weight.CopyFrom(numpy_helper.from_array(values, stored))
        casts.append(
            helper.make_node("Cast", [stored], [name], f"{name}_cast", to=TensorProto.FLOAT)
        )
    nodes = [*casts, *proto.graph.node]
    proto.graph.ClearField("node")
    proto.graph.node.extend(nodes)
