"""Generators and discriminators by name (Zhu et al. 2017, appendix 7.2).

Paddings are those of the official PyTorch code (junyanz/pytorch-CycleGAN-and-pix2pix).
Channels-last functional Keras models for images of any size. Kernels start from N(0, 0.02), biases
at 0. Layer names are part of checkpoints: renaming one breaks old runs.
"""

from __future__ import annotations

import math
from typing import Any, Literal, get_args

import keras

from cyclegan_tf.networks import keras_internals, landmarks
from cyclegan_tf.networks.blocks import (
    LayerFactory,
    Norm,
    Upsampling,
    layer_seed,
    require_choice,
    require_range,
    resnet,
    unet,
    with_stable_state_names,
)
from cyclegan_tf.networks.color_skip import ColorSkip
from cyclegan_tf.networks.mobile import mobile

GeneratorArchitecture = Literal[
    "resnet_9blocks", "resnet_6blocks", "fast_style", "mobile", "unet_256", "unet_128"
]
DiscriminatorArchitecture = Literal["patch", "pixel"]
ARCHITECTURES: tuple[GeneratorArchitecture, ...] = get_args(GeneratorArchitecture)
DISCRIMINATOR_ARCHITECTURES: tuple[DiscriminatorArchitecture, ...] = get_args(
    DiscriminatorArchitecture
)

# name -> (filters, residual blocks, side of the first and last kernel)
_RESNETS = {"resnet_9blocks": (64, 9, 7), "resnet_6blocks": (64, 6, 7), "fast_style": (32, 4, 9)}
# name -> (filters, residual blocks)
_MOBILE = {"mobile": (16, 6)}
# name -> how often it halves
_UNETS = {"unet_256": 8, "unet_128": 7}
_MAX_LAYERS = 6


def build_generator(
    architecture: GeneratorArchitecture,
    *,
    input_channels: int = 3,
    output_channels: int = 3,
    filters: int | None = None,
    blocks: int | None = None,
    upsampling: Upsampling = "transposed",
    dropout: bool = False,
    norm: Norm = "instance",
    norm_affine: bool = False,
    color_skip: bool = False,
    long_skips: bool = False,
    seed: int | None = None,
    dtype_policy: Any = None,
    name: str | None = None,
) -> keras.Model:
    """Builds a generator: float (N, H, W, C) -> float32 (N, H, W, C'), both in [-1, 1].

    H and W must be multiples of `size_divisor(architecture)`. The residual networks are c7s1-64,
    d128, d256, blocks of R256, u128, u64, c7s1-3; "fast_style" is the same chain at half the width
    with 9x9 ends and 4 blocks; "mobile" is a narrow one of depthwise-separable convolutions, whose
    kernels start from N(0, 2 / inputs); the U-Nets are those of Isola et al. 2017, appendix 6.1.1.
    Output is float32 under every policy.

    Args:
      architecture: one of `ARCHITECTURES`.
      input_channels: channels of the images that come in.
      output_channels: channels of the images that go out.
      filters: channels after the first convolution; None is 64, 32 for "fast_style", 16
        for "mobile".
      blocks: residual blocks; None is the number in the name, 4 for "fast_style", 6 for "mobile".
        Not for U-Nets.
      upsampling: "transposed" convolutions as in the paper; "resize": nearest-neighbor doubling
        and a 3x3 convolution, against checkerboards (Odena et al. 2016); "antialiased": halving and
        doubling through the filter [1, 2, 1] beside 3x3 convolutions, as in CUT (Park et al. 2020).
        Not "antialiased" for U-Nets. "mobile" always doubles by nearest neighbors.
      dropout: 0.5 inside the residual blocks, or on the U-Net's inner ascending layers; only in
        training.
      norm: "instance", or "batch" with moving statistics, where all but the last convolution lose
        their biases.
      norm_affine: whether instance normalization learns a factor (from 1) and an offset (from 0)
        per channel.
      color_skip: add an affine function of the input's colors before the tanh (`ColorSkip`, layer
        "colour_skip", which the caller initializes).
      long_skips: add features of the descending half to those of the ascending half at the same
        size, before the ReLU, so that detail need not pass through the bottleneck (sums as in
        LinkNet, Chaurasia and Culurciello 2017). U-Nets have theirs.
      seed: the same seed gives the same weights; None gives new ones each time.
      dtype_policy: a Keras policy or its name, such as "mixed_bfloat16"; None is the global one.
      name: of the model; None is the architecture.

    Raises:
      ValueError: an unknown name or a number out of range.
    """
    require_choice("architecture", architecture, ARCHITECTURES)
    require_choice("upsampling", upsampling, get_args(Upsampling))
    require_range("input_channels", input_channels, 1)
    require_range("output_channels", output_channels, 1)
    layers = LayerFactory(
        dtype_policy or keras.config.dtype_policy(), seed, norm, norm_affine, upsampling
    )
    x = inputs = keras.Input((None, None, input_channels), name="input")
    if architecture in _UNETS:
        if blocks is not None:
            raise ValueError(
                f"blocks is for residual generators, but {architecture} was given blocks={blocks}."
            )
        if long_skips:
            raise ValueError(
                f"long_skips is for residual generators; {architecture} has skips of its own."
            )
        if upsampling == "antialiased":
            raise ValueError(
                f"upsampling 'antialiased' is for residual generators, not for {architecture}."
            )
        filters = 64 if filters is None else filters
        require_range("filters", filters, 1)
        x = unet(layers, x, output_channels, filters, _UNETS[architecture], dropout)
    elif architecture in _MOBILE:
        if upsampling == "antialiased":
            raise ValueError(
                f"upsampling 'antialiased' is for residual generators, not for {architecture}."
            )
        default_filters, default_blocks = _MOBILE[architecture]
        filters = default_filters if filters is None else filters
        blocks = default_blocks if blocks is None else blocks
        require_range("filters", filters, 1)
        require_range("blocks", blocks, 1)
        x = mobile(layers, x, output_channels, filters, blocks, dropout, long_skips)
    else:
        default_filters, default_blocks, end_kernel = _RESNETS[architecture]
        filters = default_filters if filters is None else filters
        blocks = default_blocks if blocks is None else blocks
        require_range("filters", filters, 1)
        require_range("blocks", blocks, 1)
        x = resnet(layers, x, output_channels, filters, blocks, end_kernel, dropout, long_skips)
    if color_skip:
        skip = ColorSkip(output_channels, name=landmarks.COLOR_SKIP)(inputs)
        x = keras.layers.Add(dtype="float32", name=landmarks.COLOR_SKIP_JOIN)([x, skip])
    outputs = keras.layers.Activation("tanh", dtype="float32", name="output")(x)
    return keras.Model(inputs, outputs, name=name or architecture)


