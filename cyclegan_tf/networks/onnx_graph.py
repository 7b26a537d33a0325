"""A network of images out of an ONNX file as a Keras layer, through which gradients pass."""

from __future__ import annotations

import base64
import importlib.util
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from cyclegan_tf.errors import UserError, not_installed, reading
from cyclegan_tf.foreign.content import refuse_foreign_file
from cyclegan_tf.networks.onnx_operations import OPERATIONS, UnsupportedError

OPSET = 13
"""The oldest whose operations are computed."""


@keras.saving.register_keras_serializable(package="cyclegan_tf")
class OnnxGraph(keras.layers.Layer):
    """What an ONNX file computes of one image input, in float32; its weights are constants.

    Args:
      model: bytes of the file, also in base64.
      channels: of the images that it will see, which tell the layouts apart.

    Attributes:
      image_shape: of the input, (N, H, W, C), None where any size will do.
      channels_first: whether the file has it as (N, C, H, W).
      activation: softmax where that is what the network ends with.

    Example:
      >>> graph = OnnxGraph(Path("classifier.onnx").read_bytes())
      >>> shares = graph(images)
    """

    def __init__(self, model: bytes | str, channels: int = 3, **more: Any) -> None:
        import onnx

        super().__init__(**{**more, "trainable": False, "dtype": "float32"})
        self._bytes = base64.b64decode(model) if isinstance(model, str) else model
        parsed = onnx.load_model_from_string(self._bytes)
        check(parsed)
        graph = parsed.graph
        self._constants = {each.name: _array(each) for each in graph.initializer}
        (given,) = [each for each in graph.input if each.name not in self._constants]
        self._given, self._made = given.name, graph.output[0].name
        self._nodes = [(node, _attributes(node)) for node in graph.node]
        sizes = [size.dim_value or None for size in given.type.tensor_type.shape.dim]
        self._channels = channels
        self.channels_first = sizes[3] != channels and sizes[1] in (channels, 1, 3, 4)
        if self.channels_first:
            sizes = [sizes[0], *sizes[2:], sizes[1]]
        self.image_shape = tuple(sizes)
        last = next(node for node, _ in reversed(self._nodes) if self._made in node.output)
        self.activation = keras.activations.softmax if last.op_type == "Softmax" else None

    def call(self, images: tf.Tensor) -> tf.Tensor:
        """Compute the first output of float32 (N, H, W, C): (N, K), or (N, h, w, K) of a map."""
        image = tf.transpose(images, (0, 3, 1, 2)) if self.channels_first else images
        values: dict[str, Any] = {self._given: image, "": None}
        values |= {name: tf.constant(array) for name, array in self._constants.items()}
        for node, given in self._nodes:
            if node.op_type == "Constant":
                values[node.output[0]] = tf.constant(given["value"])
            else:
                found = [values[name] for name in node.input]
                values[node.output[0]] = OPERATIONS[node.op_type](found, given)
        made = values[self._made]
        turned = self.channels_first and len(made.shape) == 4
        return tf.transpose(made, (0, 2, 3, 1)) if turned else made

    def get_config(self) -> dict[str, Any]:
        """The file itself, in base64."""
        own = {"model": base64.b64encode(self._bytes).decode(), "channels": self._channels}
        return {**super().get_config(), **own}


def check(model: Any) -> None:
    """Refuse what is not computed here.

    Args:
      model: `onnx.ModelProto`.

    Raises:
      UnsupportedError: says what.
      ValueError: there is no network.
    """
    if not model.graph.output:
        raise ValueError("it holds no network")
    opsets = {each.domain: each.version for each in model.opset_import}
    if opsets.get("", 0) < OPSET:
        raise UnsupportedError(f"opset {opsets.get('', 0)}, and {OPSET} or later is wanted")
    known = {*OPERATIONS, "Constant"}
    strange = sorted({node.op_type for node in model.graph.node} - known)
    if strange:
        raise UnsupportedError(", ".join(strange))
    weights = {each.name for each in model.graph.initializer}
    given = [each for each in model.graph.input if each.name not in weights]
    if len(given) != 1 or len(given[0].type.tensor_type.shape.dim) != 4:
        raise UnsupportedError("other than one image input (N, C, H, W) or (N, H, W, C)")


def open_onnx(path: Path, channels: int, field: str) -> OnnxGraph:
    """Open an ONNX file.

    Args:
      path: of the file.
      channels: of the images that it will see.
      field: what it was given as, for messages.

    Raises:
      UserError: the package onnx is not installed, or the file cannot be read, or computes what is
        not known here.
    """
    if importlib.util.find_spec("onnx") is None:
        raise UserError(f"{field} {path}: {not_installed('onnx')}.", code="dependency", field=field)
    refuse_foreign_file(path)
    with reading(path, "it must be a network in ONNX, in one file"):
        try:
            return OnnxGraph(path.read_bytes(), channels, name="graph")
        except UnsupportedError as error:
            raise UserError(
                f"{field} {path} has {error}: gradients cannot be computed through that; give the "
                "network as Keras saved it (.keras), or in simpler operations.",
                code="unsupported",
                field=field,
            ) from error


def _array(tensor: Any) -> np.ndarray:
    import onnx

    found = onnx.numpy_helper.to_array(tensor)
    return found.astype(np.float32) if found.dtype in (np.float16, np.float64) else found


def _attributes(node: Any) -> dict[str, Any]:
    import onnx

    given = {each.name: onnx.helper.get_attribute_value(each) for each in node.attribute}
    if node.op_type == "Constant":
        (name, value), *_ = given.items()
        is_tensor = name == "value"
        kind = np.float32 if "float" in name else np.int64
        given["value"] = _array(value) if is_tensor else np.asarray(value, kind)
    return given
