"""Generators and discriminators by name: Zhu et al. 2017, appendix 7.2, with the paddings of the authors' code.

Channels-last functional Keras models for pictures of any size. Kernels start from N(0, 0.02), biases at 0.
Layer names are part of checkpoints: renaming one breaks old runs.
"""

from __future__ import annotations

import math
import zlib
from dataclasses import dataclass
from typing import Any, Literal, get_args

import keras

from cyclegan_tf.colours import ColourSkip
from cyclegan_tf.convolutions import Convolution2D, CropFirst2D
from cyclegan_tf.layers import InstanceNormalization, ReflectionPadding2D

GeneratorArchitecture = Literal["resnet_9blocks", "resnet_6blocks", "fast_style", "unet_256", "unet_128"]
DiscriminatorArchitecture = Literal["patch", "pixel"]
Upsampling = Literal["transposed", "resize"]
ARCHITECTURES: tuple[GeneratorArchitecture, ...] = get_args(GeneratorArchitecture)
DISCRIMINATOR_ARCHITECTURES: tuple[DiscriminatorArchitecture, ...] = get_args(DiscriminatorArchitecture)

# name -> (filters, residual blocks, side of the first and last kernel)
_RESNETS = {"resnet_9blocks": (64, 9, 7), "resnet_6blocks": (64, 6, 7), "fast_style": (32, 4, 9)}
# name -> how often it halves
_UNETS = {"unet_256": 8, "unet_128": 7}
_LEAK = 0.2
_DROPOUT = 0.5
_MOST_LAYERS = 6


def build_generator(
    architecture: GeneratorArchitecture,
    *,
    input_channels: int = 3,
    output_channels: int = 3,
    filters: int | None = None,
    blocks: int | None = None,
    upsampling: Upsampling = "transposed",
    dropout: bool = False,
    norm_affine: bool = False,
    colour_skip: bool = False,
    seed: int | None = None,
    dtype_policy: Any = None,
    name: str | None = None,
) -> keras.Model:
    """A translator: float (N, H, W, input_channels) in [-1, 1] -> float32 (N, H, W, output_channels) in [-1, 1].

    H and W must be multiples of `size_multiple(architecture)`. The residual networks are c7s1-64, d128, d256,
    blocks of R256, u128, u64, c7s1-3; "fast_style" is the same chain at half the width with 9x9 ends and 4
    blocks; the U-Nets are those of Isola et al. 2017, appendix 6.1.1. Output is float32 under every policy.

    Args:
      architecture: one of `ARCHITECTURES`.
      input_channels: channels of the pictures that come in.
      output_channels: channels of the pictures that go out.
      filters: channels after the first convolution; None is 64, and 32 for "fast_style".
      blocks: residual blocks; None is the number in the name, and 4 for "fast_style". Not for U-Nets.
      upsampling: "transposed" convolutions as in the paper, or "resize": nearest-neighbour doubling and a 3x3
        convolution, against checkerboards (Odena et al. 2016).
      dropout: 0.5 inside the residual blocks, or on the U-Net's inner ascending layers; only in training.
      norm_affine: whether instance normalization learns a factor (from 1) and an offset (from 0) per channel.
      colour_skip: add a change of the input's colours before the tanh (`ColourSkip`, layer "colour_skip", whose
        start the caller sets).
      seed: the same seed gives the same weights; None gives new ones each time.
      dtype_policy: a Keras policy or its name, such as "mixed_bfloat16"; None is the global one.
      name: of the model; None is the architecture.

    Raises:
      ValueError: an unknown name or a number out of range.
    """
    _check_choice("architecture", architecture, ARCHITECTURES)
    _check_choice("upsampling", upsampling, get_args(Upsampling))
    _check_range("input_channels", input_channels, 1)
    _check_range("output_channels", output_channels, 1)
    parts = _Parts(keras.dtype_policies.get(dtype_policy or keras.config.dtype_policy()), seed, norm_affine, upsampling)
    x = inputs = keras.Input((None, None, input_channels), name="input")
    if architecture in _UNETS:
        if blocks is not None:
            raise ValueError(f"blocks is for residual generators, but {architecture} was given blocks={blocks}.")
        filters = 64 if filters is None else filters
        _check_range("filters", filters, 1)
        x = _unet(parts, x, output_channels, filters, _UNETS[architecture], dropout)
    else:
        default_filters, default_blocks, end_kernel = _RESNETS[architecture]
        filters = default_filters if filters is None else filters
        blocks = default_blocks if blocks is None else blocks
        _check_range("filters", filters, 1)
        _check_range("blocks", blocks, 1)
        x = _resnet(parts, x, output_channels, filters, blocks, end_kernel, dropout)
    if colour_skip:
        skip = ColourSkip(output_channels, name="colour_skip")(inputs)
        x = keras.layers.Add(dtype="float32", name="colour_skip_add")([x, skip])
    outputs = keras.layers.Activation("tanh", dtype="float32", name="output")(x)
    return keras.Model(inputs, outputs, name=name or architecture)


