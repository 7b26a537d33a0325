"""The card beside every exported file: what it is, what it takes and gives, and its origin."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from cyclegan_tf.data.layout import direction_label
from cyclegan_tf.export.outputs import CARD_NAME
from cyclegan_tf.export.trained import TrainedGenerator
from cyclegan_tf.foreign.content import sha256
from cyclegan_tf.images.ranges import ValueRange
from cyclegan_tf.runs.provenance import environment

VALUE_RANGE = "-1 (level 0) to 1 (level 255): value = 2 * level / 255 - 1"


def model_card(trained: TrainedGenerator, name: str, size_px: int | None = None) -> dict[str, Any]:
    """Describe an export as a JSON object.

    Args:
      trained: what is exported.
      name: of the model.
      size_px: side of the only images it takes; None where any size does.
    """
    made_with = environment()
    channels = trained.network.input_shape[-1], trained.network.output_shape[-1]
    return {
        "name": name,
        "direction": trained.direction,
        "label": direction_label(trained.experiment.get("data", {}), trained.direction),
        "created": datetime.now(timezone.utc).isoformat(timespec="seconds"),
        "checkpoint": trained.origin,
        "cyclegan_tf": made_with["versions"].get("cyclegan-tf"),
        "git_commit": made_with["git_commit"],
        "tensorflow": made_with["versions"].get("tensorflow"),
        "parameters": trained.network.count_params(),
        "data_source": _data_source(trained.experiment),
        "scores": trained.scores,
        "input": _tensor(size_px, channels[0], trained.ranges.source),
        "output": _tensor(size_px, channels[1], trained.ranges.target),
        "training_scale": trained.scale.as_dict() if trained.scale else None,
        "value_ranges": trained.ranges.as_dict(),
        "config": trained.experiment,
    }


def _tensor(size_px: int | None, channels: int, known: ValueRange | None) -> dict[str, Any]:
    side: Any = size_px or "any"
    shape = [1 if size_px else "N", side, side, channels]
    return {"dtype": "float32", "shape": shape, "range": range_in_words(known)}


def range_in_words(known: ValueRange | None) -> str:
    """Say what -1 and 1 stand for: levels, or numbers of a range."""
    if known is None:
        return VALUE_RANGE
    return (
        f"-1 ({known.low:g} in {known.dtype} files) to 1 ({known.high:g}): "
        f"number = {known.low:g} + (value + 1) / 2 * {known.high - known.low:g}"
    )


def _data_source(experiment: Mapping[str, Any]) -> str | None:
    data = experiment.get("data", {})
    folders = [data[key] for key in ("x_dir", "y_dir") if data.get(key)]
    return " and ".join(folders) or data.get("source")


def card_text(card: Mapping[str, Any]) -> str:
    """A card as indented JSON."""
    return json.dumps(card, indent=1, sort_keys=False, default=str) + "\n"


def write_model_card(folder: Path, card: Mapping[str, Any], where: str = CARD_NAME) -> None:
    """Write a card with the sha256 of every other file below `folder`.

    Args:
      folder: that holds the files; the card names them relative to it.
      card: from `model_card`.
      where: the card's path in the folder.
    """
    path = folder / where
    files = sorted(file for file in folder.rglob("*") if file.is_file() and file != path)
    sums = {file.relative_to(folder).as_posix(): sha256(file) for file in files}
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(card_text({**card, "files": sums}), encoding="utf-8")
