"""What networks are built from: named layers, and the bodies of both kinds of generators."""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from typing import Any, Literal, get_args

import keras

from cyclegan_tf.networks import keras_internals, landmarks
from cyclegan_tf.networks.convolutions import Convolution2D, CropFirst2D
from cyclegan_tf.networks.layers import (
    InstanceNormalization,
    PoolingOfDoubled2D,
    ReflectionPadding2D,
)

Upsampling = Literal["transposed", "resize", "antialiased"]
Norm = Literal["instance", "batch"]
_LEAK = 0.2
_DROPOUT = 0.5


def layer_seed(seed: int, name: str) -> int:
    """Returns a seed for the layer of this name, in a network with this seed."""
    return zlib.crc32(f"{seed}/{name}".encode()) & 0x7FFFFFFF


def with_stable_state_names(layer: keras.layers.Layer) -> keras.layers.Layer:
    """Returns the layer, its random state named after it.

    Keras numbers random states by order of creation; checkpoints need a path that every process
    agrees on.
    """
    if hasattr(layer, "seed_generator"):
        path = f"{layer.name}/seed_generator_state"
        keras_internals.set_path(layer.seed_generator.state, path)
    return layer


@dataclass(frozen=True)
class LayerFactory:
    """Makes named layers that share a policy and a seed, and applies them.

    Attributes:
      policy: dtype policy of all layers.
      seed: of the network; each layer's own follows from it and the layer's name.
      norm_kind: "instance" or "batch".
      norm_affine: whether instance normalization learns gamma and beta.
      upsampling: "transposed", "resize" or "antialiased".

    Example:
      >>> layers = LayerFactory("float32", seed=0, norm_kind="instance", norm_affine=False)
      >>> x = layers.conv(keras.Input((None, None, 3)), "first", 64, 7, reflect_pad=3)
      >>> x = layers.norm_relu(x, "first")
    """

    policy: Any
    seed: int | None
    norm_kind: Norm
    norm_affine: bool
    upsampling: Upsampling = "transposed"

    def __post_init__(self) -> None:
        require_choice("norm", self.norm_kind, get_args(Norm))
        if self.norm_kind == "batch" and self.norm_affine:
            raise ValueError(
                "norm_affine is for instance normalization, but norm is 'batch', which always is "
                "affine."
            )

    def common(self, name: str) -> dict[str, Any]:
        return {"dtype": self.policy, "name": name}

    def images(self, name: str) -> dict[str, Any]:
        """The same for layers that ask where the channels are, whatever Keras's global setting."""
        return {"data_format": "channels_last", **self.common(name)}

    def _seed_of(self, name: str) -> int | None:
        return None if self.seed is None else layer_seed(self.seed, name)

    def kernel_initializer(self, name: str) -> keras.initializers.Initializer:
        """He et al. 2015, of this layer's own seed: keeps the variance where no norm follows."""
        return keras.initializers.HeNormal(seed=self._seed_of(name))

    def _conv_options(self, name: str, is_end: bool) -> dict[str, Any]:
        # one initializer object for several layers would give them all the same numbers
        kernel = keras.initializers.RandomNormal(0.0, 0.02, seed=self._seed_of(name))
        biased = is_end or self.norm_kind == "instance"
        return {
            **self.images(name),
            "use_bias": biased,
            "kernel_initializer": kernel,
            "bias_initializer": "zeros",
        }

    def conv(
        self, x: Any, name: str, filters: int, kernel: int, stride: int = 1,
        *, zero_pad: int = 0, reflect_pad: int = 0, relu: str | None = None, is_end: bool = False,
    ):  # fmt: skip
        """Pads all four sides, then convolves; "same" would pad strided layers on one side only.

        Args:
          x: images or features.
          name: of the convolution.
          filters: channels it makes.
          kernel: side of the kernel.
          stride: of the kernel.
          zero_pad: rows and columns of zeros on each side.
          reflect_pad: rows and columns of reflection on each side.
          relu: name of a ReLU after the padding. Before it the numbers would be the same, but
            training would keep one more activation: the ReLU's result and its padded copy.
          is_end: whether the layer begins or ends a network, and so has a bias under any norm.
        """
        if zero_pad:
            x = keras.layers.ZeroPadding2D(zero_pad, **self.images(f"{name}_pad"))(x)
        if reflect_pad:
            x = ReflectionPadding2D(reflect_pad, **self.common(f"{name}_pad"))(x)
        if relu:
            x = self.relu(x, relu)
        return Convolution2D(filters, kernel, stride, **self._conv_options(name, is_end))(x)

    def upsample(self, x: Any, name: str, filters: int, kernel: int = 3, *, is_end: bool = False):
        """Doubles both sides.

        Args:
          x: features.
          name: of the convolution.
          filters: channels it makes.
          kernel: side of a transposed kernel, 3 or 4; all others have 3.
          is_end: as for `conv`.
        """
        if self.upsampling == "resize":
            x = keras.layers.UpSampling2D(
                2, interpolation="nearest", **self.images(f"{name}_resize")
            )(x)
            return self.conv(x, name, filters, 3, reflect_pad=1, is_end=is_end)
        if self.upsampling == "antialiased":
            return self.conv(self._double(x, name), name, filters, 3, zero_pad=1, is_end=is_end)
        if kernel == 4:  # here "same" crops one pixel all around, as padding 1 does
            return keras.layers.Conv2DTranspose(
                filters, 4, 2, padding="same", **self._conv_options(name, is_end)
            )(x)
        x = keras.layers.Conv2DTranspose(
            filters, kernel, 2, padding="valid", **self._conv_options(name, is_end)
        )(x)
        # padding 1 with output padding 1 crops the FIRST row and column; "same" would crop the last
        return CropFirst2D(**self.images(f"{name}_crop"))(x)

    def halve(self, x: Any, name: str):
        """Halves both sides by the filter [1, 2, 1], edges reflected (Zhang 2019).

        Two means of two are that filter, and known to every exporter.
        """
        x = ReflectionPadding2D(1, **self.common(f"{name}_blur_pad"))(x)
        x = keras.layers.AveragePooling2D(2, 1, **self.images(f"{name}_blur_mean"))(x)
        return keras.layers.AveragePooling2D(2, 2, **self.images(f"{name}_blur"))(x)

    def _double(self, x: Any, name: str):
        """Doubles both sides by the same filter, edges repeated.

        "same" leaves what lies beyond the edge out of the mean.
        """
        doubling = {"interpolation": "nearest", **self.images(f"{name}_double")}
        x = keras.layers.UpSampling2D(2, **doubling)(x)
        mean = {"padding": "same", **self.images(f"{name}_double_mean")}
        return PoolingOfDoubled2D(2, 1, **mean)(x)

    def norm(self, x: Any, name: str):
        if self.norm_kind == "batch":
            gamma = keras.initializers.RandomNormal(1.0, 0.02, seed=self._seed_of(f"{name}/gamma"))
            options = {
                "momentum": 0.9,
                "epsilon": 1e-5,
                "gamma_initializer": gamma,
                **self.common(name),
            }
            return keras.layers.BatchNormalization(**options)(x)
        return InstanceNormalization(1e-5, self.norm_affine, self.norm_affine, **self.common(name))(
            x
        )

    def relu(self, x: Any, name: str):
        return keras.layers.ReLU(**self.common(name))(x)

    def leaky_relu(self, x: Any, name: str):
        return keras.layers.LeakyReLU(negative_slope=_LEAK, **self.common(name))(x)

    def dropout(self, x: Any, name: str):
        return with_stable_state_names(
            keras.layers.Dropout(_DROPOUT, seed=self._seed_of(name), **self.common(name))
        )(x)

    def norm_relu(self, x: Any, name: str):
        return self.relu(self.norm(x, f"{name}_norm"), f"{name}_relu")


