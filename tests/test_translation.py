"""One picture of any size through a generator."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from cyclegan_tf import assembly, translation
from cyclegan_tf.networks import build_generator


class Identity(keras.layers.Layer):
    def call(self, inputs):
        return inputs


@pytest.mark.parametrize("size", [(64, 48), (61, 47), (1, 1), (3, 200), (17, 16)])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_any_size_comes_back_at_its_place_and_depth(size, dtype):
    inputs = keras.Input((None, None, 3))
    translator = translation.Translator(keras.Model(inputs, Identity()(inputs)), 4)
    picture = np.random.default_rng(1).integers(0, np.iinfo(dtype).max + 1, (*size, 3)).astype(dtype)
    out = translator(picture)
    assert out.dtype == dtype
    assert np.abs(out.astype(int) - picture).max() <= (0 if dtype == np.uint8 else 1)


def test_a_picture_that_fits_is_given_to_the_network_as_it_is():
    network = build_generator("resnet_6blocks", filters=2, blocks=1, seed=3)
    picture = np.random.default_rng(1).integers(0, 256, (32, 20, 3), np.uint8)
    direct = network(tf.constant(picture[None] / 127.5 - 1, tf.float32))[0].numpy()
    expected = np.round((direct + 1) * 127.5)
    assert np.abs(translation.Translator(network, 4)(picture).astype(int) - expected).max() <= 1


def test_u_nets_take_any_size_too():
    network = build_generator("unet_128", filters=1, seed=0)
    assert assembly.network_multiple_px(network) == 128
    assert translation.Translator(network, 128)(np.zeros((50, 130, 3), np.uint8)).shape == (50, 130, 3)


def test_names_that_cannot_be_written_become_png(tmp_path):
    (tmp_path / "in").mkdir()
    for name in ("a.gif", "b.JPG"):
        (tmp_path / "in" / name).touch()
    tasks = translation.plan(tmp_path / "in", tmp_path / "out")
    assert [task.target.name for task in tasks] == ["a.png", "b.JPG"]
