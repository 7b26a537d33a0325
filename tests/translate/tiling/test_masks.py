"""Pixels without data are found in each tile, at the scale of each layer."""

import numpy as np
import tensorflow as tf

from cyclegan_tf.images.nodata import Missing
from cyclegan_tf.translate.tiling.masks import core_with_data, only_with_data
from cyclegan_tf.translate.tiling.tiles import Tiling

MASK = np.random.default_rng(0).random((50, 70)) < 0.3
MISSING = Missing(0.0, lambda top, bottom: MASK[top:bottom])


def test_cores_cover_the_image_once():
    tiling = Tiling.of(50, 70, tile_px=32, overlap_px=8, size_divisor_px=4)
    count = sum(core_with_data(MISSING, tiling, place).sum() for place in tiling.places())
    padded = MASK[tiling.rows.source][:, tiling.columns.source]
    assert count == (~padded).sum()


def test_values_of_smaller_maps():
    with_data = np.zeros((8, 12), bool)
    with_data[:4, :6] = True
    values = tf.reshape(tf.range(24, dtype=tf.float32), (1, 4, 6, 1))
    found = only_with_data(values, with_data)
    assert tf.reshape(found, [-1]).numpy().tolist() == [0, 1, 2, 6, 7, 8]
    assert only_with_data(values, np.zeros((8, 12), bool)) is None
