"""TensorBoard: curves with descriptions, images, texts, the experiment and the networks' graphs."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf
from tensorboard.plugins.hparams import api as hparams

from cyclegan_tf.train.monitoring.disk import writing
from cyclegan_tf.train.monitoring.trackers.meanings import meaning

_OTHERS = "test"
"""The folder of images and texts."""


class TensorBoard:
    """Files of events in a folder per group of curves.

    Args:
      logs: the folder of them all.
      config: value by "section.field".
      text: config.yaml as it is.

    Example:
      >>> board = TensorBoard(run.logs, {"training.seed": 0}, "training: ...")
      >>> board.scalars("train", 50, {"loss/cycle_x": 0.31})
      >>> board.close(finished=True)
    """

    def __init__(self, logs: Path, config: Mapping[str, Any], text: str) -> None:
        self._logs, self._config, self._text = logs, config, text
        self._writers: dict[str, Any] = {}

    def _writer(self, group: str) -> Any:
        if group not in self._writers:
            self._writers[group] = tf.summary.create_file_writer(str(self._logs / group))
        return self._writers[group]

    def begin(self, step: int, networks: Mapping[str, Any]) -> None:
        """Write the experiment and the networks' graphs, where the run begins.

        The experiment is there as text, and as what runs are compared by; that lies above the
        groups, since TensorBoard looks for a session's scores below it. The graphs are those of
        layers: the training step's own has tens of thousands of operations.

        Raises:
          UserError: it cannot be written.
        """
        if step > 0:
            return
        with writing(self._logs), self._writer("").as_default(0):
            hparams.hparams(dict(self._config))
        with writing(self._logs), self._writer("train").as_default(0):
            code = "".join(f"    {line}\n" for line in self._text.splitlines())
            tf.summary.text("config", code, description="The experiment, every field.")
            for name, network in networks.items():
                tf.summary.write(name, network.to_json(), metadata=_graph_of_layers())

    def scalars(self, group: str, step: int, values: Mapping[str, float]) -> None:
        """Write one point of several curves; raises UserError where it cannot."""
        with writing(self._logs), self._writer(group).as_default(step):
            for tag, value in values.items():
                tf.summary.scalar(tag, value, description=meaning(tag))

    def image(self, step: int, name: str, image: np.ndarray) -> None:
        """Write a uint8 (H, W, 3) image; raises UserError where it cannot."""
        with writing(self._logs), self._writer(_OTHERS).as_default(step):
            tf.summary.image(name, image[np.newaxis], description="Fixed images, translated.")

    def text(self, step: int, name: str, text: str) -> None:
        """Write a text; raises UserError where it cannot."""
        with writing(self._logs), self._writer(_OTHERS).as_default(step):
            tf.summary.text(name, text, description="What goes wrong, and what to try.")

    def flush(self) -> None:
        """Put what was written on the disk; raises UserError where it cannot."""
        with writing(self._logs):
            for writer in self._writers.values():
                writer.flush()

    def close(self, finished: bool) -> None:
        """Flush and close the files; raises UserError where it cannot."""
        del finished  # of which TensorBoard shows nothing
        with writing(self._logs):
            for writer in self._writers.values():
                writer.close()


def _graph_of_layers() -> Any:
    """What tells TensorBoard that a text is the description of a Keras model."""
    metadata = tf.compat.v1.SummaryMetadata()
    metadata.plugin_data.plugin_name, metadata.plugin_data.content = "graph_keras_model", b"1"
    return metadata
