"""The training loop of the command line: budget, learning rate, logs, checkpoints, signals.

Keras's `fit` works on the same model; this loop adds what `fit` cannot do: an exact resume in the
middle of an epoch, a rate that follows steps or minutes, and a clean end on a signal.
"""

from __future__ import annotations

import contextlib
import logging
import time
from collections.abc import Callable, Mapping
from typing import Any

import tensorflow as tf

from cyclegan_tf.assembly.training_data import TrainingData
from cyclegan_tf.config.experiment import Experiment
from cyclegan_tf.devices.startup import without_garbage_collection
from cyclegan_tf.devices.strategy import DistributionContext
from cyclegan_tf.errors import UserError
from cyclegan_tf.model.cyclegan import CycleGAN, Terms
from cyclegan_tf.model.ema import ExponentialMovingAverage
from cyclegan_tf.runs import checkpoints, state
from cyclegan_tf.runs.leftovers import tidy_checkpoints
from cyclegan_tf.runs.run_directory import RunDirectory
from cyclegan_tf.train import failures, multi_worker
from cyclegan_tf.train.budget import Budget
from cyclegan_tf.train.forecast import Forecast
from cyclegan_tf.train.monitoring import samples
from cyclegan_tf.train.monitoring.choices import MonitorConfig
from cyclegan_tf.train.monitoring.monitor import TrainingMonitor
from cyclegan_tf.train.monitoring.progress import ProgressBar
from cyclegan_tf.train.saving import CheckpointSaver
from cyclegan_tf.train.signals import StopSignals

log = logging.getLogger(__name__)

_NO_LAST_STEP = 10**12  # where only time ends a training


