"""The canvas: a palette that can be inverted, edges one pixel wide."""

import numpy as np
import pytest

from cyclegan_tf.data.demo_canvas import PALETTE, Canvas, ball


@pytest.mark.parametrize("name", PALETTE)
def test_every_color_is_one_to_one_between_the_worlds(name):
    for world in ("x", "y"):
        first, last = np.array(PALETTE[name][world], float)
        assert np.linalg.norm(last - first) > 15  # the scalar can be read off the color


def test_brightness_keeps_its_order_so_no_swap_is_as_good():
    for world in ("x", "y"):
        lightness = {name: np.mean(PALETTE[name][world]) for name in PALETTE}
        assert lightness["skyline"] > lightness["meadow"] > lightness["round"] > lightness["dark"]
        assert lightness["cloud"] > lightness["zenith"] > lightness["ridge"] > lightness["conifer"]


def test_a_disc_covers_its_area_with_a_soft_edge():
    canvas = Canvas(40, "x")
    patch = canvas.patch(0.2, 0.2, 0.8, 0.8)
    canvas.blend(patch, ball(patch, 0.5, 0.5, 0.25), np.ones((3, 1, 1), np.float32))
    assert canvas.pixels.sum() == pytest.approx(3 * np.pi * 10**2, rel=0.01)
    assert set(canvas.pixels[0, 20, [0, 20]]) == {0.0, 1.0}
    assert ((canvas.pixels > 0) & (canvas.pixels < 1)).any()


@pytest.mark.parametrize(("size_px", "world"), [(0, "x"), (8, "z")])
def test_canvases_that_cannot_be(size_px, world):
    with pytest.raises(ValueError, match="size_px must be at least 1"):
        Canvas(size_px, world)
