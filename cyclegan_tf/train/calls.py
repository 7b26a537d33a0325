"""How many steps may go to the device at once: up to the next that something happens after."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from cyclegan_tf.config.experiment import Experiment
from cyclegan_tf.train.monitoring import samples


@dataclass(frozen=True)
class Events:
    """The steps that something follows: a row, samples, a checkpoint, the end of an epoch.

    Attributes:
      experiment: says when.
      steps_per_epoch: of its data.
      last: step of the training.

    Example:
      >>> Events(Experiment(), steps_per_epoch=120, last=24000).steps_to_next(step=98)
      2
    """

    experiment: Experiment
    steps_per_epoch: int
    last: int

    def steps_to_next(self, step: int) -> int:
        """Counts the steps up to the next event, at least 1.

        Args:
          step: steps done, before the last.
        """
        logs, every = self.experiment.logging, self.experiment.training.checkpoint_every_steps
        periods = (logs.log_every_steps, logs.sample_every_steps, self.steps_per_epoch, every)
        distances = [period - step % period for period in periods if period]
        places = (*samples.EARLY_STEPS, self.last)
        return min(*distances, *(place - step for place in places if place > step))

    def follow(self, step: int) -> bool:
        """Whether one follows this step, from 1."""
        return self.steps_to_next(step - 1) == 1

    def steps_in_call(self, step: int, most: int, rate: Callable[[int], float]) -> int:
        """Counts the steps that need nothing in between: no event, no other learning rate.

        Args:
          step: steps done, before the last.
          most: no more are asked for; at least 1.
          rate: of the step that follows so many steps.
        """
        most = min(most, self.steps_to_next(step))
        now = rate(step)
        return next((n for n in range(1, most) if rate(step + n) != now), most)
