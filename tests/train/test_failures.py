"""What stops a training in the middle of a step."""

import dataclasses

import pytest
import tensorflow as tf

from cyclegan_tf.config.experiment import Experiment, Training
from cyclegan_tf.errors import TrainingStoppedError
from cyclegan_tf.runs.run_directory import RunDirectory
from cyclegan_tf.train.failures import out_of_memory, save_offending_batch, stop_not_finite
from tests.helpers.errors import refused


def test_the_offending_batch_is_drawn_even_with_nan(tmp_path):
    batch = (tf.fill((1, 32, 32, 3), float("nan")), tf.ones((1, 32, 32, 3)))
    path = save_offending_batch(RunDirectory(tmp_path), 7, batch, "why")
    assert path.name == "not_finite_step_000000007.png"
    assert path.with_suffix(".txt").read_text() == "why\n"


def test_a_loss_that_is_not_finite_stops_with_its_name_and_the_batch(tmp_path):
    batch = (tf.zeros((1, 32, 32, 3)), tf.ones((1, 32, 32, 3)))
    run = RunDirectory(tmp_path)
    with refused("stopped", "cycle_y", kind=TrainingStoppedError) as caught:
        stop_not_finite(7, ["cycle_y", "cycle_x"], batch, run)
    assert (caught.value.code, caught.value.field) == ("stopped", "cycle_y")
    assert "there is no checkpoint yet" in str(caught.value)
    assert (tmp_path / "not_finite_step_000000007.png").is_file()


def test_workers_that_write_nothing_stop_too(tmp_path):
    with refused("stopped", "cycle_y", kind=TrainingStoppedError) as caught:
        stop_not_finite(7, ["cycle_y"], (), None)
    assert caught.value.field == "cycle_y"


@pytest.mark.parametrize("checkpointing", [False, True])
def test_out_of_memory_offers_what_is_not_in_use_yet(checkpointing):
    training = Training(gradient_checkpointing=checkpointing)
    error = out_of_memory(3, dataclasses.replace(Experiment(), training=training))
    assert (error.code, error.field) == ("memory", "--data.batch_size")
    assert ("gradient_checkpointing" in str(error)) is not checkpointing
