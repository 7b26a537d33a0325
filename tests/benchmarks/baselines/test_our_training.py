"""The command with the processor's clock."""

import time

from benchmarks.baselines import our_training
from cyclegan_tf.train import trainer


def test_the_trainer_counts_processor_time_within_it_only(monkeypatch):
    def command(argv):
        started = trainer.time.monotonic()
        time.sleep(0.05)
        assert trainer.time.monotonic() - started < 0.04
        return len(argv)

    monkeypatch.setattr(our_training.command, "main", command)
    assert our_training.main(["a", "b"]) == 2
    assert trainer.time is time
