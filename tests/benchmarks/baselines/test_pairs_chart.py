"""What the chart of pairs shows."""

import pytest

from benchmarks.baselines import pairs_chart

LINES = [
    {"run": "s/baselines", "xy": {"constant": {"psnr": 9.0}}, "yx": {}},
    {"run": "s/pairs0-0", "title": "0 pairs", "xy": {"psnr": 10.0}, "yx": {}},
    {"run": "s/pairs5-0", "title": "5 pairs", "xy": {"psnr": 12.0}, "yx": {}},
    {"run": "s/pairs0-1", "title": "0 pairs", "xy": {"psnr": 11.0}, "yx": {}},
]


def test_scores_are_grouped_by_pairs():
    assert pairs_chart.curve(LINES, "xy", "psnr") == {"0 pairs": [10.0, 11.0], "5 pairs": [12.0]}
    assert pairs_chart.curve(LINES, "yx", "psnr") == {}
    assert pairs_chart.constant(LINES, "xy", "psnr") == 9.0
    assert pairs_chart.constant(LINES, "yx", "psnr") is None


def test_chart(tmp_path):
    pytest.importorskip("matplotlib")
    pairs_chart.draw({"one": LINES}, tmp_path / "chart.png")
    assert (tmp_path / "chart.png").stat().st_size > 5000
