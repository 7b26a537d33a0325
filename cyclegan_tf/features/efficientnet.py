"""EfficientNet-Lite0 up to its pooled features as a Keras model, built from arrays.

EfficientNet (Tan and Le 2019, table 1) without squeeze-and-excitation and with ReLU6, a stem and a
head of fixed widths, as Google published it for phones.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import keras
import numpy as np

from cyclegan_tf.errors import UserError

FEATURES = 1280
SIDE_PX = 224
_MEAN, _STD = 127.0, 128.0
_HALF_RANGE = 255 / 2
_EPSILON = 1e-3
_STEM = 32
# Of each stage: blocks, kernel, stride of the first block, expansion, filters.
_STAGES = (
    (1, 3, 1, 1, 16),
    (2, 3, 2, 6, 24),
    (2, 5, 2, 6, 40),
    (3, 3, 2, 6, 80),
    (3, 5, 1, 6, 112),
    (4, 5, 2, 6, 192),
    (1, 3, 1, 6, 320),
)
# What the file holds beside: the layer that classifies, and counters of the training.
_UNUSED = ("_fc.weight", "_fc.bias")
_COUNTER = "num_batches_tracked"

Arrays = Mapping[str, np.ndarray]


def build_lite0(arrays: Arrays) -> keras.Model:
    """Build the network that describes an image by 1280 numbers; its weights are frozen.

    Args:
      arrays: of the PyTorch port's state_dict (Melas-Kyriazi's names, as `_conv_stem.weight`), by
        name.

    Returns:
      A model: RGB float32 (N, H, W, 3) in [-1, 1] -> float32 (N, 1280) in [0, 6], the mean over
      places of the last activation. It was trained at 224 x 224 px.

    Raises:
      UserError: a weight is missing, has another shape, or is left over.

    Example:
      >>> network = build_lite0(read_tensors(lite0_weights()))
      >>> network(images).shape
      TensorShape([8, 1280])
    """
    weights = _Weights(arrays)
    images = keras.Input((None, None, 3), name="images")
    x = keras.layers.Rescaling(
        _HALF_RANGE / _STD, (_HALF_RANGE - _MEAN) / _STD, dtype="float32", name="as_trained"
    )(images)
    x = _convolution(x, weights, "_conv_stem", "_bn0", _STEM, 3, stride=2)
    number = 0
    for blocks, kernel, stride, expansion, filters in _STAGES:
        for place in range(blocks):
            first = stride if place == 0 else 1
            x = _block(x, weights, f"_blocks.{number}", kernel, first, expansion, filters)
            number += 1
    x = _convolution(x, weights, "_conv_head", "_bn1", FEATURES, 1)
    x = keras.layers.GlobalAveragePooling2D(dtype="float32", name="features")(x)
    network = keras.Model(images, x, name="efficientnet_lite0")
    weights.set(network)
    network.trainable = False
    return network


def _block(
    x: keras.KerasTensor,
    weights: _Weights,
    name: str,
    kernel: int,
    stride: int,
    expansion: int,
    filters: int,
) -> keras.KerasTensor:
    """Widen, convolve each channel by itself, narrow, and add the input where shapes are equal."""
    inputs, channels = x, int(x.shape[-1])
    if expansion != 1:
        wide = channels * expansion
        x = _convolution(x, weights, f"{name}._expand_conv", f"{name}._bn0", wide, 1)
    depthwise = keras.layers.DepthwiseConv2D(
        kernel,
        stride,
        padding="same",
        use_bias=False,
        depthwise_initializer="zeros",
        dtype="float32",
        name=_layer_name(f"{name}._depthwise_conv"),
    )
    # (C, 1, kh, kw) -> (kh, kw, C, 1)
    weights.take(depthwise.name, f"{name}._depthwise_conv.weight", (2, 3, 0, 1))
    x = _normalized(depthwise(x), weights, f"{name}._bn1")
    x = _convolution(
        x, weights, f"{name}._project_conv", f"{name}._bn2", filters, 1, activation=False
    )
    if stride == 1 and channels == filters:
        x = keras.layers.Add(dtype="float32", name=_layer_name(f"{name}._add"))([x, inputs])
    return x


def _convolution(
    x: keras.KerasTensor,
    weights: _Weights,
    name: str,
    normalization: str,
    filters: int,
    kernel: int,
    stride: int = 1,
    activation: bool = True,
) -> keras.KerasTensor:
    layer = keras.layers.Conv2D(
        filters,
        kernel,
        stride,
        padding="same",
        use_bias=False,
        kernel_initializer="zeros",
        dtype="float32",
        name=_layer_name(name),
    )
    weights.take(layer.name, f"{name}.weight", (2, 3, 1, 0))  # (O, I, kh, kw) -> (kh, kw, I, O)
    return _normalized(layer(x), weights, normalization, activation)


def _normalized(
    x: keras.KerasTensor, weights: _Weights, name: str, activation: bool = True
) -> keras.KerasTensor:
    layer = keras.layers.BatchNormalization(
        epsilon=_EPSILON, dtype="float32", name=_layer_name(name)
    )
    for kind in ("weight", "bias", "running_mean", "running_var"):
        weights.take(layer.name, f"{name}.{kind}")
    x = layer(x)
    return (
        keras.layers.ReLU(6.0, dtype="float32", name=f"{layer.name}_relu6")(x) if activation else x
    )


def _layer_name(name: str) -> str:
    return name.strip("_").replace("._", ".").replace(".", "_")


class _Weights:
    """Arrays of the file, each to be used once."""

    def __init__(self, arrays: Arrays) -> None:
        self._left = {
            name: array
            for name, array in arrays.items()
            if name not in _UNUSED and not name.endswith(_COUNTER)
        }
        self._by_layer: dict[str, list[np.ndarray]] = {}

    def take(self, layer: str, name: str, axes: Iterable[int] | None = None) -> None:
        """Keep an array, in Keras's order of axes, for a layer."""
        if name not in self._left:
            raise UserError(f"EfficientNet-Lite0: the weights {name} are missing.", code="mismatch")
        array = self._left.pop(name)
        turned = array if axes is None or array.ndim != 4 else array.transpose(*axes)
        self._by_layer.setdefault(layer, []).append(turned)

    def set(self, network: keras.Model) -> None:
        """Give every layer its arrays."""
        if self._left:
            raise UserError(
                f"EfficientNet-Lite0 has no place for the weights {next(iter(self._left))}.",
                code="mismatch",
            )
        for layer, arrays in self._by_layer.items():
            try:
                network.get_layer(layer).set_weights(arrays)
            except ValueError as error:
                raise UserError(
                    f"EfficientNet-Lite0: the weights of {layer} have other shapes.",
                    code="mismatch",
                ) from error
