"""Images in and out: finding, decoding in a graph as without one, [-1, 1] and back, saving."""

import os
import subprocess
import sys

import numpy as np
import pytest
import tensorflow as tf

from cyclegan_tf import images
from cyclegan_tf.images import io as image_io
from cyclegan_tf.images.io import ImageError
from tests.helpers import image_files


@pytest.fixture(scope="module")
def gallery(tmp_path_factory):
    return image_files.gallery(tmp_path_factory.mktemp("gallery"))


@pytest.mark.parametrize("dtype", ["uint8", "uint16"])
@pytest.mark.parametrize("channels", [1, 3])
def test_decoding_in_a_graph_equals_reading(gallery, channels, dtype):
    names = sorted(gallery)
    paths = [str(gallery[name]) for name in names]
    fast = [image_io.probe(path).fast for path in paths]
    dataset = tf.data.Dataset.from_tensor_slices((paths, fast)).map(
        lambda path, fast: image_io.decode_tensor(path, fast, channels, dtype)
    )
    assert dataset.element_spec == tf.TensorSpec((None, None, channels), dtype)
    found = list(dataset.as_numpy_iterator())
    assert len(found) == len(names)
    for name, path, image in zip(names, paths, found, strict=True):
        expected = image_io.as_dtype(image_io.read(path, channels), dtype)
        np.testing.assert_array_equal(image, expected, err_msg=name)
        eager = image_io.decode_tensor(tf.constant(path), tf.constant(False), channels, dtype)
        np.testing.assert_array_equal(eager, expected, err_msg=name)


def test_many_channels_in_a_graph(tmp_path):
    image = image_files.noise(5, 4, 7, np.uint16)
    np.save(tmp_path / "many.npy", image)
    dataset = tf.data.Dataset.from_tensors(str(tmp_path / "many.npy"))
    dataset = dataset.map(
        lambda path: image_io.decode_tensor(path, tf.constant(False), 7, tf.uint16)
    )
    np.testing.assert_array_equal(next(dataset.as_numpy_iterator()), image)


def test_errors_in_a_graph_name_the_file(tmp_path, gallery):
    cut = image_files.cut_off(tmp_path / "cut.jpg", gallery["baseline.jpg"], 0.95)
    missing = tmp_path / "missing.png"
    bomb = image_files.bomb_png(tmp_path / "bomb.png")

    def decode(path, fast):
        return image_io.decode_tensor(path, fast, 3, "uint8")

    for path, fast in (
        (cut, image_io.probe(cut).fast),
        (missing, True),
        (missing, False),
        (bomb, False),
    ):
        dataset = tf.data.Dataset.from_tensors((str(path), fast)).map(decode)
        with pytest.raises(tf.errors.OpError, match=path.name):
            list(dataset)


def test_cut_off_jpeg_fails_even_where_it_is_taken_for_fast(tmp_path, gallery):
    cut = image_files.cut_off(tmp_path / "cut.jpg", gallery["baseline.jpg"], 0.95)
    with pytest.raises(tf.errors.InvalidArgumentError):
        image_io.decode_tensor(tf.constant(str(cut)), tf.constant(True), 3, "uint8")


def test_limit_of_pixels_is_handed_on(gallery):
    path = tf.constant(str(gallery["color.bmp"]))
    with pytest.raises(ImageError, match="limit is 10"):
        image_io.decode_tensor(path, tf.constant(False), 3, "uint8", max_pixels=10)


@pytest.mark.parametrize("bits", [8, 16])
def test_signed_and_back_is_exact_for_every_level(bits):
    dtype = f"uint{bits}"
    values = np.arange(2**bits).astype(dtype)
    signed = image_io.to_signed(values)
    assert signed.dtype == np.float32
    assert (signed[0], signed[-1]) == (-1, 1)
    assert signed[2 ** (bits - 1)] == np.float32(1 / (2**bits - 1))  # (128 - 127.5) / 127.5
    assert (np.diff(signed) > 0).all()
    back = image_io.from_signed(signed, bits)
    assert back.dtype == dtype
    np.testing.assert_array_equal(back, values)


@pytest.mark.parametrize("dtype", ["uint8", "uint16"])
def test_signed_tensors_are_the_same_numbers(dtype):
    image = image_files.noise(4, 5, 2, np.dtype(dtype).type)
    expected = image_io.to_signed(image)
    dataset = tf.data.Dataset.from_tensors(image).map(image_io.to_signed)
    for found in (image_io.to_signed(tf.constant(image)), next(iter(dataset))):
        assert found.dtype == tf.float32
        np.testing.assert_array_equal(found, expected)
    np.testing.assert_array_equal(
        image_io.from_signed(tf.constant(expected), 8 * image.itemsize), image
    )


