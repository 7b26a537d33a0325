"""Sizes coarse to fine, and what is handed over."""

import numpy as np
import pytest
import tensorflow as tf

from cyclegan_tf.stylize.octaves import handed_over, octave_sizes, resized, result_size


@pytest.mark.parametrize(
    ("size", "octaves", "wanted"),
    [
        ((300, 512), 0, [(75, 128), (150, 256), (300, 512)]),
        ((128, 100), 0, [(128, 100)]),
        ((255, 255), 0, [(255, 255)]),
        ((5, 3), 0, [(5, 3)]),
        ((33, 20), 3, [(8, 5), (16, 10), (33, 20)]),
        ((3, 1), 4, [(1, 1), (1, 1), (2, 1), (3, 1)]),
    ],
)
def test_each_is_half_the_next_and_the_last_is_the_size(size, octaves, wanted):
    assert octave_sizes(*size, octaves) == wanted


def test_the_longer_side_is_as_asked_for():
    assert result_size(30, 41, 0) == (30, 41)
    assert result_size(300, 400, 512) == (384, 512)
    assert result_size(400, 3, 20) == (20, 1)


def image(seed, height, width):
    values = np.random.default_rng(seed).uniform(-1, 1, (1, height, width, 3))
    return tf.constant(values, tf.float32)


def test_an_unchanged_octave_changes_nothing_and_a_tint_stays():
    finer = image(0, 17, 24)
    coarse = resized(finer, 8, 12)
    np.testing.assert_array_equal(handed_over(coarse, coarse, finer), finer)
    tinted = handed_over(coarse * 0 + 0.25, coarse * 0, finer)
    np.testing.assert_allclose(tinted, np.clip(finer + 0.25, -1, 1), atol=1e-5)


def test_nothing_is_resized_to_its_own_size():
    given = image(1, 5, 7)
    assert resized(given, 5, 7) is given
    assert resized(given, 3, 9).shape == (1, 3, 9, 3)
