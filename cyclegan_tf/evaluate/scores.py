"""Scores of a generator that need no network weights but the generators'.

Directions are "xy" and "yx". For "xy" the forward generator is G, the backward one F, the input x
and the target y; for "yx" all change places. Images are NumPy float32 (H, W, C) in [-1, 1].
Generators are scored by their float output, not rounded to integer pixel values.

`measure` gives:

- swd: sliced Wasserstein distance of outputs to real targets, mean of levels (Karras et al.
  2018, sec. 5), x 1000. It normalizes each set by itself, and so is blind to a cast of color
  that all outputs share.
- `color_swd`: the same, both sets normalized by the mean and deviation of the real one: casts
  and contrast count.
- cycle_error: mean of abs(F(G(x)) - x), the cycle loss without its weight (Zhu et al. 2017, eq.
  2).
- identity_distance: mean of abs(G(y) - y), the identity loss without its weight (ibid., sec.
  5.2).
- luminance_correlation: Pearson correlation of the luminance of G(x) and of x over pixels; -1
  is a negative.
- variety: the diversity of outputs (how much they differ from each other) over that of real
  targets; 0 is collapse.
- change: mean of abs(G(x) - x); 0 is a copy.
- psnr: dB, mean over images; psnr_pooled: of the squared error over all pixels of all images.
- ssim: structural similarity to the truth (Wang et al. 2004), 1 at best.
- mae: mean of abs(G(x) - truth).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
import tensorflow as tf

from cyclegan_tf.errors import UserError
from cyclegan_tf.metrics import image_quality
from cyclegan_tf.metrics import sliced_wasserstein as swd

HIGHER_IS_BETTER: dict[str, bool] = {
    "swd": False,
    "color_swd": False,
    "cycle_error": False,
    "identity_distance": False,
    "psnr": True,
    "psnr_pooled": True,
    "ssim": True,
    "mae": False,
    "kid_lite0": False,
    "fd_lite0": False,
    "lpips_vgg_hed": False,
}
"""Whether more is better, of each score that ranks generators.

The others describe: more is neither better nor worse.
"""

PAIRED = ("psnr", "psnr_pooled", "ssim", "mae", "lpips_vgg_hed")
"""Scores that need the true translation of every image."""

_SSIM_MIN_PX = 11
_SWD_MIN_PX = 16

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

    Example:
      >>> split = Split([x], [y], ("1.jpg",), ("1.png",), pairs=((0, 0),))
      >>> split.truths("xy")[0] is y
      True
    """

    x: list[Image]
    y: list[Image]
    names_x: tuple[str, ...]
    names_y: tuple[str, ...]
    pairs: tuple[tuple[int, int], ...] = ()

    def inputs(self, direction: str) -> list[Image]:
        """Return what is translated: x for "xy", y for "yx"."""
        return self.x if direction == "xy" else self.y

    def targets(self, direction: str) -> list[Image]:
        """Return the real images of the domain translated to."""
        return self.y if direction == "xy" else self.x

    def input_names(self, direction: str) -> tuple[str, ...]:
        """Return one name per image of `inputs`."""
        return self.names_x if direction == "xy" else self.names_y

    def truths(self, direction: str) -> dict[int, Image]:
        """Return index into `inputs` -> true translation, in the order of the inputs."""
        pairs = self.pairs if direction == "xy" else tuple((y, x) for x, y in self.pairs)
        return {given: self.targets(direction)[wanted] for given, wanted in sorted(pairs)}


@dataclass(frozen=True)
class Measured:
    """The result of `measure` for one direction.

    Attributes:
      direction: "xy" or "yx".
      outputs: one translation per input, float32 (H, W, C).
      means: score by name, over all images; None where it cannot be had.
      per_image: score by name -> one value per input, None where that input has none.
      per_target: "identity_distance" -> one value per target; empty where channels differ.
      swd_levels: sliced Wasserstein distance by side in pixels of the pyramid's level, x 1000.

    Example:
      >>> measured = measure(generator_g, generator_f, split, "xy")
      >>> measured.means["cycle_error"], measured.per_image["psnr"][0]
    """

    direction: str
    outputs: list[Image]
    means: dict[str, float | None]
    per_image: dict[str, tuple[float | None, ...]]
    per_target: dict[str, tuple[float | None, ...]] = field(default_factory=dict)
    swd_levels: dict[int, float] = field(default_factory=dict)


