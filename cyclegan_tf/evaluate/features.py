"""FID and KID of one direction, with bootstrap intervals."""

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
    """Turns images into features, as `metrics.inception.open_inception` does.

    Example:
      >>> extractor: Extractor = open_inception("auto")
      >>> extractor.features(images).shape
    """

    def features(self, images: Sequence[np.ndarray]) -> np.ndarray:
        """float32 (H, W, 3) in [-1, 1] each -> float32 (N, D)."""


@dataclass(frozen=True)
class FeatureScores:
    """FID and KID (x 1000).

    Attributes:
      scores: "fid" and "kid" of the outputs.
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


def feature_scores(
    extractor: Extractor,
    targets: Sequence[np.ndarray],
    outputs: Sequence[np.ndarray],
    baselines: Mapping[str, Sequence[np.ndarray]],
    seed: int = 0,
) -> FeatureScores:
    """Compute distances of outputs and of baselines to real targets in feature space.

    Args:
      extractor: images to features.
      targets: real images of the target domain, two or more, float32 (H, W, 3) in [-1, 1].
      outputs: translations, two or more.
      baselines: lists of two or more images by name.
      seed: of subsets and of the bootstrap.
    """
    real, fake = extractor.features(targets), extractor.features(outputs)
    size = min(KID_SUBSET_SIZE, len(real), len(fake))
    # Subsets as large as the smaller set are nearly all the same images: one, of all, says as much.
    whole = size < KID_SUBSET_SIZE

    def distances(features: np.ndarray) -> dict[str, float | None]:
        kid = (
            squared_mmd(features, real)
            if whole
            else kernel_distance(features, real, KID_SUBSETS, size, seed)[0]
        )
        return {"fid": frechet_distance(features, real), "kid": KID_SCALE * kid}

    times = 200 if max(len(real), len(fake)) <= _MANY else 40
    low_high = bootstrap(frechet_distance, fake, real, times=times, seed=seed)
    kid_low_high = bootstrap(squared_mmd, fake, real, times=times, seed=seed)
    subsets = (
        f"all {len(fake)} and {len(real)} images at once"
        if whole
        else f"mean over {KID_SUBSETS} random subsets of {size} of each"
    )
    return FeatureScores(
        scores=distances(fake),
        baselines={
            name: distances(extractor.features(images)) for name, images in baselines.items()
        },
        intervals={"fid": low_high, "kid": tuple(KID_SCALE * end for end in kid_low_high)},  # type: ignore[dict-item]
        protocol=(
            f"Features of {len(fake)} translations against those of {len(real)} real test images. "
            f"KID: cubic polynomial kernel, unbiased, {subsets}, × {KID_SCALE:.0f}. Intervals: "
            f"95 %, bootstrap of {times} resamples of both sets, seed {seed}. FID falls as sets "
            "grow: compare it only between equal counts, and below a few thousand images trust KID."
        ),
    )
