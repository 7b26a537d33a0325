"""Names and numbers of scores."""

import math

import pytest

from cyclegan_tf.evaluate import scores
from cyclegan_tf.evaluate.report import wording


@pytest.mark.parametrize(
    ("name", "value", "text"),
    [
        ("psnr", 21.456, "21.46"),
        ("psnr", math.inf, "∞"),
        ("ssim", -0.01849, "-0.018"),
        ("swd", None, "-"),
        ("swd", math.nan, "-"),
        ("fid", 100.06, "100.1"),
    ],
)
def test_numbers(name, value, text):
    assert wording.number(name, value) == text


def test_labels():
    assert wording.label("psnr") == "PSNR, dB (higher is better)"
    assert wording.label("mae") == "MAE (lower is better)"
    assert wording.label("change") == "Change (0: a copy)"
    assert wording.arrow("yx") == "Y → X"


def test_every_score_that_ranks_has_a_label_that_points_the_same_way():
    for name, higher in scores.HIGHER_IS_BETTER.items():
        assert wording.SCORES[name].better == ("higher" if higher else "lower")
