"""How many steps go to the device at once, against events counted one by one."""

import dataclasses

import pytest

from cyclegan_tf.config.experiment import Experiment, Logging, Training
from cyclegan_tf.train.calls import Events


def events(last=1000, **training):
    logs = Logging(log_every_steps=50, sample_every_steps=120)
    experiment = dataclasses.replace(Experiment(), logging=logs, training=Training(**training))
    return Events(experiment, steps_per_epoch=35, last=last)


@pytest.mark.parametrize(
    ("step", "expected"),
    [(0, 20), (20, 15), (35, 15), (98, 2), (100, 5), (119, 1), (120, 20), (980, 20), (997, 3)],
)
def test_steps_go_up_to_rows_samples_epochs_and_the_end(step, expected):
    assert events().steps_to_next(step) == expected


def test_checkpoints_by_steps_are_events_too():
    assert events(checkpoint_every_steps=7).steps_to_next(0) == 7
    assert [step for step in range(1, 51) if events(checkpoint_every_steps=7).follow(step)] == [
        7, 14, 20, 21, 28, 35, 42, 49, 50,
    ]  # fmt: skip


def test_a_call_keeps_to_one_learning_rate():
    def rate(step):
        return 1.0 if step < 104 else 0.5

    assert events().steps_in_call(100, 10, rate) == 4
    assert events().steps_in_call(104, 10, rate) == 1  # the epoch ends
    assert events().steps_in_call(105, 10, rate) == 10
    assert events().steps_in_call(105, 1, rate) == 1
