"""Tensors in place of variables; the training step's use of it is tested with the gradients."""

import keras
import numpy as np
import tensorflow as tf

from cyclegan_tf.networks.builders import build_generator
from cyclegan_tf.networks.weights import assign_states, cast_weights, weights_scope


def test_a_network_computes_with_the_tensors_it_is_given():
    network = build_generator("fast_style", filters=1, blocks=1, seed=0)
    other = build_generator("fast_style", filters=1, blocks=1, seed=1)
    image = tf.ones((1, 12, 12, 3))
    before = network(image)
    _, tensors = cast_weights([other])
    with weights_scope(network.trainable_variables, tensors):
        np.testing.assert_array_equal(network(image), other(image))
    np.testing.assert_array_equal(network(image), before)


def test_weights_of_convolutions_are_cast_and_no_others():
    network = build_generator(
        "fast_style", filters=1, blocks=1, norm_affine=True, dtype_policy="mixed_float16"
    )
    variables, tensors = cast_weights([network, network])
    assert len(variables) == 2 * len(network.trainable_variables)
    for variable, tensor in zip(variables, tensors, strict=True):
        affine = variable.name in ("gamma", "beta")
        assert tensor.dtype == ("float32" if affine else "float16")


def test_what_is_assigned_within_is_kept_until_it_is_carried_over():
    state, other = keras.Variable(1.0, trainable=False), keras.Variable(5.0, trainable=False)
    with weights_scope([], []) as scope:
        state.assign(2.0)
    assert float(state.value) == 1
    assign_states(scope, [state, other])
    assert (float(state.value), float(other.value)) == (2, 5)