def test_from_signed_rounds_and_clips():
    values = np.array([-9, -1, -0.999, 0.0078, 0.5, 0.999, 1, 9, np.inf, -np.inf])
    # 0.001 * 127.5 = 0.1; 1.0078 * 127.5 = 128.49; 1.5 * 127.5 = 191.25; 1.999 * 127.5 = 254.9
    assert image_io.from_signed(values).tolist() == [0, 0, 0, 128, 191, 255, 255, 255, 255, 0]
    assert image_io.from_signed(np.array([0.5]), bits=16).tolist() == [
        49151
    ]  # 1.5 * 32767.5 = 49151.25


def test_what_has_no_scale_is_refused():
    for image in (np.zeros(3, np.float32), np.zeros(3, np.int64), tf.zeros(3)):
        with pytest.raises(ValueError, match="uint8 or uint16"):
            image_io.to_signed(image)
    with pytest.raises(ValueError, match="NaN"):
        image_io.from_signed(np.array([0, np.nan]))
    with pytest.raises(ValueError, match="8, 16 or 32"):
        image_io.from_signed(np.zeros(3), bits=12)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize(("suffix", "channels"), [(".png", 1), (".png", 2), (".png", 3), (".png",
    4), (".PNG", 3),
                                                  (".tif", 1), (".npy", 1), (".npy", 3), (".npy",
                                                  9)])  # fmt: skip
def test_saved_without_loss(tmp_path, suffix, channels, dtype):
    image = image_files.noise(7, 5, channels, dtype)
    path = tmp_path / "new" / "folder" / f"image{suffix}"
    image_io.save(path, image)
    np.testing.assert_array_equal(image_io.read(path, channels), image)
    assert os.listdir(path.parent) == [path.name]


@pytest.mark.parametrize(
    ("suffix", "tolerance"), [(".jpg", 4), (".jpeg", 4), (".webp", 12), (".bmp", 0)]
)
@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_saved_with_8_bits(tmp_path, suffix, tolerance, channels, dtype):
    image = image_files.smooth()[..., :channels]
    path = tmp_path / f"image{suffix}"
    image_io.save(path, image_io.as_dtype(image, dtype))
    found = image_io.read(path, channels)
    assert found.dtype == np.uint8
    assert np.abs(found.astype(int) - image).max() <= tolerance


@pytest.mark.parametrize(
    ("name", "image", "message"),
    [
        (
            "a.gif",
            np.zeros((2, 2, 3), np.uint8),
            r"'\.gif' are not written; choose one of \.bmp, \.jfif",
        ),
        ("a", np.zeros((2, 2, 3), np.uint8), "'' are not written"),
        (
            "a.jpg",
            np.zeros((2, 2, 4), np.uint8),
            r"\.jpg holds .* \(1, 3\) channels, not \(2, 2, 4\)",
        ),
        ("a.png", np.zeros((2, 2, 5), np.uint8), r"not \(2, 2, 5\)"),
        ("a.png", np.zeros((2, 2), np.uint8), r"not \(2, 2\)"),
        ("a.npy", np.zeros((2, 2), np.uint8), r"not \(2, 2\)"),
        ("a.png", np.zeros((2, 2, 3), np.float32), "uint8 or uint16"),
    ],
)
def test_not_saved(tmp_path, name, image, message):
    with pytest.raises(ValueError, match=message):
        image_io.save(tmp_path / name, image)
    assert os.listdir(tmp_path) == []


def test_many_channels_as_tiff_without_the_library(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "tifffile", None)
    with pytest.raises(ImageError, match=r'a\.tif: .*pip install "\.\[tiff\]"'):
        image_io.save(tmp_path / "a.tif", image_files.noise(channels=5))
    assert os.listdir(tmp_path) == []


def test_a_failed_save_leaves_the_old_file_and_nothing_else(tmp_path, monkeypatch):
    path = tmp_path / "a.png"
    image_io.save(path, image_files.noise(seed=1))
    before = path.read_bytes()

    def fail(*_):
        raise OSError("disk full")

    monkeypatch.setattr(os, "replace", fail)
    with pytest.raises(OSError, match="disk full"):
        image_io.save(path, image_files.noise(seed=2))
    assert path.read_bytes() == before
    assert os.listdir(tmp_path) == ["a.png"]


def test_the_package_offers_its_names_and_headers_need_no_tensorflow():
    code = """
import sys
from cyclegan_tf import images
from cyclegan_tf.images import headers, segments
assert images.MAX_PIXELS == headers.MAX_PIXELS
assert "tensorflow" not in sys.modules
"""
    subprocess.run([sys.executable, "-c", code], check=True)
    assert images.read is image_io.read
    assert all(getattr(images, name) is not None for name in images.__all__)
    assert set(images.__all__) <= set(dir(images))
    with pytest.raises(AttributeError, match="no attribute 'none'"):
        images.none  # noqa: B018


def test_a_difference_in_steps_of_8_bits():
    signed = image_io.to_signed(np.array([[[7], [9]]], np.uint8))
    assert image_io.in_levels(float(np.ptp(signed))) == pytest.approx(2)
