"""TIFF of all sorts, most of them written by the optional `tifffile`."""

import importlib.util
import struct
import sys

import numpy as np
import pytest
from PIL import Image

from cyclegan_tf.images import tiff
from cyclegan_tf.images.codecs import probe, read
from cyclegan_tf.images.headers import ImageError
from tests.helpers import image_files
from tests.helpers.errors import refused

tifffile = pytest.importorskip("tifffile", reason="needs the optional library tifffile")


@pytest.fixture
def write(tmp_path):
    def write(array, **options):
        path = tmp_path / "image.tif"
        tifffile.imwrite(path, array, **options)
        return path

    return write


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"byteorder": ">"},
        {"compression": "zlib"},
        {"bigtiff": True},
        {"tile": (16, 16)},
        {"planarconfig": "separate"},
    ],
)
def test_16_bit_color_keeps_every_level(write, options):
    deep = image_files.noise(20, 18, 3, np.uint16)
    stored = np.moveaxis(deep, -1, 0) if "planarconfig" in options else deep
    path = write(stored, photometric="rgb", **options)
    info = probe(path)
    assert (info.bits, info.channels, info.width, info.height, info.decoder) == (
        16,
        3,
        18,
        20,
        "tifffile",
    )
    np.testing.assert_array_equal(read(path), deep)


@pytest.mark.parametrize("byteorder", ["<", ">"])
def test_16_bit_gray(write, byteorder):
    deep = image_files.noise(5, 4, 1, np.uint16)
    np.testing.assert_array_equal(read(write(deep[..., 0], byteorder=byteorder), 1), deep)


@pytest.mark.parametrize("byteorder", ["<", ">"])
def test_white_may_be_zero(write, byteorder):
    deep = np.array([[0, 1, 65535]], np.uint16)
    path = write(deep, photometric="miniswhite", byteorder=byteorder)
    assert read(path, 1).ravel().tolist() == [65535, 65534, 0]
    path = write(np.array([[0, 1, 255]], np.uint8), photometric="miniswhite")
    assert read(path, 1).ravel().tolist() == [255, 254, 0]


@pytest.mark.parametrize("channels", [1, 3])
def test_declared_depth_is_stretched(write, channels):
    values = np.array([[0, 1, 2047, 4095]], np.uint16)
    expected = [0, 16, 32759, 65535]  # 65535 / 4095 = 16.0037
    if channels == 3:
        values = np.repeat(values[..., None], 3, axis=-1)
    photometric = "minisblack" if channels == 1 else "rgb"
    declared = write(values, photometric=photometric, extratags=[(281, "H", 1, 4095, True)])
    assert read(declared, channels)[0, :, 0].tolist() == expected
    measured = write(values, photometric=photometric, extratags=[(281, "H", 1, 4094, True)])
    assert read(measured, channels)[0, :, 0].tolist() == [0, 1, 2047, 4095]


def test_more_than_the_declared_depth_is_refused(write):
    path = write(np.array([[0, 4096]], np.uint16), extratags=[(281, "H", 1, 4095, True)])
    with refused("unreadable", match=r"from 0 to 4096, and \[0, 4095\] is wanted", kind=ImageError):
        read(path)


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_floats(write, dtype):
    assert read(write(np.array([[0, 0.25, 1]], dtype)), 1).ravel().tolist() == [0, 16384, 65535]
    with refused("unreadable", match=r"from 0 to 255, and \[0, 1\] is wanted", kind=ImageError):
        read(write(np.array([[0, 255]], dtype)))


def test_wide_integers(write):
    values = np.array([[0, 65537, 3_000_000_000, 4_294_967_295]], np.uint32)
    assert read(write(values), 1).ravel().tolist() == [0, 1, 45776, 65535]  # 3e9 / 65537 = 45775.7


@pytest.mark.parametrize("dtype", [np.int8, np.int16, np.int32])
def test_signed_numbers_are_refused(write, dtype):
    with refused("unreadable", match=f"{np.dtype(dtype).name} numbers", kind=ImageError):
        read(write(np.zeros((3, 4), dtype)), 1)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("channels", [2, 4, 5, 12])
