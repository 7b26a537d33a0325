"""Descriptions of how scores were computed agree with the code."""

import inspect

import pytest

from cyclegan_tf.data.transforms import ImageTransform
from cyclegan_tf.evaluate.report.protocol import protocol, sizes
from cyclegan_tf.metrics import sliced_wasserstein as swd


@pytest.mark.parametrize(
    ("mode", "expected"),
    [
        ("resize_and_crop", "resized to 64 x 64 px"),
        ("scale_width_and_crop", "a width of 64 px"),
        ("scale_width", "a width of 72 px"),
        ("crop", "own size"),
        ("none", "own size"),
    ],
)
def test_sizes(mode, expected):
    text = sizes(ImageTransform(mode, 72, 64, size_divisor_px=8))
    assert expected in text
    assert "multiples of 8 px" in text


def test_the_numbers_are_those_of_the_code():
    text = protocol(ImageTransform("none", 1, 1), 5, {"x": 7, "y": 9}, None)
    defaults = inspect.signature(swd.sliced_wasserstein).parameters
    assert (
        f"{defaults['patches'].default} patches of {swd.PATCH_PX} x {swd.PATCH_PX} px"
        in text["SWD"]
    )
    assert f"{defaults['directions'].default} random directions" in text["SWD"]
    assert "seed 5" in text["SWD"]
    assert "7 of X, 9 of Y" in text["Constant, random real"]
    assert "Label scores" not in text


def test_what_was_not_there_is_mentioned():
    text = protocol(ImageTransform("none", 1, 1), 0, {}, "palette.json")
    assert "no training images" in text["Constant, random real"]
    assert "palette.json" in text["Label scores"]
