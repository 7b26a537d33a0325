"""Layers that Keras lacks: instance normalization and reflection padding.

Both have two implementations of the same function: the fastest kernels, in a training step and
within `fast_routes()`, and everywhere else plain operations, which every exporter (LiteRT, ONNX)
knows.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from cyclegan_tf.devices import hardware
from cyclegan_tf.devices.tf_internals import compiled_by_xla
from cyclegan_tf.networks.slices import part

_wanted_fast: ContextVar[bool] = ContextVar("_wanted_fast", default=False)


@contextmanager
def fast_routes() -> Iterator[None]:
    """Within it, calls and traces use training's kernels without training; not for exports."""
    token = _wanted_fast.set(True)
    try:
        yield
    finally:
        _wanted_fast.reset(token)


@keras.saving.register_keras_serializable(package="cyclegan_tf")
class InstanceNormalization(keras.layers.Layer):
    """Normalizes each channel of each image by its mean and variance (Ulyanov et al. 2016, eq. 4).

    y = (x - mean) / sqrt(variance + epsilon) * gamma + beta, mean and biased variance over H and W.
    Statistics are float32 under every dtype policy (float64 for float64 inputs); there is no moving
    average, so training and inference give the same result. Not to be confused with
    `GroupNormalization(groups=1)`, which mixes the channels of an image.

    Input: float (N, H, W, C), any range. Output: the same shape in the layer's compute dtype.

    Args:
      epsilon: added to the variance.
      center: whether to add a trained beta per channel.
      scale: whether to multiply by a trained gamma per channel.
      beta_initializer: of beta.
      gamma_initializer: of gamma.
      **kwargs: `keras.layers.Layer`'s name, dtype and trainable.

    Raises:
      ValueError: on build, when the input has not 4 axes or its channels are unknown; epsilon not
        above 0.

    Example:
      >>> x = keras.layers.Conv2D(64, 3)(images)
      >>> x = InstanceNormalization(1e-5, center=True, scale=True)(x)
    """

    def __init__(
        self,
        epsilon: float = 1e-5,
        center: bool = False,
        scale: bool = False,
        beta_initializer: Any = "zeros",
        gamma_initializer: Any = "ones",
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        if not epsilon > 0:
            raise ValueError(f"InstanceNormalization needs epsilon above 0, got {epsilon}.")
        self.epsilon = epsilon
        self.center = center
        self.scale = scale
        self.beta_initializer = keras.initializers.get(beta_initializer)
        self.gamma_initializer = keras.initializers.get(gamma_initializer)
        self.gamma: keras.Variable | None = None
        self.beta: keras.Variable | None = None

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        """Makes gamma and beta, float (C,), where wanted."""
        _check_rank_4(self, input_shape)
        if input_shape[-1] is None:
            raise ValueError(
                f"InstanceNormalization needs a known number of channels, got shape {input_shape}."
            )
        for wanted, name, initializer in (
            (self.scale, "gamma", self.gamma_initializer),
            (self.center, "beta", self.beta_initializer),
        ):
            if wanted:
                # autocast would hand the kernels gamma and beta in half precision
                weight = self.add_weight(
                    shape=input_shape[-1:], initializer=initializer, autocast=False, name=name
                )
                setattr(self, name, weight)

    def call(self, inputs: tf.Tensor, training: bool = False) -> tf.Tensor:
        """Normalizes float (N, H, W, C); `training` chooses only the route, not the result."""
        inputs = tf.convert_to_tensor(inputs)
        # XLA expands the fused kernel to E[x^2] - E[x]^2, which loses all digits when |mean| is far
        # above the deviation, and fuses the plain operations by itself. The kernel has no float64.
        fast = training or _wanted_fast.get()
        if fast and inputs.dtype != tf.float64 and not compiled_by_xla():
            return self._fused(inputs)
        return self._plain(inputs)

    def _plain(self, inputs: tf.Tensor) -> tf.Tensor:
        x = inputs if inputs.dtype == tf.float64 else tf.cast(inputs, tf.float32)
        centered = x - tf.reduce_mean(x, axis=(1, 2), keepdims=True)
        variance = tf.reduce_mean(tf.square(centered), axis=(1, 2), keepdims=True)
        factor = tf.math.rsqrt(variance + self.epsilon)
        if self.gamma is not None:
            factor *= tf.cast(self.gamma, x.dtype)
        y = centered * factor
        if self.beta is not None:
            y += tf.cast(self.beta, x.dtype)
        return tf.cast(y, inputs.dtype)

    def _fused(self, inputs: tf.Tensor) -> tf.Tensor:
        """Normalizes by the kernel of batch normalization, which for one image is the same."""
        channels = inputs.shape[-1]
        # of NumPy they are one node of a graph, of `tf.ones` three
        ones, zeros = np.ones(channels, np.float32), np.zeros(channels, np.float32)
        gamma = ones if self.gamma is None else tf.cast(self.gamma, tf.float32)
        beta = zeros if self.beta is None else tf.cast(self.beta, tf.float32)
        if inputs.shape[0] == 1:
            return self._batch_norm(inputs, gamma, beta)
        if inputs.shape[0] == 2:
            images = tf.split(inputs, inputs.shape[0])
            return tf.concat([self._batch_norm(image, gamma, beta) for image in images], axis=0)
        # Images become channels. For one or two images the two transpositions cost more than they
        # save.
        n, height, width, _ = tf.unstack(tf.shape(inputs))
        joined = tf.reshape(tf.transpose(inputs, (1, 2, 0, 3)), (1, height, width, n * channels))
        joined = self._batch_norm(joined, tf.tile(gamma, [n]), tf.tile(beta, [n]))
        parted = tf.transpose(tf.reshape(joined, (height, width, n, channels)), (2, 0, 1, 3))
        return tf.ensure_shape(parted, inputs.shape)

    def _batch_norm(self, image: tf.Tensor, gamma: Any, beta: Any) -> tf.Tensor:
        normalized, *_ = tf.compat.v1.nn.fused_batch_norm(
            image, gamma, beta, epsilon=self.epsilon, is_training=True
        )
        return normalized

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        """Same as the input's."""
        return input_shape

    def get_config(self) -> dict[str, Any]:
        """All constructor arguments."""
        return {
            **super().get_config(),
            "epsilon": self.epsilon,
            "center": self.center,
            "scale": self.scale,
            "beta_initializer": keras.initializers.serialize(self.beta_initializer),
            "gamma_initializer": keras.initializers.serialize(self.gamma_initializer),
        }


@keras.saving.register_keras_serializable(package="cyclegan_tf")
class ReflectionPadding2D(keras.layers.Layer):
    """Pads images by reflection, the edge itself not repeated.

    Input: any dtype (N, H, W, C). Output: the same dtype, (N, H + 2h, W + 2w, C).

    Args:
      padding: pixels on every side, or (h, w): rows above and below, columns left and right.
      **kwargs: `keras.layers.Layer`'s name and dtype.

    Raises:
      ValueError: padding is not one or two whole numbers >= 0; on call, a side that is known is not
        larger than its padding.

    Example:
      >>> x = ReflectionPadding2D(3)(images)
      >>> x = keras.layers.Conv2D(64, 7)(x)
    """

    def __init__(self, padding: int | tuple[int, int] = 1, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        pair = (padding, padding) if isinstance(padding, int) else tuple(padding)
        if len(pair) != 2 or not all(isinstance(side, int) and side >= 0 for side in pair):
            raise ValueError(
                f"ReflectionPadding2D takes a whole number >= 0 or a pair (h, w), got {padding!r}."
            )
        self.padding = pair

    def call(self, inputs: tf.Tensor, training: bool = False) -> tf.Tensor:
        """Pads (N, H, W, C); `training` chooses only the route, not the result."""
        inputs = tf.convert_to_tensor(inputs)
        self.compute_output_shape(inputs.shape.as_list())
        inputs = _with_channels(inputs)
        fast = (training or _wanted_fast.get()) and not hardware.has_gpu()
        if fast and self.padding == (1, 1) and inputs.shape[1:3].is_fully_defined():
            return _reflected_once(inputs)
        return tf.pad(inputs, _paddings(*self.padding), "REFLECT")

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        """(N, H + 2h, W + 2w, C); unknown sides stay unknown."""
        _check_rank_4(self, input_shape)
        n, *sides, channels = input_shape
        for side, padding in zip(sides, self.padding, strict=True):
            if side is not None and side <= padding:
                raise ValueError(
                    f"ReflectionPadding2D of {self.padding} needs images larger than that on each "
                    f"side, got shape {tuple(input_shape)}; feed larger images."
                )
        padded = [
            None if s is None else s + 2 * p for s, p in zip(sides, self.padding, strict=True)
        ]
        return (n, *padded, channels)

    def get_config(self) -> dict[str, Any]:
        """All constructor arguments."""
        return {**super().get_config(), "padding": self.padding}


@keras.saving.register_keras_serializable(package="cyclegan_tf")
class PoolingOfDoubled2D(keras.layers.AveragePooling2D):
    """`keras.layers.AveragePooling2D` whose graph for any size keeps its channels after a doubling.

    Input: float (N, H, W, C). Output: the same dtype, (N, H', W', C).

    Example:
      >>> x = keras.layers.UpSampling2D(2)(x)
      >>> x = PoolingOfDoubled2D(2, 1, padding="same")(x)
    """

    def call(self, inputs: tf.Tensor) -> tf.Tensor:
        """Takes the means of (N, H, W, C)."""
        return _with_channels(super().call(inputs))


@tf.custom_gradient
def _reflected_once(x: tf.Tensor) -> tuple[tf.Tensor, Any]:
    """Reflects by one pixel; value and gradient take half the memory traffic of `tf.pad`.

    Not on a GPU: it has no scatter of half precision, and its own kernel of this gradient.
    """
    height, width = x.shape[1:3]
    rows = tf.concat([_row(x, 1), x, _row(x, height - 2)], axis=1)
    padded = tf.concat([_column(rows, 1), rows, _column(rows, width - 2)], axis=2)

    def gradient(upstream: tf.Tensor) -> tf.Tensor:
        # The rim's gradient is added where its values came from, in the upstream's own memory: the
        # scatter works in place where nothing else reads its input.
        height, width, channels = padded.shape[1:]
        n = upstream.shape[0] or tf.shape(upstream)[0]
        rim = tf.concat([_row(upstream, 0), _row(upstream, height - 1)], axis=1)
        upstream = tf.tensor_scatter_nd_add(
            upstream, _places(n, [2, height - 3]), tf.reshape(rim, (-1, width, channels))
        )
        inner = part(upstream, (0, 1, 0, 0), (-1, height - 2, -1, -1))
        rim = tf.concat([_column(inner, 0), _column(inner, width - 1)], axis=2)
        upstream = tf.tensor_scatter_nd_add(
            upstream,
            _places(n, range(1, height - 1), [2, width - 3]),
            tf.reshape(rim, (-1, channels)),
        )
        return part(upstream, (0, 1, 1, 0), (-1, height - 2, width - 2, -1))

    return padded, gradient


def _row(x: tf.Tensor, index: int) -> tf.Tensor:
    return part(x, (0, index, 0, 0), (-1, 1, -1, -1))


def _column(x: tf.Tensor, index: int) -> tf.Tensor:
    return part(x, (0, 0, index, 0), (-1, -1, 1, -1))


def _places(n: int | tf.Tensor, *indices: Sequence[int]) -> tf.Tensor:
    """Every image with every combination of indices: int32 (n * lengths, 1 + len(indices))."""
    if isinstance(n, int):  # one node of the graph instead of thirty
        known = np.meshgrid(np.arange(n), *indices, indexing="ij")
        return tf.constant(np.stack(known, axis=-1).reshape(-1, len(known)), tf.int32)
    axes = [tf.range(n), *(tf.constant(list(some), tf.int32) for some in indices)]
    return tf.reshape(tf.stack(tf.meshgrid(*axes, indexing="ij"), axis=-1), (-1, len(axes)))


def _with_channels(images: tf.Tensor) -> tf.Tensor:
    """Says the channels in a graph for any size: saved and read again, it would have lost them.

    It does where sides are doubled, and TFLiteConverter needs them for the next convolution.
    """
    channels = images.shape[-1]
    if None not in images.shape[1:3] or channels is None:
        return images
    sizes = tf.unstack(tf.shape(images))[:3]
    return tf.reshape(images, tf.stack([*sizes, channels]))


def _paddings(height: int, width: int) -> list[list[int]]:
    return [[0, 0], [height, height], [width, width], [0, 0]]


def _check_rank_4(layer: keras.layers.Layer, shape: tuple[int | None, ...]) -> None:
    if len(shape) != 4:
        raise ValueError(
            f"{type(layer).__name__} takes images (N, H, W, C), got shape {tuple(shape)}."
        )
