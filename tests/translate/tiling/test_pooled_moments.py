"""Moments of parts are those of the whole."""

import numpy as np
import tensorflow as tf

from cyclegan_tf.translate.tiling.pooled_moments import PooledMoments


def test_they_are_those_of_all_pixels():
    values = (1e4 + np.random.default_rng(0).normal(size=(1, 30, 7, 3))).astype(np.float32)
    pooled = PooledMoments()
    for part in np.split(values, [3, 4, 19], axis=1):
        pooled.add(tf.constant(part))
    exact = values.astype(np.float64)
    np.testing.assert_allclose(pooled.mean, exact.mean((0, 1, 2)), rtol=1e-6)
    np.testing.assert_allclose(pooled.variance, exact.var((0, 1, 2)), rtol=1e-3)
