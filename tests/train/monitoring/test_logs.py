"""Rows of metrics.jsonl and curves in trackers."""

import json

from cyclegan_tf.runs.run_directory import RunDirectory
from cyclegan_tf.train.monitoring.logs import MetricsLogger


def test_rows_are_json_even_when_a_value_is_not_finite(tmp_path):
    run = RunDirectory(tmp_path)
    logger = MetricsLogger(run)
    logger.log_losses(
        "train", 3, 0, {"cycle_x": 0.5, "gradient_norm_generators": float("inf")}, 2.0
    )
    logger.log_losses("test", 3, 0, {"cycle_x": 0.25})
    logger.close()
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


def test_scores_warnings_and_single_numbers(tmp_path):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    run = RunDirectory(tmp_path)
    logger = MetricsLogger(run)
    logger.log_scores(4, 1, "raw", {"swd_xy": 2.0, "psnr_xy": float("inf")})
    logger.log_scores(4, 1, "averaged", {"swd_xy": 1.5})
    logger.log_warning(4, "collapse_xy", "G has collapsed.")
    logger.log_warning(8, "collapse_xy", "G has collapsed.")
    logger.log_scalar("speed/scoring_seconds", 4, 0.5)
    logger.close()
    assert [json.loads(line) for line in run.metrics_path.read_text().splitlines()] == [
        {"kind": "score", "step": 4, "epoch": 1, "weights": "raw", "swd_xy": 2.0, "psnr_xy": None},
        {"kind": "score", "step": 4, "epoch": 1, "weights": "averaged", "swd_xy": 1.5},
        {"kind": "warning", "step": 4, "name": "collapse_xy", "text": "G has collapsed."},
    ]
    curves = {}
    for folder in ("test", "averaged"):
        curves[folder] = EventAccumulator(str(run.logs / folder), size_guidance={"tensors": 0})
        curves[folder].Reload()
    assert set(curves["averaged"].Tags()["tensors"]) == {"score/swd_xy"}
    assert {"score/swd_xy", "warning/collapse_xy", "speed/scoring_seconds"} <= set(
        curves["test"].Tags()["tensors"]
    )
    event, again = curves["test"].Tensors("warning/collapse_xy")
    assert again.step == 8
    assert (event.step, event.tensor_proto.string_val[0]) == (4, b"G has collapsed.")
