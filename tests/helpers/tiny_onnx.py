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


def chain(nodes, shape=("n", 4, "h", "w"), opset=17):
    """Bytes of a network of nodes one after another: "images" -> "out"; needs onnx.

    Args:
      nodes: (operator, its weights, None where one is left out, attributes) each.
      shape: of the input.
      opset: of the file.
    """
    import onnx

    made, weights, value = [], [], "images"
    for number, (kind, arrays, attributes) in enumerate(nodes):
        names = [value]
        for place, array in enumerate(arrays):
            names.append("" if array is None else f"weight_{number}_{place}")
            if array is not None:
                weights.append(onnx.numpy_helper.from_array(np.asarray(array), names[-1]))
        value = "out" if number == len(nodes) - 1 else f"value_{number}"
        made.append(onnx.helper.make_node(kind, names, [value], **attributes))
    info = onnx.helper.make_tensor_value_info
    graph = onnx.helper.make_graph(
        made,
        "graph",
        [info("images", onnx.TensorProto.FLOAT, shape)],
        [info("out", onnx.TensorProto.FLOAT, None)],
        weights,
    )
    opsets = [onnx.helper.make_opsetid("", opset)]
    model = onnx.helper.make_model(graph, opset_imports=opsets, ir_version=9)
    return model.SerializeToString()
