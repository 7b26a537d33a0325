"""Describes a network as a JSON object, and in one line where it is one of ours."""

from __future__ import annotations

import re
from collections import Counter
from typing import Any

import keras

from cyclegan_tf.inspect import graph
from cyclegan_tf.networks.keras_internals import all_layers

_BLOCK = re.compile(r"block\d+_add")
_DOWN = re.compile(r"down\d+")
_CONV = re.compile(r"conv\d+")
_MAX_KINDS = 6


def summarize_network(network: keras.Model, size_px: int) -> dict[str, Any]:
    """Describes a network as one row of a report.

    Args:
      network: from images to images or to logits.
      size_px: side of the square image whose multiply-accumulates are counted; the next size that
        the network takes, where it does not take this one.

    Returns:
      "architecture", "parameters" (moving statistics among them), "input_channels",
      "output_channels", "macs" and "macs_published" at "macs_at_px", "receptive_field_px" (side, or
      [rows, columns]), "size_divisor_px"; None for what is unknown, and then "notes".
    """
    shape = getattr(network, "input_shape", None)
    found: dict[str, Any] = {
        "architecture": describe_network(network),
        "parameters": network.count_params(),
    }
    if not isinstance(shape, tuple) or len(shape) != 4:
        return found | {
            "notes": ["it takes no images (N, H, W, C), so nothing more is known of it"]
        }
    notes: list[str] = []
    multiple = field = None
    try:
        multiple = graph.size_divisor_px(network)
        field = graph.receptive_field_px(network)
    except graph.UnknownLayerError as error:
        notes.append(f"what {error} looks at is not known, so there is no receptive field")
    side = _side(network, size_px, multiple)
    macs = None
    try:
        macs = graph.count_macs(network, side)
    except (
        Exception
    ) as error:  # Keras and TensorFlow raise many kinds for a size that does not go through
        notes.append(
            f"images of {side} px do not go through it: {' '.join(str(error).split())[:200]}"
        )
    found |= {
        "input_channels": shape[-1],
        "output_channels": network.output_shape[-1],
        "macs": macs and macs.performed,
        "macs_published": macs and macs.published,
        "macs_at_px": side,
        "receptive_field_px": field[0] if field and field[0] == field[1] else field and list(field),
        "size_divisor_px": multiple,
    }
    return found | ({"notes": notes} if notes else {})


def _side(network: keras.Model, size_px: int, multiple: int | None) -> int:
    fixed = network.input_shape[1]
    return fixed or -(-size_px // (multiple or 1)) * (multiple or 1)


def describe_network(network: keras.Model) -> str:
    """Describes the architecture in one line; by kinds of layers, where it is none of ours."""
    names = {layer.name: layer for layer in network.layers}
    if {"first", "down2", "up2", "last"} <= set(names):
        return _resnet(names)
    if {"down1", "down2", "up1"} <= set(names):
        return _unet(names)
    if {"conv1", "verdict"} <= set(names):
        return _discriminator(names)
    kinds = Counter(type(layer).__name__ for layer in _innermost(network)).most_common()
    counted = ", ".join(f"{count} {kind}" for kind, count in kinds[:_MAX_KINDS])
    return f"{type(network).__name__} of {counted}" + (", ..." if len(kinds) > _MAX_KINDS else "")


def _innermost(network: keras.Model) -> list[keras.layers.Layer]:
    return [
        layer
        for layer in all_layers(network)
        if not isinstance(layer, keras.Model | keras.layers.InputLayer)
    ]


def _resnet(names: dict[str, Any]) -> str:
    blocks = sum(bool(_BLOCK.fullmatch(name)) for name in names)
    kernel = names["first"].kernel_size[0]
    parts = [f"residual generator, {blocks} blocks", f"{names['first'].filters} filters"]
    if kernel != 7:
        parts.append(f"{kernel}x{kernel} ends")
    if "down2_depth" in names:
        parts.append("depthwise-separable")
    return ", ".join([*parts, *_options(names)])


def _unet(names: dict[str, Any]) -> str:
    depth = sum(bool(_DOWN.fullmatch(name)) for name in names)
    return ", ".join(
        [f"U-Net, {depth} halvings", f"{names['down1'].filters} filters", *_options(names)]
    )


def _discriminator(names: dict[str, Any]) -> str:
    first, layers = names["conv1"], sum(bool(_CONV.fullmatch(name)) for name in names) - 1
    kind = (
        "pixel discriminator"
        if first.kernel_size[0] == 1
        else f"PatchGAN discriminator, {layers} layers"
    )
    return ", ".join([kind, f"{first.filters} filters", *_options(names)])


def _options(names: dict[str, Any]) -> list[str]:
    """What differs from network to network of one layout."""
    found = [_norm(names)]
    if any(name.endswith("_resize") for name in names):
        found.append("enlarging by resize and convolution")
    if "down1_blur" in names:
        found.append("anti-aliased")
    if any(name.endswith("_dropout") for name in names):
        found.append("dropout")
    if "up1_long_skip" in names:
        found.append("long skips")
    if "colour_skip" in names:
        found.append("color skip")
    return found


def _norm(names: dict[str, Any]) -> str:
    norm = next(layer for name, layer in names.items() if name.endswith("_norm"))
    if isinstance(norm, keras.layers.BatchNormalization):
        return "batch norm"
    return "instance norm with factor and offset" if norm.scale else "instance norm"
