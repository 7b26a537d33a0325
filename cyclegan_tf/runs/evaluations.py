"""Scores that `evaluate` left in a run directory, of the checkpoint that they were measured on."""

from __future__ import annotations

import json
import math
import re
from pathlib import Path
from typing import Any

from cyclegan_tf.runs.metrics_log import scores_at

FILE, METRICS = "evaluation.json", "metrics.jsonl"


def evaluated(run: Path, direction: str, origin: str) -> dict[str, Any]:
    """Find the scores that `evaluate` measured on a checkpoint.

    Args:
      run: a run directory, or a file, beside which there is nothing.
      direction: "xy" or "yx".
      origin: description of the checkpoint.

    Returns:
      By name, as they are stored; empty where there is no evaluation, or one of another checkpoint.
    """
    try:
        report = json.loads((run / FILE).read_bytes())["directions"][direction]
        if file_of(str(report["generator"])) != file_of(origin):
            return {}
        return dict(report["scores"])
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return {}


def known_scores(run: Path, direction: str, origin: str) -> dict[str, float]:
    """Find what is known of a checkpoint: what `evaluate` measured, else what training did.

    Args:
      run: a run directory, or a file, beside which there is nothing.
      direction: "xy" or "yx".
      origin: description of the checkpoint.

    Returns:
      Finite scores by name, without the direction.
    """
    found = evaluated(run, direction, origin)
    named = re.search(r"\(step (\d+), (raw|averaged) weights", origin)
    if not found and named:
        ending = f"_{direction}"
        found = {
            name.removesuffix(ending): value
            for name, value in scores_at(run / METRICS, int(named[1]), named[2]).items()
            if name.endswith(ending)
        }
    numbers = {name: value for name, value in found.items() if isinstance(value, int | float)}
    return {name: float(value) for name, value in numbers.items() if math.isfinite(value)}


def file_of(origin: str) -> str:
    """The description of a checkpoint without the folders it lies in, which say who made it."""
    return re.sub(r"^.*/(?=[^/]*\.(?:npz|keras)\b)", "", origin)