def measure(
    forward: Network, backward: Network | None, split: Split, direction: str, *, seed: int = 0
) -> Measured:
    """Translate all images of a split and score the outputs.

    Every input is translated once by both generators in turn, and every target by `forward`.

    Args:
      forward: float32 (1, H, W, C) in [-1, 1] -> the same size with the target's channels.
      backward: of the other direction; None leaves `cycle_error` out.
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
        counts = f"{len(inputs)} and {len(targets)}"
        raise ValueError(f"scores take at least one image of each domain, got {counts}.")
    same_channels = inputs[0].shape[-1] == targets[0].shape[-1]
    outputs = [apply_generator(forward, image) for image in inputs]
    single = _score_each_output(outputs, inputs, backward, same_channels)
    own = targets if same_channels else []
    identity = tuple(image_quality.mae(apply_generator(forward, target), target) for target in own)
    levels = distances(targets, outputs, seed)
    means: dict[str, float | None] = {
        "swd": swd.mean_swd(levels) if levels else None,
        "color_swd": color_distance(targets, outputs, seed),
        "identity_distance": mean_or_none(identity),
        "variety": _diversity(outputs, targets),
    }
    for name in ("cycle_error", "luminance_correlation", "change"):
        means[name] = mean_or_none(single.get(name, ()))
    paired_means, paired = _compare_with_truths(outputs, split.truths(direction))
    means |= paired_means
    single |= paired
    return Measured(
        direction,
        outputs,
        means,
        per_image={name: tuple(values) for name, values in single.items()},
        per_target={"identity_distance": identity} if same_channels else {},
        swd_levels=levels,
    )


def _compare_with_truths(
    outputs: Sequence[Image], truths: Mapping[int, Image]
) -> tuple[dict[str, float | None], dict[str, list[float | None]]]:
    """The means of `compare` and its scores by output; nothing where no truth is known."""
    if not truths:
        return {}, {}
    means, found = compare([outputs[index] for index in truths], list(truths.values()))
    return means, {
        name: _spread_out(values, list(truths), len(outputs)) for name, values in found.items()
    }


def _score_each_output(
    outputs: Sequence[Image],
    inputs: Sequence[Image],
    backward: Network | None,
    same_channels: bool,
) -> dict[str, list[float | None]]:
    both = list(zip(outputs, inputs, strict=True))
    found: dict[str, list[float | None]] = {
        "luminance_correlation": [
            _known(image_quality.luminance_correlation(o, i)) for o, i in both
        ]
    }
    if backward is not None:
        found["cycle_error"] = [image_quality.mae(apply_generator(backward, o), i) for o, i in both]
    if same_channels:
        found["change"] = [image_quality.mae(o, i) for o, i in both]
    return found


def compare(
    images: Sequence[Image], truths: Sequence[Image]
) -> tuple[dict[str, float | None], dict[str, list[float | None]]]:
    """Score images against their truths.

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
        single["psnr"].append(image_quality.psnr(image, truth))
        fits = min(image.shape[:2]) >= _SSIM_MIN_PX
        single["ssim"].append(image_quality.ssim(image, truth) if fits else None)
        single["mae"].append(image_quality.mae(image, truth))
        squares += float(np.sum(np.square(image.astype(np.float64) - truth)))
        pixels += image.size
    means = {name: mean_or_none(values) for name, values in single.items()}
    error = squares / pixels
    means["psnr_pooled"] = (
        10 * math.log10(image_quality.SIGNED_RANGE**2 / error) if error else math.inf
    )
    return means, single


def color_distance(real: Sequence[Image], fake: Sequence[Image], seed: int = 0) -> float | None:
    """Compute the "color_swd" of two sets, see `measure`.

    Args:
      real: float32 (H, W, C) in [-1, 1], which normalize both sets.
      fake: alike.
      seed: of patches and directions.

    Returns:
      None where `distances` is empty.
    """
    levels = distances(real, fake, seed, "real")
    return swd.mean_swd(levels) if levels else None


def distances(
    real: Sequence[Image],
    fake: Sequence[Image],
    seed: int = 0,
    normalize: Literal["each", "real"] = "each",
) -> dict[int, float]:
    """Compute sliced Wasserstein distances by pyramid level (`metrics.sliced_wasserstein`).

    Images of different sizes are cut around their centers to the smallest height and width among
    all, which keeps the sharpness of each as it is.

    Args:
      real: float32 (H, W, C) in [-1, 1].
      fake: alike.
      seed: of patches and directions.
      normalize: "each" set by itself, or both by the "real" one.

    Returns:
      Empty where that is smaller than 16 px, channels differ, or there are no images.
    """
    everything = [*real, *fake]
    if not len(real) or not len(fake):
        return {}
    height, width = (min(image.shape[axis] for image in everything) for axis in (0, 1))
    if min(height, width) < _SWD_MIN_PX or len({image.shape[-1] for image in everything}) > 1:
        return {}

    def stack(images: Sequence[Image]) -> np.ndarray:
        corners = [((p.shape[0] - height) // 2, (p.shape[1] - width) // 2) for p in images]
        return np.stack(
            [p[y : y + height, x : x + width] for p, (y, x) in zip(images, corners, strict=True)]
        )

    return swd.sliced_wasserstein(stack(real), stack(fake), seed=seed, normalize=normalize)


def apply_generator(network: Network, image: Image) -> Image:
    """Translate one image, float32 (H, W, C) in and out.

    Raises:
      UserError: the network gave NaN.
    """
    output = np.asarray(network(tf.constant(image[np.newaxis])), np.float32)[0]
    if np.isnan(output).any():
        raise UserError(
            "the network gave NaN (not a number) for a test image: it has diverged.",
            code="unsupported",
        )
    return output


def mean_or_none(values: Sequence[float | None]) -> float | None:
    """Return the mean of the values that are known, or None where none is."""
    known = [value for value in values if value is not None]
    return float(np.mean(known)) if known else None


def _spread_out(
    values: Sequence[float | None], places: Sequence[int], length: int
) -> list[float | None]:
    by_place = dict(zip(places, values, strict=True))
    return [by_place.get(place) for place in range(length)]


def _known(value: float) -> float | None:
    return None if math.isnan(value) else value


def _diversity(outputs: Sequence[Image], targets: Sequence[Image]) -> float | None:
    """None for single images, which cannot differ, and for targets that are all alike."""
    if min(len(outputs), len(targets)) < 2:
        return None
    of_targets = image_quality.diversity(targets)
    return image_quality.diversity(outputs) / of_targets if of_targets else None
