"""Scores of the test split during training, and the best checkpoint by them."""

from __future__ import annotations

import contextlib
import functools
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from cyclegan_tf.errors import UserError
from cyclegan_tf.evaluate import scores
from cyclegan_tf.evaluate.offline import OfflineFeatures
from cyclegan_tf.evaluate.split import Split
from cyclegan_tf.metrics import image_quality
from cyclegan_tf.model.ema import ExponentialMovingAverage
from cyclegan_tf.runs import checkpoints
from cyclegan_tf.train.monitoring.diagnostics import DomainStatistics

RAW, AVERAGED = "raw", "averaged"


@dataclass(frozen=True)
class ValidationResult:
    """Scores of one set of weights.

    Attributes:
      weights: "raw" or "averaged".
      by_direction: means by name (`evaluation.scores.measure`) by direction.
      total: the score that chooses the best, mean over the directions that count; None where it
        cannot be had.

    Example:
      >>> results, seconds = validator.score()
      >>> results[0].weights, sorted(results[0].values())
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
    """Scores both generators, always on the same images.

    Args:
      split: what is scored.
      generators: by direction, float32 (1, H, W, C) in [-1, 1] -> the same; they read the weights
        of the moment.
      ranked_directions: directions whose scores choose the best checkpoint: those that a
        discriminator trains, else both.
      best_metric: the score that does so.
      averages: scored beside the raw weights; None where there are none.
      features: networks of packages that score, too; None where there are none.

    Raises:
      UserError: the score needs pairs, and the split has none.

    Example:
      >>> validator = Validator(split, {"xy": g, "yx": f}, ("xy", "yx"), "color_swd")
      >>> results, seconds = validator.score()
      >>> validator.best_of(results).total
    """

    def __init__(
        self,
        split: Split,
        generators: Mapping[str, Callable],
        ranked_directions: Sequence[str],
        best_metric: str,
        averages: ExponentialMovingAverage | None = None,
        features: OfflineFeatures | None = None,
    ) -> None:
        if best_metric in scores.PAIRED and not split.pairs:
            raise UserError(
                f"training.best_metric is {best_metric}, which compares with the truth, but the "
                f"test split is not paired: X has {len(split.x)} images and Y {len(split.y)}, and "
                "each needs a partner of the same name and size: take color_swd, swd or "
                "cycle_error.",
                code="mismatch",
                field="training.best_metric",
            )
        self.split, self._generators = split, generators
        self.ranked_directions = tuple(ranked_directions)
        self.best_metric, self._averages = best_metric, averages
        self._features = features

    @functools.cached_property
    def domains(self) -> dict[str, DomainStatistics]:
        """Statistics of the real images by direction; taken with the first score, not before."""
        return {direction: domain_statistics(self.split, direction) for direction in ("xy", "yx")}

    def unchanged_scores(self) -> dict[str, float]:
        """That score of the unchanged input by direction; empty before the first score, or where
        it is not known."""
        if self.best_metric != "color_swd" or "domains" not in vars(self):
            return {}
        known = {direction: domain.distance for direction, domain in self.domains.items()}
        return {direction: value for direction, value in known.items() if value is not None}

    @property
    def higher_is_better(self) -> bool:
        """Whether a higher score is a better one."""
        return scores.HIGHER_IS_BETTER[self.best_metric]

    def score(self) -> tuple[list[ValidationResult], float]:
        """Scores raw weights, then averaged ones where there are some; and counts the seconds."""
        start = time.monotonic()
        found = [self._score(RAW)]
        if self._averages is not None:
            with self.swapped_in(AVERAGED):
                found.append(self._score(AVERAGED))
        return found, time.monotonic() - start

    def swapped_in(self, weights: str) -> contextlib.AbstractContextManager:
        """Gives the generators the weights "raw" or "averaged" within a `with` block."""
        if weights == AVERAGED and self._averages is not None:
            return self._averages.swapped_in()
        return contextlib.nullcontext()

    def best_of(self, found: Sequence[ValidationResult]) -> ValidationResult | None:
        """The better result, the first of equals; None where the score cannot be had."""
        known = [result for result in found if result.total is not None]
        sign = -1 if self.higher_is_better else 1
        return min(known, key=lambda result: sign * (result.total or 0.0)) if known else None

    def _score(self, weights: str) -> ValidationResult:
        means = {}
        for direction in ("xy", "yx"):
            forward, backward = self._generators[direction], self._generators[direction[::-1]]
            measured = scores.measure(forward, backward, self.split, direction)
            means[direction] = measured.means
            if self._features is not None:
                means[direction] |= self._features.brief(measured.outputs, self.split, direction)
        ranked = [means[direction].get(self.best_metric) for direction in self.ranked_directions]
        known = [value for value in ranked if value is not None]
        total = float(np.mean(known)) if known and len(known) == len(ranked) else None
        return ValidationResult(weights, means, total)


def domain_statistics(split: Split, direction: str) -> DomainStatistics:
    """Measures what diagnostics must know of the real images.

    Args:
      split: at least one image of each domain.
      direction: "xy" or "yx".
    """
    inputs, targets = split.inputs(direction), split.targets(direction)

    def diversity(images: Sequence[np.ndarray]) -> float | None:
        return image_quality.diversity(images) if len(images) > 1 else None

    def luminance(images: Sequence[np.ndarray]) -> float:
        return float(np.mean([np.mean(image_quality.luminance(image)) for image in images]))

    correlations = [
        image_quality.luminance_correlation(inputs[index], truth)
        for index, truth in split.truths(direction).items()
    ]
    known = [value for value in correlations if not np.isnan(value)]
    return DomainStatistics(
        input_diversity=diversity(inputs),
        target_diversity=diversity(targets),
        distance=scores.color_distance(targets, inputs),
        within_distance=scores.color_distance(targets[1::2], targets[::2]),
        input_luminance=luminance(inputs),
        target_luminance=luminance(targets),
        truth_correlation=float(np.mean(known)) if known else None,
    )


class BestCheckpoint:
    """The best score so far, how many scorings ago it was, and the file of its generators.

    Args:
      folder: of the checkpoints.
      best_metric: name of the score.
      higher_is_better: whether a higher score is a better one.
      patience: scorings without a better one after which training should stop; None never stops.

    Example:
      >>> best = BestCheckpoint(run.checkpoints, "color_swd", higher_is_better=False, patience=3)
      >>> best.update(step, result, lambda result: arrays)
      >>> best.should_stop
    """

    def __init__(
        self, folder: Path, best_metric: str, higher_is_better: bool, patience: int | None = None
    ) -> None:
        self._folder, self._best_metric, self._higher = folder, best_metric, higher_is_better
        self._patience = patience
        self.score: float | None = None
        self.step, self.wait = 0, 0

    @property
    def should_stop(self) -> bool:
        """Whether patience has run out."""
        return self._patience is not None and self.wait >= self._patience

    def update(
        self,
        step: int,
        result: ValidationResult | None,
        arrays: Callable[[ValidationResult], dict[str, np.ndarray]],
    ) -> bool:
        """Takes one scoring; writes the generators' weights if none was as good.

        Args:
          step: of the scoring.
          result: its better half; None counts as one that is no better.
          arrays: gives the weights that were scored.

        Returns:
          Whether it is the best so far.

        Raises:
          UserError: the file cannot be written.
        """
        total = None if result is None else result.total
        is_worse = self.score is not None and not (
            total is not None and checkpoints.is_better(total, self.score, self._higher)
        )
        if result is None or total is None or is_worse:
            self.wait += 1
            return False
        self.score, self.step, self.wait = total, step, 0
        # the keys are a file format
        state = {
            "step": step,
            "weights": result.weights,
            "best_by": self._best_metric,
            "score": total,
            "higher_is_better": self._higher,
            "scores": result.values(),
        }
        checkpoints.write_best(self._folder, step, arrays(result), state)
        return True

    def state_dict(self) -> dict[str, Any]:
        """What a resumed training must know, ready for JSON."""
        return {"score": self.score, "step": self.step, "stale": self.wait}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Inverse of `state_dict`."""
        self.score, self.step, self.wait = state["score"], state["step"], state["stale"]
