"""What people look at: rows, curves, grids, the bar."""

import json

import keras
import numpy as np
import pytest
import tensorflow as tf

from cyclegan_tf.errors import UserError
from cyclegan_tf.images import io as image_io
from cyclegan_tf.runs.run_directory import RunDirectory
from cyclegan_tf.train.logs import (
    MetricsLogger,
    ProgressBar,
    SampleGrids,
    clock,
    save_offending_batch,
)


def test_rows_are_json_even_when_a_value_is_not_finite(tmp_path):
    run = RunDirectory(tmp_path)
    journal = MetricsLogger(run)
    journal.write("train", 3, 0, {"cycle_x": 0.5, "gradient_norm_generators": float("inf")}, 2.0)
    journal.write("test", 3, 0, {"cycle_x": 0.25})
    journal.close()
    rows = [json.loads(line) for line in run.metrics_path.read_text().splitlines()]
    assert rows[0] == {
        "kind": "train",
        "step": 3,
        "epoch": 0,
        "cycle_x": 0.5,
        "gradient_norm_generators": None,
        "steps_per_second": 2.0,
    }
    assert rows[1] == {"kind": "test", "step": 3, "epoch": 0, "cycle_x": 0.25}


def test_scores_words_and_single_numbers(tmp_path):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    run = RunDirectory(tmp_path)
    journal = MetricsLogger(run)
    journal.scores(4, 1, "raw", {"swd_xy": 2.0, "psnr_xy": float("inf")})
    journal.scores(4, 1, "averaged", {"swd_xy": 1.5})
    journal.text("warning/collapse_xy", 4, "G has collapsed.")
    journal.scalar("speed/scoring_seconds", 4, 0.5)
    journal.close()
    assert [json.loads(line) for line in run.metrics_path.read_text().splitlines()] == [
        {"kind": "score", "step": 4, "epoch": 1, "weights": "raw", "swd_xy": 2.0, "psnr_xy": None},
        {"kind": "score", "step": 4, "epoch": 1, "weights": "averaged", "swd_xy": 1.5},
    ]
    curves = {}
    for folder in ("test", "averaged"):
        curves[folder] = EventAccumulator(str(run.logs / folder), size_guidance={"tensors": 0})
        curves[folder].Reload()
    assert set(curves["averaged"].Tags()["tensors"]) == {"score/swd_xy"}
    assert {"score/swd_xy", "warning/collapse_xy", "speed/scoring_seconds"} <= set(
        curves["test"].Tags()["tensors"]
    )
    (event,) = curves["test"].Tensors("warning/collapse_xy")
    assert (event.step, event.tensor_proto.string_val[0]) == (4, b"G has collapsed.")


def test_problems_are_told_even_when_quiet(capsys):
    ProgressBar(100, 4, quiet=True).warn("warning: look")
    assert capsys.readouterr().err == "warning: look\n"


def test_logs_that_cannot_be_written_are_one_sentence(tmp_path, monkeypatch):
    journal = MetricsLogger(RunDirectory(tmp_path))

    def full(*_, **__):
        raise tf.errors.ResourceExhaustedError(
            None, None, "Failed to flush\nNo space left on device"
        )

    with monkeypatch.context() as patched:
        patched.setattr(tf.summary, "scalar", full)
        with pytest.raises(
            UserError, match=r"logs cannot be written \(Failed to flush No space left on device\)"
        ):
            journal.write("train", 1, 0, {"cycle_x": 0.5})
    journal.close()


class Shift(keras.Model):
    """Adds a constant, so that every cell of a grid can be told."""

    def __init__(self, by, channels):
        super().__init__()
        self.by, self.channels = by, channels

    def call(self, inputs, training=False):
        return tf.repeat(inputs[..., :1], self.channels, axis=-1) + self.by


@pytest.mark.parametrize(("channels", "columns"), [((3, 3), 4), ((1, 3), 3)])
def test_grids_show_x_fake_cycle_and_identity(tmp_path, channels, columns):
    x = [tf.fill((1, 40, 40, channels[0]), value) for value in (-0.5, 0.0)]
    y = [tf.fill((1, 40, 40, channels[1]), 0.25)]
    generators = {"xy": Shift(0.2, channels[1]), "yx": Shift(-0.1, channels[0])}
    grids = SampleGrids(tmp_path, {"x": x, "y": y}, generators).draw(12)
    assert {path.name for path in tmp_path.iterdir()} == {
        "step_000000012_xy.png",
        "step_000000012_yx.png",
    }
    np.testing.assert_array_equal(image_io.read(tmp_path / "step_000000012_xy.png"), grids["xy"])
    expected = [-0.5, -0.3, -0.4, -0.6][:columns]
    levels = [round((value + 1) * 127.5) for value in expected]
    grid = grids["xy"]
    for level in levels:
        assert (np.abs(grid.astype(int) - level).max(axis=-1) <= 1).sum() >= 1500
    assert grid.shape[1] // 40 == columns
    assert 60 < grids["yx"].shape[0] - 0 < grids["xy"].shape[0]


def test_a_line_tells_speed_rest_and_losses(capsys):
    progress = ProgressBar(100, 4, quiet=False)
    progress.log(20, 1, {"cycle_x": 0.1234, "other": 1.0}, 2.0, 40.0)
    assert (
        capsys.readouterr().out
        == "step 20/100 epoch 2 2.00 steps/s 8.00 images/s ETA 0:40 cycle_x 0.123\n"
    )
    quiet = ProgressBar(100, 4, quiet=True)
    quiet.log(20, 1, {"cycle_x": 0.1}, 2.0, 40.0)
    quiet.say("nothing")
    assert capsys.readouterr().out == ""


def test_clock():
    assert [clock(s) for s in (0, 61.9, 3600, 7322, -3)] == [
        "0:00",
        "1:01",
        "1:00:00",
        "2:02:02",
        "0:00",
    ]


def test_the_offending_batch_is_drawn_even_with_nan(tmp_path):
    batch = (tf.fill((1, 32, 32, 3), float("nan")), tf.ones((1, 32, 32, 3)))
    path = save_offending_batch(RunDirectory(tmp_path), 7, batch, "why")
    assert path.name == "not_finite_step_000000007.png"
    assert path.with_suffix(".txt").read_text() == "why\n"
