"""The parts of a model in its saved configuration, and names that earlier versions gave them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras

SEMANTIC = "semantic"
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


class RestorableModel(keras.Model):
    """How a model of networks and pools is saved and made again; `CycleGAN` is one.

    Keras asks a subclassed model for what a functional one knows of itself.

    Example:
      >>> issubclass(CycleGAN, RestorableModel)
      True
    """

    def get_config(self) -> dict[str, Any]:
        """All constructor arguments, networks included."""
        own = {name: getattr(self, name) for name in ("pool_size_images", "seed", "conditional")}
        return {**super().get_config(), **serialized(self, (*NETWORKS, SEMANTIC)), **own}

    @classmethod
    def from_config(
        cls, config: dict[str, Any], custom_objects: dict[str, Any] | None = None
    ) -> Any:
        """Inverse of `get_config`."""
        config = {SEMANTIC: None, **config}  # earlier versions wrote none
        return cls(**deserialized(config, (*NETWORKS, SEMANTIC), custom_objects))

    def get_build_config(self) -> dict[str, Any]:
        """Sizes of the pools' images, once known."""
        pools = {"pool_x": self.pool_x, "pool_y": self.pool_y}
        return {name: list(pool.images.shape) for name, pool in pools.items() if pool.weights}

    def build_from_config(self, config: dict[str, Any]) -> None:
        """Makes the pools' variables before the saved ones are read into them."""
        for name, shape in config.items():
            getattr(self, name).build(tuple(shape))

    def get_compile_config(self) -> dict[str, Any] | None:
        """The arguments of `compile`, optimizers included; None before it."""
        if not self.compiled:
            return None
        return serialized(self, OPTIMIZERS) | {name: getattr(self, name) for name in OPTIONS}

    def compile_from_config(self, config: dict[str, Any]) -> None:
        """Inverse of `get_compile_config`, for files of earlier versions too."""
        self.compile(**deserialized(config, OPTIMIZERS))
