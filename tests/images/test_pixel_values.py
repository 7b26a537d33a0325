"""Depth, alpha, inks and rotation against numbers worked out by hand."""

import numpy as np
import pytest

from cyclegan_tf.images import pixel_values
from tests.helpers.errors import refused


@pytest.mark.parametrize(
    ("dtype", "expected"),
    [
        ("bool", (8, 1)),
        ("uint8", (8, 255)),
        (">u2", (16, 65535)),
        ("uint32", (32, 4294967295)),
        ("float16", (32, 1)),
        ("float64", (32, 1)),
    ],
)
def test_depth_of_number_types(dtype, expected):
    assert pixel_values.depth_of(np.dtype(dtype)) == expected


@pytest.mark.parametrize(
    ("dtype", "bits"), [("int8", 16), ("int16", 16), ("int64", 32), ("uint64", 32)]
)
def test_numbers_without_a_white_are_refused(dtype, bits):
    assert pixel_values.depth_of(np.dtype(dtype)) == (bits, pixel_values.NO_WHITE)
    with refused("unsupported", match="none is known to be white"):
        pixel_values.full_range(np.zeros(1, dtype), pixel_values.NO_WHITE)


@pytest.mark.parametrize("dtype", ["complex64", "U3"])
def test_what_is_no_number_is_refused(dtype):
    with refused("unsupported", match="integers or floats"):
        pixel_values.depth_of(np.dtype(dtype))


def test_numbers_stay_as_stored_in_this_machines_byte_order():
    found = pixel_values.full_range(np.array([-7, 900], ">i2"), pixel_values.AS_STORED)
    assert (found.tolist(), found.dtype) == ([-7, 900], np.dtype("=i2"))


@pytest.mark.parametrize(
    ("values", "white", "expected"),
    [
        (np.array([False, True]), 1, [0, 255]),
        (np.array([0, 7, 255], np.uint8), 255, [0, 7, 255]),
        (np.array([0, 7, 65535], ">u2"), 65535, [0, 7, 65535]),
        (
            np.array([0, 1, 2047, 4095], np.uint16),
            4095,
            [0, 16, 32759, 65535],
        ),  # 2047 * 65535 / 4095 = 32759.498
        (np.array([0, 65537, 4294967295], np.uint32), 4294967295, [0, 1, 65535]),
        (
            np.array([0, 0.5, 1], np.float32),
            1,
            [0, 32768, 65535],
        ),  # 32767.5 goes to the even neighbor
        (np.array([0.25], np.float16), 1, [16384]),  # 16383.75
    ],
)
def test_full_range_by_hand(values, white, expected):
    found = pixel_values.full_range(values, white)
    assert found.tolist() == expected
    assert found.dtype == (np.uint8 if values.dtype in (np.bool_, np.uint8) else np.uint16)


@pytest.mark.parametrize(
    ("values", "white"),
    [
        (np.array([0.0, 1.01]), 1),
        (np.array([-0.01, 1.0]), 1),
        (np.array([0.5, np.nan]), 1),
        (np.array([np.inf]), 1),
        (np.array([4096], np.uint16), 4095),
    ],
)
def test_full_range_clips_nothing(values, white):
    with refused("unsupported", match=rf"\[0, {white}\] is wanted"):
        pixel_values.full_range(values, white)


def test_as_dtype_widens_and_narrows_to_the_nearest_level():
    narrow = np.arange(256, dtype=np.uint8)
    wide = pixel_values.as_dtype(narrow, np.uint16)
    assert wide.dtype == np.uint16
    np.testing.assert_array_equal(wide, np.arange(256) * 257)
    np.testing.assert_array_equal(pixel_values.as_dtype(wide, "uint8"), narrow)
    every = np.arange(65536, dtype=np.uint16)
    back = pixel_values.as_dtype(every, np.uint8)
    assert back.dtype == np.uint8
    np.testing.assert_array_equal(back, np.rint(np.arange(65536) / 257))
    assert pixel_values.as_dtype(every, np.uint16) is every


@pytest.mark.parametrize(
    ("given", "wanted"), [("float32", "uint8"), ("uint8", "float32"), ("int32", "uint16")]
)
def test_as_dtype_refuses_other_types(given, wanted):
    with pytest.raises(ValueError, match="uint8 or uint16"):
        pixel_values.as_dtype(np.zeros(3, given), wanted)


def test_half_transparent_on_white():
    pixel = np.array([[[199, 100, 0, 128]]], np.uint8)
    # (199 * 128 + 255 * 127) / 255 = 226.9, (100 * 128 + 32385) / 255 = 177.2, 32385 / 255 = 127
    assert pixel_values.on_white(pixel).tolist() == [[[227, 177, 127]]]
    deep = np.array([[[40000, 0], [40000, 65535], [40000, 32768]]], np.uint16)
    # the last: (40000 * 32768 + 65535 * 32767) / 65535 = 52767.3
    assert pixel_values.on_white(deep).tolist() == [[[65535], [40000], [52767]]]


def test_straight_alpha_undoes_the_multiplication():
    stored = np.array([[[100, 50, 0, 128], [0, 0, 0, 0], [9, 8, 7, 255]]], np.uint8)
    # 100 * 255 / 128 = 199.2, 50 * 255 / 128 = 99.6
    assert pixel_values.straight_alpha(stored).tolist() == [
        [[199, 100, 0, 128], [0, 0, 0, 0], [9, 8, 7, 255]]
    ]


def test_inks_take_light_away():
    inks = np.array([[[0, 0, 0, 0], [255, 0, 0, 0], [0, 0, 0, 255], [10, 20, 30, 40]]], np.uint8)
    # 245 * 215 / 255 = 206.6, 235 * 215 / 255 = 198.1, 225 * 215 / 255 = 189.7
    expected = [[[255, 255, 255], [0, 255, 255], [0, 0, 0], [207, 198, 190]]]
    assert pixel_values.rgb_from_inks(inks).tolist() == expected
    assert pixel_values.rgb_from_inks(inks.astype(np.uint16) * 257).max() == 65535


@pytest.mark.parametrize(
    ("orientation", "expected"),
    [
        (1, ["abc", "def"]),
        (2, ["cba", "fed"]),
        (3, ["fed", "cba"]),
        (4, ["def", "abc"]),
        (5, ["ad", "be", "cf"]),
        (6, ["da", "eb", "fc"]),
        (7, ["fc", "eb", "da"]),
        (8, ["cf", "be", "ad"]),
    ],
)
def test_eight_orientations(orientation, expected):
    stored = np.array([list("abc"), list("def")])[..., None]
    turned = pixel_values.UPRIGHT[orientation](stored)[..., 0]
    assert ["".join(row) for row in turned] == expected
