"""What `fit` and `train_on_batch` may hand over."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from cyclegan_tf.model.batches import refuse_keras_arguments, training_images

IMAGES = np.zeros((1, 4, 4, 3), np.float32)


@pytest.mark.parametrize("data", [(IMAGES, IMAGES + 1), (IMAGES, IMAGES + 1, None)])
def test_images_of_both_domains(data):
    real_x, real_y, is_paired = training_images(data, uses_pairs=False)
    assert is_paired is None
    assert (float(tf.reduce_max(real_x)), float(tf.reduce_max(real_y))) == (0, 1)


@pytest.mark.parametrize("data", [IMAGES, (IMAGES,), ((IMAGES, IMAGES),)])
def test_one_part_is_refused(data):
    with pytest.raises(ValueError, match="but got one part only"):
        training_images(data, uses_pairs=False)


def test_with_pairs_the_third_says_which_are_partners():
    assert training_images((IMAGES, IMAGES, np.ones(1)), uses_pairs=True)[2] == [1]
    assert training_images((IMAGES, IMAGES), uses_pairs=True)[2] is None


def test_weights_of_samples_are_refused():
    with pytest.raises(ValueError, match="neither sample_weight nor class_weight"):
        training_images((IMAGES, IMAGES, np.ones(1)), uses_pairs=False)


class Plain(keras.Model):
    """Takes what Keras takes."""

    def call(self, inputs):
        return inputs


@pytest.mark.parametrize("method", ["fit", "train_on_batch"])
@pytest.mark.parametrize("name", ["sample_weight", "class_weight"])
def test_weights_are_refused_before_keras_looks_at_them(method, name):
    model = refuse_keras_arguments(type("Model", (Plain,), {}))()
    model.compile(run_eagerly=True)
    with pytest.raises(ValueError, match="neither sample_weight nor class_weight"):
        getattr(model, method)(IMAGES, IMAGES, **{name: {0: 1.0}})


def test_weights_are_refused_by_their_place_too():
    model = refuse_keras_arguments(type("Model", (Plain,), {}))()
    with pytest.raises(ValueError, match="neither sample_weight"):
        model.train_on_batch(IMAGES, IMAGES, np.ones(1))


@pytest.mark.parametrize(
    "arguments", [{"metrics": ["mae"]}, {"loss": "mse"}, {"optimizer": "adam", "loss": "mse"}]
)
def test_what_keras_compiles_with_is_refused(arguments):
    name = next(iter(arguments))
    with pytest.raises(ValueError, match=f"own losses, without {name}"):
        refuse_keras_arguments(type("Model", (Plain,), {}))().compile(**arguments)


def test_whole_numbers_are_refused():
    with pytest.raises(ValueError, match="real_y is uint8"):
        training_images((IMAGES, IMAGES.astype(np.uint8)), uses_pairs=False)
