"""Long skips by hand, and ranges of arguments; the other blocks are tested with the builders."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from cyclegan_tf.networks.blocks import LayerFactory, require_choice, require_range
from cyclegan_tf.networks.builders import build_generator

SIZES = {"up1": ("down1_norm", "up1_norm"), "up2": ("first_norm", "up2_norm")}


def seen(network, x, *names):
    return [
        v.numpy()
        for v in keras.Model(network.input, [network.get_layer(n).output for n in names])(x)
    ]


@pytest.mark.parametrize("upsampling", ["transposed", "resize"])
def test_long_skips_add_features_of_the_descending_half(upsampling):
    options = {"filters": 2, "blocks": 1, "upsampling": upsampling, "seed": 0}
    plain = build_generator("resnet_6blocks", **options)
    network = build_generator("resnet_6blocks", long_skips=True, **options)
    x = np.random.default_rng(0).uniform(-1, 1, (2, 8, 12, 3)).astype(np.float32)
    for name, (descending, ascending) in SIZES.items():
        down, up, total = seen(network, x, descending, ascending, f"{name}_long_skip")
        np.testing.assert_allclose(total, down + up, atol=1e-6)
        assert down.min() < 0 < down.max()
    total, rectified = seen(network, x, "up1_long_skip", "up1_relu")
    np.testing.assert_array_equal(rectified, np.maximum(total, 0))
    # Weights have the same names, shapes and starts, so either form can take the other's.
    for mine, other in zip(network.weights, plain.weights, strict=True):
        assert mine.path == other.path
        np.testing.assert_array_equal(mine, other)
    assert np.abs(network(x) - plain(x)).max() > 1e-3


def test_detail_passes_though_the_middle_is_silent():
    """With everything between the two halves at 0, the image still depends on its input."""
    x = np.random.default_rng(0).uniform(-1, 1, (1, 8, 8, 3)).astype(np.float32)
    spread = {}
    for long_skips in (False, True):
        network = build_generator("fast_style", filters=2, blocks=1, long_skips=long_skips, seed=1)
        network.get_layer("down2").kernel.assign(0 * network.get_layer("down2").kernel)
        network.get_layer("last").kernel.assign(50 * network.get_layer("last").kernel)
        spread[long_skips] = float(np.std(network(x), axis=(1, 2)).max())
    assert spread[False] < 1e-3
    assert spread[True] > 0.1


def test_antialiased_halving_is_the_filter_and_reflects():
    layers = LayerFactory("float32", 0, "instance", False, "antialiased")
    inputs = keras.Input((None, None, 2))
    x = np.random.default_rng(0).normal(size=(1, 10, 6, 2)).astype(np.float32)
    found = keras.Model(inputs, layers.halve(inputs, "x"))(x).numpy()
    padded = np.pad(x, [(0, 0), (1, 1), (1, 1), (0, 0)], mode="reflect")
    rows = (padded[:, :-2] + 2 * padded[:, 1:-1] + padded[:, 2:]) / 4
    truth = (rows[:, :, :-2] + 2 * rows[:, :, 1:-1] + rows[:, :, 2:]) / 4
    np.testing.assert_allclose(found, truth[:, ::2, ::2], atol=1e-6)


def test_antialiased_doubling_is_the_filter_and_repeats():
    network = build_generator("fast_style", filters=1, blocks=1, upsampling="antialiased", seed=0)
    x = np.random.default_rng(0).normal(size=(1, 12, 8, 3)).astype(np.float32)
    before, after = seen(network, x, "block1_add", "up1_double_mean")
    for axis in (1, 2):  # zeros between the pixels, then the filter: each pixel, then a mean of two
        later = np.concatenate(
            [before.take(range(1, before.shape[axis]), axis), before.take([-1], axis)], axis
        )
        pairs = np.stack([before, (before + later) / 2], axis + 1)
        shape = list(before.shape)
        shape[axis] *= 2
        before = pairs.reshape(shape)
    np.testing.assert_allclose(after, before, atol=1e-6)


def test_antialiased_layers_train_in_half_precision():
    network = build_generator(
        "fast_style", filters=2, blocks=1, upsampling="antialiased", seed=0,
        dtype_policy="mixed_bfloat16",
    )  # fmt: skip
    x = tf.random.stateless_uniform((1, 16, 16, 3), (1, 2), -1, 1)
    with tf.GradientTape() as tape:
        loss = tf.reduce_mean(tf.square(network(x, training=True) - x))
    for name, gradient in zip(
        [variable.path for variable in network.trainable_variables],
        tape.gradient(loss, [v.value for v in network.trainable_variables]),
        strict=True,
    ):
        assert np.isfinite(gradient).all(), name
        if name.endswith("kernel"):
            assert np.abs(gradient).max() > 0, name


def test_antialiased_long_skips_come_from_where_the_image_was_halved():
    network = build_generator(
        "fast_style", filters=1, blocks=1, upsampling="antialiased", long_skips=True, seed=0
    )
    x = np.random.default_rng(0).normal(size=(1, 12, 8, 3)).astype(np.float32)
    down, up, total = seen(network, x, "down1_blur", "up1_norm", "up1_long_skip")
    np.testing.assert_allclose(total, down + up, atol=1e-6)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (
            lambda: require_choice("kind", "c", ("a", "b")),
            "kind must be one of a, b; got 'c'",
        ),
        (lambda: require_range("count", 0, 1), "count must be at least 1, got 0"),
        (lambda: require_range("count", 7, 1, 6), "count must be from 1 to 6, got 7"),
    ],
)
def test_what_is_out_of_range_is_named(call, message):
    with pytest.raises(ValueError, match=message):
        call()
