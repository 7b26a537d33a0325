"""How long a training lasts, and where its learning-rate schedule stands."""

from __future__ import annotations

import math
from dataclasses import dataclass

from cyclegan_tf.config.experiment import Experiment
from cyclegan_tf.train import schedules


@dataclass(frozen=True)
class Budget:
    """How long training lasts, in whichever of steps and minutes ends first.

    Attributes:
      steps: the last step; None where only time ends it.
      seconds: time limit, or None.
      epochs: epochs of the learning-rate schedule, fitted into the budget.

    Example:
      >>> Budget(steps=800, seconds=540.0, epochs=200).progress(step=400, seconds=100.0)
      0.5
    """

    steps: int | None
    seconds: float | None
    epochs: int

    @classmethod
    def of(
        cls, experiment: Experiment, steps_per_epoch: int, end_seconds: float | None = None
    ) -> Budget:
        """The budget an experiment asks for.

        Args:
          experiment: whose steps, minutes and epochs count.
          steps_per_epoch: of its data.
          end_seconds: of a run that goes on for more minutes: the time of training, from its first
            step, at which it ends instead. The schedule is then that of a run planned for so long.
        """
        training = experiment.training
        epochs = training.constant_epochs + training.decay_epochs
        if end_seconds is not None:
            return cls(None, end_seconds, epochs)
        steps = min(epochs * steps_per_epoch, training.max_steps or math.inf)
        return cls(int(steps), training.max_minutes * 60 if training.max_minutes else None, epochs)

    @property
    def shown_steps(self) -> int | None:
        """The last step, for people; None beside a limit of time, which mostly ends first."""
        return None if self.seconds else self.steps

    def progress(self, step: int, seconds: float) -> float:
        """Progress in [0, 1] through the limit that is nearer."""
        by_steps = step / self.steps if self.steps else 0.0
        return min(1.0, max(by_steps, seconds / self.seconds if self.seconds else 0.0))

    def schedule_epoch(self, step: int, seconds: float) -> int:
        """Epoch of the learning-rate schedule: the true one where no budget shortens training."""
        by_steps = schedules.virtual_epoch(step, self.steps, self.epochs) if self.steps else 0
        by_time = int(seconds / self.seconds * self.epochs) if self.seconds else 0
        return max(by_steps, by_time)

    def learning_rate(self, experiment: Experiment, step: int, seconds: float) -> float:
        """The rate of the step that follows `step`."""
        config, training = experiment.optimizer, experiment.training
        factor = schedules.learning_rate_factor(
            config.schedule,
            self.schedule_epoch(step, seconds),
            training.constant_epochs,
            training.decay_epochs,
            config.step_epochs,
        )
        return config.learning_rate * factor

    def seconds_left(
        self, step: int, seconds: float, first_step: int, first_seconds: float
    ) -> float:
        """Estimates the time to the end.

        Args:
          step: steps done.
          seconds: of training.
          first_step: where this process began.
          first_seconds: likewise.
        """
        if self.steps is None or (self.seconds and seconds / self.seconds >= step / self.steps):
            return (self.seconds or seconds) - seconds
        if not self.progress(step, seconds):
            return 0.0
        return (seconds - first_seconds) / max(step - first_step, 1) * (self.steps - step)