def test_many_channels(write, dtype, channels):
    image = image_files.noise(5, 4, channels, dtype)
    path = write(image, photometric="minisblack", planarconfig="contig")
    assert probe(path).channels == channels
    np.testing.assert_array_equal(read(path, channels), image)
    for wrong in (1, 3, channels + 1):
        with refused(
            "unreadable",
            match=rf"has {channels} channels .* and {wrong} are wanted",
            kind=ImageError,
        ):
            read(path, wrong)


def test_infrared_beside_rgb_is_not_dropped(write):
    image = image_files.noise(5, 4, 4)
    path = write(image, photometric="rgb", extrasamples=["unspecified"])
    np.testing.assert_array_equal(read(path, 4), image)
    with refused("unreadable", match="4 channels", kind=ImageError):
        read(path)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("kind", ["unassalpha", "assocalpha"])
def test_alpha(write, dtype, kind):
    scale = 1 if dtype == np.uint8 else 257
    stored = (
        [200, 100, 0, 128] if kind == "unassalpha" else [100, 50, 0, 128]
    )  # 200 * 128 / 255 = 100.4
    path = write(np.array([[stored]], dtype) * dtype(scale), photometric="rgb", extrasamples=[kind])
    assert probe(path).has_alpha
    found = read(path).astype(int) / scale
    # (200 * 128 + 255 * 127) / 255 = 227.4, (100 * 128 + 32385) / 255 = 177.2, 127
    assert np.abs(found - [227.4, 177.2, 127]).max() <= 1


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_inks(write, dtype):
    scale = 1 if dtype == np.uint8 else 257
    path = write(np.array([[[10, 20, 30, 40]]], dtype) * dtype(scale), photometric="separated")
    # 245 * 215 / 255 = 206.57, 235 * 215 / 255 = 198.14, 225 * 215 / 255 = 189.71
    assert np.abs(read(path) / scale - [206.57, 198.14, 189.71]).max() <= 0.5


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_a_profile_of_inks_is_found(write, monkeypatch, dtype):
    monkeypatch.setattr(tiff, "unless_srgb", lambda _: b"profile")
    path = write(image_files.noise(5, 4, 4, dtype), photometric="separated")
    assert probe(path).profile == b"profile"


def test_rotation_of_deep_color(write):
    deep = image_files.noise(5, 4, 3, np.uint16)
    path = write(deep, photometric="rgb", extratags=[(274, "H", 1, 6, True)])
    info = probe(path)
    assert (info.width, info.height, info.exif_orientation) == (5, 4, 6)
    np.testing.assert_array_equal(read(path), np.rot90(deep, -1))


def test_first_page_of_several(write):
    pages = image_files.noise(5, 4, 3)
    path = write(np.moveaxis(pages, -1, 0), photometric="minisblack")
    np.testing.assert_array_equal(read(path, 1), pages[..., :1])


def test_unknown_colors_are_refused(write):
    path = write(image_files.noise(5, 4, 3, np.uint16), photometric="cielab")
    with refused("unreadable", match="kind this program does not know", kind=ImageError):
        read(path)


@pytest.mark.parametrize("keep", [0.98, 0.5])
def test_cut_off(write, tmp_path, keep):
    whole = write(image_files.noise(40, 30, 3, np.uint16), photometric="rgb")
    with refused("unreadable", match="cut off", kind=ImageError):
        read(image_files.cut_off(tmp_path / "cut.tif", whole, keep))


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("options", [{"rowsperstrip": 4}, {"tile": (16, 16)}])
def test_size_beyond_the_strips_is_not_black(write, dtype, options):
    path = write(image_files.noise(32, 20, 3, dtype), photometric="rgb", **options)
    data = bytearray(path.read_bytes())
    entry = data.index(struct.pack("<HH", 257, 4))  # ImageLength
    data[entry + 8 : entry + 12] = struct.pack("<I", 500)
    assert read(path).shape == (32, 20, 3)
    path.write_bytes(data)
    with refused("unreadable", match="fewer strips or tiles", kind=ImageError):
        probe(path)


