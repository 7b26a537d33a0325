"""Weights read once, images together, activations forgotten: each against the plain call it stands
for."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from cyclegan_tf.model.gradients import CachedWeights, _segments, rematerialized_call, together
from cyclegan_tf.networks.builders import build_discriminator, build_generator
from cyclegan_tf.networks.convolutions import Convolution2D
from cyclegan_tf.networks.layers import InstanceNormalization


def resnet(**options):
    return build_generator("resnet_6blocks", **{"filters": 2, "blocks": 2, "seed": 3, **options})


def images(*shape, seed=0):
    return tf.constant(np.random.default_rng(seed).uniform(-1, 1, shape), tf.float32)


def shake(network):
    """Biases, gammas and betas start at 0 and 1, where many a mistake cannot be seen."""
    rng = np.random.default_rng(8)
    for variable in network.trainable_variables:
        if variable.name != "kernel":
            variable.assign(variable.numpy() + rng.uniform(-0.5, 0.5, variable.shape))
    return network


def states(network):
    return [v.numpy() for v in network.non_trainable_variables]


def tilted(outputs):
    return tf.reduce_sum(tf.cast(outputs, tf.float32) * images(*outputs.shape[1:], seed=5))


def plainly(network, x, calls=1):
    """Outputs, and gradients by the input and by Keras's own variables."""
    with tf.GradientTape() as tape:
        tape.watch(x)
        outputs = [network(x, training=True) for _ in range(calls)]
        total = tf.add_n([tilted(o) for o in outputs])
    return outputs, tape.gradient(total, [x, *(v.value for v in network.trainable_variables)])


def assert_near(found, expected, tolerance):
    """Largest difference as a share of the largest value."""
    for index, (a, b) in enumerate(zip(found, expected, strict=True)):
        a, b = np.asarray(tf.cast(a, tf.float64)), np.asarray(tf.cast(b, tf.float64))
        assert np.abs(a - b).max() <= tolerance * max(np.abs(b).max(), 1e-6), index


def path_of(variable):
    return "input" if variable is None else variable.path


# Weights read once.


def once_read(network, x, calls=1):
    with tf.GradientTape(watch_accessed_variables=False) as tape:
        tape.watch(x)
        weights = CachedWeights([network], tape)
        with weights.used():
            outputs = [network(x, training=True) for _ in range(calls)]
        total = tf.add_n([tilted(o) for o in outputs])
    gradients = tape.gradient(total, [x, *weights.tensors])
    by_variable = {id(v): g for v, g in zip(weights.variables, gradients[1:], strict=True)}
    assert len(by_variable) == len(network.trainable_variables)
    return outputs, [gradients[0], *(by_variable[id(v)] for v in network.trainable_variables)]


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
        CachedWeights([network], tape, [generator.state]).used(),
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
        with weights.used():
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
        with weights.used():
            total = tilted(near(x, training=True))
    untouched = far.get_weights()
    norm = weights.descend(tape, total, optimizer)
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
            with once.used():
                total = tilted(network(images(1, 8, 8, 3), training=True))
            total = optimizer.scale_loss(total)
        norms.append(float(once.descend(tape, total, optimizer)))
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


# Images together.


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
    first, none, second = together(call, [one, None, two], True)
    assert none is None
    assert seen == [(3, 8, 8, 3)]
    np.testing.assert_allclose(first, network(one, training=True), atol=1e-6)
    np.testing.assert_allclose(second, network(two, training=True), atol=1e-6)


def test_a_missing_batch_costs_no_call():
    call, seen = counting(resnet(blocks=1))
    assert together(call, [None, None], True) == [None, None]
    assert seen == []


def test_unequal_sizes_go_one_by_one():
    network = resnet(blocks=1)
    call, seen = counting(network)
    batches = [images(1, 8, 8, 3), images(1, 12, 8, 3)]
    for found, batch in zip(together(call, batches, True), batches, strict=True):
        np.testing.assert_allclose(found, network(batch, training=True), atol=1e-6)
    assert seen == [(1, 8, 8, 3), (1, 12, 8, 3)]


