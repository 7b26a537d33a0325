"""Weights read once, batches concatenated: each against the plain calls it replaces."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from cyclegan_tf.model.gradients import CachedWeights, call_concatenated
from cyclegan_tf.networks.builders import build_discriminator
from tests.helpers.gradients import (
    assert_near,
    images,
    once_read,
    path_of,
    plainly,
    resnet,
    shake,
    states,
    tilted,
)

# Weights read once.


@pytest.mark.parametrize(("policy", "tolerance"), [("float32", 2e-5), ("mixed_bfloat16", 0.06)])
def test_gradients_are_those_by_variables(policy, tolerance):
    network = shake(resnet(blocks=1, norm_affine=True, dtype_policy=policy))
    x = images(1, 8, 12, 3)
    expected, found = plainly(network, x, calls=2), once_read(network, x, calls=2)
    assert_near(found[0], expected[0], 1e-6)
    variables = network.trainable_variables
    for variable, a, b in zip([None, *variables], found[1], expected[1], strict=True):
        a, b = np.asarray(tf.cast(a, tf.float64)), np.asarray(tf.cast(b, tf.float64))
        # a bias before a normalization has no gradient but rounding
        least = 1e-4 if policy == "float32" else 1.0
        assert np.linalg.norm(a - b) <= tolerance * max(np.linalg.norm(b), least), path_of(variable)


def test_affine_weights_are_not_cast():
    network = resnet(blocks=1, norm_affine=True, dtype_policy="mixed_bfloat16")
    x = images(1, 8, 8, 3)
    _, gradients = once_read(network, x)
    kinds = {v.name: set() for v in network.trainable_variables}
    for variable, gradient in zip(network.trainable_variables, gradients[1:], strict=True):
        kinds[variable.name].add(gradient.dtype.name)
    assert kinds == {
        "kernel": {"bfloat16"},
        "bias": {"bfloat16"},
        "gamma": {"float32"},
        "beta": {"float32"},
    }


def casts_of_variables(graph):
    """How often each variable's value goes through a cast, by the variable's handle."""
    counts = {}
    for operation in graph.get_operations():
        if operation.type == "Cast":
            source = operation.inputs[0].op
            while source.type == "Identity":
                source = source.inputs[0].op
            if source.type == "ReadVariableOp" and operation.outputs[0].dtype == tf.bfloat16:
                handle = source.inputs[0].name
                counts[handle] = counts.get(handle, 0) + 1
    return counts


def test_each_weight_is_cast_once_however_often_the_network_is_called():
    network = resnet(blocks=1, dtype_policy="mixed_bfloat16")

    def count(route):
        graph = tf.function(lambda x: route(network, x, calls=3)[1], autograph=False)
        return casts_of_variables(graph.get_concrete_function(tf.TensorSpec((1, 8, 8, 3))).graph)

    found = count(once_read)
    assert set(found.values()) == {1}
    assert len(found) == len(network.trainable_variables)
    assert set(count(plainly).values()) == {3}


@pytest.mark.parametrize("graph", [False, True], ids=["eager", "graph"])
def test_random_states_move_on_as_without_it(graph):
    one, other = (resnet(blocks=1, dropout=True) for _ in "ab")
    x = images(1, 8, 8, 3)
    for _ in range(2):
        expected = plainly(one, x, calls=2)[0]
        run = (
            tf.function(lambda: once_read(other, x, calls=2)[0], autograph=False) if graph else None
        )
        found = run() if graph else once_read(other, x, calls=2)[0]
        assert_near(found, expected, 1e-5)
        for a, b in zip(states(other), states(one), strict=True):
            np.testing.assert_array_equal(a, b)
    assert any(
        np.any(a != b)
        for a, b in zip(states(one), states(resnet(blocks=1, dropout=True)), strict=True)
    )
    assert np.abs(expected[0] - expected[1]).max() > 1e-4, "each call drops others"


def test_states_of_others_are_assigned_too():
    network, generator = (
        build_discriminator(filters=1, n_layers=1, seed=0),
        keras.random.SeedGenerator(4),
    )
    before, alone = generator.state.numpy(), keras.random.SeedGenerator(4)
    expected = keras.random.uniform((3,), seed=alone)
    with (
        tf.GradientTape(watch_accessed_variables=False) as tape,
        CachedWeights([network], tape, [generator.state]).scope(),
    ):
        drawn = keras.random.uniform((3,), seed=generator)
    np.testing.assert_array_equal(drawn, expected)
    np.testing.assert_array_equal(generator.state.numpy(), alone.state.numpy())
    assert np.any(before != generator.state.numpy())


def test_after_the_block_the_variables_are_themselves_again():
    network = resnet(blocks=1)
    x = images(1, 8, 8, 3)
    with tf.GradientTape(watch_accessed_variables=False) as tape:
        weights = CachedWeights([network], tape)
        with weights.scope():
            before = network(x, training=True)
    for variable in network.trainable_variables:
        variable.assign(tf.zeros(variable.shape))
    np.testing.assert_array_equal(network(x, training=True), np.zeros(before.shape))


def test_descending_leaves_what_no_term_reaches_alone():
    near, far = resnet(blocks=1), resnet(blocks=1, seed=4)
    optimizer = keras.optimizers.SGD(0.5, momentum=0.9)
    optimizer.build(near.trainable_variables + far.trainable_variables)
    x = images(1, 8, 8, 3)
    _, (_, *gradients) = plainly(near, x)
    before = near.get_weights()
    with tf.GradientTape(watch_accessed_variables=False) as tape:
        weights = CachedWeights([near, far], tape)
        with weights.scope():
            total = tilted(near(x, training=True))
    untouched = far.get_weights()
    norm = weights.minimize(total, tape, optimizer)
    for a, b in zip(far.get_weights(), untouched, strict=True):
        np.testing.assert_array_equal(a, b)
    for variable, old, gradient in zip(near.trainable_variables, before, gradients, strict=True):
        np.testing.assert_allclose(
            variable.numpy(), old - 0.5 * gradient.numpy(), rtol=1e-4, atol=1e-4
        )
    assert float(norm) == pytest.approx(float(tf.linalg.global_norm(gradients)), rel=1e-5)
    assert norm.dtype == tf.float32


def test_a_scaled_objective_moves_as_far_and_reports_the_true_norm():
    norms, weights = [], []
    for scaled in (False, True):
        network, optimizer = resnet(blocks=1), keras.optimizers.SGD(0.1)
        if scaled:
            optimizer = keras.optimizers.LossScaleOptimizer(optimizer, initial_scale=256)
        optimizer.build(network.trainable_variables)
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            once = CachedWeights([network], tape)
            with once.scope():
                total = tilted(network(images(1, 8, 8, 3), training=True))
            total = optimizer.scale_loss(total)
        norms.append(float(once.minimize(total, tape, optimizer)))
        weights.append(network.get_weights())
    assert norms[0] == pytest.approx(norms[1], rel=1e-5)
    for a, b in zip(*weights, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-5)


def test_every_trainable_weight_is_there_once_and_frozen_layers_are_not():
    network = resnet(blocks=1, norm_affine=True)
    network.get_layer("first").trainable = False
    with tf.GradientTape() as tape:
        weights = CachedWeights([network], tape)
    assert {id(v) for v in weights.variables} == {id(v) for v in network.trainable_variables}
    assert len(weights.variables) == len(weights.tensors) == len(network.trainable_variables)


def test_weights_of_the_network_itself_are_there_too():
    """A subclassed network may hold weights that no layer of it holds."""

    class Amplified(keras.Model):
        def __init__(self):
            super().__init__()
            self.inner = keras.layers.Conv2D(3, 1)
            self.gain = self.add_weight(shape=(3,), initializer="ones", name="gain")

        def call(self, inputs, training=False):
            return self.gain * self.inner(inputs)

    network = Amplified()
    network(images(1, 4, 4, 3))
    with tf.GradientTape() as tape:
        weights = CachedWeights([network], tape)
    assert {id(v) for v in weights.variables} == {id(v) for v in network.trainable_variables}


# Batches in one call.


def counting(network):
    """The network, and the sizes of the batches it was called with."""
    seen = []

    class Counting(keras.Model):
        def __init__(self):
            super().__init__()
            self.network = network

        def call(self, batch, training):
            seen.append(tuple(batch.shape))
            return self.network(batch, training=training)

    return Counting(), seen


def test_batches_go_through_in_one_call_and_come_back_apart():
    network = resnet(blocks=1)
    call, seen = counting(network)
    one, two = images(1, 8, 8, 3), images(2, 8, 8, 3, seed=1)
    first, none, second = call_concatenated(call, [one, None, two], True)
    assert none is None
    assert seen == [(3, 8, 8, 3)]
    np.testing.assert_allclose(first, network(one, training=True), atol=1e-6)
    np.testing.assert_allclose(second, network(two, training=True), atol=1e-6)


def test_a_missing_batch_costs_no_call():
    call, seen = counting(resnet(blocks=1))
    assert call_concatenated(call, [None, None], True) == [None, None]
    assert seen == []


def test_unequal_sizes_go_one_by_one():
    network = resnet(blocks=1)
    call, seen = counting(network)
    batches = [images(1, 8, 8, 3), images(1, 12, 8, 3)]
    for found, batch in zip(call_concatenated(call, batches, True), batches, strict=True):
        np.testing.assert_allclose(found, network(batch, training=True), atol=1e-6)
    assert seen == [(1, 8, 8, 3), (1, 12, 8, 3)]
