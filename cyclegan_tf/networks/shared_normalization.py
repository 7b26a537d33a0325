"""Instance normalization by statistics from elsewhere: of many tiles together, of earlier frames of
a video."""

from __future__ import annotations

from typing import Any

import keras
import tensorflow as tf

from cyclegan_tf.networks.layers import InstanceNormalization


@keras.saving.register_keras_serializable(package="cyclegan_tf", name="SharedNormalization")
class SharedInstanceNormalization(keras.layers.Layer):
    """Normalizes all images of a call by one mean and variance per channel, which it keeps from
    call to call.

    used = rate * measured + (1 - rate) * kept, then kept = used; measured over N, H and W of the
    call. A rate of 1 takes the images of this call together, 0 takes what is kept, anything between
    follows a video's frames.
    Everything else is as `InstanceNormalization`: for one image and rate 1 both give the same.

    Input: float (N, H, W, C). Output: the same shape in the layer's compute dtype.

    Args:
      epsilon: added to the variance.
      center: whether to add beta per channel.
      scale: whether to multiply by gamma per channel.
      **kwargs: `keras.layers.Layer`'s name, dtype and trainable.
    """

    def __init__(
        self, epsilon: float = 1e-5, center: bool = False, scale: bool = False, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.epsilon, self.center, self.scale = epsilon, center, scale

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        """Makes what is kept, float32 (C,), the rate, and gamma and beta."""
        shape = input_shape[-1:]

        def weight(
            name: str, initializer: str, shape: tuple[int | None, ...] = shape
        ) -> keras.Variable:
            return self.add_weight(
                shape=shape,
                initializer=initializer,
                name=name,
                dtype="float32",
                autocast=False,
                trainable=False,
            )

        self.mean, self.variance = weight("mean", "zeros"), weight("variance", "ones")
        self.rate = weight("rate", "ones", ())
        self.gamma = weight("gamma", "ones") if self.scale else None
        self.beta = weight("beta", "zeros") if self.center else None

    def call(self, inputs: tf.Tensor) -> tf.Tensor:
        """Normalizes float (N, H, W, C) and keeps the statistics it used."""
        rate = tf.convert_to_tensor(self.rate)
        kept = tf.convert_to_tensor(self.mean), tf.convert_to_tensor(self.variance)

        def measured() -> tuple[tf.Tensor, tf.Tensor]:
            mean, variance = tf.nn.moments(tf.cast(inputs, tf.float32), axes=(0, 1, 2))
            return rate * mean + (1 - rate) * kept[0], rate * variance + (1 - rate) * kept[1]

        mean, variance = tf.cond(rate > 0, measured, lambda: kept)
        self.mean.assign(mean)
        self.variance.assign(variance)
        channels = inputs.shape[-1]
        gamma = tf.ones(channels) if self.gamma is None else tf.convert_to_tensor(self.gamma)
        beta = tf.zeros(channels) if self.beta is None else tf.convert_to_tensor(self.beta)
        # One kernel, for half precision too, with statistics in float32.
        normalized, *_ = tf.compat.v1.nn.fused_batch_norm(
            inputs, gamma, beta, mean, variance, epsilon=self.epsilon, is_training=False
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
        }


def with_shared_normalization(network: keras.Model) -> keras.Model:
    """A network of the same weights whose instance normalizations are
    `SharedInstanceNormalization`, at rate 1."""

    def replaced(layer: keras.layers.Layer) -> keras.layers.Layer:
        if not isinstance(layer, InstanceNormalization):
            return type(layer).from_config(layer.get_config())
        return SharedInstanceNormalization(
            layer.epsilon, layer.center, layer.scale, name=layer.name, dtype=layer.dtype_policy
        )

    copy = keras.models.clone_model(network, clone_function=replaced)
    for layer in network.layers:
        if not layer.weights:  # an input's name may differ in the copy
            continue
        twin = copy.get_layer(layer.name)
        if isinstance(layer, InstanceNormalization):
            for name in ("gamma", "beta"):
                if getattr(layer, name) is not None:
                    getattr(twin, name).assign(getattr(layer, name))
        else:
            twin.set_weights(layer.get_weights())
    return copy


def shared_layers(network: keras.Model) -> list[SharedInstanceNormalization]:
    """In the order in which the network computes them."""
    return [layer for layer in network.layers if isinstance(layer, SharedInstanceNormalization)]


def set_rate(network: keras.Model, rate: float) -> None:
    """Of all `SharedInstanceNormalization` of a network: 1 to measure, 0 to keep, between to
    follow."""
    for layer in shared_layers(network):
        layer.rate.assign(rate)
