"""metrics.jsonl and TensorBoard curves of a training."""

from __future__ import annotations

import contextlib
import json
import math
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf
import yaml
from tensorboard.plugins.hparams import api as hparams

from cyclegan_tf.errors import UserError
from cyclegan_tf.runs import metrics_log
from cyclegan_tf.runs.run_directory import RunDirectory
from cyclegan_tf.runs.state import NETWORKS


class MetricsLogger:
    """Rows of metrics.jsonl and, under the same names, curves in TensorBoard.

    Args:
      run: where to write.

    Example:
      >>> logger = MetricsLogger(run)
      >>> logger.log_losses("train", step=50, epoch=0, values={"cycle_x": 0.31}, speed=1.5)
      >>> logger.close()
    """

    def __init__(self, run: RunDirectory) -> None:
        self._logs, self._config_path = run.logs, run.config_path
        self._metrics_path = run.metrics_path
        self._file = run.metrics_path.open("a", encoding="utf-8")
        self._writers: dict[str, Any] = {}

    def _writer(self, kind: str) -> Any:
        """The curves of one kind, each in a folder of its own."""
        if kind not in self._writers:
            self._writers[kind] = tf.summary.create_file_writer(str(self._logs / kind))
        return self._writers[kind]

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
        with self._writing(), self._writer(kind).as_default(step):
            for name, value in values.items():
                tf.summary.scalar(_curve(name), value, description=_meaning(name))
            if speed is not None:
                tf.summary.scalar("speed/steps_per_second", speed)

    def log_scores(self, step: int, epoch: int, weights: str, values: Mapping[str, float]) -> None:
        """Writes one row of scores.

        Args:
          step: last step done.
          epoch: it belongs to, from 0.
          weights: "raw" or "averaged", whose curves lie over each other.
          values: by name.
        """
        self._row({"kind": "score", "step": step, "epoch": epoch, "weights": weights}, values, None)
        with (
            self._writing(),
            self._writer("test" if weights == "raw" else weights).as_default(step),
        ):
            for name, value in values.items():
                tf.summary.scalar(f"score/{name}", value)

    def log_beginning(self, step: int, model: Any) -> None:
        """Writes what a run is of to TensorBoard: its experiment and its networks' graphs.

        The experiment is there as text, and as what runs are compared by. The graphs are those of
        layers: the training step's own has tens of thousands of operations.

        Args:
          step: last step done; only a run that begins, at 0, writes it.
          model: has the networks of `runs.state.NETWORKS`, some of which may be None.
        """
        if step > 0:
            return
        text = self._config_path.read_text(encoding="utf-8")
        fields = {
            f"{section}.{name}": value
            for section, values in yaml.safe_load(text).items()
            for name, value in values.items()
            if value is not None
        }
        with self._writing(), self._writer("train").as_default(0):
            tf.summary.text("config", "".join(f"    {line}\n" for line in text.splitlines()))
            hparams.hparams(fields)
            for name in NETWORKS:
                if (network := getattr(model, name)) is not None:
                    tf.summary.write(name, network.to_json(), metadata=_graph_of_layers())

    def log_scalar(self, name: str, step: int, value: float) -> None:
        """Writes a number to TensorBoard alone."""
        with self._writing(), self._writer("test").as_default(step):
            tf.summary.scalar(name, value)

    def log_warning(self, step: int, kind: str, text: str) -> None:
        """Writes a warning as a row and as a text.

        Args:
          step: last step done.
          kind: "collapse_xy".
          text: what goes wrong, and what to try. The same words make one row, at the first step: a
            resumed training looks at its images again.
        """
        earlier = (row.get("text") for row in metrics_log.rows(self._metrics_path))
        if text not in earlier:
            self._row({"kind": "warning", "step": step, "name": kind, "text": text}, {}, None)
        with self._writing(), self._writer("test").as_default(step):
            tf.summary.text(f"warning/{kind}", text)

    def log_image(self, name: str, step: int, image: np.ndarray) -> None:
        """Writes a uint8 (H, W, 3) image to TensorBoard alone."""
        with self._writing(), self._writer("test").as_default(step):
            tf.summary.image(name, image[np.newaxis])

    def flush(self) -> None:
        """Puts what was written on the disk: a checkpoint's rows must outlive what it does."""
        with self._writing():
            os.fsync(self._file.fileno())
            for writer in self._writers.values():
                writer.flush()

    def close(self) -> None:
        """Flushes and closes all files."""
        with self._writing():
            self._file.close()
            for writer in self._writers.values():
                writer.close()

    def _row(self, row: dict[str, Any], values: Mapping[str, float], speed: float | None) -> None:
        row |= {name: value if math.isfinite(value) else None for name, value in values.items()}
        if speed is not None:
            row["steps_per_second"] = round(speed, 4)
        with self._writing():
            self._file.write(json.dumps(row) + "\n")
            self._file.flush()

    @contextlib.contextmanager
    def _writing(self) -> Iterator[None]:
        """TensorFlow has errors of its own for a full disk."""
        try:
            yield
        except (OSError, tf.errors.OpError) as error:
            raise unwritable(self._logs, error) from error


def _graph_of_layers() -> Any:
    """What tells TensorBoard that a text is the description of a Keras model."""
    metadata = tf.compat.v1.SummaryMetadata()
    metadata.plugin_data.plugin_name, metadata.plugin_data.content = "graph_keras_model", b"1"
    return metadata


def unwritable(folder: Path, error: OSError | tf.errors.OpError) -> UserError:
    """The error of logs that cannot be written.

    Args:
      folder: they lie in.
      error: of the system, or of TensorFlow.
    """
    said = error.message if isinstance(error, tf.errors.OpError) else error.strerror or str(error)
    return UserError(
        f"The logs in {folder} cannot be written ({' '.join(said.split())[:200]}); free some "
        "space, then start the same command again.",
        code="unwritable",
        field=str(folder),
    )


_MEANINGS = {
    "adversarial": "How far the generator is from fooling the discriminator of this domain.",
    "cycle": "Mean absolute difference of an image and its translation there and back.",
    "identity": "Mean absolute difference of an image and its translation into its own domain.",
    "discriminator": "The discriminator's loss on real images and fakes, not halved.",
    "gradient_penalty": "Mean of (|gradient of D| - 1)^2 between real images and fakes.",
    "accuracy_real": "Share of real patches that the discriminator takes for real.",
    "accuracy_fake": "Share of fake patches that it takes for fake.",
    "gradient_norm": "Norm of the whole gradient, the scale of the loss taken off.",
    "learning_rate": "Rate of both optimizers.",
}


def _meaning(name: str) -> str | None:
    """A sentence beside the curve; losses are unweighted."""
    return next((text for start, text in _MEANINGS.items() if name.startswith(start)), None)


def _curve(name: str) -> str:
    """TensorBoard groups by the part before the slash."""
    if name == "learning_rate":
        return f"rate/{name}"
    if name.startswith("accuracy"):
        return f"discriminator/{name}"
    return f"{'gradients' if name.startswith('gradient_norm') else 'loss'}/{name}"
