"""A training's progress on the terminal."""

from __future__ import annotations

import logging
import sys
from collections.abc import Mapping

from tqdm import tqdm

log = logging.getLogger(__name__)

# A discriminator that is never wrong and a cycle that never shrinks are what to watch for.
DISPLAYED_LOSSES = (
    "adversarial_y",
    "adversarial_x",
    "cycle_x",
    "cycle_y",
    "paired_x",
    "paired_y",
    "discriminator_y",
    "discriminator_x",
    "l1",  # of `distill`, as the next ones
    "ssim",
    "features",
    "statistics",
)


class ProgressBar:
    """A bar on a terminal, a line per log row elsewhere.

    Args:
      limit_steps: the last step; None where only time ends the training.
      batch_size: images of each domain per step.
      quiet: show no bar.

    Example:
      >>> bar = ProgressBar(limit_steps=800, batch_size=1, quiet=False)
      >>> bar.log(50, 0, {"cycle_x": 0.31}, speed=1.5, seconds_left=500.0)
      >>> bar.update(51, 0, progress=51 / 800, speed=1.5, seconds_left=499.0)
    """

    def __init__(self, limit_steps: int | None, batch_size: int, quiet: bool) -> None:
        self._limit, self._batch_size = limit_steps and f"/{limit_steps}", batch_size
        self._terminal = sys.stderr.isatty() and not quiet
        self._bar = tqdm(
            total=1.0,
            disable=not self._terminal,
            bar_format="{percentage:3.0f}%|{bar:20}| {desc}",
            leave=True,
        )
        self._losses = ""

    def update(
        self, step: int, epoch: int, progress: float, speed: float, seconds_left: float
    ) -> None:
        """Moves the bar.

        Args:
          step: last step done.
          epoch: it belongs to, from 0.
          progress: through the budget, in [0, 1].
          speed: steps per second.
          seconds_left: to the end of the training.
        """
        if self._terminal:
            self._bar.n = progress
            self._bar.set_description_str(self._line(step, epoch, speed, seconds_left))

    def log(
        self, step: int, epoch: int, values: Mapping[str, float], speed: float, seconds_left: float
    ) -> None:
        """Shows the newest means beside the bar, or as a line of their own.

        Args:
          step: last step done.
          epoch: it belongs to, from 0.
          values: losses by name, of which `DISPLAYED_LOSSES` are shown.
          speed: steps per second.
          seconds_left: to the end of the training.
        """
        self._losses = " ".join(
            f"{name} {values[name]:.3f}" for name in DISPLAYED_LOSSES if name in values
        )
        if not self._terminal:
            log.info(self._line(step, epoch, speed, seconds_left))

    def _line(self, step: int, epoch: int, speed: float, seconds_left: float) -> str:
        # of one image each, steps and images are one number
        images = f" {speed * self._batch_size:.2f} images/s" if self._batch_size > 1 else ""
        return (
            f"step {step}{self._limit or ''} epoch {epoch + 1} {speed:.2f} steps/s"
            f"{images} ETA {clock(seconds_left)} {self._losses}"
        )

    def close(self) -> None:
        """Leaves the bar as it is."""
        self._bar.close()


def clock(seconds: float) -> str:
    """Seconds as h:mm:ss, or m:ss."""
    hours, rest = divmod(int(max(seconds, 0)), 3600)
    minutes, rest = divmod(rest, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"
