"""A change of color led around a generator: its start is computed from the data, then it is
trained.

Instance normalization takes every image's own brightness and tint away, so a generator of the paper
must guess them anew. Where two domains differ in color as two photographs do, an affine change of
color is nearly the whole answer. Where one shows photographs and the other drawings, that change
would blow up or wipe out colors, and
training hardly gets away from it: there is none then. Pixels are compared before the last tanh,
where white and black lie far apart.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
import tensorflow as tf

# tanh(0.85 x + 0.81 x^3) is 0.97 x to within 0.04 for x in [-1, 1], out of operations that every
# runtime has.
_CURVE = (0.85, 0.81)
# Adam moves every weight by about the learning rate. A color must be free to change sign within
# some hundred steps.
LEARNING_RATE_MULTIPLIER = 50.0
# Beyond it the domains' colors are of different kinds. Photographs of two seasons, fruits or tints:
# up to 2.4;
# aerial photographs and maps, house fronts and label maps: 6 to 9.
MAX_COLOR_STRETCH = 4.0
# Keeps the inverse of a domain of one color finite.
_MIN_VARIANCE = 1e-4


@dataclass(frozen=True)
class Moments:
    """Colors of a domain before the tanh.

    Attributes:
      mean: float64 (C,).
      covariance: float64 (C, C), symmetric.
    """

    mean: np.ndarray
    covariance: np.ndarray


def approx_atanh(images: np.ndarray) -> np.ndarray:
    """Values in [-1, 1] of any shape -> float64 values whose tanh is about 0.97 times as large."""
    x = images.astype(np.float64)
    return _CURVE[0] * x + _CURVE[1] * x**3


def moments(images: Iterable[np.ndarray]) -> Moments:
    """Mean and covariance over all pixels of all images, each pixel of each image counting once.

    Args:
      images: number arrays (H, W, C) in [-1, 1], one after the other.

    Raises:
      ValueError: there are none.
    """
    count, total, products = 0, 0.0, 0.0
    for image in images:
        pixels = approx_atanh(image.reshape(-1, image.shape[-1]))
        count, total, products = (
            count + len(pixels),
            total + pixels.sum(axis=0),
            products + pixels.T @ pixels,
        )
    if not count:
        raise ValueError("moments needs at least one image.")
    mean = np.asarray(total) / count
    return Moments(mean, np.asarray(products) / count - np.outer(mean, mean))


def transfer(source: Moments, target: Moments) -> tuple[np.ndarray, np.ndarray]:
    """The affine map that gives the source's colors the target's mean and covariance and moves them
    least.

    A = S^-1/2 (S^1/2 T S^1/2)^1/2 S^-1/2, b = mean_T - A mean_S (Pitie and Kokaram 2007, "The
    linear Monge-Kantorovitch linear color mapping", eq. 6).

    Args:
      source: of C channels.
      target: of as many.

    Returns:
      A, float64 (C, C), symmetric and positive, and b, float64 (C,).
    """
    least = _MIN_VARIANCE * np.eye(len(source.mean))
    root = _root(source.covariance + least)
    inverse = np.linalg.inv(root)
    matrix = inverse @ _root(root @ (target.covariance + least) @ root) @ inverse
    return matrix, target.mean - matrix @ source.mean


def strength(matrix: np.ndarray) -> float:
    """By how much a `transfer` stretches or shrinks the color it changes most, as a factor from
    1."""
    stretched = np.linalg.eigvalsh(matrix)
    return float(max(stretched.max(), 1 / max(stretched.min(), 1e-9)))


def _root(matrix: np.ndarray) -> np.ndarray:
    """Symmetric square root of a symmetric, positive semidefinite matrix."""
    values, vectors = np.linalg.eigh(matrix)
    return (vectors * np.sqrt(np.maximum(values, 0.0))) @ vectors.T


# Registered under the name that saved files hold.
@keras.saving.register_keras_serializable(package="cyclegan_tf", name="ColourSkip")
class ColorSkip(keras.layers.Layer):
    """An affine function of each pixel's colors and their cubes, to be added before a generator's
    tanh.

    Is nothing, and stays so in training, until `initialize` is called. What is trained is the
    distance from the start, divided by a pace, so that under Adam it may change faster than a
    convolution's weights. Always float32.

    Input: float (N, H, W, C) in [-1, 1]. Output: float32 (N, H, W, channels), any range.

    Args:
      channels: of the result.
      **kwargs: `keras.layers.Layer`'s name and trainable.
    """

    def __init__(self, channels: int, **kwargs: Any) -> None:
        super().__init__(**{**kwargs, "dtype": "float32"})
        self.channels = channels

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        """Makes start and distance of kernel (1, 1, 2 C, channels) and bias (channels,), and the
        pace."""
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
        """Starts from tanh^-1(y) = matrix tanh^-1(x) + offset; (channels, C) and (channels,), see
        `transfer`."""
        self.pace.assign(LEARNING_RATE_MULTIPLIER)
        kernel = np.concatenate([factor * matrix.T for factor in _CURVE])
        self.kernel_start.assign(kernel[np.newaxis, np.newaxis])
        self.bias_start.assign(offset)

    @property
    def is_active(self) -> bool:
        """Whether it has been given a start."""
        return self.built and float(self.pace.value) > 0

    def call(self, inputs: tf.Tensor) -> tf.Tensor:
        """See the class."""
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
