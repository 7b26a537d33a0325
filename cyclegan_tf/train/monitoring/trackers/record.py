"""What a run directory keeps of a tracker: the id of the run there, and what it has been sent."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from pathlib import Path

from cyclegan_tf.atomic import write_text

log = logging.getLogger(__name__)


class TrackerRecord:
    """One JSON file: a resumed training finds the same run, and sends nothing twice.

    Args:
      path: of the file; without it, or where it is damaged, the tracker has no run yet.

    Attributes:
      id: the tracker's name for the run; None where there is none.
      sent: the last step by name of curve, image or text.
      was_closed: whether the process that wrote the file has ended the run in order.

    Example:
      >>> record = TrackerRecord(run.path / "trackers" / "wandb.json")
      >>> record.begin("x7f3k2p1")
      >>> record.add({"train/loss/cycle_x": 50})
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self.id: str | None = None
        self.sent: dict[str, int] = {}
        self.was_closed = True
        if not path.is_file():
            return
        try:
            kept = json.loads(path.read_bytes())
            self.id, self.sent = str(kept["id"]), {str(k): int(v) for k, v in kept["sent"].items()}
            self.was_closed = bool(kept["closed"])
        except Exception as error:  # a parser's errors are many; a new run loses nothing
            log.warning(f"{path} cannot be read ({error}): a new run is begun there")

    def begin(self, run_id: str) -> None:
        """Keep the id of the run that is sent to; of another than before, nothing was sent."""
        if run_id != self.id:
            self.id, self.sent = run_id, {}
            self._write()

    def add(self, marks: Mapping[str, int]) -> None:
        """Keep that these names were sent up to these steps."""
        self.sent |= marks
        self._write()

    def close(self) -> None:
        """Keep that all that was sent has arrived."""
        self._write(closed=True)

    def _write(self, closed: bool = False) -> None:
        kept = {"id": self.id, "sent": self.sent, "closed": closed}
        write_text(self._path, json.dumps(kept) + "\n")