def build_discriminator(
    architecture: DiscriminatorArchitecture = "patch",
    *,
    input_channels: int = 3,
    filters: int = 64,
    n_layers: int = 3,
    norm: Norm = "instance",
    norm_affine: bool = False,
    seed: int | None = None,
    dtype_policy: Any = None,
    name: str | None = None,
) -> keras.Model:
    """Builds a discriminator: float (N, H, W, C) in [-1, 1] -> float32 logits (N, H', W', 1).

    Each logit is of one patch; no activation follows.

    "patch" is the PatchGAN of Isola et al. 2017, appendix 6.1.2: 4x4 convolutions
    C64-C128-C256-C512-1 for n_layers 3, each padded by one pixel of zeros; `receptive_field_px` is
    the size of a patch. "pixel" has a logit for each pixel: 1x1 convolutions C64-C128-1. LeakyReLU
    of slope 0.2; no normalization first and last.

    Args:
      architecture: one of `DISCRIMINATOR_ARCHITECTURES`.
      input_channels: channels of the images.
      filters: channels after the first convolution.
      n_layers: 1 to 6, how often "patch" halves; "pixel" ignores it.
      norm: as for `build_generator`; under "batch" the first convolution and the last of "patch"
        keep their biases.
      norm_affine: as for `build_generator`.
      seed: the same seed gives the same weights; None gives new ones each time.
      dtype_policy: a Keras policy or its name; None is the global one.
      name: of the model; None is the architecture.

    Raises:
      ValueError: an unknown name or a number out of range.
    """
    require_choice("architecture", architecture, DISCRIMINATOR_ARCHITECTURES)
    require_range("input_channels", input_channels, 1)
    require_range("filters", filters, 1)
    require_range("n_layers", n_layers, 1, _MAX_LAYERS)
    layers = LayerFactory(dtype_policy or keras.config.dtype_policy(), seed, norm, norm_affine)
    x = inputs = keras.Input((None, None, input_channels), name="input")
    if architecture == "pixel":
        convolutions = [(filters, 1), (2 * filters, 1)]
        kernel, padding = 1, 0
    else:
        widths = [filters * min(2**index, 8) for index in range(n_layers + 1)]
        convolutions = [(width, 2) for width in widths[:-1]] + [(widths[-1], 1)]
        kernel, padding = 4, 1
    for index, (width, stride) in enumerate(convolutions, start=1):
        x = layers.conv(
            x, f"conv{index}", width, kernel, stride, zero_pad=padding, is_end=index == 1
        )
        if index > 1:
            x = layers.norm(x, f"conv{index}_norm")
        x = layers.leaky_relu(x, f"conv{index}_leaky_relu")
    x = layers.conv(x, "verdict", 1, kernel, zero_pad=padding, is_end=architecture == "patch")
    outputs = keras.layers.Activation("linear", dtype="float32", name="output")(x)
    return keras.Model(inputs, outputs, name=name or architecture)


