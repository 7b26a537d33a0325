"""All scores of one direction, put together."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cyclegan_tf.evaluate import results as result
from cyclegan_tf.evaluate import scores
from cyclegan_tf.evaluate.features import Extractor, FeatureScores, feature_scores
from cyclegan_tf.evaluate.label_maps import Labelled, most_frequent, score_labels
from cyclegan_tf.evaluate.results import DirectionResult, ReportImage
from cyclegan_tf.evaluate.scores import Measured, Network, Split
from cyclegan_tf.metrics.segmentation import Palette

_LETTERS = {"xy": ("x", "G(x)", "F(G(x))"), "yx": ("y", "F(y)", "G(F(y))")}


@dataclass(frozen=True)
class Evaluator:
    """What every direction is scored with.

    Attributes:
      split: the test images.
      training: domain, "x" or "y", -> real training images; none leaves the stand-ins to the test
        images.
      seed: of all that is drawn.
      palette: of label maps, or None.
      label_domain: the domain that is drawn in the palette's colors.
      extractor: of features for FID and KID, or None.
    """

    split: Split
    training: dict[str, list[np.ndarray]]
    seed: int = 0
    palette: Palette | None = None
    label_domain: str | None = None
    extractor: Extractor | None = None

    def __call__(
        self, direction: str, there: Network, back: Network | None, origin: str
    ) -> tuple[DirectionResult, FeatureScores | None]:
        """Translates and scores everything, once.

        Args:
          direction: "xy" or "yx".
          there: the generator, see `scores.measure`.
          back: the other one, or None.
          origin: where the generator came from.

        Raises:
          UserError: the network gave NaN.
        """
        split, training = self.split, self.training.get(direction[1], [])
        measured = scores.measure(there, back, split, direction, seed=self.seed)
        means, single = dict(measured.means), dict(measured.per_image)
        baseline_scores = scores.baseline_scores(split, direction, training, self.seed)
        baseline_images = scores.baseline_images(split, direction, training, self.seed)
        classes = {}
        if self.palette and self.label_domain == direction[1] and split.pairs:
            labeled = self._labels(self.palette, measured, baseline_images, baseline_scores)
            means |= labeled.scores
            by_input = dict(zip(split.truths(direction), labeled.pixel_accuracy, strict=True))
            single["pixel_accuracy"] = tuple(
                by_input.get(index) for index in range(len(measured.outputs))
            )
            classes = labeled.classes
        featured = self._features(measured, baseline_images, direction)
        if featured:
            means |= featured.scores
            for name, values in featured.baselines.items():
                baseline_scores[name] |= values
        ranked_by = result.ranking_score(single)
        return DirectionResult(
            direction=direction,
            origin=origin,
            counts=result.counts_of(
                measured, len(split.targets(direction)), len(split.truths(direction))
            ),
            scores=result.in_order(means),
            baselines={name: result.in_order(values) for name, values in baseline_scores.items()},
            swd_levels=measured.swd_levels,
            per_image=single,
            input_names=split.input_names(direction),
            ranked_by=ranked_by,
            groups=self._groups(measured, single, ranked_by, back),
            intervals=featured.intervals if featured else {},
            classes=classes,
        ), featured

    def _labels(
        self,
        palette: Palette,
        measured: Measured,
        baseline_images: dict[str, list[np.ndarray]],
        baseline_scores: dict[str, dict[str, float | None]],
    ) -> Labelled:
        """Of the outputs; those of the baselines are added to `baseline_scores`."""
        direction = measured.direction
        truths = self.split.truths(direction)
        color = most_frequent(
            self.training.get(direction[1]) or self.split.targets(direction), palette
        )
        for name, images in baseline_images.items():
            chosen = [scores.fitted(images[index], truth) for index, truth in truths.items()]
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
        itself = not self.training.get(direction[1])
        kept = {
            name: images
            for name, images in baseline_images.items()
            if not (itself and name == "random real")
        }
        return feature_scores(self.extractor, targets, measured.outputs, kept, self.seed)

    def _groups(
        self,
        measured: Measured,
        single: dict[str, tuple[float | None, ...]],
        ranked_by: str,
        back: Network | None,
    ) -> dict[str, list[ReportImage]]:
        truths = self.split.truths(measured.direction)
        names, inputs = (
            self.split.input_names(measured.direction),
            self.split.inputs(measured.direction),
        )
        given, translated, cycled = _LETTERS[measured.direction]

        def shown(index: int) -> ReportImage:
            columns = {given: inputs[index], translated: measured.outputs[index]}
            if index in truths:
                columns["truth"] = truths[index]
            elif back is not None:
                columns[cycled] = scores.translated(back, measured.outputs[index])
            return ReportImage(
                names[index], {name: values[index] for name, values in single.items()}, columns
            )

        indices = result.groups(single[ranked_by], result.higher_is_better(ranked_by))
        return {name: [shown(index) for index in group] for name, group in indices.items()}
