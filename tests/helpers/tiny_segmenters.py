"""Segmentation networks of two classes, dark and bright, as files."""

from pathlib import Path

import keras
import numpy as np


def in_keras(path: Path, size: int | None = None) -> Path:
    """A `.keras` file, (N, H, W, 3) in [0, 255] -> (N, H, W, 2): bright is above 127."""
    inputs = keras.Input((size, size, 3))
    layer = keras.layers.Conv2D(2, 1, activation="softmax")
    network = keras.Model(inputs, layer(inputs))
    kernel = np.zeros((1, 1, 3, 2), np.float32)
    kernel[..., 1] = 1
    layer.set_weights([kernel, np.array([127.5 * 3, 0], np.float32)])
    network.save(path)
    return path


def in_onnx(path: Path, first: bool = True, whole: bool = False) -> Path:
    """The same in [0, 1] as ONNX; needs onnx.

    Args:
      path: of the file.
      first: whether channels come first.
      whole: whether it gives classes instead of scores.
    """
    import onnx

    helper, kinds = onnx.helper, onnx.TensorProto
    kernel = np.zeros((2, 3, 1, 1), np.float32)
    kernel[1] = 1
    tensors = {"kernel": kernel, "bias": np.array([1.5, 0], np.float32)}
    nodes = [helper.make_node("Conv", ["in" if first else "turned", "kernel", "bias"], ["scores"])]
    if not first:
        nodes.insert(0, helper.make_node("Transpose", ["in"], ["turned"], perm=(0, 3, 1, 2)))
        nodes.append(helper.make_node("Transpose", ["scores"], ["last"], perm=(0, 2, 3, 1)))
    shape: list[str | int | None] = ["n", 2, "h", "w"]
    output, kind = "scores", kinds.FLOAT
    if not first:
        output, shape = "last", ["n", "h", "w", 2]
    if whole:
        nodes.append(helper.make_node("ArgMax", ["scores"], ["classes"], axis=1, keepdims=0))
        output, kind, shape = "classes", kinds.INT64, ["n", "h", "w"]
    given: list[str | int | None] = ["n", 3, "h", "w"] if first else ["n", "h", "w", 3]
    value = helper.make_tensor_value_info
    weights = [onnx.numpy_helper.from_array(values, name) for name, values in tensors.items()]
    graph = helper.make_graph(
        nodes, "graph", [value("in", kinds.FLOAT, given)], [value(output, kind, shape)], weights
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    path.write_bytes(model.SerializeToString())
    return path
