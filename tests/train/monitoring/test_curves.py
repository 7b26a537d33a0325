"""Curves as SVG."""

import math
import re
import xml.etree.ElementTree as ET

from cyclegan_tf.train.monitoring import curves


def test_a_chart_says_in_its_label_what_it_shows_and_names_are_escaped():
    drawing = curves.chart({"a<b": [(1, 2.0), (9, 0.5)]}, "Loss & rate")
    root = ET.fromstring(drawing)
    assert root.get("aria-label") == "Loss & rate over 9 steps; last: a<b 0.5"


def test_values_that_are_not_finite_are_left_out_and_nothing_gives_no_chart():
    assert curves.chart({"a": [(1, math.nan)]}, "t") == curves.chart({}, "t") == ""
    drawing = curves.chart({"a": [(1, math.inf), (2, 1.0), (3, 2.0)]}, "t")
    assert "inf" not in drawing
    assert "nan" not in drawing


def test_all_points_lie_inside_whatever_the_levels():
    drawing = curves.chart({"a": [(5, 1.0), (10, 3.0)]}, "t", {"a": 9.0}, marked_step=40)
    for name, limit in (("x", 380), ("y", 180)):
        for value in re.findall(rf' {name}[12]?="(-?[\d.]+)"', drawing):
            assert 0 <= float(value) <= limit
    assert 'class="level c0"' in drawing
    assert 'class="best"' in drawing


def test_the_axis_has_short_numbers():
    texts = re.findall(r">([^<>]+)</text>", curves.chart({"a": [(0, 0), (1500, 1.96e-4)]}, "t"))
    assert texts == ["0", "9.8e-5", "2e-4", "0", "step 1,500"]


def test_a_constant_and_a_single_point_are_drawn():
    assert "<polyline" in curves.chart({"a": [(1, 2e-4), (2, 2e-4)]}, "t")
    assert "<circle" in curves.chart({"a": [(1, 0.0)]}, "t")


def test_long_curves_become_means_of_neighbors():
    points = [(step, float(step % 2)) for step in range(10_000)]
    found = curves.thinned(points)
    assert len(found) <= 300
    assert all(abs(value - 0.5) < 0.05 for _, value in found)
