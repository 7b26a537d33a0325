"""The color skip: moments, the map between them, the layer and its place in networks and files."""

import zipfile

import h5py
import keras
import numpy as np
import pytest
import tensorflow as tf

from cyclegan_tf.images import io as image_io
from cyclegan_tf.model.recompute import rematerialized_call
from cyclegan_tf.networks.builders import as_float32, build_generator
from cyclegan_tf.networks.color_skip import (
    LEARNING_RATE_MULTIPLIER,
    ColorSkip,
    Moments,
    approx_atanh,
    max_stretch,
    moments,
    monge_kantorovich_map,
)


def images(seed, count=3, channels=3, height=9, width=7):
    """Random ones whose channels go together."""
    rng = np.random.default_rng(seed)
    mixing = rng.uniform(-0.3, 0.5, (channels, channels))
    return [
        np.clip(rng.normal(0.1, 0.6, (height, width, channels)) @ mixing, -1, 1)
        for _ in range(count)
    ]


def test_the_curve_undoes_the_tanh():
    x = np.linspace(-1, 1, 501)
    np.testing.assert_allclose(np.tanh(approx_atanh(x)), 0.97 * x, atol=0.041)


def test_moments_are_those_of_all_pixels_together():
    several = [*images(1), *images(2, count=1, height=30)]
    pixels = np.concatenate([approx_atanh(image).reshape(-1, 3) for image in several])
    found = moments(iter(several))
    np.testing.assert_allclose(found.mean, pixels.mean(axis=0), atol=1e-12)
    np.testing.assert_allclose(found.covariance, np.cov(pixels.T, bias=True), atol=1e-12)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_moments_of_pixel_values_are_those_of_what_they_mean_bit_for_bit(dtype):
    rng = np.random.default_rng(5)
    pixels = [rng.integers(0, np.iinfo(dtype).max + 1, (31, 17, 3)).astype(dtype) for _ in "ab"]
    values = image_io.to_signed(np.arange(np.iinfo(dtype).max + 1).astype(dtype))
    one, other = moments(map(image_io.to_signed, pixels)), moments(pixels, values)
    np.testing.assert_array_equal(one.mean, other.mean)
    np.testing.assert_array_equal(one.covariance, other.covariance)


def test_moments_of_nothing_are_refused():
    with pytest.raises(ValueError, match="at least one"):
        moments(iter([]))


def test_the_transferred_colors_have_the_targets_mean_and_covariance():
    source, target = moments(images(3)), moments(images(4))
    matrix, offset = monge_kantorovich_map(source, target)
    np.testing.assert_allclose(matrix @ source.mean + offset, target.mean, atol=1e-12)
    # 1e-4 on the source's variances keeps the inverse finite
    np.testing.assert_allclose(
        matrix @ source.covariance @ matrix.T, target.covariance, rtol=0.02, atol=2e-3
    )


def test_the_transfer_is_the_one_that_moves_colors_least():
    """Of all maps with the right moments, the optimal one alone is symmetric and positive
    (Brenier's theorem)."""
    matrix, _ = monge_kantorovich_map(moments(images(3)), moments(images(4)))
    np.testing.assert_allclose(matrix, matrix.T, atol=1e-9)
    assert np.linalg.eigvalsh(matrix).min() > 0


def test_one_channel_is_scaled_by_the_ratio_of_deviations():
    matrix, offset = monge_kantorovich_map(
        Moments(np.array([0.5]), np.array([[0.04]])), Moments(np.array([-1.0]), np.array([[0.36]]))
    )
    np.testing.assert_allclose(matrix, [[3.0]], rtol=2e-3)
    np.testing.assert_allclose(offset, [-2.5], rtol=2e-3)


def test_equal_domains_are_left_as_they_are():
    same = moments(images(5))
    matrix, offset = monge_kantorovich_map(same, same)
    np.testing.assert_allclose(matrix, np.eye(3), atol=1e-9)
    np.testing.assert_allclose(offset, 0, atol=1e-9)


def test_a_domain_of_one_color_gives_finite_numbers():
    flat = moments([np.full((4, 4, 3), 0.5)])
    for source, target in ((flat, moments(images(6))), (moments(images(6)), flat)):
        matrix, offset = monge_kantorovich_map(source, target)
        assert np.isfinite(matrix).all()
        np.testing.assert_allclose(matrix @ source.mean + offset, target.mean, atol=1e-9)


@pytest.mark.parametrize(
    ("stretch", "expected"),
    [([1.0, 1.0, 1.0], 1.0), ([0.5, 1.0, 1.5], 2.0), ([0.5, 3.0, 1.0], 3.0)],
)
def test_max_stretch_is_the_largest_factor_in_either_direction(stretch, expected):
    turned, _ = np.linalg.qr(np.random.default_rng(13).normal(size=(3, 3)))
    assert max_stretch(turned @ np.diag(stretch) @ turned.T) == pytest.approx(expected)


