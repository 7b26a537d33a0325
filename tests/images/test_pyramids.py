"""Pyramids of tiles, read back by tifffile: numbers, levels, pixel size."""

import numpy as np
import pytest

from cyclegan_tf.images.pyramids import level_shapes, save_pyramid
from tests.helpers.image_files import noise

tifffile = pytest.importorskip("tifffile", reason='needs pip install ".[tiff]"')


def rows(image, count):
    return (image[top : top + count] for top in range(0, len(image), count))


@pytest.mark.parametrize("channels", [1, 3])
def test_levels_hold_means_of_two_by_two(tmp_path, channels):
    image = noise(603, 1031, channels)
    path = tmp_path / "a.ome.tif"
    save_pyramid(path, rows(image, 37), image.shape, 0.25)
    assert list(tmp_path.iterdir()) == [path]
    with tifffile.TiffFile(path) as file:
        assert file.is_ome
        assert file.pages[0].is_tiled
        finest, half, quarter = file.series[0].levels
        np.testing.assert_array_equal(finest.asarray().reshape(image.shape), image)
        assert [level.shape[:2] for level in (half, quarter)] == level_shapes(603, 1031)[1:]
        means = image[:602, :1030].reshape(301, 2, 515, 2, channels).mean((1, 3))
        assert np.abs(half.asarray().reshape(means.shape) - means).max() <= 0.5
        assert 'PhysicalSizeX="0.25"' in file.ome_metadata
        assert file.pages[0].tags["XResolution"].value == (40000, 1)  # per cm


def test_what_fails_leaves_nothing(tmp_path):
    def broken():
        yield noise(10, 600)
        raise ValueError("stop")

    with pytest.raises(ValueError, match="stop"):
        save_pyramid(tmp_path / "a.ome.tif", broken(), (700, 600, 3), None)
    assert list(tmp_path.iterdir()) == []