def build_discriminator(
    architecture: DiscriminatorArchitecture = "patch",
    *,
    input_channels: int = 3,
    filters: int = 64,
    n_layers: int = 3,
    norm_affine: bool = False,
    seed: int | None = None,
    dtype_policy: Any = None,
    name: str | None = None,
) -> keras.Model:
    """A judge: float (N, H, W, input_channels) in [-1, 1] -> float32 raw logits (N, H', W', 1), one per patch.

    "patch" is the PatchGAN of Isola et al. 2017, appendix 6.1.2: 4x4 convolutions C64-C128-C256-C512-1 for
    n_layers 3, each surrounded by one pixel of zeros; `receptive_field_px` tells the patch. "pixel" judges each
    pixel alone: 1x1 convolutions C64-C128-1. LeakyReLU of slope 0.2; no normalization first and last.

    Args:
      architecture: one of `DISCRIMINATOR_ARCHITECTURES`.
      input_channels: channels of the pictures.
      filters: channels after the first convolution.
      n_layers: 1 to 6, how often "patch" halves; "pixel" ignores it.
      norm_affine: whether instance normalization learns a factor (from 1) and an offset (from 0) per channel.
      seed: the same seed gives the same weights; None gives new ones each time.
      dtype_policy: a Keras policy or its name; None is the global one.
      name: of the model; None is the architecture.

    Raises:
      ValueError: an unknown name or a number out of range.
    """
    _check_choice("architecture", architecture, DISCRIMINATOR_ARCHITECTURES)
    _check_range("input_channels", input_channels, 1)
    _check_range("filters", filters, 1)
    _check_range("n_layers", n_layers, 1, _MOST_LAYERS)
    parts = _Parts(keras.dtype_policies.get(dtype_policy or keras.config.dtype_policy()), seed, norm_affine)
    x = inputs = keras.Input((None, None, input_channels), name="input")
    if architecture == "pixel":
        plan = [(filters, 1), (2 * filters, 1)]
        kernel, padding = 1, 0
    else:
        widths = [filters * min(2**index, 8) for index in range(n_layers + 1)]
        plan = [(width, 2) for width in widths[:-1]] + [(widths[-1], 1)]
        kernel, padding = 4, 1
    for index, (width, stride) in enumerate(plan, start=1):
        x = parts.conv(x, f"conv{index}", width, kernel, stride, zeros=padding)
        if index > 1:
            x = parts.norm(x, f"conv{index}_norm")
        x = parts.leaky_relu(x, f"conv{index}_leaky_relu")
    x = parts.conv(x, "verdict", 1, kernel, zeros=padding)
    outputs = keras.layers.Activation("linear", dtype="float32", name="output")(x)
    return keras.Model(inputs, outputs, name=name or architecture)


