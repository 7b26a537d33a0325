"""The loop on one device; whole trainings are in test_command.py, several devices in
test_several_devices.py."""

import pytest

from cyclegan_tf.devices.strategy import DistributionContext
from cyclegan_tf.train import command as train
from cyclegan_tf.train.trainer import Trainer
from tests.helpers import tiny

pytestmark = pytest.mark.usefixtures("plain_graphs")


def test_a_strategy_of_one_replica_changes_no_bit(tmp_path, capsys):
    source = tiny.folder(tmp_path / "images")
    more = [
        "--training.max_steps=3",
        "--training.ema_half_life_images=8",
        "--logging.score_every_epochs=0",
    ]
    assert train.main(tiny.words(source, tmp_path / "plain", *more)) == 0
    mirrored = tiny.words(source, tmp_path / "mirrored", *more, "--training.strategy=mirrored")
    assert train.main(mirrored) == 0
    assert "mirrored, 1 replicas" in capsys.readouterr().out
    tiny.assert_same_outcome(tmp_path / "plain", tmp_path / "mirrored")
    words = ["--run_dir", str(tmp_path / "mirrored"), "--training.strategy=none"]
    assert train.main(words) == 0  # a run may be resumed with another strategy
    assert "this run is finished" in capsys.readouterr().out


class SecondWorker(DistributionContext):
    """This one device, which is not the chief."""

    is_chief = False


@pytest.mark.usefixtures("step_by_step")
def test_a_worker_that_is_not_the_chief_trains_and_writes_nothing(tiny_run, tmp_path, monkeypatch):
    chief = tiny.started(
        monkeypatch,
        tiny.words(
            tiny_run.parent / "images",
            tmp_path / "run",
            "--training.max_steps=2",
            "--training.checkpoint_every_steps=1",
        ),
    )
    before = sorted(tmp_path.rglob("*"))
    other = Trainer(
        chief.experiment, chief.run_directory, chief.data, chief.model, devices=SecondWorker()
    )
    assert other.monitor is None
    assert other.train() == 0
    assert (other.step, other.finished) == (2, True)
    # running means of the others start anew with the chief's
    assert {float(t.count.numpy()) for t in other.model.metric_trackers.values()} == {0.0}
    assert sorted(tmp_path.rglob("*")) == before
