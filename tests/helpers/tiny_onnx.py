"""An ONNX file of one convolution."""

import numpy as np


def convolution():
    """Its bytes: "images" float32 (N, 3, 8, 8) -> "out" (N, 2, 6, 6), of opset 17; needs onnx."""
    import onnx

    kernel = onnx.numpy_helper.from_array(np.zeros((2, 3, 3, 3), np.float32), "kernel")
    value = onnx.helper.make_tensor_value_info
    graph = onnx.helper.make_graph(
        [onnx.helper.make_node("Conv", ["images", "kernel"], ["out"])],
        "graph",
        [value("images", onnx.TensorProto.FLOAT, ["n", 3, 8, 8])],
        [value("out", onnx.TensorProto.FLOAT, ["n", 2, 6, 6])],
        [kernel],
    )
    model = onnx.helper.make_model(
        graph, opset_imports=[onnx.helper.make_opsetid("", 17)], producer_name="me"
    )
    return model.SerializeToString()
