"""Small networks and two ways of taking their gradients, plainly and by `CachedWeights`."""

import numpy as np
import tensorflow as tf

from cyclegan_tf.model.gradients import CachedWeights
from cyclegan_tf.networks.builders import build_generator


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


def once_read(network, x, calls=1):
    with tf.GradientTape(watch_accessed_variables=False) as tape:
        tape.watch(x)
        weights = CachedWeights([network], tape)
        with weights.scope():
            outputs = [network(x, training=True) for _ in range(calls)]
        total = tf.add_n([tilted(o) for o in outputs])
    gradients = tape.gradient(total, [x, *weights.tensors])
    by_variable = {id(v): g for v, g in zip(weights.variables, gradients[1:], strict=True)}
    assert len(by_variable) == len(network.trainable_variables)
    return outputs, [gradients[0], *(by_variable[id(v)] for v in network.trainable_variables)]
