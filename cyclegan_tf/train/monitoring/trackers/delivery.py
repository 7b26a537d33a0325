"""Sends to a tracker beside the training, which neither waits for it nor fails with it."""

from __future__ import annotations

import logging
import math
import queue
import threading
import zlib
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import numpy as np

from cyclegan_tf.train.monitoring.trackers.record import TrackerRecord
from cyclegan_tf.train.monitoring.trackers.tracker import Client

log = logging.getLogger(__name__)

_MAX_WAITING = 500
"""Entries that wait for a slow network; more would fill the memory, image grids above all."""

_CLOSING_SECONDS = 30.0
"""A scheduler that ends a job with SIGTERM commonly gives it so long."""


class Delivery:
    """A tracker behind a thread of its own.

    What cannot be sent is given up, with one warning for all of it. What an earlier process has
    sent is not sent again: a resumed training repeats its last steps.

    Args:
      name: of the tracker, for messages.
      client: where to send.
      record: of the run directory.
      closing_seconds: how long `close` waits for what is left.

    Example:
      >>> delivery = Delivery("wandb", client, TrackerRecord(path))
      >>> delivery.scalars("train", 50, {"loss/cycle_x": 0.31})
      >>> delivery.close(finished=True)
    """

    def __init__(
        self,
        name: str,
        client: Client,
        record: TrackerRecord,
        closing_seconds: float = _CLOSING_SECONDS,
    ) -> None:
        self._name, self._client, self._record = name, client, record
        self._closing_seconds = closing_seconds
        self._queued = dict(record.sent)
        self._entries: queue.SimpleQueue[tuple[Mapping[str, int], Callable[[], None]] | None] = (
            queue.SimpleQueue()
        )
        self._has_failed = self._is_abandoned = False
        self._thread = threading.Thread(target=self._send_all, name=f"to {name}", daemon=True)
        self._thread.start()

    def begin(self, step: int, networks: Mapping[str, Any]) -> None:
        """Send again, after a kill, what was sent after the checkpoint and may be lost.

        Some of it may then be there twice, alike. Config and networks: a client has the config
        from its start.
        """
        del networks
        if self._client.may_lose and not self._record.was_closed:
            self._queued = {name: at for name, at in self._queued.items() if at <= step}

    def scalars(self, group: str, step: int, values: Mapping[str, float]) -> None:
        """Send one point of several curves, named GROUP/TAG; what is not finite is left out.

        Args:
          group: "train", "test" or "averaged".
          step: last step done.
          values: by tag.
        """
        new = {
            name: float(value)
            for tag, value in values.items()
            if self._is_new(name := f"{group}/{tag}", step) and math.isfinite(value)
        }
        if new:
            self._put(dict.fromkeys(new, step), partial(self._client.scalars, step, new))

    def image(self, step: int, name: str, image: np.ndarray) -> None:
        """Send a uint8 (H, W, 3) image."""
        if self._is_new(name, step):
            self._put({name: step}, partial(self._client.image, step, name, image))

    def text(self, step: int, name: str, text: str) -> None:
        """Send a warning; the same words once in a run, though every start says them again."""
        key = f"{name} {zlib.crc32(text.encode()):08x}"
        if key not in self._queued:
            self._put({key: step}, partial(self._client.text, step, name, text))

    def flush(self) -> None:
        """Do nothing: entries are sent as they come."""

    def close(self, finished: bool) -> None:
        """Wait until all is sent, but not for ever."""
        self._entries.put(({}, partial(self._close, finished)))
        self._entries.put(None)
        self._thread.join(self._closing_seconds)
        if self._thread.is_alive():
            self._is_abandoned = True
            self._warn(f"it has not taken everything within {self._closing_seconds:g} seconds")

    def _close(self, finished: bool) -> None:
        self._client.close(finished)
        if not self._is_abandoned:
            self._record.close()

    def _is_new(self, name: str, step: int) -> bool:
        return step > self._queued.get(name, -1)

    def _put(self, marks: Mapping[str, int], call: Callable[[], None]) -> None:
        if self._entries.qsize() >= _MAX_WAITING:
            self._warn("it takes entries more slowly than they come")
            return
        self._queued |= marks
        self._entries.put((marks, call))

    def _send_all(self) -> None:
        while (entry := self._entries.get()) is not None:
            marks, call = entry
            try:
                call()
                if marks and not self._is_abandoned:
                    self._record.add(marks)
            except Exception as error:  # of whatever library: the training is worth more
                said = " ".join(str(error).split())[:200]
                self._warn(f"{type(error).__name__}: {said}" if said else type(error).__name__)

    def _warn(self, reason: str) -> None:
        """Say once that something could not be sent."""
        if not self._has_failed:
            self._has_failed = True
            log.warning(
                f"{self._name} has not taken all that was sent to it ({reason}); the training goes "
                "on, and metrics.jsonl and samples/ hold everything"
            )
