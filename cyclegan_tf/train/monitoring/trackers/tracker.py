"""What a training asks of every tracker, and what it gives one that begins."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np


class Tracker(Protocol):
    """Where numbers, images and texts go; steps never fall but when a training resumes."""

    def begin(self, step: int, networks: Mapping[str, Any]) -> None:
        """Write what the run is of.

        Args:
          step: last step done; 0 where the run begins.
          networks: Keras models by name.
        """

    def scalars(self, group: str, step: int, values: Mapping[str, float]) -> None:
        """Write one point of several curves.

        Args:
          group: "train", "test" or "averaged"; curves of the same name lie over each other.
          step: last step done.
          values: by tag, such as "loss/cycle_x".
        """

    def image(self, step: int, name: str, image: np.ndarray) -> None:
        """Write a uint8 (H, W, 3) image."""

    def text(self, step: int, name: str, text: str) -> None:
        """Write a text."""

    def flush(self) -> None:
        """Put what was written on the disk."""

    def close(self, finished: bool) -> None:
        """End; `finished` is False where the training was stopped and may go on."""


class Client(Protocol):
    """A run in somebody else's tracker; every method may wait for a network, and fail.

    Attributes:
      id: the tracker's name for the run, by which it is found again.
      address: where a person finds it.
      may_lose: whether a kill loses what it was given last.
    """

    id: str
    address: str
    may_lose: bool

    def scalars(self, step: int, values: Mapping[str, float]) -> None:
        """Send finite numbers by name."""

    def image(self, step: int, name: str, image: np.ndarray) -> None:
        """Send a uint8 (H, W, 3) image."""

    def text(self, step: int, name: str, text: str) -> None:
        """Send a warning."""

    def close(self, finished: bool) -> None:
        """Wait until all is sent, and mark the run as finished or stopped."""


@dataclass(frozen=True)
class Beginning:
    """What a client opens a run with.

    Attributes:
      name: of the run, for people.
      config: value by "section.field"; fields that are None are left out.
      text: config.yaml as it is.
      folder: for files of the client, in the run directory.
      known_id: of the run to go on with; None begins a new one.

    Example:
      >>> beginning = Beginning("mine", {"training.seed": 0}, "training: ...", folder, None)
      >>> client = wandb_client.WandbClient(beginning)
    """

    name: str
    config: Mapping[str, Any]
    text: str
    folder: Path
    known_id: str | None


PROJECT = "cyclegan_tf"
"""What runs are filed under where the tracker's own environment variable names nothing else."""
