"""Networks that compute with given tensors in place of their variables."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import keras
import tensorflow as tf


def cast_weights(networks: Sequence[keras.Model]) -> tuple[list[keras.Variable], list[tf.Tensor]]:
    """Reads all trainable weights, each in the dtype in which its layer computes with it."""
    variables, tensors = [], []
    for network in networks:
        # Only these let Keras cast their weights; normalization keeps its own in float32.
        convolutions = (keras.layers.Conv2D, keras.layers.Conv2DTranspose)
        dtypes = {
            id(variable): layer.compute_dtype
            for layer in network.layers
            if isinstance(layer, convolutions)
            for variable in layer.trainable_variables
        }
        for variable in network.trainable_variables:
            dtype = dtypes.get(id(variable), variable.dtype)
            tensors.append(tf.cast(tf.convert_to_tensor(variable.value), dtype))
            variables.append(variable)
    return variables, tensors


@contextmanager
def weights_scope(
    variables: Sequence[keras.Variable], tensors: Sequence[tf.Tensor]
) -> Iterator[keras.StatelessScope]:
    """Within it, Keras's variables have these values, in any dtype.

    What is assigned meanwhile is kept in the scope; `assign_states` carries it over.
    """
    with keras.StatelessScope() as scope:
        for update in zip(variables, tensors, strict=True):
            scope.add_update(update)  # the constructor would cast back to the variable's dtype
        yield scope


def assign_states(scope: keras.StatelessScope, states: Sequence[keras.Variable]) -> None:
    """Assigns to the variables what was assigned to them within a scope."""
    for state in states:
        value = scope.get_current_value(state)
        if value is not None:
            state.assign(value)
