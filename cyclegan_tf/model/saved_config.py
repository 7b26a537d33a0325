"""The parts of a model in its saved configuration, and names that earlier versions gave them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras

NETWORKS = ("generator_xy", "generator_yx", "discriminator_x", "discriminator_y")
OPTIMIZERS = ("generator_optimizer", "discriminator_optimizer")
OPTIONS = (
    "gan_mode", "loss_weights", "gradient_penalty", "gradient_checkpointing", "jit_compile",
    "run_eagerly", "steps_per_execution", "auto_scale_loss",
)  # fmt: skip
"""Other arguments of `CycleGAN.compile`."""

# Arguments of `CycleGAN.compile` as files saved by earlier versions name them.
_RENAMED = {
    "adversarial": "gan_mode",
    "weights": "loss_weights",
    "recompute": "gradient_checkpointing",
}


def serialized(model: keras.Model, names: Sequence[str]) -> dict[str, Any]:
    """Returns the configurations of a model's networks or optimizers, by attribute name."""
    return {name: keras.saving.serialize_keras_object(getattr(model, name)) for name in names}


def deserialized(
    config: dict[str, Any], names: Sequence[str], custom_objects: dict[str, Any] | None = None
) -> dict[str, Any]:
    """Returns a configuration under today's names, its networks or optimizers made again.

    Args:
      config: as saved by this or an earlier version; not changed.
      names: of the entries that hold networks or optimizers; None stays None.
      custom_objects: classes that are not registered with Keras.
    """
    config = {_RENAMED.get(name, name): value for name, value in config.items()}
    for name in names:
        if config[name] is not None:
            config[name] = keras.saving.deserialize_keras_object(config[name], custom_objects)
    return config


def give_own_names(model: keras.Model) -> None:
    """Names networks that share a name after their places; `.h5` files and `summary` need that."""
    networks = {name: network for name in NETWORKS if (network := getattr(model, name))}
    given = [network.name for network in networks.values()]
    for name, network in networks.items():
        if given.count(network.name) > 1:
            network.name = name
