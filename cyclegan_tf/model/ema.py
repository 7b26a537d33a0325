"""Exponential moving averages of generator weights, updated inside the step's graph."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import keras
import tensorflow as tf

EMA_RAMPUP = 0.05
"""The half-life is never more than this share of the images shown so far."""


class ExponentialMovingAverage:
    """Moving averages of some networks' trainable weights.

    After each step, average += (1 - decay) (weight - average), decay = 0.5 ** (batch / half-life),
    with the half-life counted in images, so that the batch size does not change what is averaged
    over. The half-life is at first EMA_RAMPUP times the images shown, until it reaches the one
    asked for (Karras et al. 2020, "Training Generative Adversarial Networks with Limited Data",
    appendix, "EMA ramp-up" 0.05): the average never holds on to the initial noise, and after few
    steps it is nearly the newest weights.

    Args:
      networks: by name, built; their weights as they are now are the first average.
      half_life_images: images after which a weight counts half in the average; above 0.
      batch_size: images of each domain per step.

    Example:
      >>> averages = ExponentialMovingAverage({"generator_xy": generator}, 1000, batch_size=1)
      >>> averages.update()  # after each step
      >>> with averages.swapped_in():
      ...     translated = generator(images)
    """

    def __init__(
        self, networks: Mapping[str, keras.Model], half_life_images: float, batch_size: int
    ) -> None:
        self._half_life, self._batch_size = half_life_images, batch_size
        self._images = keras.Variable(0, trainable=False, dtype="int64", name="images")
        self._weights: dict[str, keras.Variable] = {}
        self._averages: dict[str, keras.Variable] = {}
        for name, network in networks.items():
            for weight in network.trainable_variables:
                path = f"{name}/{weight.path}"
                self._weights[path] = weight
                # a tensor, because Keras would take TensorFlow's variable itself for its own
                start = tf.convert_to_tensor(weight.value)
                self._averages[path] = keras.Variable(
                    start, trainable=False, dtype="float32", name="average"
                )

    def update(self) -> None:
        """Updates the averages after one step; in a graph one assignment per weight."""
        images = self._images.value.assign_add(self._batch_size)
        half_life = tf.minimum(
            tf.constant(self._half_life, tf.float32), EMA_RAMPUP * tf.cast(images, tf.float32)
        )
        # 1 - 0.5 ** x for an x so small that the power rounds to 1 in float32
        share = -tf.math.expm1(-math.log(2) * self._batch_size / half_life)
        for path, average in self._averages.items():
            weight = tf.cast(tf.convert_to_tensor(self._weights[path].value), tf.float32)
            average.value.assign_add(share * (weight - average.value))

    def variables(self) -> dict[str, keras.Variable]:
        """Returns what a checkpoint must hold, by stable names that begin with "average/"."""
        return {"average/images": self._images} | {
            f"average/{path}": a for path, a in self._averages.items()
        }

    @contextmanager
    def swapped_in(self) -> Iterator[None]:
        """Swaps the averages into the networks, and their own weights back at the end."""
        kept = {path: tf.identity(weight.value) for path, weight in self._weights.items()}
        try:
            for path, weight in self._weights.items():
                weight.assign(self._averages[path].value)
            yield
        finally:
            for path, value in kept.items():
                self._weights[path].assign(value)
