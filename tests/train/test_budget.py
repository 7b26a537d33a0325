"""How long a training lasts, and its learning-rate schedule."""

import pytest

from cyclegan_tf.config.experiment import Experiment, Optimizer, Training
from cyclegan_tf.train.budget import Budget
from cyclegan_tf.train.schedules import learning_rate_factor


def budget(steps_per_epoch=10, **training):
    return Budget.of(Experiment(training=Training(**training)), steps_per_epoch)


def test_without_limits_the_schedule_follows_the_true_epoch():
    b = budget(constant_epochs=3, decay_epochs=2)
    assert (b.steps, b.seconds, b.epochs) == (50, None, 5)
    assert [b.schedule_epoch(step, 1e9) for step in (0, 9, 10, 29, 49, 50)] == [0, 0, 1, 2, 4, 5]


def test_the_whole_schedule_fits_into_a_budget_of_steps():
    b = budget(max_steps=40, constant_epochs=100, decay_epochs=100)
    rates = [
        learning_rate_factor("linear", b.schedule_epoch(step, 0.0), 100, 100) for step in range(41)
    ]
    assert b.steps == 40
    assert rates[:20] == [1.0] * 20
    assert 0 < rates[39] < 0.06
    assert rates[40] == 0
    assert rates == sorted(rates, reverse=True)


def test_a_larger_budget_than_the_epochs_changes_nothing():
    assert budget(max_steps=10**6, constant_epochs=1, decay_epochs=1).steps == 20


def test_whichever_limit_ends_first_drives_progress():
    b = budget(max_steps=100, max_minutes=1.0, constant_epochs=1, decay_epochs=99)
    assert b.progress(50, 0.0) == 0.5
    assert b.progress(10, 45.0) == 0.75
    assert b.schedule_epoch(10, 45.0) == b.schedule_epoch(75, 0.0)
    assert b.progress(10, 60.0) == b.progress(100, 0.0) == 1.0
    assert b.progress(500, 600.0) == 1.0


def test_rate_never_rises_when_a_step_takes_long():
    b = budget(max_steps=1000, max_minutes=1.0)
    epochs = [
        b.schedule_epoch(step, seconds)
        for step, seconds in ((1, 1), (2, 30), (3, 31), (600, 31), (601, 59))
    ]
    assert epochs == sorted(epochs)


@pytest.mark.parametrize("kind", ["linear", "cosine", "constant", "step"])
def test_every_policy_has_a_positive_rate_at_every_step_of_a_budget(kind):
    b = budget(max_steps=37, constant_epochs=5, decay_epochs=5)
    assert all(
        learning_rate_factor(kind, b.schedule_epoch(step, 0.0), 5, 5) > 0 for step in range(37)
    )


def test_the_rate_follows_the_schedule():
    experiment = Experiment(training=Training(max_steps=40))
    b = Budget.of(experiment, 10)
    assert b.learning_rate(experiment, 19, 0.0) == experiment.optimizer.learning_rate
    assert 0 < b.learning_rate(experiment, 39, 0.0) < 0.06 * experiment.optimizer.learning_rate


def test_the_time_that_is_left():
    by_steps = budget(max_steps=40)
    assert by_steps.seconds_left(0, 0.0, 0, 0.0) == 0
    assert by_steps.seconds_left(30, 130.0, 10, 30.0) == 10 * 5  # of this process's 20 steps
    assert budget(max_steps=40, max_minutes=1).seconds_left(2, 20.0, 0, 0.0) == 40


def longer(seconds, minutes, schedule="linear"):
    """The budget of a run that goes on, and what it makes of the rate after so many minutes."""
    b = Budget.of(Experiment(training=Training(max_steps=40)), 10, seconds + 60 * minutes)
    experiment = Experiment(optimizer=Optimizer(learning_rate=1.0, schedule=schedule))
    return b, lambda more: b.learning_rate(experiment, 10**6, seconds + 60 * more)


def test_more_minutes_end_it_however_many_steps_were_planned():
    b, _ = longer(3600.0, 30)
    assert (b.steps, b.seconds) == (None, 5400.0)
    assert b.progress(10**6, 3600.0) == pytest.approx(2 / 3)
    assert b.progress(10**6, 5400.0) == 1.0
    assert b.seconds_left(10**6, 5000.0, 10**6, 3600.0) == 400.0


@pytest.mark.parametrize(("minutes", "begins"), [(6, 0.188), (30, 0.663), (60, 0.99), (120, 1.0)])
def test_the_rate_of_more_minutes_is_that_of_a_run_planned_for_the_whole_time(minutes, begins):
    _, rate = longer(3600.0, minutes)
    rates = [rate(minutes * share / 10) for share in range(11)]
    assert rates[0] == pytest.approx(begins, abs=1e-3)
    assert rates == sorted(rates, reverse=True)
    assert 0 < rate(minutes - 1e-3) < 0.02
    assert rates[-1] == 0


def test_a_constant_rate_stays_constant_for_more_minutes():
    _, rate = longer(3600.0, 30, "constant")
    assert [rate(0), rate(29)] == [1.0, 1.0]


def test_a_count_of_steps_is_shown_where_it_will_be_reached():
    assert Budget(15000, None, 200).shown_steps == 15000
    assert Budget(15000, 120.0, 200).shown_steps is None
