"""keras_contrib's instance normalization, equal in numbers, for Keras 3.

keras_contrib ended in 2022 and was never on PyPI; many CycleGANs of Keras 2 are made with it.
"""

from __future__ import annotations

from typing import Any

import keras
import tensorflow as tf

_WEIGHTS = ("gamma", "beta")
_RULES = ("initializer", "regularizer", "constraint")


@keras.saving.register_keras_serializable(
    package="cyclegan_tf", name="ContribInstanceNormalization"
)
class ContribInstanceNormalization(keras.layers.Layer):
    """Normalizes each image by its mean and deviation, with epsilon beside the deviation.

    y = (x - mean) / (deviation + epsilon) * gamma + beta. All others add epsilon to the variance,
    within the root: where a channel hardly varies, that is another image. Statistics are float32
    under every dtype policy (float64 for float64 inputs).

    Input: float, 2 axes or more, any range. Output: the same shape in the layer's compute dtype.

    Args:
      axis: of the channels, each normalized by itself; None takes all of an image together, and
        one gamma and beta for it. Not 0.
      epsilon: added to the deviation.
      center: whether to add a trained beta.
      scale: whether to multiply by a trained gamma.
      **kwargs: initializer, regularizer and constraint of either, as "gamma_constraint"; and
        `keras.layers.Layer`'s name, dtype and trainable.

    Raises:
      ValueError: axis is 0; on build, when the channels are unknown.

    Example:
      >>> layer = ContribInstanceNormalization(axis=-1)
      >>> layer(tf.zeros((1, 8, 8, 4))).shape
      TensorShape([1, 8, 8, 4])
    """

    over_all_pixels = True  # so a tile cannot stand for an image

    def __init__(
        self,
        axis: int | None = None,
        epsilon: float = 1e-3,
        center: bool = True,
        scale: bool = True,
        **kwargs: Any,
    ) -> None:
        rules = {
            f"{weight}_{rule}": kwargs.pop(f"{weight}_{rule}", None)
            for weight in _WEIGHTS
            for rule in _RULES
        }
        super().__init__(**kwargs)
        if axis == 0:
            raise ValueError(f"{type(self).__name__} cannot normalize over images: axis is 0.")
        self.axis, self.epsilon, self.center, self.scale = axis, epsilon, center, scale
        self._rules = rules
        self.gamma: keras.Variable | None = None
        self.beta: keras.Variable | None = None

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        """Makes gamma and beta, float (channels,), or (1,) without an axis, where wanted."""
        channels = 1 if self.axis is None else input_shape[self.axis]
        if channels is None:
            raise ValueError(
                f"{type(self).__name__} needs a known size of axis {self.axis}, got {input_shape}."
            )
        for wanted, name, start in (
            (self.scale, "gamma", "ones"),
            (self.center, "beta", "zeros"),
        ):
            if wanted:
                weight = self.add_weight(
                    shape=(channels,),
                    initializer=self._rules[f"{name}_initializer"] or start,
                    regularizer=self._rules[f"{name}_regularizer"],
                    constraint=self._rules[f"{name}_constraint"],
                    autocast=False,
                    name=name,
                )
                setattr(self, name, weight)

    def call(self, inputs: tf.Tensor) -> tf.Tensor:
        """Normalizes float (N, ...)."""
        inputs = tf.convert_to_tensor(inputs)
        x = inputs if inputs.dtype == tf.float64 else tf.cast(inputs, tf.float32)
        rank = x.shape.rank
        kept = {0} if self.axis is None else {0, self.axis % rank}
        axes = [axis for axis in range(rank) if axis not in kept]
        centered = x - tf.reduce_mean(x, axes, keepdims=True)
        deviation = tf.sqrt(tf.reduce_mean(tf.square(centered), axes, keepdims=True))
        y = centered / (deviation + self.epsilon)
        broadcast = [1] * rank
        if self.axis is not None:
            broadcast[self.axis] = -1
        if self.gamma is not None:
            y *= tf.reshape(tf.cast(self.gamma, x.dtype), broadcast)
        if self.beta is not None:
            y += tf.reshape(tf.cast(self.beta, x.dtype), broadcast)
        return tf.cast(y, inputs.dtype)

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        """Same as the input's."""
        return input_shape

    def get_config(self) -> dict[str, Any]:
        """All constructor arguments."""
        own = {name: getattr(self, name) for name in ("axis", "epsilon", "center", "scale")}
        return {**super().get_config(), **own, **self._rules}
