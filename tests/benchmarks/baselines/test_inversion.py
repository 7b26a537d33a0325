"""The search for a code: it finds that of an image which the generator itself made."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from benchmarks.baselines.inversion import Inversion


def drawing(seed, layers=2):
    """A tiny generator: codes (N, 4) to (N, 8, 8, 3)."""
    hidden = [
        keras.layers.Dense(32, "tanh", kernel_initializer=keras.initializers.GlorotNormal(seed + i))
        for i in range(layers - 1)
    ]
    last = keras.layers.Dense(
        192, "tanh", kernel_initializer=keras.initializers.RandomNormal(0, 0.3, seed)
    )
    return keras.Sequential([keras.Input((4,)), *hidden, last, keras.layers.Reshape((8, 8, 3))])


@pytest.fixture(scope="module")
def pair():
    return drawing(1), drawing(2)


@pytest.fixture(scope="module")
def codes():
    return tf.random.stateless_uniform((3, 4), (7, 8), -0.9, 0.9)


def test_it_finds_the_code_of_what_the_generator_drew(pair, codes):
    source, _ = pair
    search = Inversion(*pair, exploring_steps=20, refining_steps=120)
    found, errors = search.find(source(codes).numpy())
    assert np.abs(found - codes).max() < 0.02
    assert errors.max() < 1e-4


def test_a_translation_is_that_code_drawn_by_the_other_generator(pair, codes):
    source, target = pair
    search = Inversion(*pair, exploring_steps=20, refining_steps=120)
    outputs = search(list(source(codes).numpy()))
    assert np.abs(np.stack(outputs) - target(codes)).max() < 0.05


def test_the_best_restart_of_each_image_goes_on(pair):
    """Without steps: the codes are the starts themselves, of which an image's nearest is taken."""
    source, _ = pair
    starts = tf.random.stateless_uniform((5, 1, 4), (9, 1), -1.0, 1.0)[:, 0]
    images = source(starts).numpy()[[3, 0]]
    search = Inversion(*pair, restarts=5, exploring_steps=0, refining_steps=0, seed=9)
    found, errors = search.find(images)
    assert np.array_equal(found, starts.numpy()[[3, 0]])
    assert errors == pytest.approx(0, abs=1e-9)


def test_codes_stay_where_training_drew_them(pair):
    search = Inversion(*pair, restarts=1, exploring_steps=20, refining_steps=20)
    found, errors = search.find(np.full((1, 8, 8, 3), 5.0, np.float32))
    assert np.abs(found).max() <= 1
    assert errors[0] > 10