class Trainer:
    """One training, from wherever it stands to its end.

    Args:
      experiment: what to do.
      run: where to write; locked by the caller.
      data: images.
      model: compiled, every variable made.
      quiet: show no progress bar.
      devices: in whose scope the model was made; this one device when not given.

    Attributes:
      step: steps done.
      seconds: of training so far.
      should_stop: whether the scores have not become better for so long that training ends.
      has_ended: whether all that follows the last step is written, too.
      budget: how long it lasts.
      end_seconds: time of training at which a run that was made longer ends; else None.
      monitor: logs and measures on the chief; None on other workers.
      forecast: what the first steps say of the rest, while it trains.

    Raises:
      UserError: the scores that are asked for cannot be had from this test split.

    Example:
      >>> trainer = Trainer(experiment, run, data, model)
      >>> trainer.resume()
      >>> status = trainer.train()
    """

    def __init__(
        self,
        experiment: Experiment,
        run: RunDirectory,
        data: TrainingData,
        model: CycleGAN,
        quiet: bool = False,
        devices: DistributionContext | None = None,
    ) -> None:
        self.devices = devices or DistributionContext()
        self.experiment, self.run_directory, self.data, self.model = experiment, run, data, model
        self._quiet = quiet or not self.devices.is_chief
        self._steps_per_epoch = data.order.steps_per_epoch
        self.step, self.seconds, self.should_stop = 0, 0.0, False
        self.has_ended, self._is_longer = False, False
        self._end_at(None)
        self._variables = state.variables(model)
        self._averages = self._make_averages()
        self._train = tf.function(
            self.devices.step(self._train_step),
            autograph=False,
            reduce_retracing=True,
            jit_compile=model.jit_compile,
        )
        self.monitor = self._make_monitor() if self.devices.is_chief else None
        self._saver = None
        if self.monitor is not None:
            folder, config = run.checkpoints, experiment.training
            self._saver = CheckpointSaver(folder, self._variables, self.monitor, config)
        self._only_estimate, self._stop = False, StopSignals()
        self._started_clock = self._logged_clock = time.monotonic()

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

    def _make_monitor(self) -> TrainingMonitor:
        config = MonitorConfig.of(self.experiment)
        return TrainingMonitor(self.run_directory, self.data, self.model, self._averages, config)

    def _train_step(self, batch: tuple[tf.Tensor, ...]) -> Terms:
        terms = {k: v for k, v in self.model.train_step(batch).items() if k != "loss"}  # for `fit`
        if self._averages is not None:
            self._averages.update()
        return terms

    def _end_at(self, end_seconds: float | None) -> None:
        self.end_seconds = end_seconds
        self.budget = Budget.of(self.experiment, self._steps_per_epoch, end_seconds)

    @property
    def epoch(self) -> int:
        """Epoch of the next step, from 0."""
        return self.step // self._steps_per_epoch

    @property
    def finished(self) -> bool:
        """Whether the budget or patience is used up."""
        return self.budget.progress(self.step, self.seconds) >= 1.0 or self.should_stop

    def resume(self) -> list[str] | None:
        """Loads the newest whole checkpoint.

        Returns:
          Messages for the log; None where there is no checkpoint.
        """
        found = checkpoints.load_latest(self.run_directory.checkpoints)
        if found is None:
            return None
        path, arrays, scalars, complaints = found
        state.restore(self._variables, arrays, path)
        tidy_checkpoints(path, self.experiment.training.keep_checkpoints)
        self.step, self.seconds = scalars["step"], scalars.get("seconds", 0.0)
        self._end_at(scalars.get("end_seconds"))
        if self.monitor is not None and self._saver is not None:
            self.monitor.load_state_dict(scalars)
            self.should_stop = self.monitor.should_stop
            self._saver.note_loaded(self._place())
        self.has_ended = self.finished and self.run_directory.finished_step() == self.step
        return [*complaints, f"resumed from {path}, step {self.step}"]

    def go_on(self, minutes: float) -> None:
        """Lets training end so many minutes from where it stands, and nowhere else.

        Patience starts anew. It becomes the run's when `train` begins.
        """
        self._end_at(self.seconds + 60 * minutes)
        self.has_ended, self.should_stop, self._is_longer = False, False, True
        if self.monitor is not None:
            self.monitor.forget_patience()

    def _place(self) -> dict[str, Any]:
        """Where training stands, as a checkpoint holds it."""
        end = {} if self.end_seconds is None else {"end_seconds": self.end_seconds}
        return {"step": self.step, "seconds": self.seconds, **end}

    def broadcast_start(self) -> None:
        """Gives every machine the chief's state: the others need neither checkpoint nor disk."""
        if self.devices.workers == 1:
            return
        names = ("step", "seconds", "should_stop", "has_ended", "end_seconds")
        clock = {name: float(getattr(self, name) or 0) for name in names}
        clock = multi_worker.share_start(self.devices, self._variables, clock)
        self.step, self.seconds = int(clock["step"]), clock["seconds"]
        self.should_stop, self.has_ended = bool(clock["should_stop"]), bool(clock["has_ended"])
        self._end_at(clock["end_seconds"] or None)

    # The loop.

    def train(self) -> int:
        """Trains to the end of the budget or to a signal.

        Returns:
          0 at the end; 130 or 143 after Ctrl-C or SIGTERM, the state saved.

        Raises:
          TrainingStoppedError: a loss is not finite.
          UserError: an image cannot be read, or a checkpoint cannot be written.
        """
        if self.monitor is not None:
            self.run_directory.mark_finished(None)
            self.monitor.rewind(self.step, self.finished)
            self.monitor.open(self.step)
            if self._is_longer and self._saver is not None:
                self._saver.save(self._place())  # from now on without the option, too
        self._start_clocks()
        try:
            if self.monitor is not None:
                self.monitor.page.draw("running", self)
            with self._stop:
                with self.devices.reporting_lost_workers(lambda: f"after step {self.step}"):
                    if not self.finished:
                        self._loop()
                if self.monitor is not None and self._saver is not None:
                    self._end(self.monitor, self._saver)
                if self.finished:
                    self._synchronize()  # workers must not exit before the chief has saved
        except UserError as error:
            if self.monitor is not None:
                self.monitor.page.problem = str(error)
            raise
        finally:
            if self.monitor is not None:
                self.monitor.page.draw("finished" if self.has_ended else "stopped", self)
                self.monitor.close()
            self.progress.close()
        return 0 if self.has_ended else self._stop.exit_status

    def estimate(self) -> None:
        """Logs how long this training would take, by some steps of it; writes nothing."""
        self.monitor, self._only_estimate = None, True
        self._start_clocks()
        with self._stop:
            self._loop()
        self.progress.close()

    def _start_clocks(self) -> None:
        self._started_clock = self._logged_clock = time.monotonic()
        if self._saver is not None:
            self._saver.start_clock()
        self._seconds_before = self.seconds
        self._step_before = self._logged_at = self.step
        batch_size = self.experiment.data.batch_size
        self.progress = ProgressBar(self.budget.shown_steps, batch_size, self._quiet)
        self.forecast = Forecast(self.budget, self._steps_per_epoch)

    def _loop(self) -> None:
        devices, last = self.devices, self.budget.steps or _NO_LAST_STEP
        batches = self.data.batches(self.step, last, devices.worker, devices.workers)
        # Among several devices TensorFlow was seen to wait for ever where this goes earlier.
        self._batches = batches if devices.strategy else None
        self._synchronize()
        while not self.finished and self._stop.number is None:
            rate = self._set_learning_rate()
            batch = next(batches)
            traces = self.step == self._step_before  # the first step of this process
            try:
                with without_garbage_collection() if traces else contextlib.nullcontext():
                    values = {name: float(value) for name, value in self._train(batch).items()}
            except tf.errors.ResourceExhaustedError as error:
                raise failures.out_of_memory(self.step + 1, self.experiment) from error
            written = self.run_directory if devices.is_chief else None
            failures.check_finite(self.step + 1, values, batch, written)
            self.step += 1
            self.seconds = self._seconds_before + time.monotonic() - self._started_clock
            self._after_step(values | {"learning_rate": rate})
            self._synchronize()
            if self._only_estimate and self.forecast.sentence:
                return

    def _synchronize(self) -> None:
        """Agrees with the other workers on signal, clock and early stopping."""
        self._stop.number, self.seconds, self.should_stop = multi_worker.synchronize(
            self.devices, self._stop.number, self.seconds, self.should_stop
        )

    def _after_step(self, values: Mapping[str, float]) -> None:
        config, last_epoch = self.experiment.logging, (self.step - 1) // self._steps_per_epoch
        epoch_ended = self.step % self._steps_per_epoch == 0
        score_every = config.score_every_epochs
        if epoch_ended and score_every and (last_epoch + 1) % score_every == 0:
            self._score()  # first, since it may end the training
        if self.step % config.log_every_steps == 0 or self.finished:
            self._log_row(last_epoch, values)
        if self.devices.is_chief and (said := self.forecast.after_step(self.step, self.seconds)):
            log.info(f"{'forecast':<10}{said}")
            if self.monitor is not None:
                self.monitor.page.has_news = True
        speed = (self.step - self._step_before) / max(self.seconds - self._seconds_before, 1e-9)
        done = self.budget.progress(self.step, self.seconds)
        self.progress.update(self.step, last_epoch, done, speed, self.seconds_left())
        if self.monitor is not None and not self.finished:
            if samples.is_due(self.step, config.sample_every_steps):
                self.monitor.write_samples(self.step)
            if epoch_ended and (last_epoch + 1) % config.test_every_epochs == 0:
                self.monitor.evaluate_test_losses(self.step, last_epoch)
        if self.monitor is not None and self._saver is not None:
            self._saver.save_if_due(self._place(), epoch_ended)
            self.monitor.page.draw("running", self)

    def _log_row(self, epoch: int, values: Mapping[str, float]) -> None:
        """Writes the running means, and starts new ones."""
        speed = (self.step - self._logged_at) / max(time.monotonic() - self._logged_clock, 1e-9)
        if self.monitor is not None:
            self.monitor.log_row(self.step, epoch, values, speed)
            self.progress.log(self.step, epoch, values, speed, self.seconds_left())
        for tracker in self.model.metric_trackers.values():
            tracker.reset_state()
        self._logged_at, self._logged_clock = self.step, time.monotonic()

    def _end(self, monitor: TrainingMonitor, saver: CheckpointSaver) -> None:
        """Does what follows the last step, part by part, until a signal; and always saves."""
        parts: list[Callable[[], object]] = [
            lambda: monitor.write_samples(self.step),
            lambda: monitor.evaluate_test_losses(self.step, self.epoch),
            self._score,
            lambda: saver.save_if_new(self._place()),
            monitor.save_generators,
        ]
        for part in parts if self.finished else ():
            if self._stop.number is not None:
                break
            part()
        else:
            self.has_ended = self.finished
        if not self.has_ended:
            saver.save_if_new(self._place())
            log.info(f"stopped at step {self.step}, saved in {self.run_directory.checkpoints}")
            return
        self.run_directory.mark_finished(self.step)
        if self.should_stop:
            waited = f"{self.experiment.training.early_stopping_patience} scorings in a row"
            log.info(f"stopped at step {self.step}: {waited} were no better than the best")

    def _score(self) -> None:
        if self.monitor is not None:
            images = self.step * self.experiment.data.batch_size
            self.monitor.score(self.step, (self.step - 1) // self._steps_per_epoch, images)
            self.should_stop = self.monitor.should_stop

    def _set_learning_rate(self) -> float:
        """Sets both optimizers' learning rate for the next step."""
        rate = self.budget.learning_rate(self.experiment, self.step, self.seconds)
        for optimizer in (self.model.generator_optimizer, self.model.discriminator_optimizer):
            optimizer.learning_rate = rate
        return rate

    def seconds_left(self) -> float:
        """Estimates the time to the end."""
        since = self._step_before, self._seconds_before
        return self.budget.seconds_left(self.step, self.seconds, *since)
