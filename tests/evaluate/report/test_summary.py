"""What scores come to: counts of what is beaten, and a word where two distances disagree."""

import pytest

from cyclegan_tf.evaluate.report.summary import beats, summarize
from tests.helpers import tiny_evaluation as tiny


def test_counts():
    assert summarize(tiny.direction()) == [
        "Better than the unchanged input in 3 of 4 scores, than the best constant image in 1 of 2 "
        "scores."
    ]


def test_nothing_to_compare_with():
    assert summarize(tiny.direction(baselines={})) == []


@pytest.mark.parametrize(
    ("swd", "color_swd", "word"),
    [(100.0, 50.0, "texture not yet"), (80.0, 150.0, "cast of color"), (80.0, 50.0, None)],
)
def test_distances_that_disagree(swd, color_swd, word):
    scores = {"swd": swd, "color_swd": color_swd}
    _, *more = summarize(
        tiny.direction(
            scores=scores, baselines={"unchanged input": {"swd": 90.0, "color_swd": 100.0}}
        )
    )
    assert len(more) == (word is not None)
    assert word is None or word in more[0]


def test_what_is_no_contest():
    assert beats("swd", 80.0, 10.0, "random real") is None
    assert beats("psnr", 20.0, float("inf"), "constant") is False
    assert beats("change", 0.1, 0.0, "unchanged input") is None
    assert beats("mae", None, 0.5, "constant") is None
