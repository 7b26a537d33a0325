"""The rows of metrics.jsonl, and the same as curves in TensorBoard and other trackers."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from cyclegan_tf.runs import metrics_log
from cyclegan_tf.runs.run_directory import RunDirectory
from cyclegan_tf.runs.state import NETWORKS
from cyclegan_tf.train.monitoring.disk import writing
from cyclegan_tf.train.monitoring.trackers.opening import open_trackers


class MetricsLogger:
    """Rows of metrics.jsonl and, under the same names, curves in trackers.

    Args:
      run: where to write.
      trackers: see `config.experiment.TRACKERS`.

    Raises:
      UserError: a tracker that is new to the run does not answer.

    Example:
      >>> logger = MetricsLogger(run)
      >>> logger.log_losses("train", step=50, epoch=0, values={"cycle_x": 0.31}, speed=1.5)
      >>> logger.close()
    """

    def __init__(self, run: RunDirectory, trackers: Sequence[str] = ("tensorboard",)) -> None:
        self._run = run
        self._trackers = open_trackers(trackers, run)
        self._file = run.metrics_path.open("a", encoding="utf-8")

    def log_losses(
        self,
        kind: str,
        step: int,
        epoch: int,
        values: Mapping[str, float],
        speed: float | None = None,
    ) -> None:
        """Writes one row of losses; values that are not finite become null.

        Args:
          kind: "train" or "test".
          step: last step done.
          epoch: it belongs to, from 0.
          values: by name.
          speed: steps per second.
        """
        row = {"kind": kind, "step": step, "epoch": epoch}
        self._row(row, values, speed)
        points = {_curve(name): value for name, value in values.items()}
        if speed is not None:
            points["speed/steps_per_second"] = speed
        for tracker in self._trackers:
            tracker.scalars(kind, step, points)

    def log_scores(self, step: int, epoch: int, weights: str, values: Mapping[str, float]) -> None:
        """Writes one row of scores.

        Args:
          step: last step done.
          epoch: it belongs to, from 0.
          weights: "raw" or "averaged", whose curves lie over each other.
          values: by name.
        """
        self._row({"kind": "score", "step": step, "epoch": epoch, "weights": weights}, values, None)
        points = {f"score/{name}": value for name, value in values.items()}
        for tracker in self._trackers:
            tracker.scalars("test" if weights == "raw" else weights, step, points)

    def log_beginning(self, step: int, model: Any) -> None:
        """Writes what a run is of to the trackers.

        Args:
          step: last step done; TensorBoard's files have it from a run that begins, at 0.
          model: has the networks of `runs.state.NETWORKS`, some of which may be None.
        """
        networks = {name: found for name in NETWORKS if (found := getattr(model, name)) is not None}
        for tracker in self._trackers:
            tracker.begin(step, networks)

    def log_scalar(self, name: str, step: int, value: float) -> None:
        """Writes a number to the trackers alone."""
        for tracker in self._trackers:
            tracker.scalars("test", step, {name: value})

    def log_warning(self, step: int, kind: str, text: str) -> None:
        """Writes a warning as a row and as a text.

        Args:
          step: last step done.
          kind: "collapse_xy".
          text: what goes wrong, and what to try. The same words make one row, at the first step: a
            resumed training looks at its images again.
        """
        earlier = (row.get("text") for row in metrics_log.rows(self._run.metrics_path))
        if text not in earlier:
            self._row({"kind": "warning", "step": step, "name": kind, "text": text}, {}, None)
        for tracker in self._trackers:
            tracker.text(step, f"warning/{kind}", text)

    def log_image(self, name: str, step: int, image: np.ndarray) -> None:
        """Writes a uint8 (H, W, 3) image to the trackers alone."""
        for tracker in self._trackers:
            tracker.image(step, name, image)

    def flush(self) -> None:
        """Puts what was written on the disk: a checkpoint's rows must outlive what it does."""
        with writing(self._run.path):
            os.fsync(self._file.fileno())
        for tracker in self._trackers:
            tracker.flush()

    def close(self) -> None:
        """Flushes and closes all files, and waits a while for trackers that are slow."""
        with writing(self._run.path):
            self._file.close()
        for tracker in self._trackers:
            tracker.close(finished=self._run.finished_step() is not None)

    def _row(self, row: dict[str, Any], values: Mapping[str, float], speed: float | None) -> None:
        row |= {name: value if math.isfinite(value) else None for name, value in values.items()}
        if speed is not None:
            row["steps_per_second"] = round(speed, 4)
        with writing(self._run.path):
            self._file.write(json.dumps(row) + "\n")
            self._file.flush()


def _curve(name: str) -> str:
    """Trackers group by the part before the slash."""
    if name == "learning_rate":
        return f"rate/{name}"
    if name.startswith("accuracy"):
        return f"discriminator/{name}"
    return f"{'gradients' if name.startswith('gradient_norm') else 'loss'}/{name}"