@dataclass(frozen=True)
class _Parts:
    """Makes named layers that share a policy and a seed, and applies them."""

    policy: Any
    seed: int | None
    norm_affine: bool
    upsampling: Upsampling = "transposed"

    def common(self, name: str) -> dict[str, Any]:
        return {"dtype": self.policy, "name": name}

    def _seed_of(self, name: str) -> int | None:
        return None if self.seed is None else zlib.crc32(f"{self.seed}/{name}".encode()) & 0x7FFFFFFF

    def _conv_options(self, name: str) -> dict[str, Any]:
        # one initializer object for several layers would give them all the same numbers
        kernel = keras.initializers.RandomNormal(0.0, 0.02, seed=self._seed_of(name))
        return {**self.common(name), "kernel_initializer": kernel, "bias_initializer": "zeros"}

    def conv(
        self, x: Any, name: str, filters: int, kernel: int, stride: int = 1,
        *, zeros: int = 0, mirror: int = 0, relu: str | None = None,
    ):  # fmt: skip
        """Convolution after explicit padding on all four sides; "same" would pad strided layers on one side only.

        `relu` names a ReLU after the padding. Before it the numbers would be the same, but training would keep
        one more activation: the ReLU's result and its padded copy.
        """
        if zeros:
            x = keras.layers.ZeroPadding2D(zeros, **self.common(f"{name}_pad"))(x)
        if mirror:
            x = ReflectionPadding2D(mirror, **self.common(f"{name}_pad"))(x)
        if relu:
            x = self.relu(x, relu)
        return Convolution2D(filters, kernel, stride, **self._conv_options(name))(x)

    def up(self, x: Any, name: str, filters: int, kernel: int = 3):
        """Doubles both sides."""
        if self.upsampling == "resize":
            x = keras.layers.UpSampling2D(2, interpolation="nearest", **self.common(f"{name}_resize"))(x)
            return self.conv(x, name, filters, 3, mirror=1)
        if kernel == 4:  # here "same" crops one pixel all around, as padding 1 does
            return keras.layers.Conv2DTranspose(filters, 4, 2, padding="same", **self._conv_options(name))(x)
        x = keras.layers.Conv2DTranspose(filters, kernel, 2, padding="valid", **self._conv_options(name))(x)
        # padding 1 with output padding 1 crops the FIRST row and column; "same" would crop the last
        return CropFirst2D(**self.common(f"{name}_crop"))(x)

    def norm(self, x: Any, name: str):
        affine = self.norm_affine
        return InstanceNormalization(1e-5, center=affine, scale=affine, **self.common(name))(x)

    def relu(self, x: Any, name: str):
        return keras.layers.ReLU(**self.common(name))(x)

    def leaky_relu(self, x: Any, name: str):
        return keras.layers.LeakyReLU(negative_slope=_LEAK, **self.common(name))(x)

    def dropout(self, x: Any, name: str):
        layer = keras.layers.Dropout(_DROPOUT, seed=self._seed_of(name), **self.common(name))
        # Keras numbers these by order of creation; checkpoints need a path that every process agrees on
        layer.seed_generator.state._path = f"{name}/seed_generator_state"
        return layer(x)

    def norm_relu(self, x: Any, name: str):
        return self.relu(self.norm(x, f"{name}_norm"), f"{name}_relu")


