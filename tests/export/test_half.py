import numpy as np
from onnx import TensorProto, helper, numpy_helper

from swapmark.export.half import halve_weights

WEIGHT = np.array([[1 / 3, 2.0], [-1e-3, 65504.0]], np.float32)
BIAS = np.array([1 / 3, 70000.0], np.float32)


def linear_model():
    def tensor(name, *shape):
        return helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)

    graph = helper.make_graph(
        [helper.make_node("Gemm", ["x", "weight", "bias"], ["y"])],
        "linear",
        [tensor("x", 1, 2)],
        [tensor("y", 1, 2)],
        [
            numpy_helper.from_array(WEIGHT, "weight"),
            numpy_helper.from_array(BIAS, "bias"),
            numpy_helper.from_array(np.array([[1, 2]]), "indices"),
        ],
    )
    opset = helper.make_opsetid("", 18)
    return helper.make_model(graph, opset_imports=[opset], ir_version=9)


def test_matrices_take_half_the_room_and_all_else_stays():
    model = linear_model()
    halve_weights(model)
    stored = {w.name: numpy_helper.to_array(w) for w in model.graph.initializer}
    assert {name: value.dtype for name, value in stored.items()} == {
        "weight_float16": np.float16,
        "bias": np.float32,
        "indices": np.int64,
    }
    assert np.array_equal(stored["weight_float16"], WEIGHT.astype(np.float16))


def test_the_model_computes_in_float32_with_the_rounded_weights():
    import onnxruntime

    model = linear_model()
    halve_weights(model)
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), providers=["CPUExecutionProvider"]
    )
    x = np.array([[1.0, 1.0]], np.float32)
    (y,) = session.run(None, {"x": x})
    expected = x @ WEIGHT.astype(np.float16).astype(np.float32) + BIAS
    assert np.allclose(y, expected, rtol=1e-6, atol=0), "135504 is more than float16 can hold"
