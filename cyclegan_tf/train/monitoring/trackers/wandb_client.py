"""A run of Weights & Biases (extra `wandb`)."""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from cyclegan_tf.train.monitoring.trackers.tracker import PROJECT, Beginning

log = logging.getLogger(__name__)


class WandbClient:
    """One run, online or, with `WANDB_MODE=offline`, in files.

    `WANDB_PROJECT`, `WANDB_ENTITY`, `WANDB_DIR` and all other variables of wandb count.

    Args:
      beginning: what to open the run with.

    Attributes:
      id: wandb's name for the run.
      address: its page, or the command that uploads it.

    Raises:
      Exception: of wandb: no key, no network, no such project.

    Example:
      >>> client = WandbClient(beginning)
      >>> client.scalars(50, {"train/loss/cycle_x": 0.31})
      >>> client.close(finished=True)
    """

    may_lose = True  # its own process writes in blocks

    def __init__(self, beginning: Beginning) -> None:
        # Reports of crashes go to the makers of wandb, whom nobody asked for.
        os.environ.setdefault("WANDB_ERROR_REPORTING", "false")
        import wandb

        self._wandb = wandb
        folder = os.environ.get("WANDB_DIR")
        if folder is None:
            beginning.folder.mkdir(parents=True, exist_ok=True)
            folder = str(beginning.folder)
        self._run = wandb.init(
            project=os.environ.get("WANDB_PROJECT") or PROJECT,
            name=os.environ.get("WANDB_NAME") or beginning.name,
            id=beginning.known_id,
            resume="allow" if beginning.known_id else None,
            dir=folder,
            config=dict(beginning.config),
            allow_val_change=True,
            save_code=False,
            # The terminal's lines stay here: progress bars would fill a log of their own.
            # Its file is written each second, not each 15: a kill loses what is not.
            settings=wandb.Settings(
                console="off",
                quiet=True,
                silent=not log.isEnabledFor(logging.INFO),
                x_transaction_log_flush_interval=1.0,
            ),
        )
        # A resumed training goes on at an earlier step than wandb's own counter allows.
        self._run.define_metric("step", hidden=True)
        self._run.define_metric("*", step_metric="step")
        self.id = str(self._run.id)
        if self._run.offline:
            self.address = f"offline; upload it with: wandb sync {Path(self._run.dir).parent}"
        else:
            self.address = str(self._run.url)

    def scalars(self, step: int, values: Mapping[str, float]) -> None:
        """Send numbers by name."""
        self._run.log({"step": step, **values})

    def image(self, step: int, name: str, image: np.ndarray) -> None:
        """Send a uint8 (H, W, 3) image."""
        self._run.log({"step": step, name: self._wandb.Image(image)})

    def text(self, step: int, name: str, text: str) -> None:
        """Send a warning, as an alert and into the summary."""
        self._run.summary[name] = f"step {step}: {text}"
        self._run.alert(name, text, level=self._wandb.AlertLevel.WARN, wait_duration=0)

    def close(self, finished: bool) -> None:
        """Wait until all is sent; a run that was stopped counts as failed until it goes on."""
        self._run.finish(exit_code=0 if finished else 1)
