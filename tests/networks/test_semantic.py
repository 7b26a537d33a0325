"""A classifier out of a file, asked about our images."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from cyclegan_tf.model.other_terms import gives_shares, semantic_difference
from cyclegan_tf.networks.semantic import open_frozen
from tests.helpers import tiny_onnx, tiny_segmenters
from tests.helpers.errors import refused


def saved(path, size=None, channels=3):
    """Says the mean of each channel."""
    inputs = keras.Input((size, size, channels))
    network = keras.Model(inputs, keras.layers.GlobalAveragePooling2D()(inputs))
    network.save(path)
    return path


@pytest.mark.parametrize(("low", "high"), [(-1, 1), (0, 1), (0, 255)])
def test_values_come_in_the_range_it_takes(tmp_path, low, high):
    network = open_frozen(saved(tmp_path / "c.keras"), 3, (low, high))
    images = np.stack([np.full((5, 7, 3), value, np.float32) for value in (-1, 0, 1)])
    found = network(images)[:, 0]
    np.testing.assert_allclose(found, [low, (low + high) / 2, high], atol=1e-4)
    assert network.trainable_variables == []


def test_a_network_of_one_size_sees_images_resized(tmp_path):
    network = open_frozen(saved(tmp_path / "c.keras", size=4), 3, (-1, 1))
    assert network(np.zeros((2, 16, 24, 3), np.float32)).shape == (2, 3)


def test_other_files_are_refused(tmp_path):
    with refused("missing", "loss.semantic"):
        open_frozen(tmp_path / "none.keras", 3, (-1, 1))
    with refused("mismatch", "loss.semantic", match="takes images of 1 channels"):
        open_frozen(saved(tmp_path / "gray.keras", channels=1), 3, (-1, 1))
    vectors = keras.Sequential([keras.Input((4,)), keras.layers.Dense(2)])
    vectors.save(tmp_path / "vectors.keras")
    with refused("unsupported", "loss.semantic"):
        open_frozen(tmp_path / "vectors.keras", 3, (-1, 1))


def test_an_onnx_file_says_and_its_gradient_reaches_the_image(tmp_path):
    pytest.importorskip("onnx")
    network = open_frozen(tiny_segmenters.in_onnx(tmp_path / "s.onnx"), 3, (0, 1))
    images = np.zeros((1, 6, 5, 3), np.float32)
    assert network(images).shape == (1, 6, 5, 2)
    assert not gives_shares(network)  # scores
    translation = tf.Variable(images + 0.1)
    with tf.GradientTape() as tape:
        difference = semantic_difference(network, images, translation)
    # bright is the sum of three channels in [0, 1]: 0.15 more, of two classes
    np.testing.assert_allclose(difference, 0.15**2 / 2, rtol=1e-4)
    assert np.all(tape.gradient(difference, translation).numpy() > 0)
    softmax = tiny_onnx.chain([("Softmax", (), {"axis": 1})], ("n", 3, 4, 4))
    (tmp_path / "c.onnx").write_bytes(softmax)
    shares = open_frozen(tmp_path / "c.onnx", 3, (0, 1))
    assert gives_shares(shares)
    assert shares(images).shape == (1, 4, 4, 3)  # resized to what it takes
    with refused("mismatch", "loss.semantic", match="takes images of 3 channels"):
        open_frozen(tmp_path / "c.onnx", 1, (0, 1))
