"""What a training says of its length, against numbers worked out by hand."""

import pytest

from cyclegan_tf.train.budget import Budget
from cyclegan_tf.train.forecast import TIMED_STEPS, Forecast, describe, duration

PAPER = Budget(steps=15000, seconds=None, epochs=200)


def test_without_a_budget_it_names_one_that_is_shorter():
    # 15,000 steps of 2.6 s are 10.8 hours; an hour holds 1,384, the 19th epoch of 75 steps
    assert describe(PAPER, 75, 2.6) == (
        "about 11 hours (15,000 steps at 2.6 s, measured); --training.max_minutes 60 would make "
        "1,384 steps (epoch 19 of 200)"
    )


def test_a_short_training_is_not_offered_a_shorter_one():
    assert describe(Budget(100, None, 200), 75, 0.4) == "about 40 s (100 steps at 0.4 s, measured)"


def test_minutes_hold_so_many_steps():
    # 120 s at 0.63 s
    assert describe(Budget(15000, 120.0, 200), 75, 0.63).startswith(
        "about 190 steps in 2 minutes (epoch 3 of 200; 0.63 s each, measured)"
    )


def test_a_budget_of_both_ends_with_the_nearer():
    assert "10 steps at 1 s" in describe(Budget(10, 3600.0, 200), 5, 1.0)


def test_a_resumed_training_counts_what_is_left():
    # 60 of 120 s are used, 50 steps done; 60 more of 1 s follow
    text = describe(Budget(15000, 120.0, 200), 10, 1.0, step=50, seconds=60.0)
    assert text.startswith("about 110 steps in 2 minutes (epoch 11 of 200")
    assert describe(PAPER, 75, 0.01, step=14000).startswith("about 10 s (1,000 steps")


def test_a_run_that_goes_on_for_minutes_has_no_last_epoch():
    text = describe(Budget(None, 120.0, 200), 10, 1.0, step=50, seconds=60.0)
    assert text.startswith("about 110 steps in 2 minutes (epoch 11; 1 s each, measured)")


def test_the_step_that_makes_the_graphs_does_not_count():
    forecast = Forecast(PAPER, 75)
    said = [forecast.after_step(step, 20 + 2.6 * step) for step in range(1, 8)]
    assert [text is not None for text in said] == [n == TIMED_STEPS for n in range(7)]
    assert said[TIMED_STEPS].startswith("about 11 hours (14,996 steps at 2.6 s")
    assert forecast.sentence == said[TIMED_STEPS]


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(40, "40 s"), (89, "89 s"), (90, "2 minutes"), (5000, "83 minutes"), (200000, "2 days")],
)
def test_durations(seconds, text):
    assert duration(seconds) == text
