"""The model card of the Hugging Face Hub, and the app beside it."""

from __future__ import annotations

import functools
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jinja2
import yaml

from cyclegan_tf.evaluate.report.wording import SCORES


@dataclass(frozen=True)
class Direction:
    """One direction of a card.

    Attributes:
      name: of its files, without their suffix.
      label: "horses to zebras".
      scores: by name, without the direction; empty where nothing was measured.
      step: at which they were measured; None where that is not known.

    Example:
      >>> Direction("zebra_xy", "horses to zebras", {"psnr": 21.5}, 12000)
    """

    name: str
    label: str
    scores: Mapping[str, float]
    step: int | None = None


def finite(scores: Mapping[str, Any]) -> dict[str, float]:
    """The scores among values, as numbers that a card can show."""
    return {
        name: float(value)
        for name, value in scores.items()
        if name in SCORES and isinstance(value, int | float) and math.isfinite(value)
    }


def card_text(
    title: str,
    directions: Sequence[Direction],
    files: Mapping[str, str],
    license_id: str,
) -> str:
    """Write README.md: front matter for the Hub, text for a reader.

    Args:
      title: of the model.
      directions: one or both.
      files: what each file is, by its name.
      license_id: of the Hub's list; "unknown" where nobody has named one.
    """
    return _template("README.md.j2").render(
        title=title,
        front=yaml.safe_dump(_front(title, directions, files, license_id), sort_keys=False),
        labels=[each.label for each in directions],
        files=files.items(),
        has_onnx=any(name.endswith(".onnx") for name in files),
        samples=next(name for name in files if name.endswith(".png")),
        keras_file=f"{directions[0].name}.keras",
        scores=[
            (each.label, _named(name), f"{value:.{SCORES[name].digits}f}")
            for each in directions
            for name, value in each.scores.items()
        ],
        scores_from=_scores_from(directions),
        license=license_id,
    )


def app_text(title: str, directions: Sequence[Direction]) -> str:
    """Write app.py, a Gradio app on the .tflite files."""
    files = {each.label: f"{each.name}.tflite" for each in directions}
    return _template("app.py.j2").render(
        title=title.replace('"', "'"), quoted_title=json.dumps(title), files=json.dumps(files)
    )


def _scores_from(directions: Sequence[Direction]) -> str:
    steps = sorted({each.step for each in directions if each.scores and each.step is not None})
    if steps:
        return f"Measured during training, on the test split, at step {steps[-1]}."
    return "Measured by `cyclegan-tf evaluate`, on the test split."


def _named(name: str) -> str:
    score = SCORES[name]
    return f"{score.label} ({score.unit})" if score.unit else score.label


def _front(
    title: str, directions: Sequence[Direction], files: Mapping[str, str], license_id: str
) -> dict[str, Any]:
    """What the Hub reads of a card."""
    kinds = {Path(name).suffix for name in files}
    formats = {".keras": "keras", ".tflite": "tflite", ".onnx": "onnx"}
    measured = [
        {"type": name, "name": f"{_named(name)}, {each.label}", "value": round(value, 6)}
        for each in directions
        for name, value in each.scores.items()
    ]
    front: dict[str, Any] = {
        "license": license_id,
        "library_name": "keras",
        "pipeline_tag": "image-to-image",
        "tags": [
            *("cyclegan", "unpaired-image-to-image-translation", "tensorflow"),
            *(tag for suffix, tag in formats.items() if suffix in kinds),
        ],
    }
    if measured:
        front["metrics"] = sorted({each["type"] for each in measured})
        dataset = {"type": "test-split", "name": "test split of the training's own images"}
        task = {"type": "image-to-image"}
        result = {"task": task, "dataset": dataset, "metrics": measured}
        front["model-index"] = [{"name": title, "results": [result]}]
    return front


@functools.cache
def _template(name: str) -> jinja2.Template:
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("cyclegan_tf.export.hub"),
        undefined=jinja2.StrictUndefined,
        keep_trailing_newline=True,
    )
    return environment.get_template(name)
