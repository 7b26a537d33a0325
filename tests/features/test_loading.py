"""Networks by name: files, packages, and what is said when Keras cannot download."""

import keras
import numpy as np
import pytest

from cyclegan_tf.features import loading
from tests.helpers import tiny_vgg
from tests.helpers.errors import refused


def test_a_file_of_ones_own_takes_the_place_of_the_networks(tmp_path):
    path = tiny_vgg.save(tmp_path / "a.npz")
    network = loading.load("vgg19", ["conv1_1"], path, pooling="average")
    found = network(np.zeros((2, 3, 3, 3), np.float32))["conv1_1"]
    assert found.shape == (2, 3, 3, 4)


def test_the_packages_network(tmp_path, monkeypatch):
    path = tiny_vgg.save(tmp_path / "a.npz")
    monkeypatch.setattr(loading, "hed_weights", lambda: path)
    assert loading.load("vgg16_hed", ["conv5_1"]).output_names == ["conv5_1"]


def downloaded(include_top, weights):
    """What `keras.applications.VGG19` gives, with other weights."""
    assert (include_top, weights) == (False, "imagenet")
    layers = [keras.Input((None, None, 3))]
    for kernel, bias in tiny_vgg.convolutions(widths=(4,) * 16):
        layers += [keras.layers.Conv2D(4, 3), keras.layers.MaxPooling2D(1)]
        layers[-2].build((None, None, None, kernel.shape[2]))
        layers[-2].set_weights([kernel, bias])
    return keras.Sequential(layers)


def test_keras_applications(monkeypatch):
    monkeypatch.setattr(keras.applications, "VGG19", downloaded)
    network = loading.load("vgg19", ["conv4_2", "conv1_1"])
    first, _ = tiny_vgg.convolutions(widths=(4,) * 16)[0]
    np.testing.assert_array_equal(network.get_layer("conv1_1").kernel, first)


@pytest.mark.parametrize("name", ["vgg16", "vgg19"])
def test_without_a_network_the_extra_and_the_option_are_named(monkeypatch, name):
    def no_network(*words, **options):
        raise Exception("URL fetch failure")  # as Keras does

    monkeypatch.setattr(keras.applications, name.upper(), no_network)
    wanted = "--weights.*--features vgg16_hed.*features"
    with refused("missing", "--features", match=wanted) as caught:
        loading.load(name, ["conv1_1"])
    assert "\n" not in str(caught.value)