def test_the_layer_starts_as_nothing_then_as_the_monge_kantorovich_map():
    layer, x = ColorSkip(2), np.stack(images(9)).astype(np.float32)
    assert not np.any(layer(x))
    matrix, offset = np.array([[1.0, -2.0, 0.5], [0.0, 1.0, 3.0]]), np.array([0.25, -1.0])
    layer.initialize(matrix, offset)
    np.testing.assert_allclose(layer(x), approx_atanh(x) @ matrix.T + offset, atol=1e-5)


def test_what_is_trained_moves_at_a_pace():
    layer, x = ColorSkip(1), np.full((1, 1, 1, 1), 0.5, np.float32)
    layer(x)
    layer.kernel_moved.assign(np.ones((1, 1, 2, 1)))
    assert not np.any(layer(x))  # no start, no pace
    layer.initialize(np.zeros((1, 1)), np.zeros(1))
    layer.kernel_moved.assign(np.array([0.02, 0.0]).reshape(1, 1, 2, 1))
    np.testing.assert_allclose(layer(x), [[[[50 * 0.02 * 0.5]]]], rtol=1e-6)
    assert [v.name for v in layer.trainable_variables] == ["kernel_moved", "bias_moved"]


def test_the_layer_comes_back_from_its_config():
    layer = ColorSkip.from_config(ColorSkip(5, name="a").get_config())
    assert (layer.channels, layer.name, layer(np.zeros((1, 2, 2, 3))).shape) == (
        5,
        "a",
        (1, 2, 2, 5),
    )


def built(**options):
    network = build_generator(
        "resnet_6blocks", filters=2, blocks=1, color_skip=True, seed=3, **options
    )
    last = network.get_layer("last")
    last.set_weights([np.zeros_like(weight) for weight in last.get_weights()])
    network.get_layer("colour_skip").initialize(np.eye(3), np.zeros(3))
    return network


@pytest.mark.parametrize("policy", ["float32", "mixed_bfloat16"])
def test_a_generator_whose_chain_is_silent_shows_the_colors_alone(policy):
    x = np.stack(images(10, height=16, width=16)).astype(np.float32)
    np.testing.assert_allclose(built(dtype_policy=policy)(x), np.tanh(approx_atanh(x)), atol=1e-5)


def test_a_unet_has_it_too():
    network = build_generator("unet_128", filters=2, color_skip=True)
    assert network.get_layer("colour_skip_add").output.shape == (None, None, None, 3)


def test_a_copy_in_float32_and_a_saved_one_give_the_same(tmp_path):
    network, x = (
        built(dtype_policy="mixed_bfloat16"),
        np.stack(images(11, height=16, width=16)).astype(np.float32),
    )
    network.save(tmp_path / "a.keras")
    for other in (as_float32(network), keras.saving.load_model(tmp_path / "a.keras")):
        np.testing.assert_allclose(other(x), network(x), atol=1e-6)


def test_forgetting_changes_neither_outputs_nor_gradients():
    network = build_generator("resnet_6blocks", filters=2, blocks=2, color_skip=True, seed=3)
    network.get_layer("colour_skip").initialize(
        *monge_kantorovich_map(moments(images(3)), moments(images(4)))
    )
    x = tf.constant(np.stack(images(12, height=16, width=16)).astype(np.float32))
    found = []
    for call in (
        lambda: network(x, training=True),
        lambda: rematerialized_call(network, x, training=True),
    ):
        with tf.GradientTape() as tape:
            output = call()
            loss = tf.reduce_sum(tf.square(output - 0.3))
        found.append([output, *tape.gradient(loss, network.trainable_variables)])
    for a, b in zip(*found, strict=True):
        np.testing.assert_allclose(a, b, atol=1e-4)
    assert np.abs(found[0][-1]).max() > 0


def test_pace_lets_a_color_change_sign_within_some_hundred_steps():
    """Adam's step is about the learning rate, 2e-4 in the paper."""
    assert 300 * 2e-4 * LEARNING_RATE_MULTIPLIER > 2


def test_without_a_start_training_leaves_it_nothing():
    layer, x = ColorSkip(2), tf.constant(np.stack(images(14)), tf.float32)
    layer(x)
    adam = keras.optimizers.Adam(0.1)
    for _ in range(3):
        with tf.GradientTape() as tape:
            loss = tf.reduce_sum(tf.square(layer(x) - 1.0))
        adam.apply(tape.gradient(loss, layer.trainable_variables), layer.trainable_variables)
    assert not np.any(layer(x))


def test_its_weights_keep_their_place_in_files(tmp_path):
    """Keras names it after the class, whose name was another when the first files were saved."""
    network = build_generator("fast_style", filters=1, blocks=1, color_skip=True)
    network.save(tmp_path / "n.keras")
    with zipfile.ZipFile(tmp_path / "n.keras") as file:
        (tmp_path / "w.h5").write_bytes(file.read("model.weights.h5"))
    with h5py.File(tmp_path / "w.h5") as weights:
        assert "layers/colour_skip/vars/0" in weights
        assert "layers/color_skip" not in weights
