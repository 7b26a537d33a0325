"""Gradient checkpointing: the numbers of the plain call, and what is held for the gradient."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from cyclegan_tf.model.gradients import CachedWeights
from cyclegan_tf.model.recompute import _segments, rematerialized_call
from cyclegan_tf.networks.builders import build_generator
from cyclegan_tf.networks.convolutions import Convolution2D
from cyclegan_tf.networks.layers import InstanceNormalization
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

CASES = {
    "resnet": (lambda **o: resnet(**o), 3, (2, 8, 12, 3)),
    "resize": (lambda **o: resnet(upsampling="resize", norm_affine=True, **o), 3, (1, 8, 8, 3)),
    "color_skip": (lambda **o: resnet(color_skip=True, **o), 3, (2, 8, 12, 3)),
    "long_skips": (lambda **o: resnet(long_skips=True, **o), 3, (2, 8, 12, 3)),
    "fast_style": (
        lambda **o: build_generator("fast_style", filters=2, blocks=2, seed=3, **o),
        3,
        (1, 12, 12, 3),
    ),
    "unet": (lambda **o: build_generator("unet_128", filters=1, seed=3, **o), 1, (1, 128, 128, 3)),
}


def rematerialized(network, x):
    """As `plainly`, by way of `rematerialized_call`."""
    with tf.GradientTape() as tape:
        tape.watch(x)
        outputs = rematerialized_call(network, x, training=True)
        total = tilted(outputs)
    return [outputs], tape.gradient(total, [x, *(v.value for v in network.trainable_variables)])


@pytest.mark.parametrize("dropout", [False, True], ids=["", "dropout"])
@pytest.mark.parametrize("case", CASES)
def test_recomputing_changes_no_number(case, dropout):
    build, count, shape = CASES[case]
    one, other = (shake(build(dropout=dropout)) for _ in "ab")
    assert len(_segments(other)) == count
    x = images(*shape)
    for _ in range(2 if case == "resnet" else 1):
        expected, found = plainly(one, x), rematerialized(other, x)
        assert_near(found[0], expected[0], 1e-6)
        largest = max(float(tf.reduce_max(tf.abs(g))) for g in expected[1])
        for variable, a, b in zip(
            [None, *one.trainable_variables], found[1], expected[1], strict=True
        ):
            np.testing.assert_allclose(
                a, b, atol=1e-6 * largest, rtol=1e-4, err_msg=path_of(variable)
            )
        for a, b in zip(states(other), states(one), strict=True):
            np.testing.assert_array_equal(a, b)
    assert any("seed" in v.path for v in one.non_trainable_variables) == dropout


@pytest.mark.parametrize("policy", ["float32", "mixed_bfloat16"])
def test_recomputing_with_weights_read_once(policy):
    """The way the training step goes: two calls, one sum, random states moved on once by each.

    In float32 in a graph; in bfloat16 eagerly, for a graph fuses, and so rounds, otherwise.
    """
    one, other = (shake(resnet(dropout=True, dtype_policy=policy)) for _ in "ab")
    x = images(1, 8, 8, 3)

    def step(x):
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            weights = CachedWeights([other], tape)
            with weights.scope():
                outputs = [rematerialized_call(other, x, training=True) for _ in range(2)]
            total = tf.add_n([tilted(o) for o in outputs])
        return outputs, tape.gradient(total, weights.tensors)

    if policy == "float32":
        step = tf.function(step, autograph=False)
    for _ in range(2):
        expected, (_, *gradients) = once_read(one, x, calls=2)
        outputs, found = step(x)
        assert_near(outputs, expected, 1e-6)
        with tf.GradientTape() as tape:
            order = {id(v): i for i, v in enumerate(CachedWeights([other], tape).variables)}
        size = max(float(tf.linalg.norm(tf.cast(g, tf.float32))) for g in gradients)
        for mine, b in zip(other.trainable_variables, gradients, strict=True):
            a, b = (np.asarray(tf.cast(g, tf.float64)) for g in (found[order[id(mine)]], b))
            least = (2e-5 if policy == "float32" else 0.02) * (np.linalg.norm(b) + size)
            assert np.linalg.norm(a - b) <= least, mine.path
        for a, b in zip(states(other), states(one), strict=True):
            np.testing.assert_array_equal(a, b)


def test_without_training_and_without_a_tape_the_call_is_the_plain_one():
    network = resnet(dropout=True)
    x = images(1, 8, 8, 3)
    before = states(network)
    np.testing.assert_allclose(
        rematerialized_call(network, x, training=False), network(x, training=False), atol=1e-6
    )
    for a, b in zip(states(network), before, strict=True):
        np.testing.assert_array_equal(a, b)


def operation_types(route, network):
    graph = tf.function(lambda x: route(network, x)[1], autograph=False)
    graph = graph.get_concrete_function(tf.TensorSpec((1, 8, 8, 3))).graph
    return [op.type for op in graph.get_operations()]


def test_every_convolution_is_computed_twice():
    network = resnet(upsampling="resize")
    plain, twice = operation_types(plainly, network), operation_types(rematerialized, network)
    convolutions = sum(isinstance(layer, Convolution2D) for layer in network.layers)
    assert plain.count("Conv2D") == convolutions
    assert twice.count("Conv2D") == 2 * convolutions
    assert twice.count("Conv2DBackpropFilter") == plain.count("Conv2DBackpropFilter")


def held(route, network, count):
    """The operations whose activations a graph holds from the forward half for the backward half.

    The backward half is all that waits for the upstream gradient.
    """

    def run(x, upstream):
        with tf.GradientTape() as tape:
            tape.watch(x)
            outputs = route(x)
        return tape.gradient(
            outputs, [x, *(v.value for v in network.trainable_variables)], upstream
        )

    spec = tf.TensorSpec((count, 12, 16, 3))
    graph = tf.function(run, autograph=False).get_concrete_function(spec, spec).graph
    backward = {graph.inputs[1].op}
    for op in graph.get_operations():  # in the order of creation: inputs first
        if backward & {*(tensor.op for tensor in op.inputs), *op.control_inputs}:
            backward.add(op)
    crossing = {
        tensor.ref() for op in backward for tensor in op.inputs if tensor.op not in backward
    }
    tensors = [ref.deref() for ref in crossing]
    return sorted(t.op.type for t in tensors if t.shape.rank == 4 and t.shape[0] == count)


@pytest.mark.parametrize("dropout", [False, True], ids=["", "dropout"])
def test_only_the_inputs_of_segments_are_held_for_the_gradient(dropout):
    network = resnet(blocks=3, dropout=dropout)
    count = 5  # images: no kernel has this as its first side
    plain = held(lambda x: network(x, training=True), network, count)
    checkpointed = held(lambda x: rematerialized_call(network, x, training=True), network, count)
    assert len(checkpointed) == len(_segments(network)) == 4, checkpointed
    assert len(plain) >= 14, plain


def test_long_skips_are_held_too():
    network = resnet(blocks=3, long_skips=True)
    checkpointed = held(lambda x: rematerialized_call(network, x, training=True), network, 5)
    assert len(checkpointed) == len(_segments(network)) + 2 == 6, checkpointed


def needed_by(tensor):
    """All operations, control inputs among them, that run before a tensor is there."""
    found, waiting = set(), [tensor.op]
    while waiting:
        op = waiting.pop()
        if op not in found:
            found.add(op)
            waiting += [*(t.op for t in op.inputs), *op.control_inputs]
    return found


@pytest.mark.parametrize(
    "route", [rematerialized_call, lambda network, x, training: network(x, training=training)]
)
def test_a_segments_weights_have_their_gradients_before_the_one_below_is_computed_again(route):
    network = resnet(blocks=2)
    order = {}

    def run(x):
        with tf.GradientTape() as tape:
            tape.watch(x)
            outputs = route(network, x, True)
        to_x, *to_weights = tape.gradient(
            outputs, [x, *(v.value for v in network.trainable_variables)]
        )
        first = needed_by(to_x)
        order.update(
            {
                v.path: g.op in first
                for v, g in zip(network.trainable_variables, to_weights, strict=True)
            }
        )
        return to_x

    tf.function(run, autograph=False).get_concrete_function(tf.TensorSpec((1, 12, 16, 3)))
    # Otherwise gradients of weights may wait until the end, and every segment's activations with
    # them.
    assert all(order.values()) == (route is rematerialized_call)
    assert len(order) == len(network.trainable_variables)


def test_segments_are_made_once_and_share_the_layers():
    network = resnet(dropout=True, norm_affine=True)
    x, names = images(1, 8, 8, 3), [v.path for v in network.variables]
    rematerialized_call(network, x, training=True)
    segments = _segments(network)
    assert all(a is b for a, b in zip(segments, _segments(network), strict=True))
    assert {id(v) for s in segments for v in s.trainable_variables} == {
        id(v) for v in network.trainable_variables
    }
    assert sum(len(s.trainable_variables) for s in segments) == len(network.trainable_variables)
    assert [v.path for v in network.variables] == names


@pytest.mark.parametrize("skip", ["", "long_skips", "color_skip"])
def test_the_network_is_described_saved_and_cloned_as_before(tmp_path, skip):
    network = shake(resnet(dropout=True, norm_affine=True, **({skip: True} if skip else {})))
    x = images(1, 8, 8, 3)
    expected, config = network(x), network.get_config()
    rematerialized_call(network, x, training=True)
    assert network.get_config() == config
    network.save(tmp_path / "network.keras")
    loaded = keras.saving.load_model(tmp_path / "network.keras")
    np.testing.assert_array_equal(loaded(x), expected)
    sized = keras.models.clone_model(network, input_tensors=keras.Input((8, 12, 3)))
    assert sized.output_shape == (None, 8, 12, 3)


def test_a_network_of_another_make_is_one_segment():
    inputs = keras.Input((None, None, 3))
    x = InstanceNormalization(scale=True)(keras.layers.Conv2D(2, 3, padding="same")(inputs))
    network = keras.Model(inputs, keras.layers.BatchNormalization()(x))
    twin = keras.models.clone_model(network)
    twin.set_weights(network.get_weights())
    assert len(_segments(network)) == 1
    x = images(2, 4, 4, 3)
    expected, found = plainly(twin, x), rematerialized(network, x)
    assert_near(found[0], expected[0], 1e-6)
    for a, b in zip(found[1], expected[1], strict=True):
        np.testing.assert_allclose(a, b, atol=1e-4, rtol=1e-4)
    for a, b in zip(
        states(network), states(twin), strict=True
    ):  # moving mean and variance moved once
        np.testing.assert_allclose(a, b, rtol=1e-6)
