"""Edges of partners: in place, shifted, and none."""

import numpy as np
import pytest

from cyclegan_tf.check.alignment import compare, edges


def scene(seed=0, size=256, shift=(0, 0)):
    """Rectangles on a plain ground."""
    random = np.random.default_rng(seed)
    image = np.full((size, size, 3), 90, np.uint8)
    for _ in range(12):
        top, left = random.integers(30, size - 80, 2)
        height, width = random.integers(15, 50, 2)
        top, left = top + shift[0], left + shift[1]
        image[top : top + height, left : left + width] = random.integers(0, 256, 3)
    return image


def other_look(image):
    """Other colors, the same edges."""
    return (255 - image[..., ::-1] // 2).astype(np.uint8)


def test_edges_have_mean_0_and_norm_1():
    found = edges(scene())
    assert (found.shape, found.dtype) == ((126, 126), np.float32)
    assert float(found.mean()) == pytest.approx(0, abs=1e-6)
    assert float(np.linalg.norm(found)) == pytest.approx(1, abs=1e-5)
    assert not edges(np.full((9, 30, 1), 7, np.uint16)).any()


def test_partners_fit_where_they_are():
    found = compare(edges(scene()), edges(other_look(scene())))
    assert found.as_they_are == found.shifted > 0.6
    assert found.shift == (0, 0)
    assert not found.is_off


@pytest.mark.parametrize("shift", [(0, 20), (-16, 8)])
def test_a_shifted_partner_is_found_and_where(shift):
    found = compare(edges(scene()), edges(other_look(scene(shift=shift))))
    assert found.is_off
    assert found.shift == pytest.approx([s / 256 for s in shift], abs=1 / 128)


def test_a_pixel_or_two_are_tolerated():
    assert not compare(edges(scene()), edges(other_look(scene(shift=(2, -3))))).is_off


def test_flat_images_are_not_called_misaligned():
    flat = edges(np.zeros((20, 20, 3), np.uint8))
    assert not compare(flat, edges(scene())).is_off
    assert compare(flat, flat).as_they_are == 0


def test_the_correlation_is_that_of_the_planes():
    x, y = edges(scene()), edges(scene(1))
    assert compare(x, y).as_they_are == pytest.approx(float((x * y).sum()), abs=1e-5)
