"""Numbers of files of all types, written and read back by the field's own libraries."""

import numpy as np
import pytest
import tifffile
from PIL import Image

from cyclegan_tf import images
from cyclegan_tf.images import numbers
from tests.helpers.errors import refused

TYPES = ["int8", "uint16", "int16", "uint32", "int32", "float16", "float32", "float64"]


def ramp(dtype, channels=1, height=5, width=7):
    """Numbers of which no rounding or cut to another type leaves all as they are."""
    kind = np.dtype(dtype).kind
    whole = np.arange(height * width * channels).reshape(height, width, channels)
    if kind == "f":
        return (whole * 1.37 - 17).astype(dtype)
    low = np.iinfo(dtype).min
    return (low + whole * (3 if np.dtype(dtype).itemsize == 1 and kind == "u" else 2)).astype(dtype)


@pytest.mark.parametrize("channels", [1, 3, 5])
@pytest.mark.parametrize("dtype", TYPES)
def test_tiff_gives_its_own_numbers(tmp_path, dtype, channels):
    written = ramp(dtype, channels)
    photometric = "rgb" if channels == 3 else "minisblack"
    planes = written[..., 0] if channels == 1 else written
    layout = {"photometric": photometric, "planarconfig": "contig" if channels > 1 else None}
    tifffile.imwrite(tmp_path / "a.tif", planes, byteorder=">", **layout)
    info = images.probe(tmp_path / "a.tif")
    assert info.dtype == dtype
    found = numbers.read(tmp_path / "a.tif", channels)
    assert (found.dtype, found.dtype.isnative) == (np.dtype(dtype), True)
    np.testing.assert_array_equal(found, written)


@pytest.mark.parametrize("dtype", [*TYPES, ">i2", "int64", "uint8", "bool"])
def test_npy_gives_its_own_numbers(tmp_path, dtype):
    written = (ramp("int8") % 2 == 0) if dtype == "bool" else ramp(dtype)
    np.save(tmp_path / "a.npy", written)
    found = numbers.read(tmp_path / "a.npy", 1)
    np.testing.assert_array_equal(found, written * (255 if dtype == "bool" else 1))
    assert found.dtype == ("uint8" if dtype == "bool" else np.dtype(dtype).newbyteorder("="))
    assert images.probe(tmp_path / "a.npy").dtype == found.dtype.name


def test_declared_depth_stretches_levels_and_not_numbers(tmp_path):
    written = np.array([[0, 2047, 4095]], np.uint16)
    tifffile.imwrite(tmp_path / "a.tif", written, extratags=[(281, 3, 1, 4095, True)])
    assert images.read(tmp_path / "a.tif", 1).ravel().tolist() == [0, 32759, 65535]
    assert numbers.read(tmp_path / "a.tif", 1).ravel().tolist() == [0, 2047, 4095]


def test_8_bit_files_are_read_as_a_viewer_shows_them(tmp_path):
    Image.new("RGBA", (3, 2), (0, 0, 0, 0)).save(tmp_path / "a.png")
    assert numbers.read(tmp_path / "a.png", 3).tolist() == images.read(tmp_path / "a.png").tolist()


def test_channels_become_others(tmp_path):
    color = np.array([[[-1000, 0, 1000]]], np.int16)
    tifffile.imwrite(tmp_path / "color.tif", color, photometric="rgb")
    # 0.299 * -1000 + 0.114 * 1000 = -185
    assert numbers.read(tmp_path / "color.tif", 1).ravel().tolist() == [-185]
    tifffile.imwrite(tmp_path / "gray.tif", color[..., 0])
    assert numbers.read(tmp_path / "gray.tif", 3).ravel().tolist() == [-1000] * 3
    with refused("unreadable", field=str(tmp_path / "gray.tif"), match="1 channels"):
        numbers.read(tmp_path / "gray.tif", 5)


def test_alpha_of_deep_files_is_left_out(tmp_path):
    planes = np.stack([np.full((4, 4), 700), np.zeros((4, 4))], -1).astype(np.uint16)
    tifffile.imwrite(
        tmp_path / "a.tif", planes, photometric="minisblack", extrasamples=["unassalpha"]
    )
    assert images.read(tmp_path / "a.tif", 1)[0, 0, 0] == 65535
    assert numbers.read(tmp_path / "a.tif", 1)[0, 0, 0] == 700


def test_levels_of_numbers_without_white_are_refused_with_the_way_out(tmp_path):
    tifffile.imwrite(tmp_path / "ct.tif", ramp("int16")[..., 0])
    with refused("unreadable", match="int16 numbers.*data.range_x"):
        images.read(tmp_path / "ct.tif", 1)


@pytest.mark.parametrize("dtype", ["uint8", *TYPES])
@pytest.mark.parametrize("name", ["a.tif", "a.npy"])
def test_numbers_are_written_as_they_are(tmp_path, name, dtype):
    for channels in (1, 3, 5):
        written = ramp(dtype, channels)
        numbers.save(tmp_path / name, written)
        load = tifffile.imread if name == "a.tif" else np.load
        found = load(tmp_path / name)
        assert found.dtype == written.dtype
        np.testing.assert_array_equal(found.reshape(written.shape), written)


def test_a_kind_of_file_that_does_not_hold_the_type_is_refused(tmp_path):
    numbers.save(tmp_path / "a.png", ramp("uint16"))
    assert np.asarray(Image.open(tmp_path / "a.png"))[0, 1] == 2
    with refused("unsupported", field=str(tmp_path / "b.png"), match="int16 numbers"):
        numbers.save(tmp_path / "b.png", ramp("int16"))
    with refused("unsupported"):
        numbers.save(tmp_path / "b.jpg", ramp("uint16"))
