"""A user's own classifier or segmenter, opened to be asked and not to be trained."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import keras

from cyclegan_tf.errors import UserError, reading
from cyclegan_tf.networks import files
from cyclegan_tf.networks.onnx_graph import OnnxGraph, open_onnx

FIELD = "loss.semantic"


def open_frozen(
    path: Path, channels: int, value_range: tuple[float, float], field: str = FIELD
) -> keras.Model:
    """Opens a `.keras` or `.onnx` file as a network of our images.

    Args:
      path: of a network with one input (N, H, W, C), in ONNX also (N, C, H, W), and one output; of
        an .onnx file its first.
      channels: of the images that it will see.
      value_range: black and white as it takes them.
      field: what it was given as, for messages.

    Returns:
      float (N, H, W, C) in [-1, 1], of any size where the network takes any or else resized to its
      own, -> the network's output. Nothing of it is trainable.

    Raises:
      UserError: there is no such file, it cannot be loaded, or takes other images.
    """
    if not path.is_file():
        raise UserError(f"{field} {path} does not exist.", code="missing", field=field)
    network, shape = _opened(path, channels, field)
    if shape[-1] != channels:
        raise UserError(
            f"{field} {path} takes images of {shape[-1]} channels, but the images have {channels}.",
            code="mismatch",
            field=field,
        )
    network.trainable = False
    low, high = value_range
    x = inputs = keras.Input((None, None, channels), name="image")
    if None not in shape[1:3]:
        x = keras.layers.Resizing(*shape[1:3], dtype="float32", name="resized")(x)
    scale = (high - low) / 2
    x = keras.layers.Rescaling(scale, low + scale, dtype="float32", name="rescaled")(x)
    whole = keras.Model(inputs, _called(network, x, path, field), name="semantic")
    whole.trainable = False
    return whole


def _called(network: Any, x: Any, path: Path, field: str) -> Any:
    if not isinstance(network, OnnxGraph):
        return network(x, training=False)
    with reading(path, f"{field} takes an image through it, of float32 in its range"):
        return network(x)


def _opened(path: Path, channels: int, field: str) -> tuple[Any, tuple[int | None, ...]]:
    """A network, and the shape of what it takes, (N, H, W, C)."""
    if path.suffix.lower() == ".onnx":
        graph = open_onnx(path, channels, field)
        return graph, graph.image_shape
    network = files.load(path)
    shape = getattr(network, "input_shape", None)
    if not isinstance(shape, tuple) or len(shape) != 4 or len(getattr(network, "outputs", ())) != 1:
        raise UserError(
            f"{field} {path} is not a network of one image input (N, H, W, C) and one output.",
            code="unsupported",
            field=field,
        )
    return network, shape


def read_range(text: str) -> tuple[float, float]:
    """Read a range as the options have it: "0 to 255" becomes (0.0, 255.0)."""
    low, _, high = text.partition(" to ")
    return float(low), float(high)
