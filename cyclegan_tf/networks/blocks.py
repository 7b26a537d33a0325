"""What generators and discriminators are put together from: named layers, and the two kinds of
generators' bodies."""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from typing import Any, Literal, get_args

import keras

from cyclegan_tf.networks.convolutions import Convolution2D, CropFirst2D
from cyclegan_tf.networks.layers import InstanceNormalization, ReflectionPadding2D

Upsampling = Literal["transposed", "resize"]
Norm = Literal["instance", "batch"]
_LEAK = 0.2
_DROPOUT = 0.5


def layer_seed(seed: int, name: str) -> int:
    """A seed for the layer of this name, in a network with this seed."""
    return zlib.crc32(f"{seed}/{name}".encode()) & 0x7FFFFFFF


def with_stable_state_names(layer: keras.layers.Layer) -> keras.layers.Layer:
    """The layer, its random state named after it.

    Keras numbers random states by order of creation; checkpoints need a path that every process
    agrees on.
    """
    if hasattr(layer, "seed_generator"):
        layer.seed_generator.state._path = f"{layer.name}/seed_generator_state"
    return layer


@dataclass(frozen=True)
class LayerFactory:
    """Makes named layers that share a policy and a seed, and applies them."""

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

    def _seed_of(self, name: str) -> int | None:
        return None if self.seed is None else layer_seed(self.seed, name)

    def _conv_options(self, name: str, end: bool) -> dict[str, Any]:
        # one initializer object for several layers would give them all the same numbers
        kernel = keras.initializers.RandomNormal(0.0, 0.02, seed=self._seed_of(name))
        biased = end or self.norm_kind == "instance"
        return {
            **self.common(name),
            "use_bias": biased,
            "kernel_initializer": kernel,
            "bias_initializer": "zeros",
        }

    def conv(
        self, x: Any, name: str, filters: int, kernel: int, stride: int = 1,
        *, zeros: int = 0, mirror: int = 0, relu: str | None = None, end: bool = False,
    ):  # fmt: skip
        """Convolution after explicit padding on all four sides; "same" would pad strided layers on
        one side only.

        `relu` names a ReLU after the padding. Before it the numbers would be the same, but training
        would keep
        one more activation: the ReLU's result and its padded copy. An `end` has a bias whatever the
          norm.
        """
        if zeros:
            x = keras.layers.ZeroPadding2D(zeros, **self.common(f"{name}_pad"))(x)
        if mirror:
            x = ReflectionPadding2D(mirror, **self.common(f"{name}_pad"))(x)
        if relu:
            x = self.relu(x, relu)
        return Convolution2D(filters, kernel, stride, **self._conv_options(name, end))(x)

    def up(self, x: Any, name: str, filters: int, kernel: int = 3, *, end: bool = False):
        """Doubles both sides."""
        if self.upsampling == "resize":
            x = keras.layers.UpSampling2D(
                2, interpolation="nearest", **self.common(f"{name}_resize")
            )(x)
            return self.conv(x, name, filters, 3, mirror=1, end=end)
        if kernel == 4:  # here "same" crops one pixel all around, as padding 1 does
            return keras.layers.Conv2DTranspose(
                filters, 4, 2, padding="same", **self._conv_options(name, end)
            )(x)
        x = keras.layers.Conv2DTranspose(
            filters, kernel, 2, padding="valid", **self._conv_options(name, end)
        )(x)
        # padding 1 with output padding 1 crops the FIRST row and column; "same" would crop the last
        return CropFirst2D(**self.common(f"{name}_crop"))(x)

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
    parts: LayerFactory,
    x: Any,
    channels: int,
    filters: int,
    blocks: int,
    end_kernel: int,
    dropout: bool,
    long_skips: bool,
):
    """Everything between input and tanh of a residual generator."""
    x = large = parts.norm(
        parts.conv(x, "first", filters, end_kernel, mirror=end_kernel // 2), "first_norm"
    )
    x = parts.conv(x, "down1", 2 * filters, 3, 2, zeros=1, relu="first_relu")
    x = half = parts.norm(x, "down1_norm")
    x = parts.conv(x, "down2", 4 * filters, 3, 2, zeros=1, relu="down1_relu")
    x = parts.norm_relu(x, "down2")
    for index in range(1, blocks + 1):
        block = f"block{index}"
        y = parts.norm(
            parts.conv(x, f"{block}_conv1", 4 * filters, 3, mirror=1), f"{block}_conv1_norm"
        )
        relu = f"{block}_conv1_relu"
        # must come before the padding, or the mirrored rim would drop others than the image does
        if dropout:
            y = parts.dropout(parts.relu(y, relu), f"{block}_dropout")
        y = parts.conv(
            y, f"{block}_conv2", 4 * filters, 3, mirror=1, relu=None if dropout else relu
        )
        y = parts.norm(y, f"{block}_conv2_norm")
        x = keras.layers.Add(**parts.common(f"{block}_add"))([x, y])
    x = parts.norm(parts.up(x, "up1", 2 * filters), "up1_norm")
    if long_skips:
        x = keras.layers.Add(**parts.common("up1_long_skip"))([x, half])
    x = parts.norm(parts.up(parts.relu(x, "up1_relu"), "up2", filters), "up2_norm")
    if long_skips:
        x = keras.layers.Add(**parts.common("up2_long_skip"))([x, large])
    return parts.conv(
        x, "last", channels, end_kernel, mirror=end_kernel // 2, relu="up2_relu", end=True
    )


def unet(parts: LayerFactory, x: Any, channels: int, filters: int, depth: int, dropout: bool):
    """Everything between input and tanh of a U-Net; level 1 is the outermost, `depth` the
    innermost."""
    widths = [filters * min(2**index, 8) for index in range(depth)]
    skips = []
    for level, width in enumerate(widths, start=1):
        if level > 1:
            # the official LeakyReLU works in place, so the skip carries its result
            x = parts.leaky_relu(x, f"down{level}_leaky_relu")
            skips.append(x)
        x = parts.conv(x, f"down{level}", width, 4, 2, zeros=1)
        if 1 < level < depth:
            x = parts.norm(x, f"down{level}_norm")
    for level in range(depth, 1, -1):
        x = parts.up(parts.relu(x, f"up{level}_relu"), f"up{level}", widths[level - 2], 4)
        x = parts.norm(x, f"up{level}_norm")
        if dropout and 4 < level < depth:
            x = parts.dropout(x, f"up{level}_dropout")
        x = keras.layers.Concatenate(**parts.common(f"up{level}_join"))([skips.pop(), x])
    return parts.up(parts.relu(x, "up1_relu"), "up1", channels, 4, end=True)


def require_choice(name: str, value: str, allowed: tuple[str, ...]) -> None:
    if value not in allowed:
        raise ValueError(f"{name} must be one of {', '.join(allowed)}; got {value!r}.")


def require_range(name: str, value: int, least: int, most: int | None = None) -> None:
    if value < least or (most is not None and value > most):
        allowed = f"at least {least}" if most is None else f"from {least} to {most}"
        raise ValueError(f"{name} must be {allowed}, got {value}.")
