"""Histograms: every image counted once, the same in the label."""

import math
import re
import xml.etree.ElementTree as ElementTree

from cyclegan_tf.evaluate.report.charts import histogram


def bars(svg):
    return [int(count) for count in re.findall(r"<title>(\d+) from", svg)]


def test_every_image_is_in_one_bar():
    svg = histogram([1.0, 1.0, 2.0, 5.0], "PSNR, dB", ".1f")
    assert sum(bars(svg)) == 4
    assert bars(svg)[0] == 2
    assert 'aria-label="Histogram of PSNR, dB: 4 images from 1.0 to 5.0, median 1.5"' in svg
    assert ElementTree.fromstring(svg).attrib["role"] == "img"


def test_the_highest_bar_is_as_high_as_the_room():
    heights = {
        float(h)
        for h in re.findall(
            r'class="bar"[^>]*? height="([\d.]+)"', histogram([1, 1, 2], "a", ".0f")
        )
    }
    assert heights == {114.0, 57.0}


def test_a_mark_beside_the_values_is_inside_the_image():
    svg = histogram([1.0, 2.0], "a <b>", ".1f", 4.0, "unchanged input")
    assert "unchanged input 4.0" in svg
    assert "a &lt;b&gt;" in svg
    (x,) = re.findall(r'class="marked" x1="([\d.]+)"', svg)
    assert float(x) == 308
    (x,) = re.findall(r'class="median" x1="([\d.]+)"', svg)
    assert float(x) == round(12 + 296 * 0.5 / 3, 1)


def test_values_that_are_all_alike_or_infinite():
    assert sum(bars(histogram([2.0, 2.0], "a", ".1f"))) == 2
    svg = histogram([1.0, math.inf], "a", ".1f", math.inf, "unchanged input")
    assert "1 infinite, not drawn" in svg
    assert "marked" not in svg
    assert histogram([math.inf], "a", ".1f") == ""
    assert histogram([], "a", ".1f") == ""
