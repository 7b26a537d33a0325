"""Results of an evaluation, for the terminal, the JSON file and the report."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from cyclegan_tf.evaluate.report.wording import SCORES
from cyclegan_tf.evaluate.scores import HIGHER_IS_BETTER, Measured

RANKED_BY = ("pixel_accuracy", "psnr", "cycle_error", "luminance_correlation")
"""Images are ordered by the first of these that they have; only the last is no measure of
quality."""


@dataclass(frozen=True)
class ReportImage:
    """One input with its translation, as shown in the report.

    Attributes:
      name: the input's.
      scores: single values by score.
      columns: title -> float32 (H, W, C) in [-1, 1], as "x", "G(x)", "truth".

    Example:
      >>> ReportImage("1.jpg", {"psnr": 20.5}, {"x": x, "G(x)": translated, "truth": y})
    """

    name: str
    scores: dict[str, float | None]
    columns: dict[str, np.ndarray]


@dataclass(frozen=True)
class DirectionResult:
    """Scores and images of one direction.

    Attributes:
      direction: "xy" or "yx".
      checkpoint: where the generator came from.
      counts: "inputs", "targets", "pairs" -> how many images.
      scores: mean by name, in the order of `wording.SCORES`.
      baselines: the same of each baseline.
      intervals: score -> 95 % bootstrap interval.
      swd_levels: by side in px.
      per_image: score -> one value per input.
      input_names: one per input.
      classes: class name -> its share, accuracy and IoU; empty without a palette.
      segmenter_classes: class of the user's segmenter -> its "share" of the labels, and its IoU in
        the inputs ("before") and in their translations ("after"); empty without one.
      groups: "worst", "median", "best" (or one of "all") -> images.
      ranked_by: score that orders them.
      neighbors: name of the training image nearest to each output; empty where none was looked for.
      protocol: label -> text, of scores whose protocol depends on the direction.
      label: "apples to oranges"; None where it is not known what the domains show.

    Example:
      >>> result, _ = evaluator("xy", generator_g, generator_f, "runs/mine")
      >>> result.scores["psnr"] - result.baselines["unchanged input"]["psnr"]
    """

    direction: str
    checkpoint: str
    counts: dict[str, int]
    scores: dict[str, float | None]
    baselines: dict[str, dict[str, float | None]]
    swd_levels: dict[int, float]
    per_image: dict[str, tuple[float | None, ...]]
    input_names: tuple[str, ...]
    ranked_by: str
    groups: dict[str, list[ReportImage]] = field(default_factory=dict)
    intervals: dict[str, tuple[float, float]] = field(default_factory=dict)
    classes: dict[str, dict[str, float | None]] = field(default_factory=dict)
    label: str | None = None
    segmenter_classes: dict[str, dict[str, float | None]] = field(default_factory=dict)
    neighbors: tuple[str, ...] = ()
    protocol: dict[str, str] = field(default_factory=dict)

    def rows(self) -> list[str]:
        """Return the scores that are known of the generator or of a baseline."""
        every = (self.scores, *self.baselines.values())
        return [
            name for name in self.scores if any(scores.get(name) is not None for scores in every)
        ]

    def as_json(self) -> dict[str, Any]:
        """Convert to JSON values, without the images.

        What is not known is null, an infinite PSNR the string "Infinity".
        """
        rows = [
            {
                "input": name,
                **{score: _plain(values[index]) for score, values in self.per_image.items()},
                **({"nearest_training_image": self.neighbors[index]} if self.neighbors else {}),
            }
            for index, name in enumerate(self.input_names)
        ]
        return {
            "label": self.label,
            "generator": self.checkpoint,
            "counts": self.counts,
            "scores": _all_plain(self.scores),
            "baselines": {name: _all_plain(scores) for name, scores in self.baselines.items()},
            "bootstrap_intervals_95": {name: list(ends) for name, ends in self.intervals.items()},
            "swd_levels_px": {str(side): value for side, value in self.swd_levels.items()},
            "classes": {name: _all_plain(scores) for name, scores in self.classes.items()},
            "segmenter_classes": {
                name: _all_plain(scores) for name, scores in self.segmenter_classes.items()
            },
            "images": rows,
        }


@dataclass(frozen=True)
class Evaluation:
    """Results of all directions with everything the report shows.

    Attributes:
      title: the run or file.
      facts: label -> text: what was scored and how.
      directions: one or two.
      notes: sentences that matter for reading the scores.
      protocol: label -> text, enough to reproduce the scores.

    Example:
      >>> found = Evaluation("runs/mine", {"Data": "facades"}, [result])
      >>> json.dumps(found.as_json(), allow_nan=False)
    """

    title: str
    facts: dict[str, str]
    directions: list[DirectionResult]
    notes: list[str] = field(default_factory=list)
    protocol: dict[str, str] = field(default_factory=dict)

    def as_json(self) -> dict[str, Any]:
        """Convert to JSON values; every number is finite."""
        return {
            "run": self.title,
            "facts": self.facts,
            "notes": self.notes,
            "protocol": self.protocol,
            "directions": {found.direction: found.as_json() for found in self.directions},
        }


def in_order(scores: Mapping[str, float | None]) -> dict[str, float | None]:
    """Sort scores into the order of `wording.SCORES`."""
    return {name: scores[name] for name in SCORES if name in scores}


def ranking_score(per_image: Mapping[str, Sequence[float | None]]) -> str:
    """Choose the score that orders images from worst to best, the first of `RANKED_BY` known."""
    for name in RANKED_BY:
        if any(value is not None for value in per_image.get(name, ())):
            return name
    return RANKED_BY[-1]


def ranked_groups(
    values: Sequence[float | None], higher_is_better: bool, each: int = 4
) -> dict[str, list[int]]:
    """Find the worst, median and best images; images without a value are left out.

    Args:
      values: one per image.
      higher_is_better: of the values.
      each: images in each group.

    Returns:
      Indices: "worst" (the worst first), "median", "best" (the best first), `each` in each and none
      twice; with no more images than that, only "all", the worst first.
    """
    known = [(value, index) for index, value in enumerate(values) if value is not None]
    order = [index for _, index in sorted(known, reverse=not higher_is_better)]
    if len(order) <= 3 * each:
        return {"all": order}
    middle = (len(order) - each) // 2
    return {
        "worst": order[:each],
        "median": order[middle : middle + each],
        "best": order[::-1][:each],
    }


def higher_is_better(name: str) -> bool:
    """Return whether more is better; scores that only describe count as higher."""
    return HIGHER_IS_BETTER.get(name, SCORES[name].better != "lower")


def counts_of(measured: Measured, targets: int, pairs: int) -> dict[str, int]:
    """Count the images that scores are of.

    Args:
      measured: of the inputs.
      targets: number of real targets.
      pairs: number of inputs with a true translation.
    """
    return {"inputs": len(measured.outputs), "targets": targets, "pairs": pairs}


def _plain(value: float | None) -> float | str | None:
    if value is None or math.isnan(value):
        return None
    return float(value) if math.isfinite(value) else "Infinity"


def _all_plain(values: Mapping[str, float | None]) -> dict[str, float | str | None]:
    return {name: _plain(value) for name, value in values.items()}
