"""The student's networks, and the colors it starts from."""

import numpy as np
import pytest

from cyclegan_tf.distill.settings import Settings
from cyclegan_tf.distill.student import build_student, color_map, start_from_colors


@pytest.mark.parametrize("architecture", ["mobile", "fast_style", "unet_128"])
def test_any_architecture(architecture):
    student = build_student(Settings(architecture, filters=1), (1, 3), "yx")
    assert (student.input_shape[-1], student.output_shape[-1]) == (1, 3)
    names = {layer.name for layer in student.layers}
    assert "colour_skip" in names
    assert ("up1_long_skip" in names) == (architecture != "unet_128")


def test_the_color_map_is_found_again():
    rng = np.random.default_rng(0)
    images = rng.uniform(-0.9, 0.9, (2, 9, 9, 2)).astype(np.float32)
    matrix, offset = color_map(images, images[..., ::-1])
    np.testing.assert_allclose(matrix, [[0, 1], [1, 0]], atol=1e-6)
    np.testing.assert_allclose(offset, 0, atol=1e-6)


def test_the_first_images_are_near_the_teachers():
    rng = np.random.default_rng(0)
    images = rng.uniform(-0.8, 0.8, (4, 16, 16, 3)).astype(np.float32)
    answers = 0.5 * images[..., ::-1] - 0.1
    student = build_student(Settings(filters=2, blocks=1), (3, 3), "xy")
    before = np.abs(student(images) - answers).mean()
    start_from_colors(student, images, answers, 2e-3)
    after = np.abs(student(images) - answers).mean()
    assert after < before / 2
    assert float(student.get_layer("colour_skip").pace.value) == pytest.approx(5)
