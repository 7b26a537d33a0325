"""Copies weights between official PyTorch state_dicts and our networks: all of them, or none.

Official is junyanz/pytorch-CycleGAN-and-pix2pix.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, cast

import keras
import numpy as np

from cyclegan_tf.convert.pytorch.layout import (
    UNETS,
    ArchitectureSpec,
    differences,
    keras_shapes,
    keras_weights,
    state_dict,
)
from cyclegan_tf.errors import UserError
from cyclegan_tf.networks.builders import (
    DiscriminatorArchitecture,
    GeneratorArchitecture,
    build_discriminator,
    build_generator,
)

_MAX_LISTED = 3
# layer -> what a network with it has
_OURS_ALONE = {
    "colour_skip": "a color skip",
    "up1_long_skip": "long skips",
    "up1_resize": "resizing in place of transposed convolutions",
}


def build_from_state_dict(
    spec: ArchitectureSpec, arrays: Mapping[str, np.ndarray], name: str | None = None
) -> keras.Model:
    """Builds the Keras network of a state_dict without mismatches: equal outputs in float32.

    Args:
      spec: what the state_dict holds.
      arrays: float32 by official name.
      name: of the model; None is the architecture.

    Returns:
      float (N, H, W, C) in [-1, 1] -> float32 (N, H, W, C') in [-1, 1], or raw logits (N, H', W',
      1). U-Nets come without dropout, of which weights tell nothing.
    """
    shared: dict[str, Any] = {
        "input_channels": spec.input_channels,
        "filters": spec.filters,
        "norm": spec.norm,
        "norm_affine": spec.norm_affine,
        "seed": 0,
        "dtype_policy": "float32",
        "name": name,
    }
    if spec.is_generator:
        network = build_generator(
            cast(GeneratorArchitecture, spec.architecture),
            output_channels=spec.output_channels,
            blocks=spec.blocks,
            upsampling="antialiased" if spec.antialiased else "transposed",
            dropout=bool(spec.dropout),
            **shared,
        )
    else:
        network = build_discriminator(
            cast(DiscriminatorArchitecture, spec.architecture),
            n_layers=spec.n_layers or 3,
            **shared,
        )
    assign_weights(network, keras_weights(spec, arrays), "the state_dict")
    return network


def variables(network: keras.Model) -> dict[str, keras.Variable]:
    """A network's weights as "layer/variable", random states left out."""
    return {
        f"{layer.name}/{variable.name}": variable
        for layer in network.layers
        for variable in layer.weights
    }


def assign_weights(network: keras.Model, weights: Mapping[str, np.ndarray], source: object) -> None:
    """Assigns weights, unless they are not exactly those of the network.

    Args:
      network: changed in place.
      weights: by "layer/variable".
      source: where they came from, for the message.

    Raises:
      UserError: names or shapes differ; tells the first.
    """
    own = variables(network)
    wrong = differences({name: tuple(variable.shape) for name, variable in own.items()}, weights)
    if wrong:
        raise UserError(
            f"{source} does not fit {network.name}: {'; '.join(wrong[:_MAX_LISTED])}.",
            code="mismatch",
            field=str(source),
        )
    for name, variable in own.items():
        variable.assign(weights[name])


def to_state_dict(
    network: keras.Model, source: object
) -> tuple[ArchitectureSpec, dict[str, np.ndarray]]:
    """Gives what the official network of this architecture would save: same names, order, shapes.

    Args:
      network: of ours.
      source: where it came from, for the message.

    Returns:
      Its spec, and float32 arrays by official name.

    Raises:
      UserError: the official PyTorch code has no such network.
    """
    weights = {name: variable.value.numpy() for name, variable in variables(network).items()}
    spec = _design(network, weights, source)
    wrong = differences(keras_shapes(spec), weights)
    if wrong:
        raise UserError(
            f"{source} is no network of the official PyTorch code, so it cannot become one: "
            f"{'; '.join(wrong[:_MAX_LISTED])}.",
            code="unsupported",
            field=str(source),
        )
    arrays = state_dict(spec, weights)
    others = _names(network) ^ _names(build_from_state_dict(spec, arrays))
    if others:  # what has no weights, such as a skip, changes images too
        raise UserError(
            f"{source} differs from the official network of the same weights in the layers "
            f"{', '.join(sorted(others)[:_MAX_LISTED])}, so it cannot become one.",
            code="unsupported",
            field=str(source),
        )
    return spec, arrays


def _names(network: keras.Model) -> set[str]:
    return {
        layer.name for layer in network.layers if not isinstance(layer, keras.layers.InputLayer)
    }


def _design(
    network: keras.Model, weights: Mapping[str, np.ndarray], source: object
) -> ArchitectureSpec:
    """What a network of ours is, by the names of its layers and the channels at its ends."""
    names = _names(network)
    blocks = _count(names, r"block\d+_add")
    depth = _count(names, r"down\d+")
    layers = _count(names, r"conv\d+")
    if blocks and "first" in names:
        architecture = "resnet_6blocks" if blocks == 6 else "resnet_9blocks"
        first, dropout = "first", any(name.endswith("_dropout") for name in names)
    elif depth in UNETS and "up1" in names:
        architecture, first, dropout = (
            UNETS[depth],
            "down1",
            any(name.endswith("_dropout") for name in names),
        )
    elif layers > 1 and "verdict" in names:
        architecture, first, dropout = "patch", "conv1", False
        if weights["conv1/kernel"].shape[:2] == (1, 1):
            architecture = "pixel"
    else:
        raise UserError(
            f"{source} is of no architecture that the official PyTorch code knows.",
            code="unsupported",
            field=str(source),
        )
    for layer, what in _OURS_ALONE.items():
        if layer in names:
            raise UserError(
                f"{source} has {what}, which the official PyTorch code does not know.",
                code="unsupported",
                field=str(source),
            )
    batch = any(isinstance(layer, keras.layers.BatchNormalization) for layer in network.layers)
    is_generator = architecture not in ("patch", "pixel")
    return ArchitectureSpec(
        architecture=architecture,
        input_channels=network.input_shape[-1],
        output_channels=network.output_shape[-1],
        filters=weights[f"{first}/kernel"].shape[-1],
        blocks=blocks or None,
        n_layers=layers - 1 if architecture == "patch" else None,
        dropout=dropout if is_generator else None,
        norm="batch" if batch else "instance",
        norm_affine=not batch and any(name.endswith("_norm/gamma") for name in weights),
        biases=not batch,
        statistics=batch,
        antialiased="down1_blur" in names,
    )


def _count(names: set[str], pattern: str) -> int:
    return sum(bool(re.fullmatch(pattern, name)) for name in names)
