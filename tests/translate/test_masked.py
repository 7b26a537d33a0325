"""What fills a hole hardly changes what lies beside it, but near its border."""

import numpy as np
import pytest

from cyclegan_tf.images.training_scale import FULL, TrainingScale
from cyclegan_tf.networks import builders
from cyclegan_tf.translate.masked import MaskedTranslator
from cyclegan_tf.translate.translator import Translator
from tests.helpers.errors import refused


@pytest.fixture(scope="module")
def network():
    return builders.build_generator(
        "fast_style", filters=4, blocks=1, seed=3, dtype_policy="float32"
    )


@pytest.fixture(scope="module")
def image():
    y, x = np.mgrid[:64, :192]
    planes = [127 + 90 * np.sin(x / (5 + k)) * np.cos(y / (7 - k)) for k in range(3)]
    return np.rint(np.stack(planes, -1)).astype(np.uint8)


MISSING = np.zeros((64, 192), bool)
MISSING[:, 128:] = True


def test_with_all_pixels_it_is_the_plain_translation(network, image):
    for scale in (FULL, TrainingScale("area", 40)):
        found = MaskedTranslator(network, 4, scale).masked(image, np.zeros_like(MISSING))
        plain = Translator(network, 4, scale)(image)
        assert np.abs(found.astype(int) - plain).max() <= 1


def test_what_fills_the_hole_hardly_counts(network, image):
    translate = MaskedTranslator(network, 4)
    black, white = image.copy(), image.copy()
    black[MISSING], white[MISSING] = 0, 255
    beside = np.s_[:, :88]  # beyond what a convolution sees of the hole
    found = [translate.masked(each, MISSING)[beside].astype(int) for each in (black, white)]
    plain = [Translator(network, 4)(each)[beside].astype(int) for each in (black, white)]
    # what is left comes from maps beside the hole, whose pixels have data and see it
    assert np.abs(found[0] - found[1]).mean() < np.abs(plain[0] - plain[1]).mean() / 4


def test_an_image_without_any_data(network, image):
    found = MaskedTranslator(network, 4).masked(image, np.ones_like(MISSING))
    assert found.shape == image.shape


def test_a_network_that_cannot_be_cut():
    import keras

    x = keras.Input((None, None, 3))
    with refused("unsupported"):
        MaskedTranslator(keras.Model(x, keras.layers.GroupNormalization(1)(x)), 1)
