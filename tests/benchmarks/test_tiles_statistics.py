"""The comparison of statistics for tiles."""

import numpy as np

from benchmarks.quality import tiles_statistics
from cyclegan_tf.data.sources import ImageList
from cyclegan_tf.translate.tiling.tiles import Tiling
from tests.helpers.image_files import noise


def test_mosaics_take_each_image_once():
    shapes = [(17, 24), (16, 25)] * 4
    images = ImageList(("a",) * 8, 3, lambda index: noise(*shapes[index], seed=index))
    found = list(tiles_statistics.mosaics(images, 2, 5))
    assert [image.shape for image in found] == [(32, 48, 3)] * 2
    np.testing.assert_array_equal(found[1][16:, 24:], noise(16, 25, seed=7)[:16, :24])


def test_a_seam_is_seen():
    image = np.zeros((96, 96, 3), np.uint8)
    tiling = Tiling.of(96, 96, 64, 16, 4)
    assert tiles_statistics.seams(image, tiling) == 0
    border = tiling.rows.cores[0].stop
    image[border:, :, :] = 100
    assert tiles_statistics.seams(image, tiling) == 50  # of one border of two