def size_divisor(architecture: GeneratorArchitecture) -> int:
    """Returns the pixels of which this generator's image sides must be multiples."""
    require_choice("architecture", architecture, ARCHITECTURES)
    return 2 ** _UNETS.get(architecture, 2)


def size_divisor_of(network: keras.Model) -> int:
    """Returns the same for any network that halves with strided convolutions or pooling."""
    halving = (
        layer
        for layer in network.layers
        if isinstance(layer, (keras.layers.Conv2D, keras.layers.DepthwiseConv2D))
        or hasattr(layer, "pool_size")
    )
    return math.prod(layer.strides[0] for layer in halving)


def as_float32(network: keras.Model) -> keras.Model:
    """Returns a network of the same layers and weights in float32; a float32 one as it is."""
    if all(layer.compute_dtype == "float32" for layer in network.layers):
        return network
    return with_dtype_policy(network, "float32")


def with_dtype_policy(
    network: keras.Model, dtype_policy: Any, *, any_size: bool = False, seed: int | None = None
) -> keras.Model:
    """Copies a network, its layers and weights, under another dtype policy; output is float32.

    Args:
      network: functional.
      dtype_policy: of all layers but those behind the last one with a kernel, and the last layer
        itself.
      any_size: let the copy take images of any size, which layers that need a size do not allow.
      seed: decides what the copy's random layers draw; None leaves them the seeds they have.

    Raises:
      ValueError: a layer cannot do without a size, or the network is not a graph of layers.
    """
    kernels = [place for place, layer in enumerate(network.layers) if hasattr(layer, "kernel")]
    ends = {layer.name for layer in network.layers[kernels[-1] + 1 if kernels else 0 :]}
    # not the layer whose `output` it is: that is the output of a layer's first call
    ends.add(keras_internals.layer_behind(network.outputs[0]).name)

    def again(layer: keras.layers.Layer) -> keras.layers.Layer:
        config = {**layer.get_config(), "dtype": "float32" if layer.name in ends else dtype_policy}
        if seed is not None and "seed" in config:
            config["seed"] = layer_seed(seed, layer.name)
        return with_stable_state_names(type(layer).from_config(config))

    inputs = (
        keras.Input((None, None, network.input_shape[-1]), name=network.inputs[0].name)
        if any_size
        else None
    )
    copy = keras.models.clone_model(network, input_tensors=inputs, clone_function=again)
    copy.set_weights(network.get_weights())  # random states are no weights
    return copy


def receptive_field_px(n_layers: int) -> int:
    """Returns the side of the receptive field of a PatchGAN logit: 16, 34, 70, 142, 286, 574."""
    require_range("n_layers", n_layers, 1, _MAX_LAYERS)
    side = 7  # two 4x4 layers of stride 1
    for _ in range(n_layers):
        side = 2 * side + 2
    return side


def minimum_size_px(architecture: DiscriminatorArchitecture = "patch", *, n_layers: int = 3) -> int:
    """Returns the smallest side of an image for which the discriminator's map has a pixel."""
    require_choice("architecture", architecture, DISCRIMINATOR_ARCHITECTURES)
    require_range("n_layers", n_layers, 1, _MAX_LAYERS)
    # two layers of stride 1 take a pixel each
    return 1 if architecture == "pixel" else 3 * 2**n_layers
