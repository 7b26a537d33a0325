"""Instance normalization by shared statistics: of all tiles of an image, of a video's frames."""

from __future__ import annotations

from typing import Any

import keras
import tensorflow as tf

from cyclegan_tf.networks.layers import InstanceNormalization


@keras.saving.register_keras_serializable(package="cyclegan_tf", name="SharedNormalization")
class SharedInstanceNormalization(keras.layers.Layer):
    """Normalizes all images of a call by one running mean and variance per channel.

    running = momentum * measured + (1 - momentum) * running (PyTorch's convention), measured over
    N, H and W of the call. Momentum 1 uses the images of this call alone, 0 the running statistics
    alone, anything between follows a video's frames. Everything else is as `InstanceNormalization`:
    for one image and momentum 1 both give the same.

    Input: float (N, H, W, C). Output: the same shape in the layer's compute dtype.

    Args:
      epsilon: added to the variance.
      center: whether to add beta per channel.
      scale: whether to multiply by gamma per channel.
      **kwargs: `keras.layers.Layer`'s name, dtype and trainable.

    Example:
      >>> shared = with_shared_normalization(generator)
      >>> shared(first_frame)  # measures
      >>> set_momentum(shared, 0.2)  # later frames move the statistics by a fifth
    """

    def __init__(
        self, epsilon: float = 1e-5, center: bool = False, scale: bool = False, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.epsilon, self.center, self.scale = epsilon, center, scale

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        """Makes running mean and variance, float32 (C,), momentum, and gamma and beta."""
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
        self.momentum = weight("momentum", "ones", ())
        self.gamma = weight("gamma", "ones") if self.scale else None
        self.beta = weight("beta", "zeros") if self.center else None

    def call(self, inputs: tf.Tensor) -> tf.Tensor:
        """Normalizes float (N, H, W, C) and keeps the statistics it used."""
        momentum = tf.convert_to_tensor(self.momentum)
        running = tf.convert_to_tensor(self.mean), tf.convert_to_tensor(self.variance)

        def measured() -> tuple[tf.Tensor, tf.Tensor]:
            mean, variance = tf.nn.moments(tf.cast(inputs, tf.float32), axes=(0, 1, 2))
            return (
                momentum * mean + (1 - momentum) * running[0],
                momentum * variance + (1 - momentum) * running[1],
            )

        mean, variance = tf.cond(momentum > 0, measured, lambda: running)
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
    """Copies a network, its instance normalizations as shared ones of momentum 1."""

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
    """Returns a network's shared normalizations in the order of computing."""
    return [layer for layer in network.layers if isinstance(layer, SharedInstanceNormalization)]


def set_momentum(network: keras.Model, momentum: float) -> None:
    """Sets it in all shared normalizations: 1 measures, 0 keeps, anything between follows."""
    for layer in shared_layers(network):
        layer.momentum.assign(momentum)
