"""Scores by networks that packages bring: EfficientNet-Lite0 and a VGG16. Never called FID."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np

from cyclegan_tf.data.image_lists import ImageList
from cyclegan_tf.data.transforms import ImageTransform
from cyclegan_tf.evaluate.baselines import resized_like
from cyclegan_tf.evaluate.features import Extractor, Names, distances, scores_of
from cyclegan_tf.evaluate.scores import Image, Split, mean_or_none
from cyclegan_tf.evaluate.split import read_at, spread
from cyclegan_tf.features import lite0, perceptual
from cyclegan_tf.features.cached import CachedFeatures
from cyclegan_tf.metrics.frechet import bootstrap
from cyclegan_tf.metrics.neighbors import nearest

LITE0 = Names("fd_lite0", "kid_lite0", ("FD-Lite0", "KID-Lite0"))
NEAREST, LPIPS, VARIETY = "nearest_lite0", "lpips_vgg_hed", "variety_vgg_hed"
# Of training images that an output may be a copy of; they are read in parts.
MAX_NEIGHBORS, _PART = 2000, 128
_MAX_DIVERSITY_PAIRS = 50
CHANNELS = (1, 3)


class Distance(Protocol):
    """Compares images in pairs, as `features.perceptual.open_perceptual` does.

    Example:
      >>> distance: Distance = open_perceptual()
      >>> distance([(image, truth)])
    """

    def __call__(self, pairs: Sequence[tuple[Image, Image]]) -> list[float]:
        """One number per pair of images of one size."""


@dataclass(frozen=True)
class Neighbors:
    """Training images of one domain, any of which might have been copied.

    Attributes:
      names: one per image.
      features: float32 (N, D).

    Example:
      >>> Neighbors(("1.jpg",), features).names[0]
      '1.jpg'
    """

    names: tuple[str, ...]
    features: np.ndarray


@dataclass
class OfflineScores:
    """Scores of one direction, to be joined to those of others.

    Attributes:
      scores: mean by name.
      baselines: the same of each baseline.
      intervals: the 95 % bootstrap interval of each.
      per_image: score -> one value per output.
      neighbors: name of the nearest training image of each output; empty where there are none.
      protocol: label -> text.

    Example:
      >>> OfflineScores({"kid_lite0": 12.5}).scores["kid_lite0"]
      12.5
    """

    scores: dict[str, float | None] = field(default_factory=dict)
    baselines: dict[str, dict[str, float | None]] = field(default_factory=dict)
    intervals: dict[str, tuple[float, float]] = field(default_factory=dict)
    per_image: dict[str, tuple[float | None, ...]] = field(default_factory=dict)
    neighbors: tuple[str, ...] = ()
    protocol: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class OfflineFeatures:
    """The networks that were asked for.

    Attributes:
      extractor: of Lite0's features, or None.
      cached: the same for real images, which are often those of the last time.
      distance: of the VGG16, or None.
      neighbors: domain, "x" or "y", -> its training images.

    Example:
      >>> offline = open_offline("all", "--features all")
      >>> offline.brief(outputs, split, "xy")["kid_lite0"]
    """

    extractor: Extractor | None = None
    cached: Extractor | None = None
    distance: Distance | None = None
    neighbors: Mapping[str, Neighbors] = field(default_factory=dict)

    def brief(
        self, outputs: Sequence[Image], split: Split, direction: str
    ) -> dict[str, float | None]:
        """Score translations without baselines and intervals, as often as a training asks.

        Args:
          outputs: one per input, float32 (H, W, C) in [-1, 1].
          split: of the inputs.
          direction: "xy" or "yx".

        Returns:
          Score by name; those that cannot be had from these images are missing.
        """
        found: dict[str, float | None] = {}
        targets = split.targets(direction)
        if self._describes(outputs, targets) and self.extractor and self.cached:
            real = self.cached.features(targets)
            found |= distances(self.extractor.features(outputs), real, LITE0)
        if self.distance and _fits(outputs) and split.pairs:
            truths = split.truths(direction)
            found[LPIPS] = mean_or_none(
                self.distance([(outputs[index], truth) for index, truth in truths.items()])
            )
        return found

    def scores(
        self,
        outputs: Sequence[Image],
        baselines: Mapping[str, Sequence[Image]],
        split: Split,
        direction: str,
        seed: int = 0,
    ) -> OfflineScores:
        """Compute all scores with intervals, and those of the baselines.

        Args:
          outputs: one per input, float32 (H, W, C) in [-1, 1].
          baselines: as many images each, by name.
          split: of the inputs.
          direction: "xy" or "yx".
          seed: of resamples and of the pairs whose diversity is measured.
        """
        found = OfflineScores(baselines={name: {} for name in baselines})
        if self._describes(outputs, split.targets(direction)):
            self._by_lite0(found, outputs, baselines, split, direction, seed)
        if self.distance and _fits(outputs):
            self._by_vgg(found, outputs, baselines, split, direction, seed)
        return found

    def _describes(self, outputs: Sequence[Image], targets: Sequence[Image]) -> bool:
        enough = min(len(outputs), len(targets)) > 1
        return self.extractor is not None and enough and _fits(outputs) and _fits(targets)

    def _by_lite0(
        self,
        found: OfflineScores,
        outputs: Sequence[Image],
        baselines: Mapping[str, Sequence[Image]],
        split: Split,
        direction: str,
        seed: int,
    ) -> None:
        """Both distances of sets, and how near each output is to a training image."""
        assert self.extractor is not None
        assert self.cached is not None
        real = self.cached.features(split.targets(direction))
        fake = self.extractor.features(outputs)
        described = {name: self.cached.features(images) for name, images in baselines.items()}
        of_sets = scores_of(real, fake, described, LITE0, seed)
        found.scores |= of_sets.scores
        found.intervals |= of_sets.intervals
        for name, values in of_sets.baselines.items():
            found.baselines[name] |= values
        found.protocol[f"FD-Lite0 and KID-Lite0, {direction}"] = of_sets.protocol
        found.protocol["Lite0"] = lite0.PROTOCOL
        if known := self.neighbors.get(direction[1]):
            self._by_neighbors(found, known, real, fake, described)

    def _by_neighbors(
        self,
        found: OfflineScores,
        known: Neighbors,
        real: np.ndarray,
        fake: np.ndarray,
        described: Mapping[str, np.ndarray],
    ) -> None:
        usual = float(np.median(nearest(real, known.features)[0]))
        if usual <= 0:  # the test images are among the training images
            return
        away, places = nearest(fake, known.features)
        found.scores[NEAREST] = float(np.median(away)) / usual
        found.per_image[NEAREST] = tuple(float(value) / usual for value in away)
        found.neighbors = tuple(known.names[place] for place in places)
        for name, features in described.items():
            found.baselines[name][NEAREST] = (
                float(np.median(nearest(features, known.features)[0])) / usual
            )
        found.protocol["Nearest training image"] = (
            f"Of {len(known.names)}: 1 - cosine of Lite0's features, median over translations, "
            "divided by the same of the real test images. Near 0 they are copies; above 1 they are "
            "farther from all training images than new real images are."
        )

    def _by_vgg(
        self,
        found: OfflineScores,
        outputs: Sequence[Image],
        baselines: Mapping[str, Sequence[Image]],
        split: Split,
        direction: str,
        seed: int,
    ) -> None:
        """Distances to the truths, and how much outputs differ from each other."""
        assert self.distance is not None
        found.protocol["LPIPS-VGG-HED"] = perceptual.PROTOCOL
        if truths := split.truths(direction):
            values = self.distance([(outputs[index], truth) for index, truth in truths.items()])
            found.scores[LPIPS] = mean_or_none(values)
            found.intervals[LPIPS] = bootstrap(lambda drawn: drawn.mean(), np.array(values))
            by_place = dict(zip(truths, values, strict=True))
            found.per_image[LPIPS] = tuple(by_place.get(place) for place in range(len(outputs)))
            for name, images in baselines.items():
                pairs = [(resized_like(images[i], truth), truth) for i, truth in truths.items()]
                found.baselines[name][LPIPS] = mean_or_none(self.distance(pairs))
        of_targets = self._diversity(split.targets(direction), seed)
        of_outputs = self._diversity(outputs, seed)
        if of_targets and of_outputs is not None:
            found.scores[VARIETY] = of_outputs / of_targets

    def _diversity(self, images: Sequence[Image], seed: int) -> float | None:
        """Mean distance of images drawn in pairs, none twice."""
        assert self.distance is not None
        order = np.random.default_rng(seed).permutation(len(images))
        drawn = list(zip(order[::2], order[1::2], strict=False))[:_MAX_DIVERSITY_PAIRS]
        pairs = [_cut(images[one], images[other]) for one, other in drawn]
        return mean_or_none(self.distance(pairs))


def open_offline(choice: str, asked: str) -> OfflineFeatures:
    """Build the networks of one choice.

    Args:
      choice: of `features.catalog.OFFLINE`.
      asked: the option and its value, for messages.

    Raises:
      UserError: a package is missing, or its file holds something else.
    """
    extractor = lite0.open_lite0(asked=asked) if choice in ("lite0", "all") else None
    return OfflineFeatures(
        extractor,
        CachedFeatures(extractor, lite0.PROTOCOL) if extractor else None,
        perceptual.open_perceptual(asked=asked) if choice in ("vgg16_hed", "all") else None,
    )


def open_scoring(choice: str) -> OfflineFeatures | None:
    """Build the networks that score during a training; None where none are asked for."""
    return None if choice == "off" else open_offline(choice, f"logging.score_features {choice}")


def describe_training(cached: Extractor, images: ImageList, transform: ImageTransform) -> Neighbors:
    """Compute the features of training images, evenly spread, in parts that fit into memory.

    Args:
      cached: computes them.
      images: of one domain, one or more of them.
      transform: their sizes, as of test images.

    Raises:
      UserError: an image cannot be read.
    """
    chosen = spread(len(images), MAX_NEIGHBORS)
    parts = [
        cached.features(read_at(images, transform, chosen[start : start + _PART]))
        for start in range(0, len(chosen), _PART)
    ]
    return Neighbors(tuple(images.names[index] for index in chosen), np.concatenate(parts))


def _fits(images: Sequence[Image]) -> bool:
    return images[0].shape[-1] in CHANNELS


def _cut(one: Image, other: Image) -> tuple[Image, Image]:
    """Both to the height and width that they share."""
    height, width = np.minimum(one.shape[:2], other.shape[:2])
    return one[:height, :width], other[:height, :width]
