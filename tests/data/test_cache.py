"""Stores: the same images from memory, from disk and decoded each time."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from cyclegan_tf.data import cache as cache_module
from cyclegan_tf.data.cache import open_cache
from cyclegan_tf.data.image_lists import ImageList
from cyclegan_tf.data.sources import open_folder
from cyclegan_tf.data.transforms import ImageTransform
from cyclegan_tf.images import io as image_io
from tests.helpers import tiny
from tests.helpers.errors import refused

KINDS = ("memory", "disk", "off")


@pytest.fixture
def folder(tmp_path):
    rng = np.random.default_rng(3)
    for name in ("trainA", "trainB"):
        (tmp_path / name).mkdir()
        for index, (height, width) in enumerate([(30, 40), (50, 20), (16, 16)]):
            pixels = rng.integers(0, 256, (height, width, 3), np.uint8)
            Image.fromarray(pixels).save(tmp_path / name / f"{index}.png")
    return tmp_path


def images_of(folder):
    return open_folder(folder, 3, 3, 10**6).train_x


@pytest.mark.parametrize("mode", ["resize_and_crop", "scale_width", "none"])
def test_all_kinds_hold_the_same_images_eagerly_and_in_tf_data(folder, mode):
    images, transform = images_of(folder), ImageTransform(mode, 24, 16)
    expected = [transform.resize(tf.constant(images.read(i))).numpy() for i in range(3)]
    for kind in KINDS:
        cache = open_cache(images, transform, kind, folder / "cache", "x")
        assert (cache.kind, len(cache), cache.upscaled) == (kind, 3, 0)
        inside = list(tf.data.Dataset.range(3).map(cache.get))
        for index in range(3):
            np.testing.assert_array_equal(cache.get(tf.constant(index, tf.int64)), expected[index])
            np.testing.assert_array_equal(inside[index], expected[index])
    assert cache.bytes == sum(image.nbytes for image in expected)


def test_auto_measures_against_free_memory_then_disk(folder, monkeypatch):
    images, transform = images_of(folder), ImageTransform("resize_and_crop", 24, 16)
    size = 3 * 24 * 24 * 3
    for free, kind in ((size / cache_module.MEMORY_SHARE, "memory"), (size, "disk")):
        monkeypatch.setattr(cache_module, "free_memory_bytes", lambda free=free: free)
        assert open_cache(images, transform, "auto", folder / "cache", "x").kind == kind


def test_a_disk_cache_is_reused_until_something_changes(folder, monkeypatch):
    images, transform = images_of(folder), ImageTransform("resize_and_crop", 24, 16)
    open_cache(images, transform, "disk", folder / "cache", "x")
    before = (folder / "cache" / "x.bin").stat().st_mtime_ns
    open_cache(images, transform, "disk", folder / "cache", "x")
    assert (folder / "cache" / "x.bin").stat().st_mtime_ns == before
    Image.new("RGB", (20, 20), (9, 8, 7)).save(folder / "trainA" / "0.png")
    again = open_cache(images_of(folder), transform, "disk", folder / "cache", "x")
    np.testing.assert_array_equal(again.get(tf.constant(0, tf.int64))[0, 0], (9, 8, 7))
    assert {path.name for path in (folder / "cache").iterdir()} == {"x.bin", "x.json"}


def test_small_images_are_counted(folder):
    assert (
        open_cache(
            images_of(folder), ImageTransform("crop", 24, 18), "memory", folder, "x"
        ).upscaled
        == 1
    )


def test_mixed_depths_are_stored_in_16_bits_without_clipping(folder):
    ramp = (np.arange(400, dtype=np.uint16) * 163).reshape(20, 20)
    Image.fromarray(ramp).save(folder / "trainA" / "deep.png")
    images, transform = images_of(folder), ImageTransform("none", 24, 16)
    for kind in KINDS:
        cache = open_cache(images, transform, kind, folder / "cache", "x")
        deep = cache.get(tf.constant(3, tf.int64)).numpy()
        assert deep.dtype == np.uint16
        np.testing.assert_array_equal(deep[..., 0], ramp)
        shallow = cache.get(tf.constant(0, tf.int64)).numpy()
        np.testing.assert_array_equal(shallow, images.read(0).astype(np.uint16) * 257)


def test_a_truncated_image_is_named_before_training_starts(folder):
    images = images_of(folder)
    path = folder / "trainA" / "1.png"
    path.write_bytes(path.read_bytes()[:300])
    with refused("unreadable", match=r"1\.png.*cyclegan_tf.check"):
        open_cache(images, ImageTransform("none", 24, 16), "memory", folder, "x")


@pytest.fixture
def jpegs(folder):
    """Three images of X, of which one is a JPEG and another one a JPEG damaged in the middle."""
    for index in (0, 1):
        source = folder / "trainA" / f"{index}.png"
        Image.open(source).save(source.with_suffix(".jpg"), quality=95)
        source.unlink()
    damaged = folder / "trainA" / "1.jpg"
    data = damaged.read_bytes()
    damaged.write_bytes(data[: len(data) // 2] + b"\xff\xd9")
    return images_of(folder)


def test_without_a_cache_damage_in_the_middle_of_a_jpeg_is_refused(jpegs, folder):
    transform = ImageTransform("resize_and_crop", 24, 16)
    assert all(info.fast for info in jpegs.infos)
    cache = open_cache(jpegs, transform, "off", folder / "cache", "x")
    with pytest.raises(tf.errors.OpError, match=r"1\.jpg: is damaged, and parts of it would"):
        list(tf.data.Dataset.range(3).map(cache.get))
    cache = open_cache(jpegs, transform, "off", folder / "cache", "x")
    with refused("unreadable", str(folder / "trainA" / "1.jpg")):
        cache.get(tf.constant(1, tf.int64))


def test_a_jpeg_is_listened_to_once(jpegs, folder, monkeypatch):
    read, by_python = image_io.read, []
    monkeypatch.setattr(image_io, "read", lambda *a: by_python.append(Path(a[0]).name) or read(*a))
    transform = ImageTransform("resize_and_crop", 24, 16)
    cache = open_cache(jpegs, transform, "off", folder / "cache", "x")
    twice = list(tf.data.Dataset.from_tensor_slices([0, 2, 0, 2]).map(cache.get))
    assert by_python == ["0.jpg"]
    np.testing.assert_array_equal(twice[0], twice[2])


def test_a_disk_cache_that_cannot_be_written_is_an_error(folder):
    (folder / "blocked").write_text("a file, not a folder")
    with refused("unwritable", "data.cache", match=r"disk cache .* cannot be written"):
        open_cache(
            images_of(folder), ImageTransform("none", 24, 16), "disk", folder / "blocked", "x"
        )


def test_lazy_reads_a_image_when_it_is_first_wanted(tmp_path):
    root = tiny.folder(tmp_path / "images", (4, 1, 1, 1))
    source = open_folder(root, 3, 3, 10**6)
    read = []

    def counted(index):
        read.append(index)
        return source.train_x.read(index)

    images = dataclasses.replace(source.train_x, read=counted)
    transform = ImageTransform("resize_and_crop", 18, 16)
    lazy = open_cache(images, transform, "lazy", tmp_path, "x")
    kept = open_cache(source.train_x, transform, "memory", tmp_path, "x")
    assert (lazy.kind, len(lazy), lazy.bytes, read) == ("lazy", 4, kept.bytes, [])
    for index in (2, 0, 2):
        number = tf.constant(index, tf.int64)
        np.testing.assert_array_equal(lazy.get(number), kept.get(number))
    assert read == [2, 0]


@pytest.mark.parametrize(("is_drawn", "kind"), [(True, "lazy"), (False, "memory")])
def test_drawn_images_are_drawn_when_first_wanted(tmp_path, is_drawn, kind):
    drawn = []

    def draw(index):
        drawn.append(index)
        return np.full((8, 8, 3), index, np.uint8)

    images = ImageList(("0", "1", "2"), 3, draw, is_drawn=is_drawn)
    cache = open_cache(images, ImageTransform("none", 8, 8), "auto", tmp_path, "x")
    drawn_before = set(drawn)
    assert (cache.kind, int(cache.get(tf.constant(2, tf.int64))[0, 0, 0])) == (kind, 2)
    # index 0 says the sizes
    assert drawn_before == ({0} if is_drawn else {0, 1, 2})


def test_the_shape_of_the_images_is_noted(folder, tmp_path):
    transform = ImageTransform("resize_and_crop", 24, 16)
    cache = open_cache(images_of(folder), transform, "memory", tmp_path / "cache", "x")
    assert cache.aspect == pytest.approx((40 / 30 * 20 / 50 * 1) ** (1 / 3))
