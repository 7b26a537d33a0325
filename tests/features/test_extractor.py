"""Images of any size and kind, through any network that gives vectors."""

import keras
import numpy as np
import pytest

from cyclegan_tf.features.extractor import Extractor, rounded


@pytest.fixture(scope="module")
def extractor():
    inputs = keras.Input((4, 4, 3))
    network = keras.Model(inputs, keras.layers.GlobalAveragePooling2D()(inputs))
    return Extractor(network, 4, "bicubic", antialias=True)


def test_one_vector_each_in_batches(extractor):
    images = [np.full((size, size + 1, 3), level, np.uint8) for size, level in ((2, 0), (9, 255))]
    found = extractor.features([*images, images[0]], batch=2)
    np.testing.assert_allclose(found, [[-1] * 3, [1] * 3, [-1] * 3], atol=1e-6)
    assert found.dtype == np.float32
    assert extractor.features([]).shape == (0, 3)


def test_images_are_rounded_to_bytes_clipped_and_given_three_channels():
    given = np.array([[[-1.3], [1.2], [0.5001], [-1 + 2 / 255 + 0.003]]])
    np.testing.assert_allclose(
        rounded(given)[0, :, 1], [-1, 1, 191 / 127.5 - 1, 1 / 127.5 - 1], atol=1e-6
    )
    for wrong in (np.zeros((2, 2, 4)), np.zeros((2, 2)), np.zeros((2, 2, 3), np.uint16)):
        with pytest.raises(ValueError, match="feature networks take"):
            rounded(wrong)
