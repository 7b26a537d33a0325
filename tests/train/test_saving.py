"""When checkpoints are written; what they hold is tested with whole trainings."""

import pytest

from cyclegan_tf.config.experiment import Training
from cyclegan_tf.train import saving
from cyclegan_tf.train.saving import CheckpointSaver


class Monitor:
    """Has a state, and counts how often its logs were flushed."""

    flushed, best = 0, 1.0

    def flush(self):
        self.flushed += 1

    def state_dict(self):
        return {"best": self.best}


@pytest.fixture
def written(monkeypatch):
    """(step, state, keep) of each checkpoint."""
    found = []

    def write(folder, step, arrays, state, keep):
        found.append((step, state, keep))

    monkeypatch.setattr(saving.checkpoints, "write", write)
    monkeypatch.setattr(saving.state, "snapshot", dict)
    return found


@pytest.fixture
def clock(monkeypatch):
    now = [1000.0]
    monkeypatch.setattr(saving.time, "monotonic", lambda: now[0])
    return now


def place(step):
    return {"step": step, "seconds": 0.5}


def saver(tmp_path, monitor=None, **training):
    return CheckpointSaver(tmp_path, {}, monitor or Monitor(), Training(**training))


def test_by_steps_and_never_twice_at_one(tmp_path, written, clock):
    one = saver(tmp_path, checkpoint_every_steps=2, keep_checkpoints=5)
    for step in (1, 2, 2, 3, 4):
        if one.is_due(step, epoch_ended=False):
            one.save(place(step))
    assert written == [(n, {"step": n, "seconds": 0.5, "best": 1.0}, 5) for n in (2, 4)]


def test_by_time_and_sooner_at_the_end_of_an_epoch(tmp_path, written, clock):
    one = saver(tmp_path, checkpoint_every_minutes=5.0)
    for seconds, step, epoch_ended in ((29, 1, True), (2, 2, False), (0, 3, True), (301, 4, False)):
        clock[0] += seconds
        if one.is_due(step, epoch_ended):
            one.save(place(step))
    assert [step for step, _, _ in written] == [3, 4]


def test_the_end_is_saved_unless_it_is_with_its_scores(tmp_path, written):
    monitor = Monitor()
    one = saver(tmp_path, monitor)
    one.note_loaded(place(7))
    one.save_if_new(place(7))
    assert (written, monitor.flushed) == ([], 0)
    monitor.best = 0.5
    one.save_if_new(place(7))
    assert [state["best"] for _, state, _ in written] == [0.5]
    assert monitor.flushed == 1
