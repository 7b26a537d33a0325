"""Ways to bring a translation at training's scale back to the image's size, compared.

Each image is reduced, translated, brought back in every way, and held against the truth at full
size: PSNR in dB and SSIM, means over images. "full" is the network on every pixel.

    python -m benchmarks.quality.detail --photos photos/test --px 128 64 32 21
    python -m benchmarks.quality.detail --photos data/color/testA --run runs/color
    python -m benchmarks.quality.detail --run runs/demo --count 4 --images pages

Photos are translated by the known change of color of `color_change` (an ideal network, whose truth
at full size is exact), or by a run that learned it. Without photos the run is one of the demo, and
its scenes are drawn 2, 4, 8 and 12 times larger than the run saw them, with their truth.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np

from benchmarks.quality.color_change import change, read
from cyclegan_tf import cli
from cyclegan_tf.data.demo_scenes import draw_scene_parameters, render
from cyclegan_tf.devices.startup import suppress_startup_logs

with suppress_startup_logs():
    import tensorflow as tf

    from cyclegan_tf.images import detail
    from cyclegan_tf.images import io as image_io
    from cyclegan_tf.metrics.image_quality import psnr, ssim
    from cyclegan_tf.networks.builders import size_divisor_of
    from cyclegan_tf.runs.generators import load_generator
    from cyclegan_tf.translate.translator import Translator

    tf.constant(0)  # devices tell of themselves at their first use

FACTORS = (2, 4, 8, 12)
_SEED = 1000

Network = Callable[[np.ndarray], np.ndarray]
Way = Callable[[tf.Tensor, tf.Tensor, tf.Tensor], tf.Tensor]
Case = tuple[np.ndarray, np.ndarray]


def enlarged(values: tf.Tensor, like: tf.Tensor, method: str = "bicubic") -> tf.Tensor:
    """Values (1, h, w, C) at the size of `like` (1, H, W, C')."""
    return tf.image.resize(values, tf.shape(like)[1:3], method, antialias=True)


def plain(image: tf.Tensor, reduced: tf.Tensor, translated: tf.Tensor) -> tf.Tensor:
    """The translation enlarged, nothing else."""
    del reduced
    return enlarged(translated, image)


def laplacian(image: tf.Tensor, reduced: tf.Tensor, translated: tf.Tensor) -> tf.Tensor:
    """Plus what the input has beyond its enlarged reduction."""
    return enlarged(translated, image) + image - enlarged(reduced, image)


def laplacian_of_luminance(
    image: tf.Tensor, reduced: tf.Tensor, translated: tf.Tensor
) -> tf.Tensor:
    """The same, the detail gray."""
    gray = tf.reduce_mean(image - enlarged(reduced, image), -1, keepdims=True)
    return enlarged(translated, image) + gray


def with_gains(
    image: tf.Tensor, reduced: tf.Tensor, translated: tf.Tensor, gains: tf.Tensor
) -> tf.Tensor:
    """Plus the detail through a local map of colors, (1, h, w, C * C')."""
    lacking = image - enlarged(reduced, image)
    by_channel = tf.reshape(
        enlarged(gains, image, "bilinear"),
        (*image.shape[:3], reduced.shape[-1], translated.shape[-1]),
    )
    return enlarged(translated, image) + tf.reduce_sum(lacking[..., tf.newaxis] * by_channel, -2)


def guided(image: tf.Tensor, reduced: tf.Tensor, translated: tf.Tensor) -> tf.Tensor:
    """Fast guided filter: the local map itself, without what it leaves of the translation."""
    gains = detail.local_gains(reduced, translated, 2, 1e-3, weighted=False)
    inputs, outputs = reduced.shape[-1], translated.shape[-1]
    by_channel = tf.reshape(gains, (*reduced.shape[:3], inputs, outputs))
    explained = tf.reduce_sum(reduced[..., tf.newaxis] * by_channel, -2)
    offset = tf.nn.avg_pool2d(translated - explained, 5, 1, "SAME")
    at_full = tf.reshape(enlarged(gains, image, "bilinear"), (*image.shape[:3], inputs, outputs))
    mapped = tf.reduce_sum(image[..., tf.newaxis] * at_full, -2)
    return mapped + enlarged(offset, image, "bilinear")


def unweighted(image: tf.Tensor, reduced: tf.Tensor, translated: tf.Tensor) -> tf.Tensor:
    """As ours, without less detail where the map explains little of the translation."""
    gains = detail.local_gains(reduced, translated, weighted=False)
    return with_gains(image, reduced, translated, gains)


def _ours(radius_px: int, ridge: float) -> Way:
    def way(image: tf.Tensor, reduced: tf.Tensor, translated: tf.Tensor) -> tf.Tensor:
        gains = detail.local_gains(reduced, translated, radius_px, ridge)
        return with_gains(image, reduced, translated, gains)

    return way


WAYS: dict[str, Way] = {
    "enlarged": plain,
    "Laplacian": laplacian,
    "Laplacian of luminance": laplacian_of_luminance,
    "guided filter": guided,
    "gains, unweighted": unweighted,
    "gains, radius 1": _ours(1, detail.RIDGE),
    "gains, radius 4": _ours(4, detail.RIDGE),
    "gains, ridge 0.01": _ours(detail.RADIUS_PX, 0.01),
    "gains (taken)": detail.with_detail,
}


def compare(
    cases: Sequence[Case], network: Network, px: int, full: bool
) -> tuple[dict[str, tuple[float, float]], list[np.ndarray]]:
    """PSNR and SSIM by way, and all results of the first case.

    Args:
      cases: images and truths, uint8 (H, W, 3).
      network: uint8 (h, w, 3) -> float32 of the same size.
      px: side that images are reduced to.
      full: also translate every pixel.
    """
    found: dict[str, list[tuple[float, float]]] = {}
    shown = []
    for image, truth in cases:
        for name, result in results(image, network, px, full):
            score = psnr(result, truth, 255), ssim(result, truth, 255)
            found.setdefault(name, []).append(score)
            if len(found[name]) == 1:
                shown.append(result)
    return {name: tuple(np.mean(scores, 0)) for name, scores in found.items()}, shown


def results(
    image: np.ndarray, network: Network, px: int, full: bool
) -> Iterator[tuple[str, np.ndarray]]:
    """Yield the name of each way and its uint8 (H, W, 3)."""
    yield "the input", image
    yield from brought_back(image, *at_scale(image, network, px))
    if full:
        yield "full", image_io.from_signed(network(image))


def at_scale(image: np.ndarray, network: Network, px: int) -> tuple[tf.Tensor, tf.Tensor]:
    """The image reduced to a square, and its translation, float32 (1, px, px, 3) both."""
    reduced = detail.reduce(tf.constant(image)[tf.newaxis], px, px)
    translated = network(image_io.from_signed(reduced)[0])
    return reduced, tf.constant(translated)[tf.newaxis]


def brought_back(
    image: np.ndarray, reduced: tf.Tensor, translated: tf.Tensor
) -> Iterator[tuple[str, np.ndarray]]:
    """Yield the name of each way and its uint8 (H, W, 3), from what `at_scale` gives."""
    signed = image_io.to_signed(tf.constant(image))[tf.newaxis]
    for name, way in WAYS.items():
        yield name, image_io.from_signed(way(signed, reduced, translated))[0]


def trained(run: Path, direction: str) -> Network:
    """The generator of a run, at the scale that it is given."""
    network, _ = load_generator(run, direction, "float32")
    translate = Translator(network, size_divisor_of(network))
    return lambda image: image_io.to_signed(translate(image))


def _ideal(image: np.ndarray) -> np.ndarray:
    return image_io.to_signed(change(image))


def _columns(
    given: argparse.Namespace,
) -> Iterator[tuple[str, list[Case], Network, int]]:
    """What is compared: name, cases, network, reduced side."""
    if given.photos:
        paths = image_io.find_images(given.photos)[: given.count]
        photos = [read(path, None) for path in paths]
        squares = [photo[: min(photo.shape[:2]), : min(photo.shape[:2])] for photo in photos]
        cases = [(photo, change(photo)) for photo in squares]
        network = trained(given.run, "xy") if given.run else _ideal
        for px in given.px:
            yield f"{squares[0].shape[0] / px:.0f}x", cases, network, px
        return
    for direction in ("xy", "yx"):
        network = trained(given.run, direction)
        for factor in FACTORS:
            rngs = [np.random.default_rng(_SEED + index) for index in range(given.count)]
            scenes = [draw_scene_parameters(rng) for rng in rngs]
            side = factor * given.px[0]
            cases = [
                (render(scene, direction[0], side), render(scene, direction[1], side))  # type: ignore[arg-type]
                for scene in scenes
            ]
            yield f"{direction} {factor}x", cases, network, given.px[0]


def main(argv: Sequence[str]) -> int:
    """Print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--photos", type=Path, help="folder of photos")
    parser.add_argument("--run", type=Path, help="the run to translate with")
    parser.add_argument("--px", type=int, nargs="+", default=[64], help="sides to reduce to")
    parser.add_argument("--count", type=int, default=8, help="images")
    parser.add_argument("--images", type=Path, help="folder for the first image's results")
    given = parser.parse_args(argv)
    if not (given.photos or given.run):
        parser.error("give --photos, --run or both")
    table: dict[str, list[str]] = {}
    head = []
    for name, cases, network, px in _columns(given):
        head.append(name)
        scores, shown = compare(cases, network, px, full=network is not _ideal)
        for way, (decibels, structure) in scores.items():
            table.setdefault(way, []).append(f"{decibels:.1f}, {structure:.3f}")
        if given.images:
            strip = image_io.make_grid([shown[:6], [*shown[6:], cases[0][1]]])
            image_io.save(given.images / f"{name.replace(' ', '_')}.png", strip)
    print(f"| way | {' | '.join(head)} |\n|{'---|' * (len(head) + 1)}")
    for way, cells in table.items():
        print(f"| {way} | {' | '.join(cells)} |")
    return 0


if __name__ == "__main__":
    cli.run(main, sys.argv[1:])
