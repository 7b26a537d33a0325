"""Affine color skip around a generator, initialized from the data and then trained.

Its initialization is the Monge-Kantorovich map between the domains' colors. Instance normalization
removes every image's own brightness and tint, so a generator of the paper must guess them anew.
Where two domains differ in color as two photographs do, an affine map of colors is nearly the whole
answer. Where one shows photographs and the other drawings, that map would saturate or wipe out
colors, and training hardly recovers: there is no skip then. Colors are compared before the last
tanh, where white and black lie far apart.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
import tensorflow as tf

# tanh(0.85 x + 0.81 x^3) is 0.97 x to within 0.04 for x in [-1, 1].
_CURVE = (0.85, 0.81)
# Adam moves every weight by about the learning rate. A color must be free to change sign within
# some hundred steps.
LEARNING_RATE_MULTIPLIER = 50.0
# Beyond it the domains' colors are dissimilar. Photographs of two seasons, fruits or tints: up to
# 2.4; aerial photographs and maps, facades and label maps: 6 to 9.
MAX_COLOR_STRETCH = 4.0
# Keeps the inverse of a domain of one color finite.
_MIN_VARIANCE = 1e-4


@dataclass(frozen=True)
class Moments:
    """Mean and covariance of a domain's colors before the tanh.

    Attributes:
      mean: float64 (C,).
      covariance: float64 (C, C), symmetric.

    Example:
      >>> matrix, offset = monge_kantorovich_map(moments(images_x), moments(images_y))
      >>> if max_stretch(matrix) <= MAX_COLOR_STRETCH:
      ...     generator_xy.get_layer("colour_skip").initialize(matrix, offset)
    """

    mean: np.ndarray
    covariance: np.ndarray


def approx_atanh(images: np.ndarray) -> np.ndarray:
    """Maps values in [-1, 1] to float64 values whose tanh is about 0.97 times as large."""
    x = images.astype(np.float64)
    return _CURVE[0] * x + _CURVE[1] * x**3


def moments(images: Iterable[np.ndarray], values: np.ndarray | None = None) -> Moments:
    """Computes mean and covariance of colors over all pixels of all images.

    Args:
      images: number arrays (H, W, C) in [-1, 1], one after the other; or pixel values, uint8 or
        uint16.
      values: of pixel values, what each means in [-1, 1], (256,) or (65536,). A table takes a
        thirtieth of the time that the same function of each pixel does.

    Raises:
      ValueError: there are none.
    """
    table = None if values is None else approx_atanh(values)
    count, total, products = 0, 0.0, 0.0
    for image in images:
        flat = image.reshape(-1, image.shape[-1])
        pixels = approx_atanh(flat) if table is None else table[flat]
        count, total, products = (
            count + len(pixels),
            total + pixels.sum(axis=0),
            products + pixels.T @ pixels,
        )
    if not count:
        raise ValueError("moments needs at least one image.")
    mean = np.asarray(total) / count
    return Moments(mean, np.asarray(products) / count - np.outer(mean, mean))


def monge_kantorovich_map(source: Moments, target: Moments) -> tuple[np.ndarray, np.ndarray]:
    """Computes the affine map to the target's mean and covariance that moves colors least.

    A = S^-1/2 (S^1/2 T S^1/2)^1/2 S^-1/2, b = mean_T - A mean_S (Pitie and Kokaram 2007, "The
    linear Monge-Kantorovitch linear color mapping", eq. 6).

    Args:
      source: of C channels.
      target: of as many.

    Returns:
      A, float64 (C, C), symmetric and positive, and b, float64 (C,).
    """
    floor = _MIN_VARIANCE * np.eye(len(source.mean))
    root = _root(source.covariance + floor)
    inverse = np.linalg.inv(root)
    matrix = inverse @ _root(root @ (target.covariance + floor) @ root) @ inverse
    return matrix, target.mean - matrix @ source.mean


def max_stretch(matrix: np.ndarray) -> float:
    """Returns the largest factor, at least 1, by which a symmetric map stretches or shrinks."""
    factors = np.linalg.eigvalsh(matrix)
    return float(max(factors.max(), 1 / max(factors.min(), 1e-9)))


def _root(matrix: np.ndarray) -> np.ndarray:
    """Symmetric square root of a symmetric, positive semidefinite matrix."""
    values, vectors = np.linalg.eigh(matrix)
    return (vectors * np.sqrt(np.maximum(values, 0.0))) @ vectors.T


# Registered under the name that saved files hold.
@keras.saving.register_keras_serializable(package="cyclegan_tf", name="ColourSkip")
class ColorSkip(keras.layers.Layer):
    """An affine function of each pixel's colors and their cubes, added before a generator's tanh.

    It is zero, and stays so in training, until `initialize` is called. What is trained is the
    difference from the initial values, divided by a learning rate multiplier ("pace" in files), so
    that under Adam it may change faster than a convolution's weights. Always float32.

    Input: float (N, H, W, C) in [-1, 1]. Output: float32 (N, H, W, channels), any range.

    Args:
      channels: of the result.
      **kwargs: `keras.layers.Layer`'s name and trainable.

    Example:
      >>> skip = ColorSkip(3, name="colour_skip")
      >>> x = keras.layers.Add(dtype="float32")([x, skip(images)])
      >>> skip.initialize(*monge_kantorovich_map(moments(images_x), moments(images_y)))
    """

    def __init__(self, channels: int, **kwargs: Any) -> None:
        super().__init__(**{**kwargs, "dtype": "float32"})
        self.channels = channels

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        """Makes initial values and differences of kernel (1, 1, 2 C, channels) and bias."""
        kernel = (1, 1, 2 * input_shape[-1], self.channels)  # type: ignore[operator]
        for name, shape in (("kernel", kernel), ("bias", (self.channels,))):
            start = self.add_weight(
                name=f"{name}_start", shape=shape, initializer="zeros", trainable=False
            )
            setattr(self, f"{name}_start", start)
            setattr(
                self,
                f"{name}_moved",
                self.add_weight(name=f"{name}_moved", shape=shape, initializer="zeros"),
            )
        self.pace = self.add_weight(name="pace", shape=(), initializer="zeros", trainable=False)
        self.built = True

    def initialize(self, matrix: np.ndarray, offset: np.ndarray) -> None:
        """Sets the function to tanh^-1(y) = matrix tanh^-1(x) + offset.

        Args:
          matrix: (channels, C), see `monge_kantorovich_map`.
          offset: (channels,).
        """
        self.pace.assign(LEARNING_RATE_MULTIPLIER)
        kernel = np.concatenate([factor * matrix.T for factor in _CURVE])
        self.kernel_start.assign(kernel[np.newaxis, np.newaxis])
        self.bias_start.assign(offset)

    @property
    def is_active(self) -> bool:
        """Whether it has been initialized."""
        return self.built and float(self.pace.value) > 0

    def effective_weights(self) -> list[np.ndarray]:
        """What it multiplies and adds now: kernel, float32 (1, 1, 2 C, channels), and bias."""
        pace, kernel, kernel_moved, bias, bias_moved = (
            np.asarray(keras.ops.convert_to_numpy(variable))
            for variable in (
                self.pace,
                self.kernel_start,
                self.kernel_moved,
                self.bias_start,
                self.bias_moved,
            )
        )
        return [kernel + pace * kernel_moved, bias + pace * bias_moved]

    def call(self, inputs: tf.Tensor) -> tf.Tensor:
        """Maps float (N, H, W, C) to float32 (N, H, W, channels)."""
        pace = tf.convert_to_tensor(self.pace)
        kernel = tf.convert_to_tensor(self.kernel_start) + pace * tf.convert_to_tensor(
            self.kernel_moved
        )
        bias = tf.convert_to_tensor(self.bias_start) + pace * tf.convert_to_tensor(self.bias_moved)
        powers = tf.concat([inputs, inputs * inputs * inputs], axis=-1)
        return tf.nn.bias_add(tf.nn.conv2d(powers, kernel, 1, "VALID"), bias)

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        """Unchanged but for the channels."""
        return (*input_shape[:-1], self.channels)

    def get_config(self) -> dict[str, Any]:
        """All constructor arguments."""
        return {**super().get_config(), "channels": self.channels}


# A `.keras` file keeps a layer's weights under the name of its class, as it was when runs began.
ColorSkip.__name__ = "ColourSkip"
