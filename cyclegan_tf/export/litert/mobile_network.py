"""A copy of a network with a fixed size and operations that phones run fast.

docs/performance.md has what each change gives.

What a delegate cannot take splits the graph into parts. MIRROR_PAD is such an operation in XNNPACK,
so reflection padding becomes slices joined together. The two convolutions at the ends have 3
channels on one side, where kernels work on 8 or 16 at a time: one direction of the kernel is moved
into the channels.
"""

from __future__ import annotations

from typing import Any

import keras
import tensorflow as tf

from cyclegan_tf.networks.convolutions import Convolution2D
from cyclegan_tf.networks.keras_internals import layer_behind
from cyclegan_tf.networks.layers import InstanceNormalization, ReflectionPadding2D

_MAX_JOINED = 4  # XNNPACK joins no more than that
# A convolution whose kernel is at least this wide, with at most so many channels on one side, is
# taken apart.
_MIN_KERNEL, _MAX_CHANNELS = 5, 4


def mobile_network(network: keras.Model, size_px: int) -> keras.Model:
    """Copy a network for images of one size, one at a time, with the same weights and results.

    Args:
      network: functional, float32 (N, H, W, C) -> float32 (N, H, W, C').
      size_px: side of the images.

    Returns:
      float32 (1, size_px, size_px, C) -> float32 (1, size_px, size_px, C').
    """
    swapped = _activations_after_padding(network)

    def copied(layer: keras.layers.Layer) -> keras.layers.Layer:
        if layer.name in swapped.values():
            return keras.layers.Activation("linear", **_common(layer))
        replacements: dict[type, Any] = {
            ReflectionPadding2D: _SlicedPadding,
            InstanceNormalization: _LeanNormalization,
            Convolution2D: _SplitConvolution,
            keras.layers.UpSampling2D: _BlockUpsampling,
        }
        copy = replacements.get(type(layer), type(layer)).from_config(layer.get_config())
        return _Rectified(copy, **_common(layer)) if layer.name in swapped else copy

    fixed = keras.Input((size_px, size_px, network.input_shape[-1]), batch_size=1, name="images")
    copy = keras.models.clone_model(network, input_tensors=fixed, clone_function=copied)
    copy.set_weights(network.get_weights())
    return copy


def _activations_after_padding(network: keras.Model) -> dict[str, str]:
    """Map each padding layer to the ReLU that alone reads it.

    In this order training keeps one activation less. The converter can fuse a ReLU with the
    multiplication of the norm only when it comes first. The numbers are the same: padding adds
    zeros, or copies.
    """
    paddings = (ReflectionPadding2D, keras.layers.ZeroPadding2D)
    readers: dict[str, list[keras.layers.Layer]] = {}
    for layer in network.layers:
        for tensor in keras.tree.flatten(getattr(layer, "input", ())):
            readers.setdefault(layer_behind(tensor).name, []).append(layer)
    pairs = {
        layer.name: readers.get(layer.name, [])
        for layer in network.layers
        if isinstance(layer, paddings)
    }
    return {
        name: found[0].name
        for name, found in pairs.items()
        if len(found) == 1 and type(found[0]) is keras.layers.ReLU
    }


def _common(layer: keras.layers.Layer) -> dict[str, Any]:
    return {"name": layer.name, "dtype": layer.dtype_policy}


