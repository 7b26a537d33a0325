"""Scores that need no network weights but the generators': of a translator, and of three
translators that do nothing.

Directions are "xy" and "yx". For "xy": there = G, back = F, input = x, target = y; for "yx" all
change places. Images are NumPy float32 (H, W, C) in [-1, 1]. Generators are scored by
their float output, not rounded to levels.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
import tensorflow as tf

from cyclegan_tf.errors import UserError
from cyclegan_tf.metrics import image_quality as of_images
from cyclegan_tf.metrics import sliced_wasserstein as swd

HIGHER_IS_BETTER: dict[str, bool] = {
    "swd": False,
    "colour_swd": False,
    "cycle_error": False,
    "identity_distance": False,
    "psnr": True,
    "psnr_pooled": True,
    "ssim": True,
    "mae": False,
}
"""Which way each score that ranks translators points. The others describe: more is neither better
nor worse."""

PAIRED = ("psnr", "psnr_pooled", "ssim", "mae")
"""Scores that need the true translation of every image."""

_SSIM_LEAST_PX = 11
_SWD_LEAST_PX = 16

Network = Callable[[tf.Tensor], tf.Tensor]
Image = np.ndarray


@dataclass(frozen=True)
class Split:
    """Test images of both domains, read and prepared.

    Attributes:
      x: images of X, float32 (H, W, C) in [-1, 1]; sizes may differ.
      y: images of Y, alike.
      names_x: one per image of X.
      names_y: one per image of Y.
      pairs: (index into x, index into y) of images that show the same; empty where none are known.
    """

    x: list[Image]
    y: list[Image]
    names_x: tuple[str, ...]
    names_y: tuple[str, ...]
    pairs: tuple[tuple[int, int], ...] = ()

    def inputs(self, direction: str) -> list[Image]:
        """What is translated: x for "xy", y for "yx"."""
        return self.x if direction == "xy" else self.y

    def targets(self, direction: str) -> list[Image]:
        """Real images of the domain translated to."""
        return self.y if direction == "xy" else self.x

    def input_names(self, direction: str) -> tuple[str, ...]:
        """One per image of `inputs`."""
        return self.names_x if direction == "xy" else self.names_y

    def truths(self, direction: str) -> dict[int, Image]:
        """Index into `inputs` -> its true translation, in the order of the inputs."""
        ways = self.pairs if direction == "xy" else tuple((y, x) for x, y in self.pairs)
        return {given: self.targets(direction)[wanted] for given, wanted in sorted(ways)}


@dataclass(frozen=True)
class Measured:
    """What `measure` found for one direction.

    Attributes:
      direction: "xy" or "yx".
      outputs: one translation per input, float32 (H, W, C).
      means: score by name, over all images; None where it cannot be had.
      per_image: score by name -> one value per input, None where that input has none.
      per_target: "identity_distance" -> one value per target; empty where channels differ.
      swd_levels: sliced Wasserstein distance by side in pixels of the pyramid's level, x 1000.
    """

    direction: str
    outputs: list[Image]
    means: dict[str, float | None]
    per_image: dict[str, tuple[float | None, ...]]
    per_target: dict[str, tuple[float | None, ...]] = field(default_factory=dict)
    swd_levels: dict[int, float] = field(default_factory=dict)


def measure(
    there: Network, back: Network | None, split: Split, direction: str, *, seed: int = 0
) -> Measured:
    """Translates every input once, there and back, and every target by `there`, and scores what
    comes out.

    - swd: sliced Wasserstein distance of outputs to real targets, mean of levels (Karras et al.
      2018, sec. 5), x 1000. It normalizes each set by itself, and so is blind to a cast of color
      that all outputs share.
    - colour_swd: the same, both sets normalized by the mean and deviation of the real one: casts
      and contrast count.
    - cycle_error: mean of abs(F(G(x)) - x), the cycle loss without its weight (Zhu et al. 2017, eq.
      2).
    - identity_distance: mean of abs(G(y) - y), the identity loss without its weight (ibid., sec.
      5.2).
    - luminance_correlation: Pearson correlation of the luminance of G(x) and of x over pixels; -1
      is a negative.
    - variety: how much outputs differ from each other, over how much real targets do; 0 is
      collapse.
    - change: mean of abs(G(x) - x); 0 is a copy.
    - psnr: dB, mean over images; psnr_pooled: of the squared error over all pixels of all images.
    - ssim: structural similarity to the truth (Wang et al. 2004), 1 at best.
    - mae: mean of abs(G(x) - truth).

    Args:
      there: float32 (1, H, W, C) in [-1, 1] -> the same size with the target's channels.
      back: the other direction; None leaves `cycle_error` out.
      split: at least one image of each domain.
      direction: "xy" or "yx".
      seed: of the patches and directions that the sliced Wasserstein distance draws.

    Returns:
      Means and single values; in means each image weighs the same, whatever its size.

    Raises:
      ValueError: a domain has no images.
      UserError: the network gave NaN.
    """
    inputs, targets = split.inputs(direction), split.targets(direction)
    if not inputs or not targets:
        raise ValueError(
            f"scores take at least one image of each domain, got {len(inputs)} and {len(targets)}."
        )
    alike = inputs[0].shape[-1] == targets[0].shape[-1]
    outputs = [translated(there, image) for image in inputs]
    both = list(zip(outputs, inputs, strict=True))
    single: dict[str, list[float | None]] = {
        "luminance_correlation": [_known(of_images.luminance_correlation(o, i)) for o, i in both]
    }
    if back is not None:
        single["cycle_error"] = [of_images.mae(translated(back, o), i) for o, i in both]
    if alike:
        single["change"] = [of_images.mae(o, i) for o, i in both]
    identity = tuple(of_images.mae(translated(there, t), t) for t in targets) if alike else ()
    levels = distances(targets, outputs, seed)
    means: dict[str, float | None] = {
        "swd": swd.mean_swd(levels) if levels else None,
        "colour_swd": color_distance(targets, outputs, seed),
        "identity_distance": mean_or_none(identity),
        "variety": _variety(outputs, targets),
        **{
            name: mean_or_none(single.get(name, ()))
            for name in ("cycle_error", "luminance_correlation", "change")
        },
    }
    truths = split.truths(direction)
    if truths:
        paired_means, paired = compare([outputs[index] for index in truths], list(truths.values()))
        means |= paired_means
        single |= {
            name: _placed(values, list(truths), len(inputs)) for name, values in paired.items()
        }
    told = {name: tuple(values) for name, values in single.items()}
    return Measured(
        direction, outputs, means, told, {"identity_distance": identity} if alike else {}, levels
    )


def compare(
    images: Sequence[Image], truths: Sequence[Image]
) -> tuple[dict[str, float | None], dict[str, list[float | None]]]:
    """Scores of images against their truths.

    Args:
      images: float32 (H, W, C) in [-1, 1].
      truths: as many, each of its partner's shape.

    Returns:
      Means over images by name (`PAIRED`; "psnr_pooled" takes the squared error over all pixels of
      all images before the logarithm), and single values by name. "ssim" is None for images smaller
      than its window.
    """
    single: dict[str, list[float | None]] = {"psnr": [], "ssim": [], "mae": []}
    squares, pixels = 0.0, 0
    for image, truth in zip(images, truths, strict=True):
        single["psnr"].append(of_images.psnr(image, truth))
        fits = min(image.shape[:2]) >= _SSIM_LEAST_PX
        single["ssim"].append(of_images.ssim(image, truth) if fits else None)
        single["mae"].append(of_images.mae(image, truth))
        squares += float(np.sum(np.square(image.astype(np.float64) - truth)))
        pixels += image.size
    means = {name: mean_or_none(values) for name, values in single.items()}
    error = squares / pixels
    means["psnr_pooled"] = 10 * math.log10(of_images.SIGNED_RANGE**2 / error) if error else math.inf
    return means, single


def color_distance(real: Sequence[Image], fake: Sequence[Image], seed: int = 0) -> float | None:
    """The "colour_swd" of two sets (see `measure`); None where `distances` gives nothing."""
    levels = distances(real, fake, seed, "real")
    return swd.mean_swd(levels) if levels else None


def distances(
    real: Sequence[Image],
    fake: Sequence[Image],
    seed: int = 0,
    normalize: Literal["each", "real"] = "each",
) -> dict[int, float]:
    """Sliced Wasserstein distances by level (`metrics.swd`); where sizes differ, of the common
    center.

    Images of different sizes are cut around their centers to the smallest height and width among
    all, which keeps the sharpness of each as it is.

    Returns:
      Empty where that is smaller than 16 px, channels differ, or there are no images.
    """
    everything = [*real, *fake]
    if not len(real) or not len(fake):
        return {}
    height, width = (min(image.shape[axis] for image in everything) for axis in (0, 1))
    if min(height, width) < _SWD_LEAST_PX or len({image.shape[-1] for image in everything}) > 1:
        return {}

    def stack(images: Sequence[Image]) -> np.ndarray:
        corners = [((p.shape[0] - height) // 2, (p.shape[1] - width) // 2) for p in images]
        return np.stack(
            [p[y : y + height, x : x + width] for p, (y, x) in zip(images, corners, strict=True)]
        )

    return swd.sliced_wasserstein(stack(real), stack(fake), seed=seed, normalize=normalize)


def baseline_images(
    split: Split, direction: str, training_targets: Sequence[Image], seed: int = 0
) -> dict[str, list[Image]]:
    """What three translators that do nothing give for the inputs; any real one must do better.

    - "unchanged input": the input itself; missing where the domains' channels differ.
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
    """Scores of the `baseline_images`, to set beside those of `measure`: both SWD, and with pairs
    those of `PAIRED`.

    Args:
      split: see `Split`.
      direction: "xy" or "yx".
      training_targets: see `baseline_images`.
      seed: the one given to `measure`.

    Returns:
      Score by name, by stand-in. Both SWD of "random real" are None without training targets: it
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
            "colour_swd": None if itself else color_distance(targets, images, seed),
        }
        if truths:
            chosen = [fitted(images[index], truth) for index, truth in truths.items()]
            scores |= compare(chosen, list(truths.values()))[0]
        found[name] = scores
    return found


def fitted(image: Image, like: Image) -> Image:
    """The image at the size of another (bicubic, antialiased), itself where it has that size."""
    if image.shape[:2] == like.shape[:2]:
        return image
    resized = tf.image.resize(image, like.shape[:2], method="bicubic", antialias=True)
    return np.clip(resized.numpy(), -1, 1)


def translated(network: Network, image: Image) -> Image:
    """One image through a generator, float32 (H, W, C) in and out.

    Raises:
      UserError: the network gave NaN.
    """
    output = np.asarray(network(tf.constant(image[np.newaxis])), np.float32)[0]
    if np.isnan(output).any():
        raise UserError("the network gave NaN (not a number) for a test image: it has diverged.")
    return output


def mean_or_none(values: Sequence[float | None]) -> float | None:
    """Mean of those that are known; None where none is."""
    known = [value for value in values if value is not None]
    return float(np.mean(known)) if known else None


def _placed(
    values: Sequence[float | None], places: Sequence[int], length: int
) -> list[float | None]:
    by_place = dict(zip(places, values, strict=True))
    return [by_place.get(place) for place in range(length)]


def _known(value: float) -> float | None:
    return None if math.isnan(value) else value


def _variety(outputs: Sequence[Image], targets: Sequence[Image]) -> float | None:
    """None for single images, which cannot differ, and for targets that are all alike."""
    if min(len(outputs), len(targets)) < 2:
        return None
    of_targets = of_images.diversity(targets)
    return of_images.diversity(outputs) / of_targets if of_targets else None


def _never_the_truth(split: Split, direction: str, rng: np.random.Generator) -> list[int]:
    """For each input the index of a target; that of the truth only where there is no other."""
    inputs, targets = split.inputs(direction), split.targets(direction)
    truth_of = dict(split.pairs if direction == "xy" else [(y, x) for x, y in split.pairs])
    order = rng.permutation(len(targets))
    # One step along a random circle: no pair keeps its own, and none is taken twice before all have
    # been.
    place = {int(index): position for position, index in enumerate(order)}
    start = [place[truth_of[i]] if i in truth_of else i for i in range(len(inputs))]
    return [int(order[(position + 1) % len(order)]) for position in start]
