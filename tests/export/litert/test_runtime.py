"""The interpreter's wrapper: what runs, what it is made of, how much of it XNNPACK takes."""

import numpy as np
import pytest
import tensorflow as tf

from cyclegan_tf.export.litert.runtime import LiteRTModel, delegated_share, operations_of


def converted(function, folder):
    module = tf.Module()
    module.run = tf.function(
        lambda images: {"translated": function(images)},
        input_signature=[tf.TensorSpec((1, 6, 6, 2))],
        autograph=False,
    )
    tf.saved_model.save(module, str(folder), signatures={"serving_default": module.run})
    return tf.lite.TFLiteConverter.from_saved_model(str(folder)).convert()


@pytest.fixture(scope="module")
def split(tmp_path_factory):
    """Two operations for XNNPACK around one that it does not take."""
    mirror = [[0, 0], [1, 1], [1, 1], [0, 0]]
    return converted(
        lambda x: tf.tanh(tf.pad(tf.sqrt(x), mirror, "REFLECT")), tmp_path_factory.mktemp("split")
    )


def test_images_go_one_by_one(split):
    batch = np.random.default_rng(0).uniform(0, 1, (3, 6, 6, 2)).astype(np.float32)
    model = LiteRTModel(split)
    assert model.shape == (1, 6, 6, 2)
    padded = np.pad(np.sqrt(batch), [(0, 0), (1, 1), (1, 1), (0, 0)], mode="reflect")
    np.testing.assert_allclose(model(batch), np.tanh(padded), atol=1e-5)


def test_from_a_file(split, tmp_path):
    (tmp_path / "a.tflite").write_bytes(split)
    assert (
        operations_of(tmp_path / "a.tflite")
        == operations_of(split)
        == {"SQRT": 1, "MIRROR_PAD": 1, "TANH": 1}
    )


def test_the_share_of_a_split_graph(split, tmp_path):
    assert delegated_share(split) == pytest.approx(2 / 3)
    assert delegated_share(converted(lambda x: tf.tanh(tf.sqrt(x)), tmp_path)) == 1.0
