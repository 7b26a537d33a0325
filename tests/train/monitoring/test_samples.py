"""Grids of test images through both generators."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from cyclegan_tf.images import io as image_io
from cyclegan_tf.train.monitoring.samples import SampleGrids, is_due


class Shift(keras.Model):
    """Adds a constant, so that every cell of a grid is known."""

    def __init__(self, by, channels):
        super().__init__()
        self.by, self.channels = by, channels

    def call(self, inputs, training=False):
        return tf.repeat(inputs[..., :1], self.channels, axis=-1) + self.by


def test_the_first_grids_come_early():
    assert [step for step in range(1, 1001) if is_due(step, 400)] == [20, 100, 400, 800]


@pytest.mark.parametrize(("channels", "columns"), [((3, 3), 4), ((1, 3), 3)])
def test_grids_show_x_fake_cycle_and_identity(tmp_path, channels, columns):
    x = [tf.fill((1, 40, 40, channels[0]), value) for value in (-0.5, 0.0)]
    y = [tf.fill((1, 40, 40, channels[1]), 0.25)]
    generators = {"xy": Shift(0.2, channels[1]), "yx": Shift(-0.1, channels[0])}
    grids = SampleGrids(tmp_path, {"x": x, "y": y}, generators).write(12)
    assert {path.name for path in tmp_path.iterdir()} == {
        "step_000000012_xy.png",
        "step_000000012_yx.png",
    }
    np.testing.assert_array_equal(image_io.read(tmp_path / "step_000000012_xy.png"), grids["xy"])
    expected = [-0.5, -0.3, -0.4, -0.6][:columns]
    pixel_values = [round((value + 1) * 127.5) for value in expected]
    grid = grids["xy"]
    for value in pixel_values:
        assert (np.abs(grid.astype(int) - value).max(axis=-1) <= 1).sum() >= 1500
    assert grid.shape[1] // 40 == columns
    assert 60 < grids["yx"].shape[0] < grids["xy"].shape[0]
