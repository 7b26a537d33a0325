"""A run of Trackio (extra `trackio`)."""

from __future__ import annotations

import contextlib
import io
import os
import secrets
from collections.abc import Mapping

import numpy as np

from cyclegan_tf.train.monitoring.trackers.tracker import PROJECT, Beginning


class TrackioClient:
    """One run, in files on this machine or on the Space that `TRACKIO_SPACE_ID` names.

    `TRACKIO_PROJECT` names the project; all variables of Trackio's own count, too.

    Args:
      beginning: what to open the run with.

    Attributes:
      id: Trackio's name for the run.
      address: the command that shows it.

    Raises:
      Exception: of Trackio.

    Example:
      >>> client = TrackioClient(beginning)
      >>> client.scalars(50, {"train/loss/cycle_x": 0.31})
      >>> client.close(finished=True)
    """

    may_lose = False  # it writes twice a second

    def __init__(self, beginning: Beginning) -> None:
        import trackio

        self._trackio = trackio
        project = os.environ.get("TRACKIO_PROJECT") or PROJECT
        # Runs are found by their name, and two folders may have the same.
        self.id = beginning.known_id or f"{beginning.name}-{secrets.token_hex(3)}"
        with contextlib.redirect_stdout(io.StringIO()):  # of how to look, which `address` says
            self._run = trackio.init(
                project=project,
                name=self.id,
                config=dict(beginning.config),
                resume="allow",
                embed=False,
            )
        # Else it is finished once more when Python ends, with a line of its own.
        trackio.context_vars.current_run.set(None)
        self.address = f"trackio show --project {project} (run {self.id})"

    def scalars(self, step: int, values: Mapping[str, float]) -> None:
        """Send numbers by name."""
        self._run.log(dict(values), step=step)

    def image(self, step: int, name: str, image: np.ndarray) -> None:
        """Send a uint8 (H, W, 3) image."""
        self._run.log({name: self._trackio.Image(image)}, step=step)

    def text(self, step: int, name: str, text: str) -> None:
        """Send a warning, as a report."""
        self._run.log({name: self._trackio.Markdown(text)}, step=step)

    def close(self, finished: bool) -> None:
        """Wait until all is written."""
        del finished  # of which Trackio knows nothing
        is_local = not (os.environ.get("TRACKIO_SPACE_ID") or os.environ.get("TRACKIO_SERVER_URL"))
        # It says "uploading" of files that stay here.
        with contextlib.redirect_stdout(io.StringIO()) if is_local else contextlib.nullcontext():
            self._run.finish()
