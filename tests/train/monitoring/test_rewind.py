"""Logs go back to a checkpoint."""

import tensorflow as tf

from cyclegan_tf.runs.metrics_log import rows
from cyclegan_tf.runs.run_directory import RunDirectory
from cyclegan_tf.train.monitoring.logs import MetricsLogger
from cyclegan_tf.train.monitoring.rewind import SAMPLES, SCORE, TEST, rewind


def events(run, kind):
    """(tag, step) of all points of the curves of one kind."""
    found = []
    for path in sorted((run.logs / kind).glob("events*")):
        for record in tf.data.TFRecordDataset(str(path)):
            event = tf.compat.v1.Event.FromString(record.numpy())
            found += [(value.tag, event.step) for value in event.summary.value]
    return found


def written(tmp_path):
    """Steps 1 to 3: losses, scores, images, a text."""
    run = RunDirectory(tmp_path)
    logger = MetricsLogger(run)
    for step in (1, 2, 3):
        logger.log_losses("train", step, 0, {"cycle_x": 0.5})
        logger.log_losses("test", step, 0, {"cycle_x": 0.5})
        logger.log_scores(step, 0, "raw", {"swd_xy": 1.0})
        logger.log_scores(step, 0, "averaged", {"swd_xy": 1.0})
        logger.log_scalar("speed/scoring_seconds", step, 1.0)
        logger.log_warning(step, "flat", f"flat {step}")
        logger.log_image("samples_xy", step, tf.zeros((2, 2, 3), tf.uint8).numpy())
    logger.close()
    return run


ALL_OF_TEST = (
    "loss/cycle_x",
    "score/swd_xy",
    "speed/scoring_seconds",
    "warning/flat",
    "samples_xy",
)


def test_what_is_later_goes(tmp_path):
    run = written(tmp_path)
    rewind(run, 2)
    assert [row["step"] for row in rows(run.metrics_path)] == [1] * 5 + [2] * 5
    assert events(run, "train") == [("loss/cycle_x", 1), ("loss/cycle_x", 2)]
    assert events(run, "averaged") == [("score/swd_xy", 1), ("score/swd_xy", 2)]
    assert events(run, "test") == [(tag, step) for step in (1, 2) for tag in ALL_OF_TEST]
    # what stays as it is is not written again
    before = [path.stat().st_ino for path in run.logs.rglob("events*")]
    rewind(run, 2)
    assert [path.stat().st_ino for path in run.logs.rglob("events*")] == before
    rewind(run, 0)
    assert list(rows(run.metrics_path)) == []
    assert events(run, "train") == events(run, "test") == events(run, "averaged") == []


def test_of_the_last_step_goes_what_the_end_writes_again(tmp_path):
    run = written(tmp_path)
    rewind(run, 3, {SAMPLES, TEST})
    last = [row["kind"] for row in rows(run.metrics_path) if row["step"] == 3]
    assert last == ["train", "score", "score", "warning"]
    assert ("loss/cycle_x", 3) in events(run, "train")
    assert [tag for tag, step in events(run, "test") if step == 3] == list(ALL_OF_TEST[1:4])
    rewind(run, 3, {SCORE})
    assert [tag for tag, step in events(run, "test") if step == 3] == ["warning/flat"]
    assert ("score/swd_xy", 3) not in events(run, "averaged")


def test_a_file_cut_short_keeps_what_is_whole(tmp_path):
    run = written(tmp_path)
    (path,) = (run.logs / "train").glob("events*")
    path.write_bytes(path.read_bytes()[:-5])
    rewind(run, 1)
    assert events(run, "train") == [("loss/cycle_x", 1)]


def test_a_run_that_has_written_nothing(tmp_path):
    rewind(RunDirectory(tmp_path), 0)
    assert list(tmp_path.iterdir()) == []
