"""Scores during training: of the same test images every time, of raw and averaged weights, and the
best so far."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from cyclegan_tf.errors import UserError
from cyclegan_tf.evaluate import scores
from cyclegan_tf.evaluate.split import Split
from cyclegan_tf.metrics import image_quality as of_images
from cyclegan_tf.model.ema import ExponentialMovingAverage
from cyclegan_tf.runs import checkpoints
from cyclegan_tf.train.diagnostics import DomainStatistics

RAW, AVERAGED = "raw", "averaged"


@dataclass(frozen=True)
class ValidationResult:
    """Scores of one set of weights.

    Attributes:
      weights: "raw" or "averaged".
      by_direction: means by name (`evaluation.scores.measure`) by direction.
      total: the score that chooses the best, mean over the directions that count; None where it
        cannot be had.
    """

    weights: str
    by_direction: dict[str, dict[str, float | None]]
    total: float | None

    def values(self) -> dict[str, float]:
        """All known scores as one row: "swd_xy", "swd_yx", ..."""
        return {
            f"{name}_{direction}": value
            for direction, means in self.by_direction.items()
            for name, value in means.items()
            if value is not None
        }


class Validator:
    """Scores both generators.

    Args:
      split: what is scored, always the same.
      translators: by direction, float32 (1, H, W, C) in [-1, 1] -> the same; they read the weights
        of the moment.
      counted: directions whose scores choose the best checkpoint: those that a judge trains, else
        both.
      best_by: the score that does so.
      averages: scored beside the raw weights; None where there are none.

    Raises:
      UserError: the score needs pairs, and the split has none.
    """

    def __init__(
        self,
        split: Split,
        translators: Mapping[str, Callable],
        counted: Sequence[str],
        best_by: str,
        averages: ExponentialMovingAverage | None = None,
    ) -> None:
        if best_by in scores.PAIRED and not split.pairs:
            raise UserError(
                f"training.best_metric is {best_by}, which compares with the truth, but the test "
                f"split is not paired: X has {len(split.x)} images and Y {len(split.y)}, and each "
                "needs a partner of the same name and size: take color_swd, swd or cycle_error."
            )
        self.split, self._translators, self._counted = split, translators, tuple(counted)
        self.best_by, self._averages = best_by, averages
        self.domains = {direction: describe(split, direction) for direction in ("xy", "yx")}

    @property
    def higher_is_better(self) -> bool:
        """Which way the score that chooses the best points."""
        return scores.HIGHER_IS_BETTER[self.best_by]

    def score(self) -> tuple[list[ValidationResult], float]:
        """Raw weights first, then averaged ones where there are some; and the seconds it took."""
        start = time.monotonic()
        found = [self._scored(RAW)]
        if self._averages is not None:
            with self._averages.swapped_in():
                found.append(self._scored(AVERAGED))
        return found, time.monotonic() - start

    def applied(self, weights: str) -> contextlib.AbstractContextManager:
        """Within it the generators have the weights "raw" or "averaged"."""
        if weights == AVERAGED and self._averages is not None:
            return self._averages.swapped_in()
        return contextlib.nullcontext()

    def best_of(self, found: Sequence[ValidationResult]) -> ValidationResult | None:
        """The better one; raw weights where both are as good, None where the score cannot be
        had."""
        known = [scored for scored in found if scored.total is not None]
        sign = -1 if self.higher_is_better else 1
        return min(known, key=lambda scored: sign * (scored.total or 0.0)) if known else None

    def _scored(self, weights: str) -> ValidationResult:
        means = {}
        for direction in ("xy", "yx"):
            there, back = self._translators[direction], self._translators[direction[::-1]]
            means[direction] = scores.measure(there, back, self.split, direction).means
        counted = [means[direction].get(self.best_by) for direction in self._counted]
        known = [value for value in counted if value is not None]
        return ValidationResult(
            weights, means, float(np.mean(known)) if known and len(known) == len(counted) else None
        )


def describe(split: Split, direction: str) -> DomainStatistics:
    """What guards must know of the real images.

    Args:
      split: at least one image of each domain.
      direction: "xy" or "yx".
    """
    inputs, targets = split.inputs(direction), split.targets(direction)

    def varied(images: Sequence[np.ndarray]) -> float | None:
        return of_images.diversity(images) if len(images) > 1 else None

    def light(images: Sequence[np.ndarray]) -> float:
        return float(np.mean([np.mean(of_images.luminance(image)) for image in images]))

    correlations = [
        of_images.luminance_correlation(inputs[index], truth)
        for index, truth in split.truths(direction).items()
    ]
    known = [value for value in correlations if not np.isnan(value)]
    return DomainStatistics(
        input_variety=varied(inputs),
        target_variety=varied(targets),
        apart=scores.color_distance(targets, inputs),
        noise=scores.color_distance(targets[1::2], targets[::2]),
        input_luminance=light(inputs),
        target_luminance=light(targets),
        truth_correlation=float(np.mean(known)) if known else None,
    )


class BestCheckpoint:
    """The best score so far, how many scorings ago it was, and the file that holds its generators.

    Args:
      folder: of the checkpoints.
      best_by: name of the score.
      higher_is_better: which way it points.
      patience: scorings without a better one after which training should stop; None never stops.
    """

    def __init__(
        self, folder: Path, best_by: str, higher_is_better: bool, patience: int | None = None
    ) -> None:
        self._folder, self._best_by, self._higher = folder, best_by, higher_is_better
        self._patience = patience
        self.score: float | None = None
        self.step, self.stale = 0, 0

    @property
    def exhausted(self) -> bool:
        """Whether patience has run out."""
        return self._patience is not None and self.stale >= self._patience

    def offer(
        self,
        step: int,
        scored: ValidationResult | None,
        arrays: Callable[[], dict[str, np.ndarray]],
    ) -> bool:
        """Takes one scoring; writes the generators' weights if none was as good.

        Args:
          step: of the scoring.
          scored: its better half; None counts as one that is no better.
          arrays: gives the weights that were scored.

        Returns:
          Whether it is the best so far.

        Raises:
          UserError: the file cannot be written.
        """
        total = None if scored is None else scored.total
        if (
            scored is None
            or total is None
            or (
                self.score is not None
                and not checkpoints.is_better(total, self.score, self._higher)
            )
        ):
            self.stale += 1
            return False
        self.score, self.step, self.stale = total, step, 0
        state = {
            "step": step,
            "weights": scored.weights,
            "best_by": self._best_by,
            "score": total,
            "higher_is_better": self._higher,
            "scores": scored.values(),
        }
        checkpoints.write_best(self._folder, step, arrays(), state)
        return True

    def state_dict(self) -> dict[str, Any]:
        """What a resumed training must know, ready for JSON."""
        return {"score": self.score, "step": self.step, "stale": self.stale}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Inverse of `state_dict`."""
        self.score, self.step, self.stale = state["score"], state["step"], state["stale"]
