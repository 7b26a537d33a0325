"""Normalization by given statistics: the same as instance normalization where it should be, and
what it keeps."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from cyclegan_tf.networks.builders import build_generator
from cyclegan_tf.networks.layers import InstanceNormalization
from cyclegan_tf.networks.shared_normalization import (
    SharedInstanceNormalization,
    set_momentum,
    shared_layers,
    with_shared_normalization,
)


def images(n=1, side=6, channels=3, seed=0):
    return np.random.default_rng(seed).normal(3, 2, (n, side, side, channels)).astype(np.float32)


def test_one_image_at_rate_1_is_instance_normalization():
    layer, instance = (
        SharedInstanceNormalization(1e-3, True, True),
        InstanceNormalization(1e-3, True, True),
    )
    x = images()
    for one in (layer, instance):
        one.build(x.shape)
        one.gamma.assign([1, 2, 3])
        one.beta.assign([0, -1, 1])
    np.testing.assert_allclose(layer(x), instance(x), atol=1e-5)


def test_several_images_are_taken_together_and_kept():
    layer, x = SharedInstanceNormalization(), images(2)
    y = layer(x).numpy()
    mean, variance = x.mean((0, 1, 2)), x.var((0, 1, 2))
    np.testing.assert_allclose(y, (x - mean) / np.sqrt(variance + 1e-5), atol=1e-5)
    np.testing.assert_allclose(layer.mean, mean, rtol=1e-5)
    np.testing.assert_allclose(layer.variance, variance, rtol=1e-5)


def test_rate_0_takes_what_is_kept_and_between_follows():
    layer, first, second = SharedInstanceNormalization(), images(seed=1), 2 * images(seed=2) + 1
    layer(first)
    kept = first.mean((0, 1, 2)), first.var((0, 1, 2))
    layer.momentum.assign(0)
    np.testing.assert_allclose(
        layer(second), (second - kept[0]) / np.sqrt(kept[1] + 1e-5), atol=1e-4
    )
    np.testing.assert_allclose(layer.mean, kept[0], rtol=1e-5)
    layer.momentum.assign(0.25)
    mean = 0.25 * second.mean((0, 1, 2)) + 0.75 * kept[0]
    variance = 0.25 * second.var((0, 1, 2)) + 0.75 * kept[1]
    np.testing.assert_allclose(layer(second), (second - mean) / np.sqrt(variance + 1e-5), atol=1e-4)
    np.testing.assert_allclose(layer.mean, mean, rtol=1e-5)
    np.testing.assert_allclose(layer.variance, variance, rtol=1e-5)


def test_half_precision_keeps_statistics_in_float32():
    layer, x = SharedInstanceNormalization(dtype="mixed_bfloat16"), 100 + images(side=32)
    y = layer(x)
    assert y.dtype == tf.bfloat16
    seen = tf.cast(tf.cast(x, tf.bfloat16), tf.float32).numpy()
    assert layer.mean.dtype == "float32"
    np.testing.assert_allclose(layer.mean, seen.mean((0, 1, 2)), rtol=1e-5)


@pytest.mark.parametrize(
    "options",
    [
        {"architecture": "resnet_6blocks", "blocks": 1, "norm_affine": True},
        {"architecture": "resnet_6blocks", "blocks": 1, "dropout": True, "color_skip": True},
        {"architecture": "resnet_6blocks", "blocks": 1, "norm": "batch"},
    ],
)
def test_a_copy_gives_what_the_network_gives(options):
    network = build_generator(filters=3, seed=1, **options)
    rng = np.random.default_rng(0)
    for variable in network.trainable_variables:
        variable.assign(variable + rng.normal(0, 0.3, variable.shape))
    copy, x = with_shared_normalization(network), np.tanh(images(1, 32))
    np.testing.assert_allclose(copy(x), network(x), atol=1e-4)
    norms = [layer.name for layer in network.layers if isinstance(layer, InstanceNormalization)]
    assert [layer.name for layer in shared_layers(copy)] == norms
    set_momentum(copy, 0)
    assert [float(layer.momentum.value) for layer in shared_layers(copy)] == [0] * len(norms)
    np.testing.assert_allclose(copy(x), network(x), atol=1e-4)  # by what it has kept


def test_config_is_whole():
    layer = SharedInstanceNormalization(1e-3, True, True, name="n", dtype="mixed_bfloat16")
    again = keras.layers.deserialize(keras.layers.serialize(layer))
    assert again.get_config() == layer.get_config()
    assert (again.epsilon, again.center, again.scale) == (1e-3, True, True)


def test_a_network_whose_input_has_no_name_is_copied_too():
    inputs = keras.Input((8, 8, 2))
    outputs = keras.layers.Conv2D(2, 3)(InstanceNormalization()(keras.layers.Conv2D(2, 3)(inputs)))
    network = keras.Model(inputs, outputs)
    x = images(side=8, channels=2)
    np.testing.assert_allclose(with_shared_normalization(network)(x), network(x), atol=1e-5)
