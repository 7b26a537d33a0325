"""The learning rate over a training: constant, then falling to 0, changing once per epoch (Zhu et
al. 2017, sec. 5)."""

from __future__ import annotations

import math
from typing import Any, Literal, get_args

import keras
from keras import ops

ScheduleName = Literal["linear", "constant", "cosine", "step"]


def learning_rate_factor(
    policy: ScheduleName, epoch: int, constant_epochs: int, decay_epochs: int, step_epochs: int = 50
) -> float:
    """Factor of the learning rate in an epoch.

    "linear" and "cosine" stay at 1 for `constant_epochs` and fall over `decay_epochs`; 0 is reached
    only where the training is over, at `constant_epochs + decay_epochs` and beyond, so that the
    last epoch still learns (linear: at 1 / (decay_epochs + 1)). "step" divides by 10 every
    `step_epochs`. "constant" is 1.

    Args:
      policy: the shape.
      epoch: counted from 0.
      constant_epochs: epochs at the full rate.
      decay_epochs: epochs of decline.
      step_epochs: epochs between the tenfold drops of "step".

    Returns:
      A number in [0, 1].

    Raises:
      ValueError: unknown policy, or a negative number of epochs.
    """
    _check(policy, constant_epochs, decay_epochs, step_epochs)
    if epoch < 0:
        raise ValueError(f"epoch counts from 0, got {epoch}.")
    if policy == "constant":
        return 1.0
    if policy == "step":
        return 0.1 ** (epoch // step_epochs)
    fallen = min(max((epoch - constant_epochs + 1) / (decay_epochs + 1), 0.0), 1.0)
    return 1.0 - fallen if policy == "linear" else 0.5 * (1.0 + math.cos(math.pi * fallen))


def virtual_epoch(step: int, total_steps: int, total_epochs: int) -> int:
    """Epoch that a step of a training of fixed length stands for, as if the steps were
    `total_epochs` epochs.

    Args:
      step: counted from 0.
      total_steps: length of the training.
      total_epochs: epochs of the schedule that is squeezed or stretched over it.

    Returns:
      floor(step * total_epochs / total_steps), exact for any size.

    Raises:
      ValueError: `total_steps` below 1.
    """
    if total_steps < 1:
        raise ValueError(f"total_steps must be at least 1, got {total_steps}.")
    return step * total_epochs // total_steps


@keras.saving.register_keras_serializable(package="cyclegan_tf")
class EpochSchedule(keras.optimizers.schedules.LearningRateSchedule):
    """`learning_rate_factor` as a Keras schedule, for plain `fit`: the rate changes per epoch, not
    per step.

    Args:
      learning_rate: the full rate.
      steps_per_epoch: optimizer steps that make an epoch.
      policy: see `learning_rate_factor`, as the three below.
      constant_epochs: epochs at the full rate.
      decay_epochs: epochs of decline.
      step_epochs: epochs between the drops of "step".

    Raises:
      ValueError: unknown policy, or numbers out of range.

    Example:
      >>> schedule = EpochSchedule(2e-4, steps_per_epoch=1000)
      >>> optimizer = keras.optimizers.Adam(schedule, beta_1=0.5)
    """

    def __init__(
        self,
        learning_rate: float,
        steps_per_epoch: int,
        policy: ScheduleName = "linear",
        constant_epochs: int = 100,
        decay_epochs: int = 100,
        step_epochs: int = 50,
    ) -> None:
        super().__init__()
        _check(policy, constant_epochs, decay_epochs, step_epochs)
        if steps_per_epoch < 1:
            raise ValueError(f"steps_per_epoch must be at least 1, got {steps_per_epoch}.")
        self.learning_rate = learning_rate
        self.steps_per_epoch = steps_per_epoch
        self.policy = policy
        self.constant_epochs = constant_epochs
        self.decay_epochs = decay_epochs
        self.step_epochs = step_epochs

    def __call__(self, step: Any) -> Any:
        """float32 scalar, the rate of an optimizer step (integer, counted from 0)."""
        epoch = ops.floor_divide(ops.cast(step, "int64"), self.steps_per_epoch)
        if self.policy == "constant":
            factor = ops.ones((), "float32")
        elif self.policy == "step":
            factor = ops.power(0.1, ops.cast(ops.floor_divide(epoch, self.step_epochs), "float32"))
        else:
            after = ops.cast(epoch - self.constant_epochs + 1, "float32")
            fallen = ops.clip(after / (self.decay_epochs + 1), 0.0, 1.0)
            factor = (
                1.0 - fallen if self.policy == "linear" else 0.5 * (1.0 + ops.cos(math.pi * fallen))
            )
        return self.learning_rate * factor

    def get_config(self) -> dict[str, Any]:
        """All constructor arguments."""
        names = (
            "learning_rate",
            "steps_per_epoch",
            "policy",
            "constant_epochs",
            "decay_epochs",
            "step_epochs",
        )
        return {name: getattr(self, name) for name in names}


def _check(policy: str, constant_epochs: int, decay_epochs: int, step_epochs: int) -> None:
    if policy not in get_args(ScheduleName):
        raise ValueError(
            f"Unknown learning rate policy {policy!r}; known are "
            f"{', '.join(get_args(ScheduleName))}."
        )
    if min(constant_epochs, decay_epochs) < 0 or step_epochs < 1:
        raise ValueError(
            "constant_epochs and decay_epochs must be at least 0 and step_epochs at least 1, got "
            f"{constant_epochs}, {decay_epochs} and {step_epochs}."
        )
