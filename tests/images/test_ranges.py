"""Ranges of numbers against values worked out by hand."""

import numpy as np
import pytest

from cyclegan_tf.images.ranges import FULL_RANGES, RangePair, ValueRange, common_type
from cyclegan_tf.images.ranges import measured_range as measured
from tests.helpers.errors import refused

HOUNSFIELD = ValueRange(-1000, 3000, "int16")


def test_numbers_become_signed_by_hand_and_what_lies_outside_is_clipped():
    numbers = np.array([[-32768, -1000, 0, 1000, 2000, 3000, 3001]], np.int16)
    found = HOUNSFIELD.to_signed(numbers)
    assert found.dtype == np.float32
    assert found.tolist() == [[-1, -1, -0.5, 0, 0.5, 1, 1]]
    assert HOUNSFIELD.count_outside(numbers) == 2


def test_levels_of_training_by_hand():
    # (0 + 1000) / 4000 * 65535 = 16383.75
    found = HOUNSFIELD.levels(np.array([-2000, -1000, 0, 3000], np.int16))
    assert found.dtype == np.uint16
    assert found.tolist() == [0, 0, 16384, 65535]


def test_signed_values_become_numbers_of_the_type():
    values = np.array([-1.5, -1, 0, 0.00026, 1, 2], np.float32)  # 0.00026 * 2000 = 0.52
    assert HOUNSFIELD.from_signed(values).tolist() == [-1000, -1000, 1000, 1001, 3000, 3000]
    shares = ValueRange(-0.5, 1.5, "float32").from_signed(np.array([-1, 0.25], np.float32))
    assert (shares.dtype, shares.tolist()) == (np.float32, [-0.5, 0.75])


def test_a_range_beyond_the_type_stays_within_the_type():
    assert ValueRange(-100, 400, "uint8").from_signed(np.array([-1.0, 1.0])).tolist() == [0, 255]


@pytest.mark.parametrize(
    "kept",
    [
        ValueRange.of_type("int16"),
        ValueRange.of_type("uint16"),
        ValueRange(-1024, 3071, "int16"),
        ValueRange(0, 2**22, "int32"),
        ValueRange(0, 255, "uint8"),
    ],
    ids=str,
)
def test_integers_come_back_exactly_through_float32(kept):
    step = max(1, int(kept.high - kept.low) // 2**17)
    numbers = np.arange(int(kept.low), int(kept.high) + 1, step).astype(kept.dtype)
    np.testing.assert_array_equal(kept.from_signed(kept.to_signed(numbers)), numbers)


def test_floats_come_back_to_2_to_the_minus_24_of_the_range():
    kept = ValueRange(-1e4, 3e4, "float64")
    numbers = np.random.default_rng(0).uniform(-1e4, 3e4, 10_000)
    back = kept.from_signed(kept.to_signed(numbers))
    assert back.dtype == np.float64
    assert np.abs(back - numbers).max() <= 4e4 * 2**-24


@pytest.mark.parametrize("method", ["to_signed", "levels", "from_signed"])
def test_nan_is_refused(method):
    with refused("unsupported", match="NaN"):
        getattr(HOUNSFIELD, method)(np.array([0, np.nan]))


def test_full_ranges_of_types():
    assert ValueRange.of_type("int8") == ValueRange(-128, 127, "int8")
    assert ValueRange.of_type("float64") == ValueRange(0, 1, "float64")


def test_files_keep_a_range_and_a_damaged_one_is_none():
    pair = RangePair(None, HOUNSFIELD)
    kept = pair.as_dict()
    assert kept == {"source": None, "target": {"low": -1000, "high": 3000, "dtype": "int16"}}
    assert RangePair.from_dict(kept) == pair
    assert FULL_RANGES.as_dict() is None
    assert FULL_RANGES.in_words() == ""
    assert pair.in_words() == "black to white: levels in, -1000 to 3000 (int16) out"
    assert RangePair.from_dict(None) == FULL_RANGES
    for damaged in (
        None,
        {"low": 3, "high": 3, "dtype": "int16"},
        {"low": 0, "high": float("nan"), "dtype": "int16"},
        {"low": "0", "high": 1, "dtype": "int16"},
        {"low": 0, "high": 1, "dtype": "U3"},
        {"low": 0, "high": 1, "dtype": "no type"},
        {"low": 0, "high": 1},
    ):
        assert ValueRange.from_dict(damaged) is None


def test_percentiles_by_hand():
    numbers = np.arange(1001, dtype=np.int16)  # the 0.1th percentile is 1, the 99.9th 999
    halves = [numbers[:500], numbers[500:]]
    assert measured(halves, (0.1, 99.9), "int16") == ValueRange(1, 999, "int16")
    assert measured(halves, (0, 100), "int16") == ValueRange(0, 1000, "int16")


def test_whole_numbers_for_integers_and_six_digits_for_floats():
    integers = np.array([0, 3, 7], np.uint16)  # percentiles 0.06 and 6.96 of linear interpolation
    assert measured([integers], (1, 99.5), "uint16") == ValueRange(0, 7, "uint16")
    floats = np.array([0.123456789, 2 / 3, np.nan, np.inf])
    assert measured([floats], (0, 100), "float64") == ValueRange(0.123457, 0.666667, "float64")


def test_a_few_bright_points_on_black_still_have_a_range():
    sky = np.zeros(100_000, np.uint16)
    sky[7] = 3000
    assert measured([sky], (0.1, 99.9), "uint16") == ValueRange(0, 3000, "uint16")


@pytest.mark.parametrize(("numbers", "said"), [([5.0, 5.0], "5 and nothing"), ([np.nan], "no num")])
def test_numbers_without_a_range_are_refused(numbers, said):
    with refused("unsupported", match=said):
        measured([np.array(numbers)], (0.1, 99.9), "float32")


def test_common_type_holds_all():
    assert common_type(["uint8", "uint8"]) == "uint8"
    assert common_type(["uint16", "int16"]) == "int32"
    assert common_type(["uint8", ">i2"]) == "int16"
