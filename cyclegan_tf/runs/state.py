"""Everything a training must remember, as arrays by name: from models to checkpoints and back."""

from __future__ import annotations

from collections.abc import Mapping

import keras
import numpy as np

from cyclegan_tf.errors import UserError
from cyclegan_tf.model.cyclegan import CycleGAN

GENERATORS = ("generator_xy", "generator_yx")
NETWORKS = (*GENERATORS, "discriminator_x", "discriminator_y")


def variables(model: CycleGAN) -> dict[str, keras.Variable]:
    """Return every variable of a compiled model by a name that stays the same between processes.

    Networks with their random states, both optimizers, pools, the penalty's random state and the
    running means; so that what goes on from here equals what never stopped.
    """
    named: dict[str, keras.Variable] = {}
    for attribute in NETWORKS:
        if getattr(model, attribute) is not None:
            named |= network_variables(getattr(model, attribute), attribute)
    for attribute in ("generator_optimizer", "discriminator_optimizer"):
        for index, variable in enumerate(getattr(model, attribute).variables):
            named[f"{attribute}/{index:04d}_{variable.name}"] = variable
    for attribute in ("pool_x", "pool_y"):
        for variable in getattr(model, attribute).variables:
            named[f"{attribute}/{variable.name}"] = variable
    for name, tracker in model.metric_trackers.items():
        for variable in tracker.variables:
            named[f"tracker/{name}/{variable.name}"] = variable
    named["penalty_seed"] = model.penalty_seed.state
    return named


def generator_variables(model: CycleGAN) -> dict[str, keras.Variable]:
    """Return what translating needs: both generators' variables, named as in `variables`."""
    named: dict[str, keras.Variable] = {}
    for attribute in GENERATORS:
        named |= network_variables(getattr(model, attribute), attribute)
    return named


def network_variables(network: keras.Model, attribute: str) -> dict[str, keras.Variable]:
    """Return a network's variables, random states included, as `attribute/layer/variable`."""
    return {f"{attribute}/{variable.path}": variable for variable in network.variables}


def snapshot(named: Mapping[str, keras.Variable]) -> dict[str, np.ndarray]:
    """Copy the values."""
    return {name: variable.value.numpy() for name, variable in named.items()}


def restore(
    named: Mapping[str, keras.Variable], arrays: Mapping[str, np.ndarray], origin: object
) -> None:
    """Assign arrays to variables of the same names; nothing is assigned unless all fit.

    Args:
      named: what to fill.
      arrays: at least these names.
      origin: where the arrays came from, for the message.

    Raises:
      UserError: a name is missing or a shape differs; says which is the first.
    """
    for name, variable in named.items():
        if name not in arrays:
            raise UserError(
                f"{origin} does not fit this experiment: it holds no {name}.",
                code="mismatch",
                field=str(origin),
            )
        if arrays[name].shape != tuple(variable.shape):
            raise UserError(
                f"{origin} does not fit this experiment: {name} has the shape {arrays[name].shape} "
                f"there, {tuple(variable.shape)} here.",
                code="mismatch",
                field=str(origin),
            )
    for name, variable in named.items():
        variable.assign(arrays[name])
