"""Scores of translators on a test split, as the ablation and the race against PyTorch use them.

To what `cyclegan_tf.evaluation` measures it adds what these experiments ask for: the animals'
pixels of the demo, label maps read through a palette, the checkerboard in the outputs' spectrum,
and the shift of colors.
"""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from cyclegan_tf.runs import generators

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import demo_score
import keras
import numpy as np
import tensorflow as tf
from fringe import color_fringe

from cyclegan_tf import assembly
from cyclegan_tf.config.experiment import Experiment
from cyclegan_tf.errors import UserError
from cyclegan_tf.evaluate import label_maps as labeled
from cyclegan_tf.evaluate import scores
from cyclegan_tf.evaluate.split import Split, read_images, read_split
from cyclegan_tf.metrics import sliced_wasserstein as swd
from cyclegan_tf.metrics import spectrum
from cyclegan_tf.metrics.segmentation import Palette, read_palette
from cyclegan_tf.runs import checkpoints
from cyclegan_tf.runs.run_directory import RunDirectory

DIRECTIONS = ("xy", "yx")
AVERAGE = "average/"
TRAINING_TARGETS = 100  # for the baselines' mean color and random images

Translate = Callable[[tf.Tensor], tf.Tensor]
Scores = dict[str, float | None]


@dataclass(frozen=True)
class Exam:
    """What translators are examined with.

    Attributes:
      split: the paired test split, images of one size.
      training: images of the training split by domain, for the baselines.
      masks: bool (N, S, S), the demo's animals; None for other data.
      palette: label colors of domain Y, where it shows label maps.
    """

    split: Split
    training: dict[str, list[np.ndarray]]
    masks: np.ndarray | None = None
    palette: Palette | None = None

    @classmethod
    def of(cls, experiment: Experiment, palette: Path | None = None) -> Exam:
        """The test split of an experiment's data, all pairs.

        Raises:
          UserError: it cannot be read, or has no pairs.
        """
        source, preparation = (
            assembly.open_source(experiment),
            assembly.build_preparation(experiment),
        )
        split = read_split(source, preparation)
        if not split.pairs:
            raise UserError(
                f"{experiment.data.source}: the test split has no pairs; give images of one stem "
                f"in testA and testB."
            )
        training = {
            domain: read_images(images, preparation, TRAINING_TARGETS)
            for domain, images in (("x", source.train_x), ("y", source.train_y))
        }
        demo = experiment.data.source == "demo"
        masks = demo_score.animal_masks(len(split.x), split.x[0].shape[0]) if demo else None
        return cls(split, training, masks, read_palette(palette) if palette else None)

    def scores(self, there: Translate, back: Translate | None, direction: str) -> Scores:
        """All scores of a translator, by name: those of `evaluation.scores.measure`, and those of
        `_added`.

        "identity_color_shift" is the shift from y to G(y), which the identity loss is to keep small
        (fig. 9).
        """
        seen: dict[bytes, np.ndarray] = {}

        def remembering(image: tf.Tensor) -> tf.Tensor:
            output = there(image)
            seen[np.asarray(image).tobytes()] = np.asarray(output)[0]
            return output

        found = scores.measure(remembering, back, self.split, direction)
        targets = self.split.targets(direction)
        kept = np.stack([seen[target.tobytes()] for target in targets])
        return {
            **found.means,
            **self._added(found.outputs, direction),
            "identity_color_shift": color_shift(kept, np.stack(targets)),
        }

    def brief(self, there: Translate, direction: str) -> Scores:
        """`scores` without what takes further passes through the networks: only the inputs are
        translated."""
        outputs = [scores.translated(there, image) for image in self.split.inputs(direction)]
        targets, truths = self.split.targets(direction), self.split.truths(direction)
        levels = scores.distances(targets, outputs)
        return {
            "swd": swd.mean_swd(levels) if levels else None,
            "colour_swd": scores.color_distance(targets, outputs),
            **scores.compare([outputs[index] for index in truths], list(truths.values()))[0],
            **self._added(outputs, direction),
        }

    def baselines(self, direction: str) -> dict[str, Scores]:
        """Scores of the unchanged input, the best constant image, a random real one, and of the
        truth itself."""
        targets = self.training[direction[1]]
        found = scores.baselines(self.split, direction, targets)
        images = scores.baselines(self.split, direction, targets)
        named: dict[str, Scores] = {
            name: {**found[name], **self._added(images[name], direction)} for name in found
        }
        truths = self.split.truths(direction)
        if self.palette is not None and direction == "xy":
            # Of label maps the best constant is the most frequent class, not the mean color.
            color = labeled.most_frequent(targets, self.palette)
            constant = [np.broadcast_to(color, truth.shape) for truth in truths.values()]
            named["constant"] |= labeled.score_labels(
                constant, list(truths.values()), self.palette
            ).scores
        truth = np.stack(list(truths.values()))
        named["truth"] = {"checkerboard": checkerboard(truth), "color_fringe": color_fringe(truth)}
        return named

    def _added(self, images: list[np.ndarray], direction: str) -> Scores:
        """What needs the experiment's own knowledge: float32 images, one per input."""
        inputs, truths = self.split.inputs(direction), self.split.truths(direction)
        chosen, truth = (
            np.stack([images[index] for index in truths]),
            np.stack(list(truths.values())),
        )
        added: Scores = {
            "checkerboard": checkerboard(chosen),
            "color_fringe": color_fringe(chosen),
            "color_shift": color_shift(chosen, truth),
        }
        if self.masks is not None:
            added |= demo_score.on_animals(
                chosen, np.stack([inputs[index] for index in truths]), truth, self.masks
            )
        if self.palette is not None and direction == "xy":
            added |= labeled.score_labels(list(chosen), list(truth), self.palette).scores
        return added


