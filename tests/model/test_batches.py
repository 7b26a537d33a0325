"""What `fit` and `train_on_batch` may hand over."""

import numpy as np
import pytest
import tensorflow as tf

from cyclegan_tf.model.batches import unpaired_images

IMAGES = np.zeros((1, 4, 4, 3), np.float32)


@pytest.mark.parametrize("data", [(IMAGES, IMAGES + 1), (IMAGES, IMAGES + 1, None)])
def test_images_of_both_domains(data):
    real_x, real_y = unpaired_images(data)
    assert (float(tf.reduce_max(real_x)), float(tf.reduce_max(real_y))) == (0, 1)


@pytest.mark.parametrize("data", [IMAGES, (IMAGES,), ((IMAGES, IMAGES),)])
def test_one_part_is_refused(data):
    with pytest.raises(ValueError, match="but got one part only"):
        unpaired_images(data)


def test_weights_of_samples_are_refused():
    with pytest.raises(ValueError, match="neither sample_weight nor class_weight"):
        unpaired_images((IMAGES, IMAGES, np.ones(1)))


def test_whole_numbers_are_refused():
    with pytest.raises(ValueError, match="real_y is uint8"):
        unpaired_images((IMAGES, IMAGES.astype(np.uint8)))
