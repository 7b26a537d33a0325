"""Distances of one direction in feature space (FID and KID, or others), with intervals."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np

from cyclegan_tf.metrics.frechet import bootstrap, frechet_distance, kernel_distance, squared_mmd

KID_SUBSETS = 100
KID_SUBSET_SIZE = 1000
KID_SCALE = 1000.0
_MANY = 500


class Extractor(Protocol):
    """Turns images into features, as `features.inception.open_inception` does.

    Example:
      >>> extractor: Extractor = open_inception("auto")
      >>> extractor.features(images).shape
    """

    def features(self, images: Sequence[np.ndarray]) -> np.ndarray:
        """float32 (H, W, 3) in [-1, 1] each -> float32 (N, D)."""


@dataclass(frozen=True)
class FeatureScores:
    """A Fréchet and a kernel distance (x 1000).

    Attributes:
      scores: those of the outputs, by name.
      baselines: the same of each baseline.
      intervals: the 95 % bootstrap interval of each.
      protocol: how they were computed, with counts.

    Example:
      >>> found = feature_scores(extractor, targets, outputs, baselines={}, seed=0)
      >>> found.scores["fid"], found.intervals["fid"]
    """

    scores: dict[str, float | None]
    baselines: dict[str, dict[str, float | None]]
    intervals: dict[str, tuple[float, float]] = field(default_factory=dict)
    protocol: str = ""


@dataclass(frozen=True)
class Names:
    """What the two distances of one kind of features are called.

    Attributes:
      frechet: name of the score.
      kernel: alike.
      labels: of both, for the protocol.

    Example:
      >>> Names("fid", "kid", ("FID", "KID")).kernel
      'kid'
    """

    frechet: str
    kernel: str
    labels: tuple[str, str]


INCEPTION = Names("fid", "kid", ("FID", "KID"))


def feature_scores(
    extractor: Extractor,
    targets: Sequence[np.ndarray],
    outputs: Sequence[np.ndarray],
    baselines: Mapping[str, Sequence[np.ndarray]],
    seed: int = 0,
) -> FeatureScores:
    """Compute FID and KID of outputs and of baselines against real targets.

    Args:
      extractor: images to features.
      targets: real images of the target domain, two or more, float32 (H, W, 3) in [-1, 1].
      outputs: translations, two or more.
      baselines: lists of two or more images by name.
      seed: of subsets and of the bootstrap.
    """
    described = {name: extractor.features(images) for name, images in baselines.items()}
    return scores_of(
        extractor.features(targets), extractor.features(outputs), described, INCEPTION, seed
    )


def scores_of(
    real: np.ndarray,
    fake: np.ndarray,
    baselines: Mapping[str, np.ndarray],
    names: Names,
    seed: int = 0,
) -> FeatureScores:
    """Compare features that are computed already.

    Args:
      real: of real targets, float32 (N, D), N at least 2.
      fake: of translations, alike.
      baselines: of images by name, alike.
      names: of the scores.
      seed: of subsets and of the bootstrap.
    """
    times = 200 if max(len(real), len(fake)) <= _MANY else 40
    frechet = bootstrap(frechet_distance, fake, real, times=times, seed=seed)
    kernel = bootstrap(squared_mmd, fake, real, times=times, seed=seed)
    size = _subset_size(fake, real)
    subsets = (
        f"all {len(fake)} and {len(real)} images at once"
        if size < KID_SUBSET_SIZE
        else f"mean over {KID_SUBSETS} random subsets of {size} of each"
    )
    first, second = names.labels
    return FeatureScores(
        scores=distances(fake, real, names, seed),
        baselines={
            name: distances(features, real, names, seed) for name, features in baselines.items()
        },
        intervals={
            names.frechet: frechet,
            names.kernel: (KID_SCALE * kernel[0], KID_SCALE * kernel[1]),
        },
        protocol=(
            f"Features of {len(fake)} translations against those of {len(real)} real test images. "
            f"{second}: cubic polynomial kernel, unbiased, {subsets}, × {KID_SCALE:.0f}. "
            f"Intervals: 95 %, bootstrap of {times} resamples of both sets, seed {seed}. {first} "
            "falls as sets grow: compare it only between equal counts, and below a few thousand "
            f"images trust {second}."
        ),
    )


def distances(
    fake: np.ndarray, real: np.ndarray, names: Names, seed: int = 0
) -> dict[str, float | None]:
    """Compute both distances of two sets of features, without intervals.

    Args:
      fake: float32 (N, D), N at least 2.
      real: alike.
      names: of the scores.
      seed: of the subsets that large sets are cut into.
    """
    size = _subset_size(fake, real)
    # Subsets as large as the smaller set are nearly all the same images: one, of all, says as much.
    kernel = (
        squared_mmd(fake, real)
        if size < KID_SUBSET_SIZE
        else kernel_distance(fake, real, KID_SUBSETS, size, seed)[0]
    )
    return {names.frechet: frechet_distance(fake, real), names.kernel: KID_SCALE * kernel}


def _subset_size(fake: np.ndarray, real: np.ndarray) -> int:
    return min(KID_SUBSET_SIZE, len(fake), len(real))
