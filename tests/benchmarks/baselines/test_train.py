"""Training for minutes: the clock, the schedule, losses that are not finite."""

import itertools

import pytest
import tensorflow as tf

from benchmarks.baselines import train
from tests.helpers.errors import refused


class Counting:
    """A model whose loss is the number of the batch."""

    def __init__(self):
        self.fractions = []

    def train_step(self, batch):
        return {"generator": batch}

    def schedule(self, fraction):
        self.fractions.append(fraction)


def numbers():
    return (tf.constant(float(n)) for n in itertools.count(1))


def test_the_minutes_end_the_training_and_the_schedule_follows_them():
    model = Counting()
    seconds = itertools.count(100.0, 6.0)
    found = train.train(model, numbers(), minutes=1.0, clock=lambda: next(seconds))
    assert found == {"steps": 10, "minutes": 1.0, "generator": 9.5}
    assert model.fractions == pytest.approx([n / 10 for n in range(10)])


def test_a_loss_that_is_not_finite_is_refused():
    batches = iter([tf.constant(1.0), tf.constant(float("nan"))])
    with refused("stopped", match="step 2: a loss is not finite"):
        train.train(Counting(), batches, 1.0, clock=itertools.count().__next__)


def test_no_minutes_are_refused():
    with refused("invalid", "--minutes"):
        train.parse(["cogan", "--minutes", "0", "--out", "somewhere"])


def test_models_are_made_by_name_with_their_batch_size(monkeypatch):
    from benchmarks.baselines import bigan, cogan

    monkeypatch.setattr(cogan, "CoGAN", lambda *given: ("cogan", *given[:3]))
    monkeypatch.setattr(
        bigan, "BiGAN", lambda filters, seed, dtype_policy: ("bigan", filters, seed)
    )
    assert train.build("cogan", 5, 64, 8) == (("cogan", 64, 8, 5), cogan.BATCH_SIZE)
    assert train.build("bigan", 5, 64, 8) == (("bigan", 8, 5), 1)
