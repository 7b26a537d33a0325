"""Detail of the input in a translation made at reduced size."""

import numpy as np
import pytest
import tensorflow as tf

from cyclegan_tf.images import detail
from cyclegan_tf.metrics.image_quality import psnr

MIXING = np.array([[0.6, 0.3, 0.1], [-0.2, 0.7, 0.1], [0.2, 0.0, 0.5]], np.float32)


def scene(height=96, width=128, channels=3, seed=0):
    """Blobs, edges and grain, float32 (1, H, W, C) in [-1, 1]."""
    rng = np.random.default_rng(seed)
    rough = rng.uniform(-1, 1, (1, 9, 12, channels)).astype(np.float32)
    smooth = tf.image.resize(rough, (height, width), "bicubic").numpy()
    edges = np.where(smooth[..., :1] > 0.2, 0.3, -0.3)
    grain = rng.normal(0, 0.05, smooth.shape)
    return (0.6 * smooth + edges + grain).clip(-1, 1).astype(np.float32)


def brought_back(image, change, height, width):
    reduced = detail.reduce(tf.constant(image), height, width)
    return detail.with_detail(tf.constant(image), reduced, change(reduced)).numpy()


@pytest.mark.parametrize("size", [(48, 64), (24, 32), (96, 16), (24, 128)])
def test_a_change_of_color_is_as_if_made_at_full_size(size):
    image = scene()
    found = brought_back(image, lambda values: values @ MIXING + 0.1, *size)
    enlarged = tf.image.resize(
        detail.reduce(tf.constant(image), *size) @ MIXING + 0.1, image.shape[1:3], "bicubic"
    )
    truth = image @ MIXING + 0.1
    assert psnr(found, truth) > 35
    assert psnr(found, truth) > psnr(enlarged.numpy(), truth) + 12


def test_what_the_network_paints_itself_shows_few_edges_of_the_input():
    image = scene()
    painted = tf.constant(scene(24, 32, seed=5))
    found = brought_back(image, lambda _: painted, 24, 32)
    alone = tf.image.resize(painted, (96, 128), "bicubic", antialias=True).numpy()
    shown = np.std(found - alone)
    everything = np.std(image - tf.image.resize(detail.reduce(image, 24, 32), (96, 128)).numpy())
    assert shown < 0.2 * everything  # a Laplacian shows everything


def test_gains_rise_with_the_share_that_the_map_explains():
    """y = x + n over a whole image, var x = s, var n = 1 - s: the map explains the share s."""
    x = np.array([[1.0, 1.0], [-1.0, -1.0]], np.float32)
    n = np.array([[1.0, -1.0], [1.0, -1.0]], np.float32)  # of no correlation with x
    for share, wanted in ((0.4, 0.0), (0.7, 0.5), (0.95, 1.0)):
        seen, noise = (np.sqrt(part) * v for part, v in ((share, x), (1 - share, n)))
        both = [
            tf.constant(v[np.newaxis, ..., np.newaxis], tf.float32) for v in (seen, seen + noise)
        ]
        gains = detail.local_gains(*both, ridge=1e-6)
        np.testing.assert_allclose(gains, np.full((1, 2, 2, 1), wanted), atol=1e-3)


def test_reduced_again_it_is_what_the_network_made():
    image = scene(128, 128)
    reduced = detail.reduce(tf.constant(image), 32, 32)
    made = tf.tanh(reduced[..., ::-1] * 1.5)
    found = detail.with_detail(tf.constant(image), reduced, made)
    again = detail.reduce(tf.clip_by_value(found, -1, 1), 32, 32)
    assert psnr(again.numpy(), made.numpy()) > 30


@pytest.mark.parametrize(("inputs", "outputs"), [(1, 3), (3, 1), (5, 1), (13, 2)])
def test_any_channels(inputs, outputs):
    mixing = np.random.default_rng(1).uniform(-0.5, 0.5, (inputs, outputs)).astype(np.float32)
    image = scene(channels=inputs)
    found = brought_back(image, lambda values: values @ mixing, 24, 32)
    assert found.shape == (1, 96, 128, outputs)
    assert psnr(found, image @ mixing) > 30


def test_strips_are_one_image(monkeypatch):
    image = scene(61, 40)
    whole = brought_back(image, lambda values: values @ MIXING, 20, 13)
    monkeypatch.setattr(detail, "_STRIP_PX", 40 * 7)
    parts = brought_back(image, lambda values: values @ MIXING, 20, 13)
    np.testing.assert_allclose(parts, whole, atol=1e-6)


def test_rows_are_enlarged_as_tensorflow_enlarges():
    values = tf.constant(scene(20, 13))
    wanted = tf.image.resize(values, (61, 13), "bicubic", antialias=True)
    places = (tf.range(61, dtype=tf.float32) + 0.5) * (20 / 61) - 0.5
    found = detail._rows_between(values, places, detail._CUBIC)
    np.testing.assert_allclose(found, wanted, atol=1e-5)
    linear = tf.image.resize(values, (61, 13), "bilinear", antialias=True)
    np.testing.assert_allclose(
        detail._rows_between(values, places, detail._LINEAR), linear, atol=1e-5
    )


def test_smaller_images_get_the_translation_reduced():
    image = scene(24, 32)
    found = brought_back(image, lambda values: values @ MIXING, 96, 128)
    assert found.shape == image.shape
    assert psnr(found, image @ MIXING) > 35


def test_integers_and_floats_are_reduced_alike():
    image = scene()
    whole = np.rint((image + 1) * 32767.5).astype(np.uint16)
    np.testing.assert_allclose(
        detail.reduce(tf.constant(whole), 24, 32), detail.reduce(image, 24, 32), atol=1e-4
    )


def test_sizes_unknown_to_a_graph_and_batches():
    images = tf.concat([scene(seed=1), scene(seed=2)], 0)

    @tf.function(input_signature=[tf.TensorSpec((None, None, None, 3))])
    def traced(given):
        reduced = detail.reduce(given, 24, 32)
        return detail.with_detail(given, reduced, reduced * 0.5)

    for index, found in enumerate(traced(images)):
        alone = brought_back(images[index : index + 1].numpy(), lambda v: v * 0.5, 24, 32)
        np.testing.assert_allclose(found, alone[0], atol=1e-5)
