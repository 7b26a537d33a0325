"""The training loop of the command line: budget, rate, logs, checkpoints, signals.

Keras's `fit` works on the same model; this loop adds what `fit` cannot do: going on exactly in the
middle of an epoch, a rate that follows steps or minutes, and leaving cleanly on a signal.
"""

from __future__ import annotations

import math
import os
import signal
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

import numpy as np
import tensorflow as tf

from cyclegan_tf.assembly import TrainingData
from cyclegan_tf.config.experiment import Experiment
from cyclegan_tf.data.pipeline import find_unreadable, training_dataset
from cyclegan_tf.devices.strategy import DistributionContext
from cyclegan_tf.errors import TrainingStoppedError, UserError
from cyclegan_tf.model.cyclegan import CycleGAN, Terms
from cyclegan_tf.model.ema import ExponentialMovingAverage
from cyclegan_tf.runs import checkpoints, state
from cyclegan_tf.runs.run_directory import RunDirectory
from cyclegan_tf.train import multi_worker as workers
from cyclegan_tf.train import schedules
from cyclegan_tf.train.budget import Budget
from cyclegan_tf.train.logs import ProgressBar, save_offending_batch
from cyclegan_tf.train.monitor import MonitorConfig, TrainingMonitor

EXIT_STATUS = {signal.SIGINT: 130, signal.SIGTERM: 143}


