"""Training steps on the device, and what they say of themselves: it stays there until asked for."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import keras
import tensorflow as tf

from cyclegan_tf.devices.startup import without_garbage_collection
from cyclegan_tf.devices.strategy import DistributionContext
from cyclegan_tf.model.cyclegan import CycleGAN
from cyclegan_tf.model.ema import ExponentialMovingAverage

Batch = tuple[tf.Tensor, ...]

_VALUES, _FINITE = "values", "finite"
_MAY_OVERFLOW = "gradient_norm"
"""Under float16 norms of gradients do, and the scale of the loss takes care of that."""


@dataclass(frozen=True)
class LostLosses:
    """The first step that lost a loss.

    Attributes:
      steps_ago: 0 for the newest.
      names: of the losses that were not finite then.

    Example:
      >>> LostLosses(steps_ago=3, names=("cycle_x",)).names[0]
      'cycle_x'
    """

    steps_ago: int
    names: tuple[str, ...]


class DeviceSteps:
    """Makes steps without waiting for them: a GPU has the next one while it computes.

    Each step leaves two vectors on the device: float32, the running means of all that a step
    reports; and int64, how many steps there were and up to which of them each loss was finite. Both
    are read only when somebody asks, and the second then still knows at which step a loss was lost.

    Args:
      model: compiled, every variable made.
      averages: of the generators' weights, updated after each step; None where there are none.
      devices: in whose scope the model was made.
      steps_per_call: steps that one call of the graph makes at most; one among several devices.

    Attributes:
      steps_per_call: that hold.

    Example:
      >>> steps = DeviceSteps(model, None, DistributionContext())
      >>> steps.run(batches)
      >>> steps.first_not_finite(), sorted(steps.values())
    """

    def __init__(
        self,
        model: CycleGAN,
        averages: ExponentialMovingAverage | None,
        devices: DistributionContext,
        steps_per_call: int = 1,
    ) -> None:
        self._model, self._averages = model, averages
        self.steps_per_call = 1 if devices.strategy else steps_per_call
        self._names: list[str] = model.metric_names()
        with devices.scope():
            self._finite = keras.Variable(
                tf.zeros(1 + len(self._names), tf.int64),
                trainable=False,
                dtype="int64",
                name=_FINITE,
            )
        self._step = devices.step(self._one_step)
        self._call = tf.function(
            self._step if self.steps_per_call == 1 else self._some_steps,
            autograph=False,
            reduce_retracing=True,
            jit_compile=model.jit_compile,
        )
        self._said: dict[str, tf.Tensor] = {}

    def run(self, batches: Iterator[Batch], count: int = 1) -> None:
        """Makes steps, of which the device may be still at work when this returns.

        Args:
          batches: (real_x, real_y), float32 (N, H, W, C) in [-1, 1], and `is_paired` where the
            model wants it.
          count: of steps, at most `steps_per_call`.
        """
        given = [next(batches) for _ in range(count)]
        with contextlib.nullcontext() if self._said else without_garbage_collection():
            if self.steps_per_call == 1:
                self._said = self._call(given[0])
            else:
                given += given[-1:] * (self.steps_per_call - count)  # one graph for any count
                self._said = self._call(given, tf.constant(count))

    def values(self) -> dict[str, float]:
        """Waits for the newest step; returns the running means of what steps report, by name."""
        return dict(zip(self._names, self._said[_VALUES].numpy().tolist(), strict=True))

    def first_not_finite(self) -> LostLosses | None:
        """Waits for the newest step; says where a loss was lost, None where none was."""
        if not self._said:
            return None
        steps, *finite = self._said[_FINITE].numpy().tolist()
        least = min(finite)
        if least == steps:
            return None
        counts = zip(self._names, finite, strict=True)
        return LostLosses(steps - least - 1, tuple(name for name, n in counts if n == least))

    def _one_step(self, batch: Batch) -> dict[str, tf.Tensor]:
        terms = {k: v for k, v in self._model.train_step(batch).items() if k != "loss"}  # for `fit`
        if self._averages is not None:
            self._averages.update()
        self._names = list(terms)  # in the order of the report
        values = tf.stack([tf.cast(value, tf.float32) for value in terms.values()])
        return {_VALUES: values, _FINITE: self._count_finite(values)}

    def _count_finite(self, values: tf.Tensor) -> tf.Tensor:
        """Counts this step; a loss that is lost stays where it was, whatever follows."""
        may_overflow = tf.constant([name.startswith(_MAY_OVERFLOW) for name in self._names])
        is_good = tf.concat([[True], tf.math.is_finite(values) | may_overflow], axis=0)
        before = tf.convert_to_tensor(self._finite.value)
        is_good &= before == before[0]
        return tf.convert_to_tensor(self._finite.value.assign_add(tf.cast(is_good, tf.int64)))

    def _some_steps(self, batches: Sequence[Batch], count: tf.Tensor) -> dict[str, tf.Tensor]:
        """The first `count` batches, one step each, in one call."""
        laid_out = [tf.stack(parts) for parts in zip(*batches, strict=True)]
        names = (_VALUES, _FINITE)

        def step(index: tf.Tensor, *_: tf.Tensor) -> tuple[tf.Tensor, ...]:
            said = self._step(tuple(part[index] for part in laid_out))
            return index + 1, *(said[name] for name in names)

        start = (tf.zeros(len(self._names)), tf.zeros(1 + len(self._names), tf.int64))
        _, *said = tf.while_loop(
            lambda index, *_: index < count, step, (tf.constant(0), *start), parallel_iterations=1
        )
        return dict(zip(names, said, strict=True))
