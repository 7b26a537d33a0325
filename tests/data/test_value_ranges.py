"""Ranges measured over files, and images read through them."""

import numpy as np
import pytest
import tensorflow as tf
import tifffile

from cyclegan_tf.data import value_ranges
from cyclegan_tf.data.cache import open_cache
from cyclegan_tf.data.sources import open_folder
from cyclegan_tf.data.transforms import ImageTransform
from cyclegan_tf.images.ranges import ValueRange
from tests.helpers.errors import refused

HOUNSFIELD = ValueRange(-1000, 1000, "int16")


@pytest.fixture
def scans(tmp_path):
    """Two gray scans of int16 in X: 0..999 and -1000, -1 by turns; photographs of 8 bits in Y."""
    for name in ("trainA", "trainB", "testA", "testB"):
        (tmp_path / name).mkdir()
    tifffile.imwrite(tmp_path / "trainA/a.tif", np.arange(1000, dtype=np.int16).reshape(20, 50))
    alternating = np.tile(np.array([-1000, -1], np.int16), (20, 25))
    tifffile.imwrite(tmp_path / "trainA/b.tif", alternating)
    tifffile.imwrite(tmp_path / "testA/c.tif", np.full((20, 50), 2000, np.int16))
    for name in ("trainB", "testB"):
        tifffile.imwrite(tmp_path / name / "d.tif", np.full((20, 50), 7, np.uint8))
    return tmp_path


def opened(folder):
    return open_folder(folder, "auto", "auto", 10**6)


def test_a_range_is_measured_over_all_files(scans):
    found = value_ranges.find_range(opened(scans).train_x, (0.1, 99.9), "x")
    # of 2000 numbers the 2nd of 500 times -1000, and the 1997th or so of 0..999
    assert found == ValueRange(-1000, 998, "int16")
    assert value_ranges.find_range(opened(scans).train_x, (0, 100), "x").high == 999


def test_of_large_images_a_part_is_measured(scans, monkeypatch):
    monkeypatch.setattr(value_ranges, "_MEASURED_NUMBERS", 0)
    monkeypatch.setattr(value_ranges, "_MIN_OF_AN_IMAGE", 200)
    found = value_ranges.find_range(opened(scans).train_x, (0, 100), "x")
    assert found.low == -1000
    assert 900 < found.high < 1000
    assert found == value_ranges.find_range(opened(scans).train_x, (0, 100), "x")


def test_pixels_without_data_are_not_measured(scans):
    half = np.repeat(np.array([-2000, 100, 300], np.int16), 400).reshape(40, 30)
    tags = {"extratags": [(42113, "s", 0, "-2000", True)], "metadata": None}
    for name in "ab":
        tifffile.imwrite(scans / f"trainA/{name}.tif", half, **tags)
    found = value_ranges.find_range(opened(scans).train_x, (0, 60), "x")
    assert found == ValueRange(100, 300, "int16")  # with a third of means, 60 % were below 300


def test_images_are_read_as_levels_and_what_is_clipped_is_counted(scans):
    images = value_ranges.with_range(opened(scans).train_x, ValueRange(-1, 499, "int16"))
    first = images.read(0)
    assert (first.dtype, first.shape) == (np.uint16, (20, 50, 1))
    # (0 + 1) / 500 * 65535 = 131.07 and (249 + 1) / 500 * 65535 = 32767.5
    assert first.ravel()[[0, 249, 499, 999]].tolist() == [131, 32768, 65535, 65535]
    assert (images.clipped.read, images.clipped.outside) == (1000, 500)
    images.read(1)
    assert images.clipped.share == (500 + 500) / 2000
    notes = value_ranges.notes(images, opened(scans).train_y)
    assert notes == [
        "X is trained on numbers from -1 to 499 (int16), kept as 16 bits; 50.00% of its numbers "
        "lie outside and are clipped"
    ]


def test_a_run_keeps_ranges_and_types(scans):
    dataset = opened(scans)
    assert value_ranges.record(dataset.train_x, dataset.train_y) == {}
    images = value_ranges.with_range(dataset.train_x, HOUNSFIELD)
    assert value_ranges.record(images, dataset.train_y) == {
        "ranges": {"x": {"low": -1000, "high": 1000, "dtype": "int16"}, "y": None},
        "types": {"x": "int16", "y": "uint8"},
    }


@pytest.mark.parametrize("kind", ["memory", "disk", "off", "lazy"])
def test_every_cache_gives_levels_of_the_range(scans, kind):
    images = value_ranges.with_range(opened(scans).train_x, HOUNSFIELD)
    transform = ImageTransform("none", 4, 4, 1, flip=False)
    cache = open_cache(images, transform, kind, scans / "cache", "x")
    found = cache.get(tf.constant(0, tf.int64)).numpy()
    np.testing.assert_array_equal(found, images.read(0))


def test_another_range_makes_the_disk_cache_anew(scans):
    transform = ImageTransform("none", 4, 4, 1, flip=False)
    for known in (HOUNSFIELD, ValueRange(0, 999, "int16")):
        images = value_ranges.with_range(opened(scans).train_x, known)
        cache = open_cache(images, transform, "disk", scans / "cache", "x")
        found = cache.get(tf.constant(0, tf.int64)).numpy()
        np.testing.assert_array_equal(found, images.read(0))


def test_numbers_without_a_white_need_a_range(scans):
    value_ranges.require_white(opened(scans).train_y, "y")
    with refused("unsupported", "data.range_x", match=r"a\.tif: holds int16.*--data.range_x auto"):
        value_ranges.require_white(opened(scans).train_x, "x")


def test_a_set_of_one_number_and_numbers_that_are_none_are_refused(scans):
    with refused("unsupported", "data.range_y"):
        value_ranges.find_range(opened(scans).train_y, (0.1, 99.9), "y")
    tifffile.imwrite(scans / "trainA/a.tif", np.full((4, 4), np.nan, np.float32))
    with refused("unreadable", match="NaN"):
        value_ranges.with_range(opened(scans).train_x, HOUNSFIELD).read(0)
