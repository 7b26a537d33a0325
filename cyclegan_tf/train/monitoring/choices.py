"""What a training measures, as its experiment says."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field

from cyclegan_tf.config.experiment import Experiment
from cyclegan_tf.data.layout import direction_label
from cyclegan_tf.features.catalog import offline_for

LABELS = {"xy": "X to Y", "yx": "Y to X"}
"""Of directions between domains without names."""


@dataclass(frozen=True)
class MonitorConfig:
    """What to measure.

    Attributes:
      sample_images: of each domain in a grid.
      test_images: of each domain whose losses are measured.
      score_images: of each domain that are scored; 0 scores nothing.
      best_metric: the score that chooses the best checkpoint.
      patience: scorings without a better one after which to stop; None never stops.
      labels: of the directions, "X to Y" or "apples to oranges".
      features: networks of packages that score, of `features.catalog.OFFLINE`.
      trackers: where curves, images and warnings go, see `config.experiment.TRACKERS`.

    Example:
      >>> config = MonitorConfig(
      ...     sample_images=4, test_images=20, score_images=20, best_metric="swd", patience=None
      ... )
      >>> monitor = TrainingMonitor(run, data, model, None, config)
    """

    sample_images: int
    test_images: int
    score_images: int
    best_metric: str
    patience: int | None
    labels: Mapping[str, str] = field(default_factory=lambda: dict(LABELS))
    trackers: tuple[str, ...] = ("tensorboard",)
    features: str = "off"

    @classmethod
    def of(cls, experiment: Experiment) -> MonitorConfig:
        """What an experiment asks for."""
        show, training = experiment.logging, experiment.training
        data = dataclasses.asdict(experiment.data)
        return cls(
            show.sample_images,
            show.test_images,
            show.score_images if show.score_every_epochs else 0,
            training.best_metric,
            training.early_stopping_patience,
            {name: direction_label(data, name, ("X", "Y")) for name in LABELS},
            show.trackers,
            offline_for(show.score_features, training.best_metric),
        )
