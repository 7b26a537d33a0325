"""Layers of tensorflow-addons 0.23 and of tutorials built on it, equal in numbers, for Keras 3.

Importing this module registers them; `CUSTOM_OBJECTS` names them for `keras.saving.load_model`.
Networks that `convert.keras2.open.open_model` opens hold our own layers wherever these compute the
same.
"""

from __future__ import annotations

from typing import Any

import keras
import tensorflow as tf

from cyclegan_tf.networks import layers

# Where nothing else was said; our own layer and the PyTorch code take 1e-5.
EPSILON = 1e-3


@keras.saving.register_keras_serializable(package="Addons", name="GroupNormalization")
class GroupNormalization(keras.layers.Layer):
    """Normalizes groups of neighboring channels of each image by their own mean and variance.

    Source: Wu & He 2018, "Group Normalization".

    y = (x - mean) / sqrt(variance + epsilon) * gamma + beta, biased variance, mean and variance of
    each group over all axes but the first. Statistics are float32 under every dtype policy (float64
    for float64 inputs).

    Input: float, 2 axes or more, any range. Output: the same shape in the layer's compute dtype.

    Args:
      groups: into how many groups the channels fall; -1 makes each channel one.
      axis: of the channels; not 0.
      epsilon: added to the variance.
      center: whether to add a trained beta per channel.
      scale: whether to multiply by a trained gamma per channel.
      beta_initializer: start of beta.
      gamma_initializer: start of gamma.
      beta_regularizer: penalty on beta.
      gamma_regularizer: penalty on gamma.
      beta_constraint: kept by beta in training.
      gamma_constraint: kept by gamma in training.
      **kwargs: `keras.layers.Layer`'s name, dtype and trainable.

    Raises:
      ValueError: axis is 0; on build, when the channels are unknown or do not fall into that many
        groups, or when tensorflow-addons had no result for this axis.

    Example:
      >>> layer = GroupNormalization(groups=2)
      >>> layer(tf.zeros((1, 8, 8, 4))).shape
      TensorShape([1, 8, 8, 4])
    """

    over_all_pixels = True  # so a tile cannot stand for an image

    def __init__(
        self,
        groups: int = 32,
        axis: int = -1,
        epsilon: float = EPSILON,
        center: bool = True,
        scale: bool = True,
        beta_initializer: Any = "zeros",
        gamma_initializer: Any = "ones",
        beta_regularizer: Any = None,
        gamma_regularizer: Any = None,
        beta_constraint: Any = None,
        gamma_constraint: Any = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        if axis == 0:
            raise ValueError(
                f"{type(self).__name__} cannot normalize over images: axis must not be 0."
            )
        self.supports_masking = True
        self.groups = groups
        self.axis = axis
        self.epsilon = epsilon
        self.center = center
        self.scale = scale
        self.beta_initializer = keras.initializers.get(beta_initializer)
        self.gamma_initializer = keras.initializers.get(gamma_initializer)
        self.beta_regularizer = keras.regularizers.get(beta_regularizer)
        self.gamma_regularizer = keras.regularizers.get(gamma_regularizer)
        self.beta_constraint = keras.constraints.get(beta_constraint)
        self.gamma_constraint = keras.constraints.get(gamma_constraint)
        self.gamma: keras.Variable | None = None
        self.beta: keras.Variable | None = None

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        """Makes gamma and beta, float (channels,), where wanted."""
        channels = input_shape[self.axis]
        if channels is None:
            raise ValueError(
                f"{type(self).__name__} needs a known size of axis {self.axis}, got {input_shape}."
            )
        groups = self._groups_of(channels)
        if groups < 1 or channels % groups:
            raise ValueError(
                f"{type(self).__name__} cannot part {channels} channels into {groups} groups."
            )
        self._reduced_axes(len(input_shape), groups == channels)
        if self.scale:
            self.gamma = self._per_channel(
                "gamma",
                channels,
                self.gamma_initializer,
                self.gamma_regularizer,
                self.gamma_constraint,
            )
        if self.center:
            self.beta = self._per_channel(
                "beta", channels, self.beta_initializer, self.beta_regularizer, self.beta_constraint
            )

    def _per_channel(
        self, name: str, channels: int, initializer: Any, regularizer: Any, constraint: Any
    ) -> Any:
        return self.add_weight(
            shape=(channels,),
            initializer=initializer,
            regularizer=regularizer,
            constraint=constraint,
            autocast=False,
            name=name,
        )

    def _groups_of(self, channels: int) -> int:
        return channels if self.groups == -1 else self.groups

    def _reduced_axes(self, rank: int, single: bool) -> list[int]:
        """Axes of mean and variance: of the input for single channels, else of its groups."""
        if not single:
            place = self.axis % rank
            return [axis for axis in range(1, rank + 1) if axis != place]
        axes = list(range(1, rank))
        # tensorflow-addons counts one too far for axes below -1: it keeps the axis before, and
        # models were trained so.
        kept = -1 if self.axis == -1 else self.axis - 1
        if not -len(axes) <= kept < len(axes):
            raise ValueError(
                f"{type(self).__name__} of single channels cannot take axis {self.axis} of {rank}: "
                "tensorflow-addons had no result for it; count the axis from the front."
            )
        del axes[kept]
        return axes

    def call(self, inputs: tf.Tensor) -> tf.Tensor:
        """Normalizes float (N, ...)."""
        inputs = tf.convert_to_tensor(inputs)
        x = inputs if inputs.dtype == tf.float64 else tf.cast(inputs, tf.float32)
        rank, place = x.shape.rank, self.axis % x.shape.rank
        channels = x.shape[place]
        groups = self._groups_of(channels)
        broadcast = [1] * rank
        broadcast[place] = channels
        if groups != channels:
            parted = [groups, channels // groups]
            broadcast[place : place + 1] = parted
            sizes = tf.unstack(tf.shape(x))
            x = tf.reshape(x, [*sizes[:place], *parted, *sizes[place + 1 :]])
        axes = self._reduced_axes(rank, groups == channels)
        centered = x - tf.reduce_mean(x, axes, keepdims=True)
        factor = tf.math.rsqrt(
            tf.reduce_mean(tf.square(centered), axes, keepdims=True) + self.epsilon
        )
        if self.gamma is not None:
            factor *= tf.reshape(tf.cast(self.gamma, x.dtype), broadcast)
        y = centered * factor
        if self.beta is not None:
            y += tf.reshape(tf.cast(self.beta, x.dtype), broadcast)
        if groups != channels:
            y = tf.ensure_shape(tf.reshape(y, tf.shape(inputs)), inputs.shape)
        return tf.cast(y, inputs.dtype)

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        """Same as the input's."""
        return input_shape

    def get_config(self) -> dict[str, Any]:
        """All constructor arguments."""
        return {
            **super().get_config(),
            "groups": self.groups,
            "axis": self.axis,
            "epsilon": self.epsilon,
            "center": self.center,
            "scale": self.scale,
            "beta_initializer": keras.initializers.serialize(self.beta_initializer),
            "gamma_initializer": keras.initializers.serialize(self.gamma_initializer),
            "beta_regularizer": keras.regularizers.serialize(self.beta_regularizer),
            "gamma_regularizer": keras.regularizers.serialize(self.gamma_regularizer),
            "beta_constraint": keras.constraints.serialize(self.beta_constraint),
            "gamma_constraint": keras.constraints.serialize(self.gamma_constraint),
        }


@keras.saving.register_keras_serializable(package="Addons", name="InstanceNormalization")
class InstanceNormalization(GroupNormalization):
    """`GroupNormalization` of single channels.

    Whatever `groups` is given: old files hold the channels' number there.

    Args:
      **kwargs: `GroupNormalization`'s.

    Example:
      >>> layer = InstanceNormalization(epsilon=1e-5)
      >>> layer(tf.zeros((1, 8, 8, 4))).shape
      TensorShape([1, 8, 8, 4])
    """

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**{**kwargs, "groups": -1})


@keras.saving.register_keras_serializable(package="cyclegan_tf", name="TutorialReflectionPadding2D")
class TutorialReflectionPadding2D(layers.ReflectionPadding2D):
    """`layers.ReflectionPadding2D` with padding as (w, h), as in keras.io's CycleGAN tutorial.

    Args:
      padding: pixels on every side, or (w, h): columns left and right, rows above and below.
      **kwargs: `keras.layers.Layer`'s name and dtype.

    Raises:
      ValueError: as `layers.ReflectionPadding2D`.

    Example:
      >>> layer = TutorialReflectionPadding2D((1, 3))
      >>> layer(tf.zeros((1, 8, 8, 4))).shape
      TensorShape([1, 14, 10, 4])
    """

    def __init__(self, padding: int | tuple[int, int] = (1, 1), **kwargs: Any) -> None:
        if not isinstance(padding, int):
            width, height = padding
            padding = (height, width)
        super().__init__(padding, **kwargs)

    def get_config(self) -> dict[str, Any]:
        """All constructor arguments."""
        return {**super().get_config(), "padding": self.padding[::-1]}


class _OldConv2DTranspose(keras.layers.Conv2DTranspose):
    """Keras 2 wrote `groups` into its transposed convolutions, which today's refuse."""

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> keras.layers.Conv2DTranspose:
        """Today's layer."""
        return keras.layers.Conv2DTranspose.from_config(
            {key: config[key] for key in config if key != "groups"}
        )


# For `.h5` files. In `.keras` files Keras does not ask for custom objects in place of its own
# layers: those of Keras 2.13 to 2.15 with transposed convolutions open with
# `convert.keras2.open.open_model` only.
CUSTOM_OBJECTS: dict[str, type[keras.layers.Layer]] = {
    "Addons>GroupNormalization": GroupNormalization,
    "Conv2DTranspose": _OldConv2DTranspose,
    "Addons>InstanceNormalization": InstanceNormalization,
    "ReflectionPadding2D": TutorialReflectionPadding2D,
    "Custom>ReflectionPadding2D": TutorialReflectionPadding2D,
}