class _Rectified(keras.layers.Layer):
    """ReLU, then a padding layer."""

    def __init__(self, padding: keras.layers.Layer, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._padding = padding

    def call(self, inputs: tf.Tensor) -> tf.Tensor:
        return self._padding(tf.nn.relu(inputs))

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        return self._padding.compute_output_shape(input_shape)


class _SlicedPadding(ReflectionPadding2D):
    """Reflection out of slices and concatenations."""

    def call(self, inputs: tf.Tensor, training: bool = False) -> tf.Tensor:  # noqa: ARG002
        for axis, padding in zip((1, 2), self.padding, strict=True):
            inputs = _mirrored(inputs, axis, padding)
        return inputs


def _mirrored(x: tf.Tensor, axis: int, padding: int) -> tf.Tensor:
    if not padding:
        return x
    last = x.shape[axis] - 1

    def line(index: int) -> tf.Tensor:
        begin, size = [0] * 4, list(x.shape)
        begin[axis], size[axis] = index, 1
        return tf.slice(x, begin, size)

    before = _joined([line(index) for index in range(padding, 0, -1)], axis)
    after = _joined([line(last - index) for index in range(1, padding + 1)], axis)
    return _joined([before, x, after], axis)


def _joined(parts: list[tf.Tensor], axis: int) -> tf.Tensor:
    while len(parts) > 1:
        parts = [
            tf.concat(parts[first : first + _MAX_JOINED], axis)
            for first in range(0, len(parts), _MAX_JOINED)
        ]
    return parts[0]


class _BlockUpsampling(keras.layers.UpSampling2D):
    """Nearest-neighbor doubling as DEPTH_TO_SPACE: XNNPACK lacks RESIZE_NEAREST_NEIGHBOR."""

    def call(self, inputs: tf.Tensor) -> tf.Tensor:
        if self.interpolation != "nearest" or tuple(self.size) != (2, 2):
            return super().call(inputs)
        return tf.nn.depth_to_space(tf.concat([inputs] * 4, axis=3), 2)


class _LeanNormalization(InstanceNormalization):
    """Instance normalization in as few operations as there are."""

    def call(self, inputs: tf.Tensor, training: bool = False) -> tf.Tensor:  # noqa: ARG002
        mean = tf.reduce_mean(inputs, axis=(1, 2), keepdims=True)
        variance = tf.reduce_mean(
            tf.math.squared_difference(inputs, mean), axis=(1, 2), keepdims=True
        )
        factor = tf.math.rsqrt(variance + self.epsilon)
        if self.gamma is not None:
            factor *= self.gamma
        normalized = (inputs - mean) * factor
        return normalized if self.beta is None else normalized + self.beta


class _SplitConvolution(Convolution2D):
    """The same sums in an order that fills all lanes where there are few channels in or out."""

    def call(self, inputs: tf.Tensor, training: bool = False) -> tf.Tensor:  # noqa: ARG002
        plain = (
            self.strides == self.dilation_rate == (1, 1)
            and self.padding == "valid"
            and self.groups == 1
        )
        if not plain or min(self.kernel_size) < _MIN_KERNEL:
            return super().call(inputs)
        kernel = tf.convert_to_tensor(self.kernel)
        if self.filters <= _MAX_CHANNELS:
            outputs = _rows_as_outputs(inputs, kernel)
        elif inputs.shape[-1] <= _MAX_CHANNELS:
            outputs = _columns_as_inputs(inputs, kernel)
        else:
            return super().call(inputs)
        return self.activation(outputs if self.bias is None else tf.nn.bias_add(outputs, self.bias))


def _rows_as_outputs(x: tf.Tensor, kernel: tf.Tensor) -> tf.Tensor:
    """Compute what each kernel row contributes in one convolution, then shift and add."""
    rows, columns, channels, filters = kernel.shape
    wide = tf.reshape(tf.transpose(kernel, (1, 2, 0, 3)), (1, columns, channels, rows * filters))
    contributions = tf.nn.conv2d(x, wide, 1, "VALID")
    size = [1, contributions.shape[1] - rows + 1, contributions.shape[2], filters]
    moved = [tf.slice(contributions, [0, row, 0, row * filters], size) for row in range(rows)]
    total = moved[0]
    for part in moved[1:]:
        total += part
    return total


def _columns_as_inputs(x: tf.Tensor, kernel: tf.Tensor) -> tf.Tensor:
    """Put what each kernel column reads side by side into the channels of a narrow kernel."""
    rows, columns, channels, filters = kernel.shape
    size = [1, x.shape[1], x.shape[2] - columns + 1, channels]
    moved = _joined([tf.slice(x, [0, 0, column, 0], size) for column in range(columns)], axis=3)
    return tf.nn.conv2d(
        moved, tf.reshape(kernel, (rows, 1, columns * channels, filters)), 1, "VALID"
    )
