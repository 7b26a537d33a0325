"""The training loop of the command line: budget, learning rate, logs, checkpoints, signals.

Keras's `fit` works on the same model; this loop adds what `fit` cannot do: an exact resume in the
middle of an epoch, a rate that follows steps or minutes, and a clean end on a signal.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator
from typing import Any

import tensorflow as tf

from cyclegan_tf import assembly
from cyclegan_tf.assembly.training_data import TrainingData
from cyclegan_tf.config.experiment import Experiment
from cyclegan_tf.devices import hardware
from cyclegan_tf.devices.strategy import DistributionContext
from cyclegan_tf.errors import UserError
from cyclegan_tf.model.cyclegan import CycleGAN
from cyclegan_tf.runs import checkpoints, state
from cyclegan_tf.runs.leftovers import tidy_checkpoints
from cyclegan_tf.runs.run_directory import RunDirectory
from cyclegan_tf.train import calls, failures, multi_worker
from cyclegan_tf.train.budget import Budget
from cyclegan_tf.train.device_steps import DeviceSteps
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
        with self.devices.scope():
            self._averages = assembly.build_averages(model, experiment)
        if self._averages is not None:
            self._variables |= self._averages.variables()
        training = experiment.training
        self._steps = DeviceSteps(model, self._averages, self.devices, training.steps_per_call)
        self.monitor: TrainingMonitor | None = None
        self._saver: CheckpointSaver | None = None
        if self.devices.is_chief:
            config = MonitorConfig.of(experiment)
            self.monitor = TrainingMonitor(run, data, model, self._averages, config)
            files = run.checkpoints
            self._saver = CheckpointSaver(files, self._variables, self.monitor, training)
        self._only_estimate, self._stop = False, StopSignals()

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
        self._rate: float | None = None
        size = self.experiment.data.batch_size
        self.progress = ProgressBar(self.budget.shown_steps, size, self._quiet)
        self.forecast = Forecast(self.budget, self._steps_per_epoch)

    def _loop(self) -> None:
        devices, last = self.devices, self.budget.steps or _NO_LAST_STEP
        batches = self._batches_up_to(last)
        # Among several devices TensorFlow was seen to wait for ever where this goes earlier.
        self._batches = batches if devices.strategy else None
        self._synchronize()
        events = calls.Events(self.experiment, self._steps_per_epoch, last)
        # On a CPU nothing is waited for, and workers must stop at one step.
        always = devices.workers > 1 or not hardware.has_accelerator()
        while not self.finished and self._stop.number is None:
            rate = self._set_learning_rate()
            most = self._steps.steps_per_call if self.forecast.sentence else 1
            count = events.steps_in_call(self.step, most, self._learning_rate)
            try:
                self._steps.run(batches, count)
            except tf.errors.ResourceExhaustedError as error:
                raise failures.out_of_memory(self.step + 1, self.experiment) from error
            self.step += count
            if always or self.forecast.sentence is None or events.follow(self.step):
                self._look()
            self.seconds = self._seconds_before + time.monotonic() - self._started_clock
            self._after_step(rate)
            self._synchronize()
            if self._only_estimate and self.forecast.sentence:
                return

    def _batches_up_to(self, last: int) -> Iterator[tuple[tf.Tensor, ...]]:
        return self.data.batches(self.step, last, self.devices.worker, self.devices.workers)

    def _look(self) -> None:
        """Stops a training that has lost a loss; comes before anything is written."""
        if found := self._steps.first_not_finite():
            self.step -= found.steps_ago + 1  # the last good one
            batch = next(self._batches_up_to(self.step + 1))
            run = self.run_directory if self.devices.is_chief else None
            failures.stop_not_finite(self.step + 1, found.names, batch, run)

    def _synchronize(self) -> None:
        """Agrees with the other workers on signal, clock and early stopping."""
        self._stop.number, self.seconds, self.should_stop = multi_worker.synchronize(
            self.devices, self._stop.number, self.seconds, self.should_stop
        )

    def _after_step(self, rate: float) -> None:
        config, last_epoch = self.experiment.logging, (self.step - 1) // self._steps_per_epoch
        epoch_ended = self.step % self._steps_per_epoch == 0
        score_every = config.score_every_epochs
        if epoch_ended and score_every and (last_epoch + 1) % score_every == 0:
            self._score()  # first, since it may end the training
        if self.step % config.log_every_steps == 0 or self.finished:
            self._log_row(last_epoch, rate)
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
            if self._saver.is_due(self.step, epoch_ended):
                self._look()
                self._saver.save(self._place())
            self.monitor.page.draw("running", self)

    def _log_row(self, epoch: int, rate: float) -> None:
        """Writes the running means, and starts new ones."""
        self._look()
        values = self._steps.values() | {"learning_rate": rate}
        speed = (self.step - self._logged_at) / max(time.monotonic() - self._logged_clock, 1e-9)
        if self.monitor is not None:
            self.monitor.log_row(self.step, epoch, values, speed)
            self.progress.log(self.step, epoch, values, speed, self.seconds_left())
        for tracker in self.model.metric_trackers.values():
            tracker.reset_state()
        self._logged_at, self._logged_clock = self.step, time.monotonic()

    def _end(self, monitor: TrainingMonitor, saver: CheckpointSaver) -> None:
        """Does what follows the last step, part by part, until a signal; and always saves."""
        self._look()
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
        """Sets both optimizers' learning rate for the next step, where it is another."""
        rate = self._learning_rate(self.step)
        if rate != self._rate:
            self._rate = self.model.optimizer.learning_rate = rate
        return rate

    def _learning_rate(self, step: int) -> float:
        return self.budget.learning_rate(self.experiment, step, self.seconds)

    def seconds_left(self) -> float:
        """Estimates the time to the end."""
        since = self._step_before, self._seconds_before
        return self.budget.seconds_left(self.step, self.seconds, *since)
