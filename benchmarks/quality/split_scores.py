"""Scores of generators on a test split, as the ablation and the race against PyTorch use them.

To what `cyclegan_tf.evaluate` measures this adds what these experiments ask for: the animals'
pixels of the demo, label maps read through a palette, the checkerboard in the outputs' spectrum,
and the shift of colors.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

from benchmarks.quality.animals import animal_masks, on_animals
from benchmarks.quality.checkerboard import MIN_SIDE_PX, checkerboard
from cyclegan_tf.assembly.training_data import build_transform, open_source
from cyclegan_tf.config.experiment import Experiment
from cyclegan_tf.errors import UserError
from cyclegan_tf.evaluate import baselines, label_maps, scores
from cyclegan_tf.evaluate.split import Split, read_images, read_split
from cyclegan_tf.metrics import sliced_wasserstein as swd
from cyclegan_tf.metrics.segmentation import Palette, read_palette
from cyclegan_tf.runs import checkpoints, generators
from cyclegan_tf.runs.run_directory import RunDirectory

DIRECTIONS = ("xy", "yx")
AVERAGE = "average/"
MAX_TRAINING_TARGETS = 100  # for the baselines' mean color and random images

Translate = Callable[[tf.Tensor], tf.Tensor]
Scores = dict[str, float | None]


@dataclass(frozen=True)
class SplitEvaluator:
    """A paired test split and what is known of it.

    Example:
      >>> evaluator = SplitEvaluator.of(RunDirectory("runs/demo").experiment())
      >>> translate = of_run(Path("runs/demo"))
      >>> evaluator.scores(translate["xy"], translate["yx"], "xy")["psnr"]

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
    def of(cls, experiment: Experiment, palette: Path | None = None) -> SplitEvaluator:
        """Read the test split of an experiment's data, all pairs.

        Raises:
          UserError: it cannot be read, or has no pairs.
        """
        source = open_source(experiment)
        transform = build_transform(experiment)
        split = read_split(source, transform)
        if not split.pairs:
            raise UserError(
                f"{experiment.data.source}: the test split has no pairs; give images of one stem "
                f"in testA and testB.",
                code="missing",
                field="data.source",
            )
        training = {
            domain: read_images(images, transform, MAX_TRAINING_TARGETS)
            for domain, images in (("x", source.train_x), ("y", source.train_y))
        }
        is_demo = experiment.data.source == "demo"
        masks = animal_masks(len(split.x), split.x[0].shape[0]) if is_demo else None
        return cls(split, training, masks, read_palette(palette) if palette else None)

    def scores(self, translate: Translate, inverse: Translate | None, direction: str) -> Scores:
        """All scores of a generator, by name: those of `evaluate.scores.measure` and `_added`.

        "identity_color_shift" is the shift from y to G(y), which the identity loss is to keep small
        (fig. 9).

        Args:
          translate: the generator of the direction.
          inverse: of the other direction, for the cycle error; None leaves it out.
          direction: "xy" or "yx".
        """
        seen: dict[bytes, np.ndarray] = {}

        def remembering(image: tf.Tensor) -> tf.Tensor:
            output = translate(image)
            seen[np.asarray(image).tobytes()] = np.asarray(output)[0]
            return output

        found = scores.measure(remembering, inverse, self.split, direction)
        targets = self.split.targets(direction)
        kept = np.stack([seen[target.tobytes()] for target in targets])
        return {
            **found.means,
            **self._added(found.outputs, direction),
            "identity_color_shift": color_shift(kept, np.stack(targets)),
        }

    def brief(self, translate: Translate, direction: str) -> Scores:
        """`scores` that need the translations of the inputs only, no further passes."""
        outputs = [
            scores.apply_generator(translate, image) for image in self.split.inputs(direction)
        ]
        targets, truths = self.split.targets(direction), self.split.truths(direction)
        levels = scores.distances(targets, outputs)
        return {
            "swd": swd.mean_swd(levels) if levels else None,
            "color_swd": scores.color_distance(targets, outputs),
            **scores.compare([outputs[index] for index in truths], list(truths.values()))[0],
            **self._added(outputs, direction),
        }

    def baselines(self, direction: str) -> dict[str, Scores]:
        """Scores of the unchanged input, the best constant image, a random real one, the truth."""
        targets = self.training[direction[1]]
        found = baselines.baseline_scores(self.split, direction, targets)
        images = baselines.baseline_images(self.split, direction, targets)
        named: dict[str, Scores] = {
            name: {**found[name], **self._added(images[name], direction)} for name in found
        }
        truths = list(self.split.truths(direction).values())
        if self.palette is not None and direction == "xy":
            # Of label maps the best constant is the most frequent class, not the mean color.
            color = label_maps.most_frequent(targets, self.palette)
            constant = [np.broadcast_to(color, truth.shape) for truth in truths]
            named["constant"] |= label_maps.score_labels(constant, truths, self.palette).scores
        named["truth"] = {"checkerboard": _grid(np.stack(truths))}
        return named

    def _added(self, images: list[np.ndarray], direction: str) -> Scores:
        """What needs the experiment's own knowledge: float32 images, one per input."""
        inputs, truths = self.split.inputs(direction), self.split.truths(direction)
        chosen = np.stack([images[index] for index in truths])
        truth = np.stack(list(truths.values()))
        added: Scores = {
            "checkerboard": _grid(chosen),
            "color_shift": color_shift(chosen, truth),
        }
        if self.masks is not None:
            paired = np.stack([inputs[index] for index in truths])
            added |= on_animals(chosen, paired, truth, self.masks)
        if self.palette is not None and direction == "xy":
            added |= label_maps.score_labels(list(chosen), list(truth), self.palette).scores
        return added


def _grid(images: np.ndarray) -> float | None:
    """`checkerboard` of float (N, H, W, C); None for images too small for it."""
    return checkerboard(images) if min(images.shape[1:3]) >= MIN_SIDE_PX else None


def color_shift(images: np.ndarray, truth: np.ndarray) -> float:
    """Mean absolute difference of mean colors, over channels and images.

    Args:
      images: float (N, H, W, C) in [-1, 1].
      truth: alike.
    """
    means, wanted = (a.mean((1, 2), dtype=np.float64) for a in (images, truth))
    return float(np.mean(np.abs(means - wanted)))


def compiled(network: keras.Model) -> Translate:
    """A generator as a compiled function of float32 (1, H, W, C)."""
    return tf.function(
        lambda image: network(image, training=False), autograph=False, reduce_retracing=True
    )


def of_run(path: Path, averaged: bool = False) -> dict[str, Translate]:
    """Both generators in float32, with a run's last weights or their moving averages.

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
                f"{last.path} holds no averages: the run was trained without "
                "training.ema_half_life_images.",
                code="missing",
                field=str(path),
            )
        last = dataclasses.replace(last, arrays=last.arrays | averages)
    return {d: compiled(generators.generator_of_run(run, last, d, "float32")) for d in DIRECTIONS}


def of_files(files: dict[str, Path]) -> dict[str, Translate]:
    """The generators in `.keras` files by direction, in float32.

    Raises:
      UserError: there is no such file.
    """
    return {
        d: compiled(generators.load_generator(file, d, "float32")[0]) for d, file in files.items()
    }


def both_directions(
    evaluator: SplitEvaluator, translate: dict[str, Translate], brief: bool = False
) -> dict[str, Scores]:
    """Scores by direction, all or in brief."""
    if brief:
        return {d: evaluator.brief(translate[d], d) for d in DIRECTIONS}
    return {d: evaluator.scores(translate[d], translate[d[::-1]], d) for d in DIRECTIONS}
