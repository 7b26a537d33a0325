"""What three generators that do nothing score: any trained one must do better."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import tensorflow as tf

from cyclegan_tf.evaluate.scores import Image, Split, color_distance, compare, distances
from cyclegan_tf.metrics import sliced_wasserstein as swd


def baseline_images(
    split: Split, direction: str, training_targets: Sequence[Image], seed: int = 0
) -> dict[str, list[Image]]:
    """Make the outputs of three generators that do nothing.

    - "unchanged input": the input itself; left out where the domains' channels differ.
    - "constant": everywhere the mean color of the training targets, which has the least squared
      error of all single colors that can be known before the test.
    - "random real": a training target drawn at random, without replacement as long as there are
      enough. Without training targets, the test targets are drawn, never the truth itself.

    Args:
      split: see `Split`.
      direction: "xy" or "yx".
      training_targets: real images of the target domain that are not in the split; without any, the
        split's own.
      seed: of the drawing.

    Returns:
      By name, one image per input; of the input's size, except "random real", whose sizes are its
      own.
    """
    inputs, targets = split.inputs(direction), split.targets(direction)
    known = list(training_targets) or targets
    color = np.mean([np.mean(image, axis=(0, 1), dtype=np.float64) for image in known], axis=0)
    found = {"unchanged input": list(inputs)} if inputs[0].shape[-1] == targets[0].shape[-1] else {}
    found["constant"] = [
        np.broadcast_to(color, (*p.shape[:2], len(color))).astype(np.float32) for p in inputs
    ]
    rng = np.random.default_rng(seed)
    if training_targets:
        rounds = -(-len(inputs) // len(known))
        drawn = [int(i) for _ in range(rounds) for i in rng.permutation(len(known))][: len(inputs)]
    else:
        drawn = _never_the_truth(split, direction, rng)
    found["random real"] = [known[index] for index in drawn]
    return found


def baseline_scores(
    split: Split, direction: str, training_targets: Sequence[Image], seed: int = 0
) -> dict[str, dict[str, float | None]]:
    """Score the `baseline_images`: both SWD, and with pairs the scores of `scores.PAIRED`.

    Args:
      split: see `Split`.
      direction: "xy" or "yx".
      training_targets: see `baseline_images`.
      seed: the one given to `scores.measure`.

    Returns:
      Score by name, by baseline. Both SWD of "random real" are None without training targets: it
      would compare the test targets with themselves.
    """
    truths = split.truths(direction)
    found = {}
    for name, images in baseline_images(split, direction, training_targets, seed).items():
        itself = name == "random real" and not training_targets
        targets = split.targets(direction)
        levels = {} if itself else distances(targets, images, seed)
        scores: dict[str, float | None] = {
            "swd": swd.mean_swd(levels) if levels else None,
            "color_swd": None if itself else color_distance(targets, images, seed),
        }
        if truths:
            chosen = [resized_like(images[index], truth) for index, truth in truths.items()]
            scores |= compare(chosen, list(truths.values()))[0]
        found[name] = scores
    return found


def resized_like(image: Image, like: Image) -> Image:
    """Resize an image to another's height and width (bicubic, antialiased).

    Returns:
      The image itself where it has that size.
    """
    if image.shape[:2] == like.shape[:2]:
        return image
    resized = tf.image.resize(image, like.shape[:2], method="bicubic", antialias=True)
    return np.clip(resized.numpy(), -1, 1)


def _never_the_truth(split: Split, direction: str, rng: np.random.Generator) -> list[int]:
    """Draw a target for each input: the truth only where there is no other."""
    inputs, targets = split.inputs(direction), split.targets(direction)
    truth_of = dict(split.pairs if direction == "xy" else [(y, x) for x, y in split.pairs])
    order = rng.permutation(len(targets))
    # One step along a random circle: no pair keeps its own, and none is taken twice before all have
    # been.
    place = {int(index): position for position, index in enumerate(order)}
    start = [place[truth_of[i]] if i in truth_of else i for i in range(len(inputs))]
    return [int(order[(position + 1) % len(order)]) for position in start]
