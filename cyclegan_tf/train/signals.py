"""Ctrl-C and SIGTERM, noted so that a training can end after the step it is in."""

from __future__ import annotations

import os
import signal
from types import FrameType, TracebackType

EXIT_STATUS = {signal.SIGINT: 130, signal.SIGTERM: 143}


class StopSignals:
    """Notes Ctrl-C and SIGTERM while it is entered; a second one ends at once.

    Attributes:
      number: of the first signal, here or on another worker; None without one.

    Example:
      >>> with StopSignals() as stop:
      ...     while stop.number is None:
      ...         train_step()
      >>> sys.exit(stop.exit_status)
    """

    def __init__(self) -> None:
        self.number: int | None = None

    def __enter__(self) -> StopSignals:
        self._before = {number: signal.signal(number, self._note) for number in EXIT_STATUS}
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    @property
    def exit_status(self) -> int:
        """What the command ends with: 130 or 143, and 0 without a signal."""
        return 0 if self.number is None else EXIT_STATUS[signal.Signals(self.number)]

    def _note(self, number: int, _: FrameType | None) -> None:
        if self.number is not None:
            raise KeyboardInterrupt
        self.number = number
        # Not print: a handler may run in the middle of another print.
        os.write(2, b"\nfinishing this step, then saving (once more to stop at once)\n")