def checkerboard(images: np.ndarray) -> float | None:
    """`spectrum.checkerboard` of float (N, H, W, C); None for images too small for it."""
    fits = min(images.shape[1:3]) >= spectrum.SMALLEST_SIDE_PX
    return spectrum.checkerboard(images) if fits else None


def color_shift(images: np.ndarray, truth: np.ndarray) -> float:
    """Mean absolute difference of mean colors, over channels and images: float (N, H, W, C) in [-1,
    1] each."""
    return float(
        np.mean(
            np.abs(images.mean((1, 2), dtype=np.float64) - truth.mean((1, 2), dtype=np.float64))
        )
    )


def translator(network: keras.Model) -> Translate:
    """A generator as a compiled function of float32 (1, H, W, C)."""
    return tf.function(
        lambda image: network(image, training=False), autograph=False, reduce_retracing=True
    )


def of_run(path: Path, averaged: bool = False) -> dict[str, Translate]:
    """Both directions' translators in float32, with the weights of a run's last step or their
    moving averages.

    Raises:
      UserError: there is no such run, it has no checkpoint, or it keeps no averages.
    """
    run = RunDirectory(path)
    last = generators.open_checkpoint(run, checkpoints.LAST)
    if averaged:
        averages = {
            name.removeprefix(AVERAGE): a
            for name, a in last.arrays.items()
            if name.startswith(AVERAGE)
        }
        if not averages:
            raise UserError(
                f"{last.path} holds no averages: the run was trained without training.ema."
            )
        last = dataclasses.replace(last, arrays=last.arrays | averages)
    return {d: translator(generators.generator_of_run(run, last, d, "float32")) for d in DIRECTIONS}


def of_files(files: dict[str, Path]) -> dict[str, Translate]:
    """The translators in `.keras` files by direction, in float32.

    Raises:
      UserError: there is no such file.
    """
    return {
        d: translator(generators.load_generator(file, d, "float32")[0]) for d, file in files.items()
    }


def both_ways(
    exam: Exam, translators: dict[str, Translate], brief: bool = False
) -> dict[str, Scores]:
    """Scores by direction, all or in brief."""
    if brief:
        return {d: exam.brief(translators[d], d) for d in DIRECTIONS}
    return {d: exam.scores(translators[d], translators[d[::-1]], d) for d in DIRECTIONS}