def test_without_tifffile_the_way_to_get_it_is_named(write, monkeypatch):
    path = write(image_files.noise(5, 4, 3, np.uint16), photometric="rgb")
    monkeypatch.setitem(sys.modules, "tifffile", None)
    with refused("unreadable", match=r'pip install "\.\[tiff\]"', kind=ImageError):
        probe(path)


def test_packed_12_bits(tmp_path):
    # Two samples in three bytes, as some cameras and microscopes write.
    values = np.array([[[0xABC], [0x123]]], np.uint16)
    path = image_files.packed_tiff(tmp_path / "packed.tif", values, 12, 1)
    # 2748 * 65535 / 4095 = 43978.4, 291 * 65535 / 4095 = 4657.1
    assert read(path, 1).ravel().tolist() == [43978, 4657]
    with Image.open(path) as pil_image:
        assert pil_image.mode == "I;16"


@pytest.mark.parametrize("bits", [*range(1, 9), 10, 12, 14, 16])
def test_white_is_white_in_every_depth(tmp_path, bits):
    if bits not in (1, 2, 4, 8, 12, 16):
        pytest.importorskip("imagecodecs")
    white = 2**bits - 1
    ramp = np.linspace(0, white, 20).round().astype(np.uint16)[None, :, None]
    most = 255 if bits <= 8 else 65535
    # a level counts for as much of the range, in colors, inks and alpha alike
    colors = np.rint(ramp / white * most)
    inks = np.rint((1 - ramp / white) ** 2 * most)
    on_white = np.rint((ramp / white) ** 2 * most + (1 - ramp / white) * most)
    for samples, photometric, alpha, expected in (
        (1, 0, False, most - colors),
        (1, 1, False, colors),
        (3, 2, False, colors),
        (4, 5, False, inks),
        (2, 1, True, on_white),
        (4, 2, True, on_white),
    ):
        path = image_files.packed_tiff(
            tmp_path / "image.tif", np.repeat(ramp, samples, -1), bits, photometric, alpha
        )
        wrong = np.abs(read(path).astype(int) - expected).max()
        assert wrong <= 1 + (most == 65535), (samples, photometric, wrong)


def test_a_tiff_that_does_not_say_what_its_numbers_mean(tmp_path):
    # as libtiff reads them: black is zero, and three samples are red, green and blue
    for bits, samples in ((8, 1), (8, 3), (4, 3), (16, 1), (16, 3)):
        values = image_files.noise(5, 4, samples, np.uint16) >> (16 - bits)
        path = image_files.packed_tiff(tmp_path / "image.tif", values, bits, None)
        expected = values * (17 if bits == 4 else 1)
        np.testing.assert_array_equal(read(path, samples), expected)
    path = image_files.packed_tiff(tmp_path / "image.tif", image_files.noise(5, 4, 4), 8, None)
    with pytest.raises(ImageError, match="kind this program does not know"):
        probe(path)


def test_compression_that_takes_another_library(write, tmp_path):
    if importlib.util.find_spec("imagecodecs"):
        pytest.skip("imagecodecs is here")
    data = bytearray(write(image_files.noise(5, 4, 3, np.uint16), photometric="rgb").read_bytes())
    entry = data.index(struct.pack("<HHIH", 259, 3, 1, 1))  # Compression: 1 is none, 5 is LZW
    data[entry + 8] = 5
    path = tmp_path / "lzw.tif"
    path.write_bytes(data)
    with pytest.raises(ImageError, match=r'lzw\.tif: .* pip install "\.\[tiff\]"'):
        read(path)


def test_a_compression_that_pillow_does_not_know_is_no_damage(write, capfd):
    pytest.importorskip("imagecodecs")
    image = image_files.noise(32, 20, 3)
    path = write(image, photometric="rgb", compression="webp", compressionargs={"level": -1})
    np.testing.assert_array_equal(read(path), image)
    assert capfd.readouterr().err == ""
