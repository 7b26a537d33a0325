"""What a training measures, as its experiment says."""

from __future__ import annotations

from dataclasses import dataclass

from cyclegan_tf.config.experiment import Experiment


@dataclass(frozen=True)
class MonitorConfig:
    """What to measure.

    Attributes:
      sample_images: of each domain in a grid.
      test_images: of each domain whose losses are measured.
      score_images: of each domain that are scored; 0 scores nothing.
      best_metric: the score that chooses the best checkpoint.
      patience: scorings without a better one after which to stop; None never stops.

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

    @classmethod
    def of(cls, experiment: Experiment) -> MonitorConfig:
        """What an experiment asks for."""
        show, training = experiment.logging, experiment.training
        return cls(
            show.sample_images,
            show.test_images,
            show.score_images if show.score_every_epochs else 0,
            training.best_metric,
            training.early_stopping_patience,
        )
