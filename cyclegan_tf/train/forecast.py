"""How long a training will take on this machine, by the time of its first steps."""

from __future__ import annotations

import math

from cyclegan_tf.train.budget import Budget

# The first step of a process includes the making of its graphs; the mean of these is taken.
TIMED_STEPS = 3
_OFFERED_MINUTES = 60
_UNITS = (("days", 86400.0), ("hours", 3600.0), ("minutes", 60.0))


class Forecast:
    """Times the first steps of a process and says once what the training comes to.

    Args:
      budget: of the training.
      steps_per_epoch: of the data.

    Attributes:
      sentence: what was said; None before.

    Example:
      >>> forecast = Forecast(Budget(steps=15000, seconds=None, epochs=200), 75)
      >>> for step in range(1, 5):
      ...     sentence = forecast.after_step(step, seconds=20 + 2.6 * step)
      >>> sentence.split(";")[0]
      'about 11 hours (14,996 steps at 2.6 s, measured)'
    """

    def __init__(self, budget: Budget, steps_per_epoch: int) -> None:
        self._budget, self._steps_per_epoch = budget, steps_per_epoch
        self._began: tuple[int, float] | None = None
        self.sentence: str | None = None

    def after_step(self, step: int, seconds: float) -> str | None:
        """Note a step; return the sentence after `TIMED_STEPS` steps, and never again.

        Args:
          step: steps done.
          seconds: of training so far.
        """
        if self.sentence is not None:
            return None
        if self._began is None:
            self._began = step, seconds
        first_step, first_seconds = self._began
        if step - first_step < TIMED_STEPS:
            return None
        per_step = (seconds - first_seconds) / (step - first_step)
        self.sentence = describe(self._budget, self._steps_per_epoch, per_step, step, seconds)
        return self.sentence


def describe(
    budget: Budget, steps_per_epoch: int, per_step: float, step: int = 0, seconds: float = 0.0
) -> str:
    """Say how long a training takes and how far it comes.

    Args:
      budget: of the training.
      steps_per_epoch: of the data.
      per_step: seconds that a step takes.
      step: steps done.
      seconds: of training so far.
    """
    steps = math.inf if budget.steps is None else budget.steps - step
    if budget.seconds is None or steps * per_step < budget.seconds - seconds:
        text = f"about {duration(steps * per_step)} ({steps:,} steps at {per_step:.2g} s, measured)"
        if steps * per_step < _OFFERED_MINUTES * 60:
            return text
        offered = int(_OFFERED_MINUTES * 60 / per_step)
        return (
            f"{text}; --training.max_minutes {_OFFERED_MINUTES} would make {offered:,} steps "
            f"({_epoch(offered, steps_per_epoch, budget)})"
        )
    last = step + int((budget.seconds - seconds) / max(per_step, 1e-9))
    return (
        f"about {last:,} steps in {duration(budget.seconds)} "
        f"({_epoch(last, steps_per_epoch, budget)}; {per_step:.2g} s each, measured); the learning "
        "rate falls to its end within them"
    )


def duration(seconds: float) -> str:
    """Write a time span in its largest unit: "11 hours", "40 s"."""
    for name, length in _UNITS:
        if seconds >= 1.5 * length:
            return f"{seconds / length:.0f} {name}"
    return f"{seconds:.0f} s"


def _epoch(step: int, steps_per_epoch: int, budget: Budget) -> str:
    epoch = f"epoch {-(-step // steps_per_epoch)}"
    return epoch if budget.steps is None else f"{epoch} of {budget.epochs}"
