"""All scores of one direction, computed and put together."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cyclegan_tf.evaluate import baselines, results, scores
from cyclegan_tf.evaluate.features import Extractor, FeatureScores, feature_scores
from cyclegan_tf.evaluate.found_labels import Found, LabelFinder
from cyclegan_tf.evaluate.label_maps import LabelScores, most_frequent, score_labels
from cyclegan_tf.evaluate.offline import OfflineFeatures, OfflineScores
from cyclegan_tf.evaluate.results import DirectionResult, ReportImage
from cyclegan_tf.evaluate.scores import Measured, Network, Split
from cyclegan_tf.metrics.segmentation import Palette

_LETTERS = {"xy": ("x", "G(x)", "F(G(x))"), "yx": ("y", "F(y)", "G(F(y))")}


@dataclass(frozen=True)
class Evaluator:
    """Scores both directions with the same images, seed, palette and feature extractor.

    Attributes:
      split: the test images.
      training: domain, "x" or "y", -> real training images; without any, baselines are made
        from the test images.
      seed: of all that is drawn.
      palette: of label maps, or None.
      label_domain: the domain that is drawn in the palette's colors.
      extractor: of features for FID and KID, or None.
      offline: networks of packages, or None.
      finder: the user's own segmenter and labels, or None.

    Example:
      >>> evaluator = Evaluator(split, training={"y": real_images})
      >>> result, features = evaluator("xy", generator_g, generator_f, "runs/mine, step 10000")
      >>> result.scores["psnr"]
    """

    split: Split
    training: dict[str, list[np.ndarray]]
    seed: int = 0
    palette: Palette | None = None
    label_domain: str | None = None
    extractor: Extractor | None = None
    finder: LabelFinder | None = None
    offline: OfflineFeatures | None = None

    def __call__(
        self, direction: str, forward: Network, backward: Network | None, checkpoint: str
    ) -> tuple[DirectionResult, FeatureScores | None]:
        """Translate and score all images of one direction.

        Args:
          direction: "xy" or "yx".
          forward: the generator, see `scores.measure`.
          backward: the other one, or None.
          checkpoint: where the generator came from, for the report.

        Raises:
          UserError: the network gave NaN.
        """
        split, training = self.split, self.training.get(direction[1], [])
        measured = scores.measure(forward, backward, split, direction, seed=self.seed)
        means, single = dict(measured.means), dict(measured.per_image)
        baseline_scores = baselines.baseline_scores(split, direction, training, self.seed)
        baseline_images = baselines.baseline_images(split, direction, training, self.seed)
        classes = {}
        if self.palette and self.label_domain == direction[1] and split.pairs:
            of_labels = self._labels(self.palette, measured, baseline_images, baseline_scores)
            means |= of_labels.scores
            accuracy = dict(zip(split.truths(direction), of_labels.pixel_accuracy, strict=True))
            single["pixel_accuracy"] = tuple(map(accuracy.get, range(len(measured.outputs))))
            classes = of_labels.classes
        of_features = self._features(measured, baseline_images, direction)
        if of_features:
            means |= of_features.scores
            for name, values in of_features.baselines.items():
                baseline_scores[name] |= values
        of_finder = self._found(measured)
        if of_finder:
            means |= of_finder.scores
            single["segmenter_iou"] = of_finder.per_image
            if of_finder.before:
                baseline_scores["unchanged input"] |= of_finder.before
        offline = self._offline(measured, baseline_images, baseline_scores)
        means |= offline.scores
        single |= offline.per_image
        ranked_by = results.ranking_score(single)
        return DirectionResult(
            direction=direction,
            checkpoint=checkpoint,
            counts=results.counts_of(
                measured, len(split.targets(direction)), len(split.truths(direction))
            ),
            scores=results.in_order(means),
            baselines={name: results.in_order(values) for name, values in baseline_scores.items()},
            swd_levels=measured.swd_levels,
            per_image=single,
            input_names=split.input_names(direction),
            ranked_by=ranked_by,
            groups=self._groups(measured, single, ranked_by, backward),
            intervals=(of_features.intervals if of_features else {}) | offline.intervals,
            classes=classes,
            segmenter_classes=of_finder.classes if of_finder else {},
            neighbors=offline.neighbors,
            protocol=offline.protocol,
        ), of_features

    def _offline(
        self,
        measured: Measured,
        baseline_images: dict[str, list[np.ndarray]],
        baseline_scores: dict[str, dict[str, float | None]],
    ) -> OfflineScores:
        """Score by the networks of packages; add the baselines' scores to `baseline_scores`."""
        if self.offline is None:
            return OfflineScores()
        direction = measured.direction
        kept = self._rivals(baseline_images, direction)
        found = self.offline.scores(measured.outputs, kept, self.split, direction, self.seed)
        for name, values in found.baselines.items():
            baseline_scores[name] |= values
        return found

    def _rivals(
        self, baseline_images: dict[str, list[np.ndarray]], direction: str
    ) -> dict[str, list[np.ndarray]]:
        """Baselines without those that would compare the test images with themselves."""
        itself = not self.training.get(direction[1])
        return {
            name: images
            for name, images in baseline_images.items()
            if not (itself and name == "random real")
        }

    def _found(self, measured: Measured) -> Found | None:
        if self.finder is None:
            return None
        inputs = self.split.inputs(measured.direction)
        return self.finder.find(measured.direction, inputs, measured.outputs)

    def _labels(
        self,
        palette: Palette,
        measured: Measured,
        baseline_images: dict[str, list[np.ndarray]],
        baseline_scores: dict[str, dict[str, float | None]],
    ) -> LabelScores:
        """Score outputs as label maps; add the baselines' label scores to `baseline_scores`."""
        direction = measured.direction
        truths = self.split.truths(direction)
        color = most_frequent(
            self.training.get(direction[1]) or self.split.targets(direction), palette
        )
        for name, images in baseline_images.items():
            chosen = [
                baselines.resized_like(images[index], truth) for index, truth in truths.items()
            ]
            if name == "constant":
                chosen = [np.broadcast_to(color, image.shape) for image in chosen]
            if chosen[0].shape[-1] == len(color):
                baseline_scores[name] |= score_labels(chosen, list(truths.values()), palette).scores
        return score_labels(
            [measured.outputs[index] for index in truths], list(truths.values()), palette
        )

    def _features(
        self, measured: Measured, baseline_images: dict[str, list[np.ndarray]], direction: str
    ) -> FeatureScores | None:
        targets = self.split.targets(direction)
        if (
            self.extractor is None
            or targets[0].shape[-1] != 3
            or min(len(targets), len(measured.outputs)) < 2
        ):
            return None
        kept = self._rivals(baseline_images, direction)
        return feature_scores(self.extractor, targets, measured.outputs, kept, self.seed)

    def _groups(
        self,
        measured: Measured,
        single: dict[str, tuple[float | None, ...]],
        ranked_by: str,
        backward: Network | None,
    ) -> dict[str, list[ReportImage]]:
        truths = self.split.truths(measured.direction)
        names, inputs = (
            self.split.input_names(measured.direction),
            self.split.inputs(measured.direction),
        )
        given, translated, cycled = _LETTERS[measured.direction]

        def report_image(index: int) -> ReportImage:
            columns = {given: inputs[index], translated: measured.outputs[index]}
            if index in truths:
                columns["truth"] = truths[index]
            elif backward is not None:
                columns[cycled] = scores.apply_generator(backward, measured.outputs[index])
            return ReportImage(
                names[index], {name: values[index] for name, values in single.items()}, columns
            )

        indices = results.ranked_groups(single[ranked_by], results.higher_is_better(ranked_by))
        return {name: [report_image(index) for index in group] for name, group in indices.items()}
