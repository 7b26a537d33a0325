"""When a training writes its checkpoints."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from cyclegan_tf.config.experiment import Training
from cyclegan_tf.runs import checkpoints, state
from cyclegan_tf.train.monitoring.monitor import TrainingMonitor

# At the end of a short epoch a checkpoint would cost more than it saves.
_SHORTEST_EPOCH = 0.1


class CheckpointSaver:
    """Writes the state of a training: by steps, by time, at the end of an epoch.

    Args:
      folder: of the checkpoints.
      variables: that a checkpoint holds, by key.
      monitor: whose state goes into it, and whose logs are flushed before.
      config: how often, and how many are kept.

    Example:
      >>> saver = CheckpointSaver(run.checkpoints, state.variables(model), monitor, Training())
      >>> if saver.is_due(400, epoch_ended=True):
      ...     saver.save({"step": 400, "seconds": 61.5})
    """

    def __init__(
        self,
        folder: Path,
        variables: Mapping[str, Any],
        monitor: TrainingMonitor,
        config: Training,
    ) -> None:
        self._folder, self._variables = folder, variables
        self._monitor, self._config = monitor, config
        self._saved_at, self._saved_state = 0, ""  # step, and all scalars as text
        self.start_clock()

    def start_clock(self) -> None:
        """Count the minutes to the next checkpoint from now."""
        self._clock = time.monotonic()

    def note_loaded(self, place: Mapping[str, Any]) -> None:
        """Note that this moment is that of a checkpoint; see `save`."""
        self._saved_at, self._saved_state = place["step"], self._scalars(place)

    def save(self, place: Mapping[str, Any]) -> None:
        """Write a checkpoint of this moment.

        Args:
          place: where the training stands, "step" and "seconds" among it, ready for JSON.

        Raises:
          UserError: it cannot be written.
        """
        self._monitor.flush()
        checkpoints.write(
            self._folder,
            place["step"],
            state.snapshot(self._variables),
            {**place, **self._monitor.state_dict()},
            self._config.keep_checkpoints,
        )
        self.note_loaded(place)
        self.start_clock()

    def is_due(self, step: int, epoch_ended: bool) -> bool:
        """Whether it is time for a checkpoint.

        Args:
          step: steps done.
          epoch_ended: whether the last of them was the last of its epoch.
        """
        if step == self._saved_at:
            return False
        every = self._config.checkpoint_every_steps
        by_steps = every is not None and step % every == 0
        share = (time.monotonic() - self._clock) / 60 / self._config.checkpoint_every_minutes
        return by_steps or share >= 1 or (epoch_ended and share >= _SHORTEST_EPOCH)

    def save_if_new(self, place: Mapping[str, Any]) -> None:
        """Write a checkpoint, unless this moment, its scores included, is saved; see `save`."""
        if self._scalars(place) != self._saved_state:
            self.save(place)

    def _scalars(self, place: Mapping[str, Any]) -> str:
        """Where the training stands and what its scores have come to, as text to compare."""
        return json.dumps({**place, **self._monitor.state_dict()})