# Activations forgotten.

CASES = {
    "resnet": (lambda **o: resnet(**o), 3, (2, 8, 12, 3)),
    "resize": (lambda **o: resnet(upsampling="resize", norm_affine=True, **o), 3, (1, 8, 8, 3)),
    "long_skips": (lambda **o: resnet(long_skips=True, **o), 3, (2, 8, 12, 3)),
    "fast_style": (
        lambda **o: build_generator("fast_style", filters=2, blocks=2, seed=3, **o),
        3,
        (1, 12, 12, 3),
    ),
    "unet": (lambda **o: build_generator("unet_128", filters=1, seed=3, **o), 1, (1, 128, 128, 3)),
}


def forgetfully(network, x):
    """As `plainly`, by way of `rematerialized_call`."""
    with tf.GradientTape() as tape:
        tape.watch(x)
        outputs = rematerialized_call(network, x, training=True)
        total = tilted(outputs)
    return [outputs], tape.gradient(total, [x, *(v.value for v in network.trainable_variables)])


@pytest.mark.parametrize("dropout", [False, True], ids=["", "dropout"])
@pytest.mark.parametrize("case", CASES)
def test_forgetting_changes_no_number(case, dropout):
    build, count, shape = CASES[case]
    one, other = (shake(build(dropout=dropout)) for _ in "ab")
    assert len(_segments(other)) == count
    x = images(*shape)
    for _ in range(2 if case == "resnet" else 1):
        expected, found = plainly(one, x), forgetfully(other, x)
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
    assert bool(states(one)) == dropout


@pytest.mark.parametrize("policy", ["float32", "mixed_bfloat16"])
def test_forgetting_with_weights_read_once(policy):
    """The way the training step goes: two calls, one sum, random states moved on once by each.

    In float32 in a graph; in bfloat16 eagerly, for a graph fuses, and so rounds, otherwise.
    """
    one, other = (shake(resnet(dropout=True, dtype_policy=policy)) for _ in "ab")
    x = images(1, 8, 8, 3)

    def step(x):
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            weights = CachedWeights([other], tape)
            with weights.used():
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


def test_what_was_forgotten_is_computed_again():
    network = resnet(upsampling="resize")
    plain, twice = operation_types(plainly, network), operation_types(forgetfully, network)
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
    forgotten = held(lambda x: rematerialized_call(network, x, training=True), network, count)
    assert len(forgotten) == len(_segments(network)) == 4, forgotten
    assert len(plain) >= 14, plain


def test_long_skips_are_held_too():
    network = resnet(blocks=3, long_skips=True)
    forgotten = held(lambda x: rematerialized_call(network, x, training=True), network, 5)
    assert len(forgotten) == len(_segments(network)) + 2 == 6, forgotten


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


def test_segments_are_made_once_share_the_layers_and_leave_the_network_as_it_was(tmp_path):
    network = resnet(dropout=True, norm_affine=True)
    x = images(1, 8, 8, 3)
    expected, names = network(x), [v.path for v in network.variables]
    config = network.get_config()
    rematerialized_call(network, x, training=True)
    segments = _segments(network)
    assert all(a is b for a, b in zip(segments, _segments(network), strict=True))
    assert {id(v) for s in segments for v in s.trainable_variables} == {
        id(v) for v in network.trainable_variables
    }
    assert sum(len(s.trainable_variables) for s in segments) == len(network.trainable_variables)
    assert [v.path for v in network.variables] == names
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
    expected, found = plainly(twin, x), forgetfully(network, x)
    assert_near(found[0], expected[0], 1e-6)
    for a, b in zip(found[1], expected[1], strict=True):
        np.testing.assert_allclose(a, b, atol=1e-4, rtol=1e-4)
    for a, b in zip(
        states(network), states(twin), strict=True
    ):  # moving mean and variance moved once
        np.testing.assert_allclose(a, b, rtol=1e-6)
