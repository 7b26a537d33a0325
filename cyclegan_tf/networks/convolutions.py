"""Convolutions with faster gradients; values are those of Keras's own layers.

Outside training both layers compute exactly as the Keras layers they extend, so exporters need no
new operations.
"""

from __future__ import annotations

from typing import Any

import keras
import tensorflow as tf

from cyclegan_tf.devices import hardware
from cyclegan_tf.networks.slices import part

# Narrower layers spend their time in copies, not in products.
_MIN_CHANNELS = 64


@keras.saving.register_keras_serializable(package="cyclegan_tf")
class Convolution2D(keras.layers.Conv2D):
    """`keras.layers.Conv2D` whose filter gradient may be computed as k x k matrix products.

    oneDNN's filter gradient is its slowest convolution kernel, above all in bfloat16; a product of
    the shifted input with the upstream gradient, one for each position in the kernel, is the same
    sum in another order. Taken in training on a CPU, without strides, padding or dilation, for at
    least 64 channels both in and out.

    Input: float (N, H, W, C). Output: float (N, H', W', filters) in the layer's compute dtype.

    Example:
      >>> layer = Convolution2D(256, 3)
      >>> features = layer(features, training=True)
    """

    def call(self, inputs: tf.Tensor, training: bool = False) -> tf.Tensor:
        """Convolves; `training` chooses only the route of the gradient."""
        if not training or not self._products_pay(inputs):
            return super().call(inputs)
        kernel, bias = tf.convert_to_tensor(self.kernel), tf.convert_to_tensor(self.bias)
        return self.activation(_convolved(inputs, kernel, bias))

    def _products_pay(self, inputs: tf.Tensor) -> bool:
        return (
            self.strides == self.dilation_rate == (1, 1)
            and self.padding == "valid"
            and self.groups == 1
            and self.use_bias
            and self.data_format == "channels_last"
            and self.kernel_size == (3, 3)
            and inputs.shape[1:].is_fully_defined()
            and min(inputs.shape[-1], self.filters) >= _MIN_CHANNELS
            and not hardware.has_gpu()
        )


@tf.custom_gradient
def _convolved(x: tf.Tensor, kernel: tf.Tensor, bias: tf.Tensor) -> tuple[tf.Tensor, Any]:
    outputs = tf.nn.bias_add(tf.nn.conv2d(x, kernel, 1, "VALID"), bias)

    def gradient(upstream: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        to_input = tf.raw_ops.Conv2DBackpropInput(
            input_sizes=tf.shape(x),
            filter=kernel,
            out_backprop=upstream,
            strides=[1] * 4,
            padding="VALID",
        )
        # Without this wait TensorFlow would cut the pieces while it still goes forward, and keep
        # them all.
        with tf.control_dependencies([upstream]):
            waited = tf.identity(x)
        # Not BiasAddGrad, which adds up in bfloat16: 3 % off at 32 px, 11 % at 128 px.
        to_bias = tf.reduce_sum(upstream, axis=(0, 1, 2))
        return to_input, _filter_gradient(waited, upstream, kernel.shape), to_bias

    return outputs, gradient


def _filter_gradient(x: tf.Tensor, upstream: tf.Tensor, shape: tf.TensorShape) -> tf.Tensor:
    """Computes one product per kernel position (i, j): x moved by (i, j), transposed, by upstream.

    With rows outermost, moving by i rows is a view of the same memory; only moving by j columns
    copies.
    """
    rows, columns, channels, filters = shape
    height, width = upstream.shape[1:3]
    x, upstream = _rows_outermost(x), _rows_outermost(upstream)
    flat = tf.reshape(upstream, (-1, filters))
    pixels = x.shape[1] or tf.shape(x)[1]  # of one column of the images, laid side by side
    moved = [
        tf.reshape(part(x, (0, 0, j, 0), (-1, -1, width, -1)), (-1, channels))
        for j in range(columns)
    ]
    # Nodes of a graph take time to make: these are shared by all columns.
    starts = [tf.stack([i * pixels * width, 0]) for i in range(rows)]
    size = tf.stack([height * pixels * width, channels])
    products = [
        tf.matmul(part(moved[j], starts[i], size), flat, transpose_a=True)
        for i in range(rows)
        for j in range(columns)
    ]
    return tf.reshape(tf.stack(products), shape)


def _rows_outermost(x: tf.Tensor) -> tf.Tensor:
    """(N, H, W, C) -> (H, N, W, C)."""
    return (
        tf.reshape(x, (x.shape[1], 1, *x.shape[2:]))
        if x.shape[0] == 1
        else tf.transpose(x, (1, 0, 2, 3))
    )


@keras.saving.register_keras_serializable(package="cyclegan_tf")
class CropFirst2D(keras.layers.Cropping2D):
    """Drops the first row and column, as PyTorch's padding 1 with output padding 1 does.

    A `Cropping2D` of fixed size, because the gradient of TensorFlow's slice fills a zeroed image
    element by element; here it is one padding, for channels-last images.

    Input: any dtype (N, H, W, C). Output: the same dtype, (N, H - 1, W - 1, C).

    Example:
      >>> x = keras.layers.Conv2DTranspose(64, 3, 2, padding="valid")(x)
      >>> x = CropFirst2D()(x)
    """

    def __init__(self, cropping: Any = ((1, 0), (1, 0)), **kwargs: Any) -> None:
        super().__init__(cropping, **kwargs)

    def call(self, inputs: tf.Tensor, training: bool = False) -> tf.Tensor:
        """Crops (N, H, W, C); `training` chooses only the route of the gradient."""
        fast = training and self.data_format == "channels_last"
        return _cropped(inputs) if fast else super().call(inputs)


@tf.custom_gradient
def _cropped(x: tf.Tensor) -> tuple[tf.Tensor, Any]:
    return x[:, 1:, 1:], lambda upstream: tf.pad(upstream, [[0, 0], [1, 0], [1, 0], [0, 0]])
