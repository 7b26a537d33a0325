"""Reading and shortening a run's metrics.jsonl: one JSON object per line, with kind and step."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from cyclegan_tf.atomic import write_text
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
    """Read all rows, scores under the names of today; a line cut short by a kill is passed over."""
    if path.is_file():
        for line in path.read_text(encoding="utf-8").splitlines():
            with contextlib.suppress(ValueError):
                yield with_new_score_names(json.loads(line))


def truncate_metrics(path: Path, step: int) -> None:
    """Drop rows later than a step, which the resumed run writes again, and a line cut short.

    Raises:
      OSError: the file cannot be written.
    """
    if not path.is_file():
        return
    kept = []
    for line in path.read_text(encoding="utf-8").splitlines():
        with contextlib.suppress(ValueError, KeyError):
            if json.loads(line)["step"] <= step:
                kept.append(line + "\n")
    write_text(path, "".join(kept))