class Trainer:
    """One training, from wherever it stands to its end.

    Args:
      experiment: what to do.
      run: where to write; locked by the caller.
      feed: images.
      model: compiled, every variable made.
      quiet: print nothing but problems.
      devices: in whose scope the model was made; this one device when not given.

    Raises:
      UserError: the scores that are asked for cannot be had from this test split.
    """

    def __init__(
        self,
        experiment: Experiment,
        run: RunDirectory,
        feed: TrainingData,
        model: CycleGAN,
        quiet: bool = False,
        devices: DistributionContext | None = None,
    ) -> None:
        self.devices = devices or DistributionContext()
        self.experiment, self.run_directory, self.feed, self.model = experiment, run, feed, model
        self.budget = Budget.of(experiment, feed.order.steps_per_epoch)
        self.step = 0
        self.seconds = 0.0
        self.progress = ProgressBar(
            self.budget.steps, experiment.data.batch_size, quiet or not self.devices.is_chief
        )
        self._variables = state.variables(model)
        self._averages = self._make_averages()
        self._train = tf.function(
            self.devices.step(self._train_step),
            autograph=False,
            reduce_retracing=True,
            jit_compile=model.jit_compile,
        )
        logging, training = experiment.logging, experiment.training
        watch = MonitorConfig(
            sample_images=logging.sample_images,
            test_images=logging.test_images,
            score_images=logging.score_images if logging.score_every_epochs else 0,
            best_by=training.best_metric,
            patience=training.early_stopping_patience,
        )
        self.observer: TrainingMonitor | workers.Bystander = workers.Bystander(model)
        if self.devices.is_chief:
            self.observer = TrainingMonitor(run, feed, model, self._averages, self.progress, watch)
        self._signal: int | None = None
        self._saved_at = 0
        self._saved_clock = self._started_clock = self._logged_clock = time.monotonic()

    def _make_averages(self) -> ExponentialMovingAverage | None:
        half_life = self.experiment.training.ema_half_life_images
        if half_life is None:
            return None
        generators = {name: getattr(self.model, name) for name in state.GENERATORS}
        with self.devices.scope():
            averages = ExponentialMovingAverage(
                generators, half_life, self.experiment.data.batch_size
            )
        self._variables |= averages.variables()
        return averages

    def _train_step(self, batch: tuple[tf.Tensor, tf.Tensor]) -> Terms:
        terms = self.model.train_step(batch)
        if self._averages is not None:
            self._averages.update()
        return terms

    @property
    def epoch(self) -> int:
        """Epoch of the next step, from 0."""
        return self.step // self.feed.order.steps_per_epoch

    @property
    def finished(self) -> bool:
        """Whether the budget or patience is used up."""
        return self.budget.fraction(self.step, self.seconds) >= 1.0 or self.observer.should_stop

    # Checkpoints.

    def resume(self) -> list[str] | None:
        """Takes up the newest whole checkpoint; returns what there is to say, None when there is
        none."""
        found = checkpoints.load_latest(self.run_directory.checkpoints)
        if found is None:
            return None
        path, arrays, scalars, complaints = found
        state.restore(self._variables, arrays, path)
        self.step, self.seconds = scalars["step"], scalars["seconds"]
        self.observer.load_state_dict(scalars)
        self._saved_at = self.step
        self.run_directory.truncate_metrics(self.step)
        return [*complaints, f"resumed from {path}, step {self.step}"]

    def share_start(self) -> None:
        """Puts the chief's state on every machine: the others need no checkpoint, and no disk in
        common."""
        if self.devices.workers == 1:
            return
        over = np.array(self.observer.should_stop)
        clock = {
            "step": np.array(self.step),
            "seconds": np.array(self.seconds),
            "should_stop": over,
        }
        arrays = self.devices.broadcast(state.snapshot(self._variables) | clock)
        state.restore(self._variables, arrays, "the chief's state")
        self.step, self.seconds = int(arrays["step"]), float(arrays["seconds"])
        self._saved_at = self.step
        if isinstance(self.observer, workers.Bystander):
            self.observer.should_stop = bool(arrays["should_stop"])

    def save(self) -> Path:
        """Writes a checkpoint of this moment."""
        path = checkpoints.write(
            self.run_directory.checkpoints,
            self.step,
            state.snapshot(self._variables),
            {"step": self.step, "seconds": self.seconds, **self.observer.state_dict()},
            self.experiment.training.keep_checkpoints,
        )
        self._saved_at, self._saved_clock = self.step, time.monotonic()
        return path

    def _save_if_due(self, epoch_ended: bool) -> None:
        training = self.experiment.training
        by_steps = (
            training.checkpoint_every_steps and self.step % training.checkpoint_every_steps == 0
        )
        # At the end of a short epoch a checkpoint would cost more than it saves.
        minutes = (time.monotonic() - self._saved_clock) / 60
        by_time = minutes >= training.checkpoint_every_minutes
        worth_it = epoch_ended and minutes >= 0.1 * training.checkpoint_every_minutes
        if (
            self.devices.is_chief
            and self.step != self._saved_at
            and (by_steps or by_time or worth_it)
        ):
            self.observer.flush()
            self.save()

    # The loop.

    def train(self) -> int:
        """Trains to the end of the budget or to a signal.

        Returns:
          0 at the end; 130 or 143 after Ctrl-C or SIGTERM, the state saved.

        Raises:
          TrainingStoppedError: a loss is not finite.
          UserError: an image cannot be read, or a checkpoint cannot be written.
        """
        self.observer.open(self.step)
        self._started_clock = self._logged_clock = self._saved_clock = time.monotonic()
        self._seconds_before, self._step_before, self._logged_at = (
            self.seconds,
            self.step,
            self.step,
        )
        try:
            with self._signals(), self.devices.watching(lambda: f"after step {self.step}"):
                self._loop()
            if self._signal is not None and not self.finished:
                if self.devices.is_chief:
                    self.progress.say(f"stopped at step {self.step}, saved {self.save()}")
                return EXIT_STATUS[signal.Signals(self._signal)]
            self._end()
        finally:
            self.observer.close()
            self.progress.close()
        return 0

    def _loop(self) -> None:
        feed = self.feed
        batches = iter(
            training_dataset(
                feed.cache_x, feed.cache_y, feed.order, feed.transform, self.step,
                self.budget.steps,
                self.devices.worker, self.devices.workers,
            )
        )  # fmt: skip
        # Among several devices TensorFlow was seen to wait for ever where this goes before the
        # process does.
        self._batches = batches if self.devices.strategy else None
        while self._goes_on():
            rate = self._set_rate()
            try:
                batch = next(batches)
            except tf.errors.OpError:
                find_unreadable(feed.order, self.step, feed.source.train_x, feed.source.train_y)
                raise
            try:
                values = {name: float(value) for name, value in self._train(batch).items()}
            except tf.errors.ResourceExhaustedError as error:
                raise self._too_large() from error
            self._check_finite(values, batch)
            self.step += 1
            self.seconds = self._seconds_before + time.monotonic() - self._started_clock
            self._after_step(values | {"learning_rate": rate})

    def _goes_on(self) -> bool:
        known = self._signal, self.seconds, self.observer.should_stop
        self._signal, self.seconds, over = workers.agree(self.devices, *known)
        if isinstance(self.observer, workers.Bystander):
            self.observer.should_stop = over
        return not self.finished and self._signal is None

    def _after_step(self, values: Mapping[str, float]) -> None:
        logging = self.experiment.logging
        epoch, epoch_ended = (
            (self.step - 1) // self.feed.order.steps_per_epoch,
            self._at_epoch_end(),
        )
        if (
            epoch_ended
            and logging.score_every_epochs
            and (epoch + 1) % logging.score_every_epochs == 0
        ):
            self._score()  # first, since it may end the training
        if self.step % logging.log_every_steps == 0 or self.finished:
            speed = (self.step - self._logged_at) / max(time.monotonic() - self._logged_clock, 1e-9)
            self.observer.row(self.step, epoch, values, speed)
            self.progress.log(self.step, epoch, values, speed, self._seconds_left())
            self.observer.reset_trackers()
            self._logged_at, self._logged_clock = self.step, time.monotonic()
        speed = (self.step - self._step_before) / max(self.seconds - self._seconds_before, 1e-9)
        fraction = self.budget.fraction(self.step, self.seconds)
        self.progress.update(self.step, epoch, fraction, speed, self._seconds_left())
        if self.step % logging.sample_every_steps == 0 and not self.finished:
            self.observer.write_samples(self.step)
        if epoch_ended and (epoch + 1) % logging.test_every_epochs == 0 and not self.finished:
            self.observer.evaluate_test_losses(self.step, epoch)
        self._save_if_due(epoch_ended)

    def _at_epoch_end(self) -> bool:
        return self.step % self.feed.order.steps_per_epoch == 0

    def _end(self) -> None:
        self.observer.write_samples(self.step)
        self.observer.evaluate_test_losses(self.step, self.epoch)
        self._score()
        if self.observer.should_stop:
            waited = self.experiment.training.early_stopping_patience
            self.progress.say(
                f"stopped at step {self.step}: {waited} scorings in a row were no better than the "
                f"best"
            )
        if self.step != self._saved_at and self.devices.is_chief:
            self.save()
        self.observer.save_generators()
        self._goes_on()  # the others wait for the chief, who would miss them

    def _score(self) -> None:
        images = self.step * self.experiment.data.batch_size
        self.observer.score(self.step, (self.step - 1) // self.feed.order.steps_per_epoch, images)

    def _set_rate(self) -> float:
        """Sets both optimizers' rate for the next step."""
        config, training = self.experiment.optimizer, self.experiment.training
        factor = schedules.learning_rate_factor(
            config.schedule,
            self.budget.schedule_epoch(self.step, self.seconds),
            training.constant_epochs,
            training.decay_epochs,
            config.step_epochs,
        )
        rate = config.learning_rate * factor
        for optimizer in (self.model.generator_optimizer, self.model.discriminator_optimizer):
            optimizer.learning_rate = rate
        return rate

    def _seconds_left(self) -> float:
        fraction = self.budget.fraction(self.step, self.seconds)
        if (
            self.budget.seconds
            and self.seconds / self.budget.seconds >= self.step / self.budget.steps
        ):
            return self.budget.seconds - self.seconds
        done = self.seconds - self._seconds_before
        return (
            done / max(self.step - self._step_before, 1) * (self.budget.steps - self.step)
            if fraction
            else 0.0
        )

    def _check_finite(
        self, values: Mapping[str, float], batch: tuple[tf.Tensor, tf.Tensor]
    ) -> None:
        # Gradient norms overflow now and then under float16; the loss scale takes care of that.
        bad = [
            n
            for n, value in values.items()
            if not math.isfinite(value) and not n.startswith("gradient_norm")
        ]
        if not bad:
            return
        step = self.step + 1
        reason = f"At step {step} the loss {bad[0]} is not finite (all such: {', '.join(bad)})."
        if not self.devices.is_chief:
            raise TrainingStoppedError(f"{reason} The chief tells more.")
        image = save_offending_batch(self.run_directory, step, batch, reason)
        good = checkpoints.list_checkpoints(self.run_directory.checkpoints)
        last = f"the last good checkpoint is {good[0]}" if good else "there is no checkpoint yet"
        raise TrainingStoppedError(
            f"{reason} The batch is drawn in {image}; {last}. Flat images, a rate too high "
            "(--optimizer.learning_rate) or float16 (--training.precision float32) are usual "
            "causes."
        )

    # What is looked at.

    def _too_large(self) -> UserError:
        data = self.experiment.data
        checkpointing = self.experiment.training.gradient_checkpointing
        first = "" if checkpointing else "add --training.gradient_checkpointing true, or "
        return UserError(
            f"Step {self.step + 1} needs more memory than this device has (batches of "
            f"{data.batch_size} at {data.crop_size_px} px): {first}use a smaller --data.batch_size "
            "or --data.crop_size_px."
        )

    # Signals.

    @contextmanager
    def _signals(self) -> Iterator[None]:
        """Lets Ctrl-C and SIGTERM end the loop after the step at hand; a second Ctrl-C ends at
        once."""

        def note(number: int, _: FrameType | None) -> None:
            if self._signal is not None:
                raise KeyboardInterrupt
            self._signal = number
            # Not print: a handler may run in the middle of another print.
            os.write(2, b"\nfinishing this step, then saving (once more to stop at once)\n")

        before = {number: signal.signal(number, note) for number in EXIT_STATUS}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)
