"""The learning rate by hand, and the Keras schedule against it."""

import itertools

import keras
import numpy as np
import pytest
import tensorflow as tf

from cyclegan_tf.train.schedules import EpochSchedule, learning_rate_factor, virtual_epoch

POLICIES = ["linear", "constant", "cosine", "step"]


@pytest.mark.parametrize(
    ("epoch", "factor"),
    [
        (0, 1),
        (99, 1),
        (100, 100 / 101),
        (101, 99 / 101),
        (150, 50 / 101),
        (199, 1 / 101),
        (200, 0),
        (1000, 0),
    ],
)
def test_linear_with_the_papers_numbers(epoch, factor):
    assert learning_rate_factor("linear", epoch, 100, 100) == pytest.approx(factor, abs=1e-15)


@pytest.mark.parametrize(
    ("epoch", "factor"),
    [
        (0, 1),
        (1, 1),
        (2, 0.5 + 0.5 * 0.5**0.5),
        (3, 0.5),
        (4, 0.5 - 0.5 * 0.5**0.5),
        (5, 0),
        (6, 0),
    ],
)
def test_cosine_falls_along_half_a_wave(epoch, factor):
    """2 constant epochs, 3 of decline: a quarter of the half wave each."""
    assert learning_rate_factor("cosine", epoch, 2, 3) == pytest.approx(factor, abs=1e-12)


@pytest.mark.parametrize(("epoch", "factor"), [(0, 1), (6, 1), (7, 0.1), (13, 0.1), (14, 0.01)])
def test_step_divides_by_ten(epoch, factor):
    assert learning_rate_factor("step", epoch, 1, 1, step_epochs=7) == pytest.approx(factor)


def test_constant_never_falls():
    assert {learning_rate_factor("constant", epoch, 1, 1) for epoch in (0, 1, 2, 99)} == {1.0}


@pytest.mark.parametrize("policy", ["linear", "cosine"])
def test_the_rate_decays(policy):
    factors = [learning_rate_factor(policy, epoch, 3, 4) for epoch in range(8)]
    assert factors[:3] == [1.0] * 3
    assert all(later < earlier for earlier, later in itertools.pairwise(factors[2:]))


@pytest.mark.parametrize(("constant", "decay"), [(100, 100), (1, 1), (0, 1), (5, 0), (0, 7)])
@pytest.mark.parametrize("policy", ["linear", "cosine"])
def test_the_last_epoch_still_learns(policy, constant, decay):
    total = constant + decay
    assert learning_rate_factor(policy, total - 1, constant, decay) > 1e-4
    assert learning_rate_factor(policy, total, constant, decay) == 0.0


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("lambda", 0, 1, 1), "'lambda'; known are linear, constant, cosine, step"),
        (("linear", -1, 1, 1), "counts from 0, got -1"),
        (("linear", 0, -1, 1), "got -1, 1 and 50"),
        (("linear", 0, 1, -2), "got 1, -2 and 50"),
        (("step", 0, 1, 1, 0), "got 1, 1 and 0"),
    ],
)
def test_impossible_schedules_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        learning_rate_factor(*arguments)


def test_virtual_epoch_spreads_epochs_over_steps():
    assert [virtual_epoch(step, 10, 4) for step in range(11)] == [0, 0, 0, 1, 1, 2, 2, 2, 3, 3, 4]
    assert virtual_epoch(10**17 - 1, 10**17, 200) == 199  # no float would know
    with pytest.raises(ValueError, match="at least 1, got 0"):
        virtual_epoch(0, 0, 4)


@pytest.mark.parametrize("policy", POLICIES)
def test_keras_schedule_equals_the_formula_at_every_step(policy):
    schedule = EpochSchedule(2e-4, 5, policy, constant_epochs=2, decay_epochs=3, step_epochs=2)
    in_graph = tf.function(schedule, input_signature=[tf.TensorSpec((), tf.int64)])
    for step in range(35):
        expected = 2e-4 * learning_rate_factor(policy, step // 5, 2, 3, 2)
        assert float(schedule(step)) == pytest.approx(expected, rel=1e-5, abs=1e-15)
        assert float(in_graph(step)) == pytest.approx(expected, rel=1e-5, abs=1e-15)
        if step >= 25 and policy in ("linear", "cosine"):
            assert float(in_graph(step)) == 0.0


def test_keras_schedule_changes_between_epochs_only():
    rates = [float(EpochSchedule(1.0, 4, "linear", 1, 2)(step)) for step in range(16)]
    np.testing.assert_allclose(rates, np.repeat([1, 2 / 3, 1 / 3, 0], 4), atol=1e-6)


def test_keras_schedule_drives_an_optimizer():
    optimizer = keras.optimizers.SGD(EpochSchedule(1.0, 2, "linear", 1, 1))
    variable = keras.Variable(0.0)
    seen = []
    for _ in range(6):
        optimizer.apply([tf.constant(-1.0)], [variable])
        seen.append(float(variable.value))
    assert seen == pytest.approx([1.0, 2.0, 2.5, 3.0, 3.0, 3.0])


def test_keras_schedule_survives_serialization():
    schedule = EpochSchedule(3e-4, 7, "cosine", 2, 3, 11)
    again = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(schedule))
    assert isinstance(again, EpochSchedule)
    assert again.get_config() == schedule.get_config()
    assert schedule.get_config() == {
        "learning_rate": 3e-4, "steps_per_epoch": 7, "policy": "cosine",
        "constant_epochs": 2, "decay_epochs": 3, "step_epochs": 11,
    }  # fmt: skip


def test_keras_schedule_refuses_nonsense():
    with pytest.raises(ValueError, match="steps_per_epoch must be at least 1, got 0"):
        EpochSchedule(1.0, 0)
    with pytest.raises(ValueError, match="'poly'"):
        EpochSchedule(1.0, 1, "poly")
