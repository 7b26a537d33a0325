"""The loop: exact resume, budgets, log, a loss that is no number."""

import json
import os

import numpy as np
import pytest
import tensorflow as tf

from cyclegan_tf.data.cache import ImageCache
from cyclegan_tf.data.transforms import ImageTransform
from cyclegan_tf.distill import training
from cyclegan_tf.distill.answers import Answers
from cyclegan_tf.distill.settings import Settings
from cyclegan_tf.distill.student import build_student
from cyclegan_tf.errors import TrainingStoppedError
from cyclegan_tf.runs import checkpoints
from cyclegan_tf.train.signals import StopSignals
from tests.helpers.errors import refused

pytestmark = pytest.mark.usefixtures("step_by_step")

IMAGES = tf.cast(tf.random.stateless_uniform((3, 18, 18, 3), (1, 2), 0, 256, tf.int32), tf.uint8)
CACHE = ImageCache(lambda index: tf.gather(IMAGES, index), 3, "memory", 0, 0)
SHOWN = np.zeros((1, 16, 16, 3), np.float32), np.zeros((1, 16, 16, 3), np.float32)
SETTINGS = Settings(filters=1, blocks=1, max_steps=6)


def make(folder, settings=SETTINGS, teacher=lambda image: -image):
    folder.mkdir(exist_ok=True)
    student = build_student(settings, (3, 3), "xy")
    answers = Answers(
        teacher, CACHE, ImageTransform("resize_and_crop", 18, 16), settings.looks, 1, settings.seed
    )
    return training.Distillation(
        student, answers, lambda _, images: [images[:, ::2]], settings, folder, SHOWN, quiet=True
    )


def go_on(folder, settings=SETTINGS, **options):
    """Returns the message of `resume` and what was trained."""
    work = make(folder, settings, **options)
    message = work.resume()
    with StopSignals() as stop:
        work.train(stop)
    return message, work


def newest(folder):
    return checkpoints.read(checkpoints.list_checkpoints(folder / training.CHECKPOINTS)[0])


def kill_after(monkeypatch, step, signal=None):
    """Ends the process's work after a step, by a signal or at once."""
    plain = training.Distillation._one_step

    def one_step(self):
        values = plain(self)
        if self.step == step:
            if signal is None:
                raise KeyboardInterrupt  # stands for kill -9: nothing more is written
            os.kill(os.getpid(), signal)
        return values

    monkeypatch.setattr(training.Distillation, "_one_step", one_step)


def test_killed_and_stopped_and_resumed_is_never_stopped(tmp_path, monkeypatch):
    message, whole = go_on(tmp_path / "whole")
    assert message is None
    assert whole.finished
    with monkeypatch.context() as patched:
        kill_after(patched, 2, signal=15)
        _, stopped = go_on(tmp_path / "parts")
        assert not stopped.finished
    with monkeypatch.context() as patched:
        patched.setattr(training, "_SAVE_EVERY_SECONDS", 0)
        kill_after(patched, 5)
        with pytest.raises(KeyboardInterrupt):
            go_on(tmp_path / "parts")  # step 4 is saved, 5 is lost
    message, _ = go_on(tmp_path / "parts")
    assert message.endswith("step 4")
    (one, place), (other, other_place) = newest(tmp_path / "whole"), newest(tmp_path / "parts")
    assert place["step"] == other_place["step"] == 6
    assert set(one) == set(other)
    for name, array in one.items():
        np.testing.assert_array_equal(array, other[name], err_msg=name)


def test_it_learns_and_says_so(tmp_path, monkeypatch):
    monkeypatch.setattr(training, "LOG_EVERY_STEPS", 2)
    go_on(tmp_path / "out", Settings(filters=1, blocks=1, max_steps=8))
    rows = list(map(json.loads, (tmp_path / "out" / "metrics.jsonl").read_text().splitlines()))
    assert [row["step"] for row in rows] == [2, 4, 6, 8]
    assert set(rows[0]) == {"kind", "step", "seconds", "l1", "ssim", "features", "statistics"}
    assert rows[-1]["l1"] < rows[0]["l1"]
    assert (tmp_path / "out" / "samples" / "step_000000008.png").exists()


def test_minutes_end_it(tmp_path):
    _, work = go_on(tmp_path / "out", Settings(filters=1, blocks=1, max_minutes=1e-6))
    assert (work.step, work.finished) == (1, True)


def test_more_steps_go_on(tmp_path):
    go_on(tmp_path / "out", Settings(filters=1, blocks=1, max_steps=1))
    message, work = go_on(tmp_path / "out", Settings(filters=1, blocks=1, max_steps=2))
    assert message.endswith("step 1")
    assert work.step == 2


def test_a_loss_that_is_no_number(tmp_path):
    with refused(
        "stopped", match="at step 1; begin anew with a smaller", kind=TrainingStoppedError
    ):
        go_on(tmp_path / "out", teacher=lambda image: image * np.nan)
