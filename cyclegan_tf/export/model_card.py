"""The card that lies beside every exported file: what it is, what it takes and gives, and where it
came from."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from cyclegan_tf.export.trained import TrainedGenerator
from cyclegan_tf.runs.run_directory import environment

NAME = "card.json"
RANGE = "-1 (level 0) to 1 (level 255): value = 2 * level / 255 - 1"


def card(trained: TrainedGenerator, name: str, size_px: int | None = None) -> dict[str, Any]:
    """A JSON object that describes an export.

    Args:
      trained: what is exported.
      name: of the model.
      size_px: side of the only images it takes; None where any size does.
    """
    made_with = environment()
    channels = trained.network.input_shape[-1], trained.network.output_shape[-1]
    side: Any = size_px or "any"
    return {
        "name": name,
        "direction": trained.direction,
        "created": datetime.now(timezone.utc).isoformat(timespec="seconds"),
        "checkpoint": trained.origin,
        "cyclegan_tf": made_with["versions"].get("cyclegan-tf"),
        "git_commit": made_with["git_commit"],
        "tensorflow": made_with["versions"].get("tensorflow"),
        "parameters": trained.network.count_params(),
        "data_source": _data_source(trained.experiment),
        "scores": trained.scores,
        "input": {
            "dtype": "float32",
            "shape": [1 if size_px else "N", side, side, channels[0]],
            "range": RANGE,
        },
        "output": {
            "dtype": "float32",
            "shape": [1 if size_px else "N", side, side, channels[1]],
            "range": RANGE,
        },
        "config": trained.experiment,
    }


def _data_source(experiment: Mapping[str, Any]) -> str | None:
    data = experiment.get("data", {})
    return " and ".join(data[key] for key in ("x_dir", "y_dir") if data.get(key)) or data.get(
        "source"
    )


def as_text(values: Mapping[str, Any]) -> str:
    """JSON for people."""
    return json.dumps(values, indent=1, sort_keys=False, default=str) + "\n"


def write_card(folder: Path, values: Mapping[str, Any], where: str = NAME) -> None:
    """Writes the card with the sha256 of every other file below `folder`, by relative name."""
    path = folder / where
    files = sorted(file for file in folder.rglob("*") if file.is_file() and file != path)
    sums = {file.relative_to(folder).as_posix(): sha256(file) for file in files}
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(as_text({**values, "files": sums}), encoding="utf-8")


def sha256(path: Path) -> str:
    """Checksum of a file, in hexadecimal."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()
