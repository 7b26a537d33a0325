"""The loop: steps, budget, checkpoints, log, samples, signals."""

from __future__ import annotations

import json
import logging
import math
import time
from collections.abc import Mapping
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

from cyclegan_tf.distill import losses
from cyclegan_tf.distill.answers import NEW_EVERY, Answers
from cyclegan_tf.distill.observers import Observer
from cyclegan_tf.distill.settings import Settings
from cyclegan_tf.distill.student import start_from_colors
from cyclegan_tf.errors import TrainingStoppedError
from cyclegan_tf.export.parity import comparison_grid
from cyclegan_tf.images import io as image_io
from cyclegan_tf.model.losses import l1
from cyclegan_tf.runs import checkpoints, metrics_log, state
from cyclegan_tf.train.budget import Budget
from cyclegan_tf.train.monitoring.progress import ProgressBar
from cyclegan_tf.train.signals import StopSignals

log = logging.getLogger(__name__)

LOG_EVERY_STEPS = 50
_SAVE_EVERY_SECONDS = 60.0
_KEPT_CHECKPOINTS = 2
_FIRST_IMAGES = 16
METRICS, CHECKPOINTS, SAMPLES = "metrics.jsonl", "checkpoints", "samples"


class Distillation:
    """One student on its way.

    Args:
      student: with its first weights.
      answers: what it learns from.
      observer: whose activations are compared.
      settings: weights, rate, budget.
      folder: of this direction, which exists.
      shown: inputs and the teacher's images for sample grids, float32 (N, H, W, C).
      quiet: show no progress.

    Attributes:
      step: steps done.
      seconds: of training so far.

    Example:
      >>> distillation = Distillation(student, answers, observer, settings, folder, shown)
      >>> distillation.resume()
      >>> with StopSignals() as stop:
      ...     distillation.train(stop)
    """

    def __init__(
        self,
        student: keras.Model,
        answers: Answers,
        observer: Observer,
        settings: Settings,
        folder: Path,
        shown: tuple[np.ndarray, np.ndarray],
        quiet: bool = False,
    ) -> None:
        self._student, self._answers, self._observer = student, answers, observer
        self._settings, self._folder, self._shown = settings, folder, shown
        self._quiet = quiet
        self._optimizer = keras.optimizers.Adam(settings.learning_rate)
        self._optimizer.build(student.trainable_variables)
        self._variables = state.network_variables(student, "student")
        for index, variable in enumerate(self._optimizer.variables):
            self._variables[f"optimizer/{index:04d}_{variable.name}"] = variable
        self._train = tf.function(self._train_step, autograph=False)
        self.step, self.seconds = 0, 0.0
        self.budget = Budget(settings.max_steps, settings.seconds, 0)

    @property
    def finished(self) -> bool:
        """Whether the budget is used up."""
        return self.budget.progress(self.step, self.seconds) >= 1.0

    def resume(self) -> str | None:
        """Load the newest whole checkpoint; return a message, or None where there is none.

        Raises:
          UserError: all are damaged, or of another student.
        """
        found = checkpoints.load_latest(self._folder / CHECKPOINTS)
        if found is None:
            count = math.ceil(_FIRST_IMAGES / self._answers.batch_size)
            first = range(0, NEW_EVERY * count, NEW_EVERY)
            pairs = zip(*map(self._answers.batch, first), strict=True)
            images, answers = (np.concatenate(each) for each in pairs)
            start_from_colors(self._student, images, answers, self._settings.learning_rate)
            return None
        path, arrays, scalars, complaints = found
        state.restore(self._variables, arrays, path)
        self.step, self.seconds = scalars["step"], scalars["seconds"]
        return "; ".join([*complaints, f"{path}, step {self.step}"])

    def train(self, stop: StopSignals) -> None:
        """Go on to the end of the budget or to a signal; the state is saved then.

        Raises:
          TrainingStoppedError: the loss is no longer a number.
          UserError: a checkpoint cannot be written.
        """
        metrics_log.keep_rows(self._folder / METRICS, lambda _, at: at <= self.step)
        bar = ProgressBar(self.budget.shown_steps, self._answers.batch_size, self._quiet)
        start = saved = time.monotonic()
        before, first = self.seconds, self.step
        rows: list[dict[str, float]] = []
        try:
            while not self.finished and stop.number is None:
                rows.append(self._one_step())
                self.seconds = before + time.monotonic() - start
                speed = (self.step - first) / max(self.seconds - before, 1e-9)
                left = self.budget.seconds_left(self.step, self.seconds, first, before)
                epoch = (self.step - 1) // self._answers.steps_per_epoch
                if self.step % LOG_EVERY_STEPS == 0 or self.finished:
                    values = {name: float(np.mean([r[name] for r in rows])) for name in rows[0]}
                    self._log_row(values)
                    bar.log(self.step, epoch, values, speed, left)
                    rows = []
                done = self.budget.progress(self.step, self.seconds)
                bar.update(self.step, epoch, done, speed, left)
                if time.monotonic() - saved >= _SAVE_EVERY_SECONDS:
                    self._save()
                    saved = time.monotonic()
            if self.step > first:
                self._save()
        finally:
            bar.close()

    def _one_step(self) -> dict[str, float]:
        done = self.budget.progress(self.step, self.seconds)
        rate = 0.5 * self._settings.learning_rate * (1 + math.cos(math.pi * done))
        self._optimizer.learning_rate.assign(rate)
        terms = self._train(*self._answers.batch(self.step))
        values = {name: float(value) for name, value in terms.items()}
        self.step += 1
        if not all(map(math.isfinite, values.values())):
            raise TrainingStoppedError(
                f"the loss is no longer a number at step {self.step}; begin anew with a smaller "
                "--learning_rate."
            )
        return values

    def _train_step(self, images: tf.Tensor, answers: tf.Tensor) -> Mapping[str, tf.Tensor]:
        settings = self._settings
        wanted = self._observer(images, answers)
        with tf.GradientTape() as tape:
            made = self._student(images, training=True)
            found = self._observer(images, made)
            terms = {
                "l1": l1(made, answers),
                "ssim": losses.ssim_distance(made, answers),
                "features": losses.feature_distance(found, wanted),
                "statistics": losses.channel_statistics([made, *found], [answers, *wanted]),
            }
            weights = (settings.l1, settings.ssim, settings.feature_weight, settings.statistics)
            loss = tf.add_n([w * term for w, term in zip(weights, terms.values(), strict=True)])
        variables = self._student.trainable_variables
        self._optimizer.apply(tape.gradient(loss, variables), variables)
        return terms

    def _log_row(self, values: Mapping[str, float]) -> None:
        row = {"kind": "train", "step": self.step, "seconds": round(self.seconds, 3), **values}
        with (self._folder / METRICS).open("a", encoding="utf-8") as file:
            file.write(json.dumps(row) + "\n")

    def _save(self) -> None:
        place = {"step": self.step, "seconds": self.seconds}
        arrays = state.snapshot(self._variables)
        folder = self._folder / CHECKPOINTS
        checkpoints.write(folder, self.step, arrays, place, _KEPT_CHECKPOINTS)
        inputs, truths = self._shown
        made = np.concatenate([self._student(one[np.newaxis], training=False) for one in inputs])
        grid = comparison_grid(inputs, truths, {"student": made})
        samples = self._folder / SAMPLES
        samples.mkdir(exist_ok=True)
        image_io.save(samples / f"step_{self.step:09d}.png", grid)
