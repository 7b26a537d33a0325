"""Layers of tensorflow-addons against their formulas in NumPy.

`make test-addons` compares them with the real ones.
"""

import inspect

import keras
import numpy as np
import pytest
import tensorflow as tf

from cyclegan_tf.networks import layers
from cyclegan_tf.networks.addons import (
    CUSTOM_OBJECTS,
    GroupNormalization,
    InstanceNormalization,
    TutorialReflectionPadding2D,
)
from tests.helpers.keras2 import by_layer, resnet_arrays, resnet_config, run_resnet, write_h5


def noise(*shape, seed=0):
    return np.random.default_rng(seed).normal(2.0, 3.0, shape).astype(np.float32)


def normalized(x, groups, axis, gamma, beta, epsilon):
    """Normalizes groups of neighboring channels, each by its own mean and variance."""
    x = np.moveaxis(np.asarray(x, np.float64), axis, -1)
    parted = x.reshape(x.shape[0], -1, groups, x.shape[-1] // groups)
    mean = parted.mean(axis=(1, 3), keepdims=True)
    variance = ((parted - mean) ** 2).mean(axis=(1, 3), keepdims=True)
    y = ((parted - mean) / np.sqrt(variance + epsilon)).reshape(x.shape) * gamma + beta
    return np.moveaxis(y, -1, axis)


def filled(layer, x):
    if not layer.built:
        layer.build(x.shape)
    for index, variable in enumerate(layer.weights):
        variable.assign(noise(*variable.shape, seed=5 + index))
    return layer


@pytest.mark.parametrize("route", ["eager", "graph"])
@pytest.mark.parametrize(
    ("shape", "axis", "groups"),
    [
        ((2, 5, 4, 6), -1, 1),
        ((2, 5, 4, 6), -1, 3),
        ((2, 5, 4, 6), 3, 2),
        ((2, 5, 4, 6), -1, 6),
        ((2, 6, 5, 4), 1, 3),
        ((2, 6, 5, 4), 1, -1),
        ((2, 5, 6, 4), -2, 3),
        ((3, 7, 4), -1, 2),
        ((3, 8), -1, 2),
        ((2, 3, 4, 5, 6), 4, 2),
    ],
)
def test_normalizes_groups(shape, axis, groups, route):
    x = noise(*shape)
    layer = filled(GroupNormalization(groups, axis, epsilon=0.01), x)
    gamma, beta = layer.get_weights()
    known = tf.TensorSpec(
        [None if i != axis % len(shape) else size for i, size in enumerate(shape)]
    )
    run = layer if route == "eager" else tf.function(lambda x: layer(x), input_signature=[known])
    truth = normalized(x, shape[axis] if groups == -1 else groups, axis, gamma, beta, 0.01)
    np.testing.assert_allclose(run(tf.constant(x)), truth, atol=1e-5 * np.abs(truth).max())


def test_instance_normalization_takes_single_channels_whatever_number_it_is_given():
    x = noise(2, 5, 4, 6)
    layer = filled(InstanceNormalization(groups=2), x)
    gamma, beta = layer.get_weights()
    np.testing.assert_allclose(layer(x), normalized(x, 6, -1, gamma, beta, 1e-3), atol=1e-4)


def test_an_axis_below_minus_one_is_counted_as_tensorflow_addons_does():
    x = noise(2, 5, 6, 4).astype(np.float64)
    layer = filled(InstanceNormalization(axis=-2, dtype="float64"), x)
    gamma, beta = (weight[:, np.newaxis] for weight in layer.get_weights())
    mean = x.mean(axis=(2, 3), keepdims=True)
    variance = x.var(axis=(2, 3), keepdims=True)
    np.testing.assert_allclose(
        layer(x), (x - mean) / np.sqrt(variance + 1e-3) * gamma + beta, rtol=1e-6
    )
    with pytest.raises(ValueError, match="count the axis from the front"):
        InstanceNormalization(axis=-3).build(x.shape)


@pytest.mark.parametrize(("center", "scale"), [(False, False), (True, False), (False, True)])
def test_without_gamma_or_beta(center, scale):
    x = noise(2, 5, 4, 6)
    layer = filled(InstanceNormalization(center=center, scale=scale), x)
    assert [variable.name for variable in layer.weights] == ["gamma"] * scale + ["beta"] * center
    gamma = layer.gamma.numpy() if scale else 1.0
    beta = layer.beta.numpy() if center else 0.0
    np.testing.assert_allclose(layer(x), normalized(x, 6, -1, gamma, beta, 1e-3), atol=1e-4)


def test_gradients():
    x, upstream = noise(2, 5, 4, 3).astype(np.float64), noise(2, 5, 4, 3, seed=1).astype(np.float64)
    layer = filled(InstanceNormalization(dtype="float64"), x)
    with tf.GradientTape() as tape:
        given = tf.constant(x)
        tape.watch(given)
        total = tf.reduce_sum(layer(given) * upstream)
    to_x, to_gamma, to_beta = tape.gradient(total, [given, layer.gamma.value, layer.beta.value])
    gamma = layer.gamma.numpy()
    factor = 1 / np.sqrt(x.var(axis=(1, 2), keepdims=True) + 1e-3)
    unit = (x - x.mean(axis=(1, 2), keepdims=True)) * factor
    scaled = upstream * gamma
    mean = scaled.mean(axis=(1, 2), keepdims=True)
    along = (scaled * unit).mean(axis=(1, 2), keepdims=True)
    np.testing.assert_allclose(to_x, factor * (scaled - mean - unit * along), rtol=1e-6, atol=1e-9)
    np.testing.assert_allclose(to_gamma, (upstream * unit).sum(axis=(0, 1, 2)), rtol=1e-6)
    np.testing.assert_allclose(to_beta, upstream.sum(axis=(0, 1, 2)), rtol=1e-6)


def test_equals_our_own_layer():
    x = noise(2, 8, 8, 4)
    theirs = filled(InstanceNormalization(), x)
    ours = layers.InstanceNormalization(1e-3, center=True, scale=True)
    ours.build(x.shape)
    ours.set_weights(theirs.get_weights())
    np.testing.assert_allclose(theirs(x), ours(x), atol=1e-5)


def test_statistics_are_float32_under_a_mixed_policy():
    x = noise(1, 64, 64, 2) + 200
    layer = filled(InstanceNormalization(dtype="mixed_bfloat16"), x)
    y = layer(x)
    assert y.dtype == tf.bfloat16
    gamma, beta = layer.get_weights()
    truth = normalized(tf.cast(tf.cast(x, tf.bfloat16), tf.float32), 2, -1, gamma, beta, 1e-3)
    np.testing.assert_allclose(tf.cast(y, tf.float32), truth, atol=0.01 * np.abs(truth).max())


def test_regularizers_and_constraints_are_kept():
    layer = GroupNormalization(
        2, gamma_regularizer=keras.regularizers.L2(0.5), beta_constraint="non_neg"
    )
    layer.build((None, 4))
    np.testing.assert_allclose(layer.losses, [0.5 * 4])
    assert type(layer.beta.constraint).__name__ == "NonNeg"


@pytest.mark.parametrize("cls", [GroupNormalization, InstanceNormalization])
def test_config_covers_the_signature_and_survives_saving(cls, tmp_path):
    layer = cls(
        groups=2, axis=-1, epsilon=0.25, gamma_initializer="random_normal", beta_regularizer="l1"
    )
    config = layer.get_config()
    assert set(inspect.signature(GroupNormalization).parameters) - {"kwargs"} <= set(config)
    assert cls.from_config(config).get_config() == config
    x = noise(2, 6, 6, 4)
    inputs = keras.Input((None, None, 4))
    model = keras.Model(inputs, layer(inputs))
    filled(layer, x)
    model.save(tmp_path / "one.keras")
    np.testing.assert_array_equal(keras.saving.load_model(tmp_path / "one.keras")(x), model(x))


@pytest.mark.parametrize(
    ("make", "shape", "message"),
    [
        (lambda: GroupNormalization(axis=0), None, "axis must not be 0"),
        (lambda: GroupNormalization(4), (None, 5, 5, 6), "cannot part 6 channels into 4 groups"),
        (lambda: GroupNormalization(8), (None, 5, 5, 4), "cannot part 4 channels into 8 groups"),
        (lambda: GroupNormalization(0), (None, 5, 5, 4), "cannot part 4 channels into 0 groups"),
        (lambda: InstanceNormalization(), (None, 5, 5, None), "needs a known size of axis -1"),
    ],
)
def test_mistakes(make, shape, message):
    with pytest.raises(ValueError, match=message):
        make().build(shape)


def test_the_tutorials_padding_is_given_as_width_and_height():
    x = noise(2, 6, 7, 3)
    layer = TutorialReflectionPadding2D((1, 3))
    np.testing.assert_array_equal(
        layer(x), np.pad(x, ((0, 0), (3, 3), (1, 1), (0, 0)), mode="reflect")
    )
    assert layer.get_config()["padding"] == (1, 3)
    again = TutorialReflectionPadding2D.from_config({"padding": [1, 3]})
    np.testing.assert_array_equal(again(x), layer(x))
    np.testing.assert_array_equal(
        TutorialReflectionPadding2D(2)(x),
        np.pad(x, ((0, 0), (2, 2), (2, 2), (0, 0)), mode="reflect"),
    )


def test_keras_itself_opens_an_h5_file_of_keras_2_with_them(tmp_path):
    arrays = resnet_arrays()
    path = write_h5(tmp_path / "old.h5", by_layer(arrays), resnet_config(arrays))
    network = keras.saving.load_model(path, custom_objects=CUSTOM_OBJECTS, compile=False)
    x = noise(1, 12, 8, 3) / 10
    np.testing.assert_allclose(
        network([x]), run_resnet(arrays, x), atol=1e-5
    )  # a list, as in the file
