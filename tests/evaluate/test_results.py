"""Results as strict JSON, and the order of images."""

import json

import pytest

from cyclegan_tf.evaluate import results
from tests.helpers import tiny_evaluation as tiny


def refuse(word):
    raise AssertionError(f"{word} is no JSON")


def test_json_is_strict_and_complete():
    found = tiny.evaluation(tiny.direction(), tiny.direction(direction="yx"))
    found_json = json.loads(json.dumps(found.as_json(), allow_nan=False), parse_constant=refuse)
    assert list(found_json["directions"]) == ["xy", "yx"]
    xy = found_json["directions"]["xy"]
    assert xy["scores"] == {
        "psnr": 20.5, "mae": 0.25, "fid": 101.26, "swd": 80.04, "cycle_error": None, "variety": 0.5
    }  # fmt: skip
    assert xy["baselines"]["constant"] == {"psnr": "Infinity", "mae": 0.5, "swd": None}
    assert float(xy["baselines"]["constant"]["psnr"]) == float("inf")
    assert xy["images"][1] == {"input": "b<i>.png", "psnr": 21.0, "mae": 0.3}
    assert xy["images"][2]["psnr"] is None
    assert xy["bootstrap_intervals_95"] == {"fid": [90.04, 110.0]}
    assert xy["swd_levels_px"] == {"32": 100.5, "16": 59.58}
    assert xy["classes"]["door"]["accuracy"] is None
    assert found_json["run"] == "runs/a & b"


def test_rows_are_scores_that_are_known():
    assert tiny.direction().rows() == ["psnr", "mae", "fid", "swd", "variety"]
    assert "cycle_error" in tiny.direction(scores={"cycle_error": 0.1}).rows()


def test_in_order():
    assert list(results.in_order({"change": 1.0, "swd": 2.0, "psnr": 3.0, "unheard_of": 4.0})) == [
        "psnr",
        "swd",
        "change",
    ]


@pytest.mark.parametrize(
    ("known", "chosen"),
    [
        (("cycle_error", "psnr", "pixel_accuracy"), "pixel_accuracy"),
        (("cycle_error", "psnr", "luminance_correlation"), "psnr"),
        (("cycle_error", "change"), "cycle_error"),
        (("change",), "luminance_correlation"),
    ],
)
def test_what_orders_images(known, chosen):
    single = dict.fromkeys(known, (None, 1.0)) | {"luminance_correlation": (None, None)}
    assert results.ranking_score(single) == chosen


def test_groups_of_many():
    values = [float(index) for index in range(20)]
    assert results.ranked_groups(values, higher_is_better=True) == {
        "worst": [0, 1, 2, 3],
        "median": [8, 9, 10, 11],
        "best": [19, 18, 17, 16],
    }
    assert results.ranked_groups(values, higher_is_better=False)["worst"] == [19, 18, 17, 16]


def test_groups_of_few_and_without_values():
    assert results.ranked_groups([0.3, None, 0.1], higher_is_better=False) == {"all": [0, 2]}
    assert results.ranked_groups([None], higher_is_better=True) == {"all": []}
    many = [None, *range(13)]
    found = results.ranked_groups(many, higher_is_better=True)
    assert sorted(index for group in found.values() for index in group) == [
        1,
        2,
        3,
        4,
        5,
        6,
        7,
        8,
        10,
        11,
        12,
        13,
    ]


def test_which_way_scores_point():
    assert results.higher_is_better("psnr")
    assert results.higher_is_better("pixel_accuracy")
    assert not results.higher_is_better("cycle_error")
    assert not results.higher_is_better("fid")
    assert results.higher_is_better("luminance_correlation")
