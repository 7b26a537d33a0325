"""Tiles by the statistics around each place: crops as in training, no seams, one pass."""

import numpy as np
import pytest
import tensorflow as tf

from cyclegan_tf.images.strips import WholeImage
from cyclegan_tf.translate.tiling.local import LocalTranslator, StatisticsField
from cyclegan_tf.translate.tiling.tiles import TileReader, Tiling
from cyclegan_tf.translate.translator import Translator
from tests.helpers.errors import refused
from tests.translate.tiling.test_tiled import in_tiles, network, uneven

TILE, OVERLAP, PATCH = 64, 28, 32


@pytest.fixture(scope="module")
def plain():
    return network()


def local(network, tile=TILE, overlap=OVERLAP, patch=PATCH):
    return LocalTranslator(network, 4, tile, overlap, patch)


def test_an_image_of_one_patch_is_as_in_training(plain, tmp_path):
    image = uneven(64, 64)
    found = in_tiles(local(plain, patch=64), image, tmp_path)
    whole = Translator(plain, 4)(image)
    assert np.abs(found.astype(int) - whole).max() <= 1
    assert list(tmp_path.iterdir()) == []


def test_the_middle_of_a_patch_is_as_the_patch_alone(plain, tmp_path):
    image = uneven(192, 192)
    found = in_tiles(local(plain, 128, 60, patch=64), image, tmp_path).astype(int)
    alone = Translator(plain, 4)(image[64:128, 64:128]).astype(int)
    whole = Translator(plain, 4)(image).astype(int)
    middle = slice(30, 34)  # which sees 21 px to each side
    off, far = (
        np.abs(one[64:128, 64:128][middle, middle] - alone[middle, middle]).mean()
        for one in (found, whole)
    )
    assert off < far / 2


def test_no_seams_and_the_size_of_tiles_does_not_matter(plain, tmp_path):
    image = uneven(150, 205, np.uint16)
    small, large = (in_tiles(local(plain, tile, 60), image, tmp_path) for tile in (128, 152))
    assert small.dtype == np.uint16
    assert small.shape == image.shape
    off = np.abs(small.astype(int) - large) / 257
    assert off.mean() < 0.6  # of 255; what differs is the network's field of view at the rims


def test_patches_are_measured_once_and_forgotten():
    patches, asked = Tiling.of(96, 64, 32, 0, 4), []
    image = uneven(96, 64)

    def measure(patch):
        asked.append(patch.shape)
        return [(np.full(2, len(asked), np.float32), np.ones(2, np.float32))]

    field = StatisticsField(patches, TileReader(WholeImage(image), patches), measure)
    (means,), _, down, across = field.around((0, 0), (64, 64))
    assert means.shape == (3, 2, 2)  # rows whose centers lie at 16, 48 and 80 px
    np.testing.assert_allclose(means[:2, :, 0], [[1, 2], [3, 4]])
    np.testing.assert_allclose(down.numpy()[[0, 31, 63]], [0, 0.484375, 1.484375])
    np.testing.assert_allclose(across.numpy()[[0, 63]], [0, 1])
    assert asked == [(32, 32, 3)] * 6
    (means,), *_ = field.around((32, 0), (64, 64))
    assert len(asked) == 6
    (means,), _, down, _ = field.around((90, 0), (6, 64))
    assert len(field._rows) == 1
    np.testing.assert_allclose(down, 0)


def test_cost_and_what_does_not_fit(plain, tmp_path):
    cost = local(plain).cost(200, 200, tmp_path)
    assert (cost.rounds, cost.kept_bytes) == (1, 0)
    assert 1.2 < cost.relative_cost < 2
    with refused("invalid", "--tile_px"):
        local(plain, tile=30)


def test_nan_is_refused(plain, tmp_path):
    broken = tf.keras.models.clone_model(plain)
    for variable in broken.trainable_variables:
        variable.assign(variable * float("nan"))
    with refused("unsupported", match="diverged"):
        in_tiles(local(broken), uneven(64, 64), tmp_path)
