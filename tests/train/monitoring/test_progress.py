"""The bar, and the lines in its place."""

from cyclegan_tf import cli
from cyclegan_tf.train.monitoring.progress import ProgressBar, clock


def test_a_line_shows_speed_rest_and_losses(capsys):
    cli.log_to_terminal()
    progress = ProgressBar(100, 4, quiet=False)
    progress.log(20, 1, {"cycle_x": 0.1234, "other": 1.0}, 2.0, 40.0)
    assert (
        capsys.readouterr().out
        == "step 20/100 epoch 2 2.00 steps/s 8.00 images/s ETA 0:40 cycle_x 0.123\n"
    )
    ProgressBar(100, 1, quiet=False).log(20, 1, {"cycle_x": 0.1234}, 2.0, 40.0)
    assert "images/s" not in capsys.readouterr().out  # which are steps, one at a time
    cli.log_to_terminal(quiet=True)
    quiet = ProgressBar(100, 4, quiet=True)
    quiet.log(20, 1, {"cycle_x": 0.1}, 2.0, 40.0)
    assert capsys.readouterr().out == ""


def test_a_training_that_only_time_ends_has_no_last_step(capsys):
    cli.log_to_terminal()
    ProgressBar(None, 4, quiet=False).log(20, 1, {}, 2.0, 40.0)
    assert capsys.readouterr().out.startswith("step 20 epoch 2 ")


def test_clock():
    assert [clock(s) for s in (0, 61.9, 3600, 7322, -3)] == [
        "0:00",
        "1:01",
        "1:00:00",
        "2:02:02",
        "0:00",
    ]
