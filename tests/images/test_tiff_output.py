"""TIFF files that are written hold what was to be written."""

import sys

import numpy as np
import pytest

from cyclegan_tf.images import tiff_output
from cyclegan_tf.images.codecs import probe, read, read_alpha
from cyclegan_tf.images.placement import Placement
from tests.helpers import image_files
from tests.helpers.errors import refused

tifffile = pytest.importorskip("tifffile", reason="needs the optional library tifffile")


@pytest.mark.parametrize("channels", [2, 3, 4, 6])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_encoded_and_read_again(tmp_path, channels, dtype):
    image = image_files.noise(5, 4, channels, dtype)
    path = tmp_path / "again.tif"
    path.write_bytes(tiff_output.encode(image))
    np.testing.assert_array_equal(read(path, channels), image)


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
def test_alpha_stands_behind_the_colors(tmp_path, channels, dtype):
    alpha = image_files.noise(5, 4, 1, np.uint16)
    image = image_files.noise(5, 4, channels, np.uint8).astype(dtype) / dtype(1)
    image = image.astype(dtype) if dtype != np.float32 else (image / 255).astype(dtype)
    path = tmp_path / "a.tif"
    path.write_bytes(tiff_output.encode(image, Placement(alpha=alpha)))
    found, info = tifffile.imread(path), probe(path)
    np.testing.assert_array_equal(found[..., :-1], image)
    assert info.has_alpha
    assert info.colors == channels
    step = 257 if dtype == np.uint8 else 1
    assert np.abs(read_alpha(info).astype(int) * step - alpha).max() < step


def test_numbers_of_other_types_stand_alone(tmp_path):
    image, path = np.ones((5, 4, 1), np.int16), tmp_path / "a.tif"
    path.write_bytes(tiff_output.encode(image, Placement(alpha=image_files.noise(5, 4, 1))))
    np.testing.assert_array_equal(tifffile.imread(path), image[..., 0])


def test_without_tifffile_common_files_work(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "tifffile", None)
    for image in (
        image_files.noise(5, 4, 3),
        image_files.noise(5, 4, 1),
        image_files.noise(5, 4, 1, np.uint16),
    ):
        path = tmp_path / "common.tif"
        path.write_bytes(tiff_output.encode(image))
        np.testing.assert_array_equal(read(path, image.shape[-1]), image)


def test_without_tifffile_the_way_to_get_it_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "tifffile", None)
    with refused("dependency", match=r'pip install "\.\[tiff\]"'):
        tiff_output.encode(image_files.noise(5, 4, 5))