def _resnet(parts: _Parts, x: Any, channels: int, filters: int, blocks: int, end_kernel: int, dropout: bool):
    """Everything between input and tanh of a residual generator."""
    x = parts.norm(parts.conv(x, "first", filters, end_kernel, mirror=end_kernel // 2), "first_norm")
    x = parts.conv(x, "down1", 2 * filters, 3, 2, zeros=1, relu="first_relu")
    x = parts.norm(x, "down1_norm")
    x = parts.conv(x, "down2", 4 * filters, 3, 2, zeros=1, relu="down1_relu")
    x = parts.norm_relu(x, "down2")
    for index in range(1, blocks + 1):
        block = f"block{index}"
        y = parts.norm(parts.conv(x, f"{block}_conv1", 4 * filters, 3, mirror=1), f"{block}_conv1_norm")
        relu = f"{block}_conv1_relu"
        if dropout:  # must come before the padding, or the mirrored rim would drop others than the picture does
            y = parts.dropout(parts.relu(y, relu), f"{block}_dropout")
        y = parts.conv(y, f"{block}_conv2", 4 * filters, 3, mirror=1, relu=None if dropout else relu)
        y = parts.norm(y, f"{block}_conv2_norm")
        x = keras.layers.Add(**parts.common(f"{block}_add"))([x, y])
    x = parts.norm_relu(parts.up(x, "up1", 2 * filters), "up1")
    x = parts.norm(parts.up(x, "up2", filters), "up2_norm")
    return parts.conv(x, "last", channels, end_kernel, mirror=end_kernel // 2, relu="up2_relu")


def _unet(parts: _Parts, x: Any, channels: int, filters: int, depth: int, dropout: bool):
    """Everything between input and tanh of a U-Net; level 1 is the outermost, `depth` the innermost."""
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
    return parts.up(parts.relu(x, "up1_relu"), "up1", channels, 4)


def size_multiple(architecture: GeneratorArchitecture) -> int:
    """Number of which the sides of this generator's pictures must be multiples, in pixels."""
    _check_choice("architecture", architecture, ARCHITECTURES)
    return 2 ** _UNETS.get(architecture, 2)


def multiple_of_network(network: keras.Model) -> int:
    """The same, read from a network that halves with strided convolutions, wherever it comes from."""
    strides = [layer.strides[0] for layer in network.layers if isinstance(layer, keras.layers.Conv2D)]
    return math.prod(strides)


def in_float32(network: keras.Model) -> keras.Model:
    """A network of the same layers and weights that computes in float32 throughout; a float32 one as it is."""
    if all(layer.compute_dtype == "float32" for layer in network.layers):
        return network

    def recast(layer: keras.layers.Layer) -> keras.layers.Layer:
        return type(layer).from_config({**layer.get_config(), "dtype": "float32"})

    copy = keras.models.clone_model(network, clone_function=recast)
    copy.set_weights(network.get_weights())
    return copy


def receptive_field_px(n_layers: int) -> int:
    """Side of the square of input pixels that one PatchGAN logit sees: 16, 34, 70, 142, 286, 574 for 1 to 6."""
    _check_range("n_layers", n_layers, 1, _MOST_LAYERS)
    side = 7  # two 4x4 layers of stride 1
    for _ in range(n_layers):
        side = 2 * side + 2
    return side


def minimum_size_px(architecture: DiscriminatorArchitecture = "patch", *, n_layers: int = 3) -> int:
    """Smallest side of a picture for which the discriminator's map has a pixel."""
    _check_choice("architecture", architecture, DISCRIMINATOR_ARCHITECTURES)
    _check_range("n_layers", n_layers, 1, _MOST_LAYERS)
    return 1 if architecture == "pixel" else 3 * 2**n_layers  # two layers of stride 1 take a pixel each


def count_macs(model: keras.Model, size_px: int, *, transposed: Literal["performed", "published"] = "performed") -> int:
    """Multiply-accumulates of all convolutions for one square picture.

    Args:
      model: a functional model of pictures.
      size_px: side of the picture.
      transposed: how to count a transposed convolution of stride s: "performed" multiplies each input pixel by
        each weight; "published" charges each output pixel, s^2 times as much, zeros between pixels included,
        as the count of 56.8 G for the 9-block generator does (Li et al. 2020, "GAN Compression").
    """
    sized = keras.models.clone_model(model, input_tensors=keras.Input((size_px, size_px, model.input_shape[-1])))
    total = 0
    for layer in sized.layers:
        if isinstance(layer, keras.layers.Conv2DTranspose):
            charged = math.prod(layer.strides) if transposed == "published" else 1
            total += charged * math.prod(layer.input.shape[1:3]) * math.prod(layer.kernel.shape)
        elif isinstance(layer, keras.layers.Conv2D):
            total += math.prod(layer.output.shape[1:3]) * math.prod(layer.kernel.shape)
    return total


def _check_choice(name: str, value: str, allowed: tuple[str, ...]) -> None:
    if value not in allowed:
        raise ValueError(f"{name} must be one of {', '.join(allowed)}; got {value!r}.")


def _check_range(name: str, value: int, least: int, most: int | None = None) -> None:
    if value < least or (most is not None and value > most):
        allowed = f"at least {least}" if most is None else f"from {least} to {most}"
        raise ValueError(f"{name} must be {allowed}, got {value}.")