def resnet(
    layers: LayerFactory,
    x: Any,
    channels: int,
    filters: int,
    blocks: int,
    end_kernel: int,
    dropout: bool,
    long_skips: bool,
):
    """Builds everything between input and tanh of a residual generator.

    Args:
      layers: makes the layers.
      x: the input.
      channels: of the output.
      filters: channels after the first convolution.
      blocks: residual blocks.
      end_kernel: side of the first and last kernel.
      dropout: whether the blocks have dropout.
      long_skips: whether features before each halving are added after the doubling of their size.
    """
    x = large = layers.norm(
        layers.conv(x, "first", filters, end_kernel, reflect_pad=end_kernel // 2), "first_norm"
    )
    x, half = _descend(layers, x, filters)
    for index in range(1, blocks + 1):
        y = _residual_branch(layers, x, f"block{index}", 4 * filters, dropout)
        x = keras.layers.Add(**layers.common(landmarks.block_end(index)))([x, y])
    x = layers.norm(layers.upsample(x, "up1", 2 * filters), "up1_norm")
    if long_skips:
        x = keras.layers.Add(**layers.common(landmarks.long_skip_join(1)))([x, half])
    x = layers.norm(layers.upsample(layers.relu(x, "up1_relu"), "up2", filters), "up2_norm")
    if long_skips:
        x = keras.layers.Add(**layers.common(landmarks.long_skip_join(2)))([x, large])
    return layers.conv(
        x, "last", channels, end_kernel, reflect_pad=end_kernel // 2, relu="up2_relu", is_end=True
    )


def _descend(layers: LayerFactory, x: Any, filters: int):
    """Halves twice; returns features of a quarter of the sides, and of the half for a long skip."""
    if layers.upsampling == "antialiased":
        x = layers.conv(x, "down1", 2 * filters, 3, zero_pad=1, relu="first_relu")
        half = layers.halve(layers.norm_relu(x, "down1"), "down1")
        x = layers.conv(half, "down2", 4 * filters, 3, zero_pad=1)
        return layers.halve(layers.norm_relu(x, "down2"), "down2"), half
    x = layers.conv(x, "down1", 2 * filters, 3, 2, zero_pad=1, relu="first_relu")
    half = layers.norm(x, "down1_norm")
    x = layers.conv(half, "down2", 4 * filters, 3, 2, zero_pad=1, relu="down1_relu")
    return layers.norm_relu(x, "down2"), half


def _residual_branch(layers: LayerFactory, x: Any, block: str, filters: int, dropout: bool):
    """Two convolutions, without the sum that ends the block."""
    y = layers.norm(
        layers.conv(x, f"{block}_conv1", filters, 3, reflect_pad=1), f"{block}_conv1_norm"
    )
    relu = f"{block}_conv1_relu"
    # must come before the padding, or the reflected rim would drop other values than the image
    if dropout:
        y = layers.dropout(layers.relu(y, relu), f"{block}_dropout")
    y = layers.conv(y, f"{block}_conv2", filters, 3, reflect_pad=1, relu=None if dropout else relu)
    return layers.norm(y, f"{block}_conv2_norm")


def unet(layers: LayerFactory, x: Any, channels: int, filters: int, depth: int, dropout: bool):
    """Builds everything between input and tanh of a U-Net.

    Args:
      layers: makes the layers.
      x: the input.
      channels: of the output.
      filters: channels after the first convolution.
      depth: how often it halves; level 1 is the outermost, `depth` the innermost.
      dropout: whether the inner ascending layers have dropout.
    """
    widths = [filters * min(2**index, 8) for index in range(depth)]
    skips = []
    for level, width in enumerate(widths, start=1):
        if level > 1:
            # the official LeakyReLU works in place, so the skip carries its result
            x = layers.leaky_relu(x, f"down{level}_leaky_relu")
            skips.append(x)
        x = layers.conv(x, f"down{level}", width, 4, 2, zero_pad=1)
        if 1 < level < depth:
            x = layers.norm(x, f"down{level}_norm")
    for level in range(depth, 1, -1):
        x = layers.upsample(layers.relu(x, f"up{level}_relu"), f"up{level}", widths[level - 2], 4)
        x = layers.norm(x, f"up{level}_norm")
        if dropout and 4 < level < depth:
            x = layers.dropout(x, f"up{level}_dropout")
        x = keras.layers.Concatenate(**layers.common(f"up{level}_join"))([skips.pop(), x])
    return layers.upsample(layers.relu(x, "up1_relu"), "up1", channels, 4, is_end=True)


def require_choice(name: str, value: str, allowed: tuple[str, ...]) -> None:
    """Raises a ValueError unless the value is one of those allowed."""
    if value not in allowed:
        raise ValueError(f"{name} must be one of {', '.join(allowed)}; got {value!r}.")


def require_range(name: str, value: int, minimum: int, maximum: int | None = None) -> None:
    """Raises a ValueError unless the value lies from minimum to maximum (None: no upper end)."""
    if value < minimum or (maximum is not None and value > maximum):
        allowed = f"at least {minimum}" if maximum is None else f"from {minimum} to {maximum}"
        raise ValueError(f"{name} must be {allowed}, got {value}.")
