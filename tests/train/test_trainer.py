"""The loop on a strategy; whole trainings are in test_train.py, several devices in
test_training_together.py."""

import numpy as np

from cyclegan_tf.train import command as train
from cyclegan_tf.train import trainer as training
from cyclegan_tf.train.multi_worker import Bystander
from tests.helpers import tiny


def test_a_strategy_of_one_replica_changes_no_bit(tmp_path, capsys):
    source = tiny.folder(tmp_path / "images")
    more = [
        "--training.max_steps=3",
        "--training.ema_half_life_images=8",
        "--logging.score_every_epochs=0",
    ]
    assert train.main(tiny.words(source, tmp_path / "plain", *more)) == 0
    assert (
        train.main(tiny.words(source, tmp_path / "mirrored", *more, "--training.strategy=mirrored"))
        == 0
    )
    assert "mirrored, 1 replicas" in capsys.readouterr().out
    tiny.assert_same_outcome(tmp_path / "plain", tmp_path / "mirrored")
    words = ["--run_dir", str(tmp_path / "mirrored"), "--training.strategy=none"]
    assert train.main(words) == 0  # another strategy may go on
    assert "this run is finished" in capsys.readouterr().out


def test_a_bystander_writes_nothing_and_can_be_asked_all_that_the_loop_asks(tmp_path):
    asked = {name for name in vars(training.TrainingMonitor) if not name.startswith("_")}
    assert asked <= set(dir(Bystander)) | {"should_stop"}
    bystander = Bystander(type("Model", (), {"trackers": {}})())
    bystander.open(3)
    bystander.row(1, 0, {"a": np.float32(1)}, 2.0)
    bystander.reset_trackers()
    assert (bystander.state_dict(), bystander.should_stop) == ({}, False)
