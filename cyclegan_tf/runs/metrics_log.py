"""Reading and shortening a run's metrics.jsonl: one JSON object per line, with kind and step."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from cyclegan_tf.atomic import atomic_file
from cyclegan_tf.config.files import with_new_score_names


def scores_at(path: Path, step: int, weights: str = "raw") -> dict[str, Any]:
    """Find what was measured on the test split at a step.

    Args:
      path: the metrics.jsonl; nothing is found where there is none.
      step: of the checkpoint.
      weights: "raw" or "averaged".

    Returns:
      Scores and losses of that step in one; losses are of the raw weights. Without scores, the
      newest losses that are not later, with their own step. Empty where there is nothing.
    """
    losses: dict[str, Any] = {}
    scores: dict[str, Any] = {}
    for row in rows(path):
        if row.get("kind") == "test" and row["step"] <= step:
            losses = row
        elif row.get("kind") == "score" and (row["step"], row.get("weights")) == (step, weights):
            scores = row
    if scores and losses.get("step") != step:
        losses = {}
    return {name: value for name, value in (losses | scores).items() if name != "kind"}


def rows(path: Path) -> Iterator[dict[str, Any]]:
    """Read all rows, scores under the names of today; what is no row is passed over."""
    if path.is_file():
        for line in path.read_bytes().splitlines():
            if (row := _row(line)) is not None:
                yield row


def keep_rows(path: Path, wanted: Callable[[str, int], bool]) -> None:
    """Drop rows that a resumed run writes again, and lines that are no rows.

    Args:
      path: the metrics.jsonl; there may be none.
      wanted: takes a row's kind and step; whether it stays.

    Raises:
      OSError: the file cannot be written.
    """
    if not path.is_file():
        return
    before = path.read_bytes()
    kept = b"".join(
        line + b"\n"
        for line in before.splitlines()
        if (row := _row(line)) is not None and wanted(str(row.get("kind")), row["step"])
    )
    if kept != before:
        with atomic_file(path) as partial:
            partial.write_bytes(kept)


def _row(line: bytes) -> dict[str, Any] | None:
    """A line as a row; None where it was cut short by a kill, or is damaged."""
    try:
        row = json.loads(line)
    except Exception:  # a parser's errors are many: of the encoding, of the depth, of the syntax
        return None
    is_row = isinstance(row, dict) and type(row.get("step")) is int
    return with_new_score_names(row) if is_row else None
