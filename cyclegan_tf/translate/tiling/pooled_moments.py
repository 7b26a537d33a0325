"""Mean and variance of an image that is seen part by part."""

from __future__ import annotations

import math

import numpy as np
import tensorflow as tf


class PooledMoments:
    """Mean and variance per channel over parts that come one after the other.

    Attributes:
      mean: float64 (C,).

    Example:
      >>> moments = PooledMoments()
      >>> for part in parts:
      ...     moments.add(part)
      >>> moments.mean, moments.variance
    """

    def __init__(self) -> None:
        self.mean = np.zeros(())
        self._count = 0
        self._squares = np.zeros(())

    @property
    def is_empty(self) -> bool:
        """Whether nothing has been added."""
        return not self._count

    def add(self, part: tf.Tensor) -> None:
        """Add a tensor of at least one pixel, any float (N, H, W, C)."""
        found = tf.nn.moments(tf.cast(part, tf.float32), axes=(0, 1, 2))
        mean, variance = (value.numpy().astype(np.float64) for value in found)
        more = math.prod(part.shape[:3])
        # Chan, Golub and LeVeque 1983, eq. 2.1: no digits are lost, however large the mean.
        step, total = mean - self.mean, self._count + more
        self._squares = self._squares + more * variance + step**2 * (self._count * more / total)
        self.mean = self.mean + step * (more / total)
        self._count = total

    @property
    def variance(self) -> np.ndarray:
        """float64 (C,), over all pixels so far, biased."""
        return self._squares / self._count
