"""Ways to bring a translation back to the image's size, on translations learned from a set.

Trains one network for each scale, then brings translations of the test images back in every way of
`detail`. One command for a set:

    python -m benchmarks.quality.detail_trained data/apple2orange runs/apples --minutes 3
    python -m benchmarks.quality.detail_trained data/facades runs/facades --minutes 3

The set is a folder of trainA, trainB, testA, testB. Test images are cut to the middle square of
a whole multiple of the scale, at most `--side` px; smaller ones are left out. Figures, as means
over images:

- kept: PSNR in dB of the result, reduced to the scale again, against what the network made there.
  High where the translation is still there.
- detail: 2 cov(a, b) / (var a + var b) of the luminance that result (a) and input (b) have beyond
  their own reductions, over all pixels. It is SSIM's product of contrast and structure (Wang et al.
  2004), for one window. 1 where the input's detail is back, 0 where none is, -1 in the negative.
- PSNR, SSIM against the partner: only where testA and testB hold pairs of one name.
- PSNR, SSIM of a network that would know the truth: what the network of the largest scale made of
  the reduced image is the truth; image and truth are reduced by the factor, brought back, and
  compared (Wald et al. 1997, "Fusion of satellite images of different spatial resolutions").

`full` is the network on every pixel. "The input" says what a result scores that is not translated.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from benchmarks.quality.color_change import read
from benchmarks.quality.detail import Network, at_scale, brought_back, results, trained
from cyclegan_tf import cli
from cyclegan_tf.devices.startup import suppress_startup_logs

with suppress_startup_logs():
    import tensorflow as tf

    from cyclegan_tf.images import detail
    from cyclegan_tf.images import io as image_io
    from cyclegan_tf.images.grid import make_grid
    from cyclegan_tf.metrics.image_quality import luminance, psnr, ssim

    tf.constant(0)  # devices tell of themselves at their first use

Scores = dict[str, dict[str, tuple[float, ...]]]
"""Figure -> way -> its numbers."""

SHOWN = ("the input", "enlarged", "Laplacian", "guided filter", "gains (taken)", "full")
"""Ways on a sheet, from left to right."""


def kept(result: np.ndarray, translated: np.ndarray) -> float:
    """PSNR in dB of a result, reduced to the translation's size, against the translation.

    Args:
      result: uint8 (H, W, C).
      translated: float32 (h, w, C) in [-1, 1].
    """
    again = detail.reduce(tf.constant(result)[tf.newaxis], *translated.shape[:2])
    return psnr(again[0].numpy(), translated)


def detail_back(result: np.ndarray, image: np.ndarray, px: int) -> float:
    """How much of an image's detail a result shows: 1 all, 0 none, -1 in the negative.

    Args:
      result: uint8 (H, W, C).
      image: uint8 (H, W, C).
      px: side of the reduction; detail is what it loses.

    Returns:
      nan where neither has any.
    """
    a, b = (_beyond(each, px) for each in (result, image))
    a, b = a - a.mean(), b - b.mean()
    total = np.mean(a * a) + np.mean(b * b)
    return float(2 * np.mean(a * b) / total) if total else float("nan")


def _beyond(image: np.ndarray, px: int) -> np.ndarray:
    """Luminance that an image has and its reduction to squares of `px`, enlarged again, lacks."""
    values = tf.constant(luminance(image_io.to_signed(image))[np.newaxis, ..., np.newaxis])
    reduced = tf.image.resize(values, (px, px), "bicubic", antialias=True)
    again = tf.image.resize(reduced, image.shape[:2], "bicubic", antialias=True)
    return values.numpy()[0, ..., 0] - again.numpy()[0, ..., 0]


def train(data: Path, run: Path, px: int, minutes: float) -> None:
    """Train at a scale with our own command, without random crops; a finished run stays."""
    if (run / "generator_yx.keras").is_file():
        return
    sizes = {"data.load_size_px": px, "data.crop_size_px": px}
    networks = {
        "generator.architecture": "resnet_6blocks",
        "generator.filters": 16,
        "discriminator.filters": 32,
        "discriminator.n_layers": 3 if px >= 128 else 2,
    }
    options = {
        "config": "modern",
        "data.source": data,
        "run_dir": run,
        "training.max_minutes": minutes,
        **sizes,
        **networks,
    }
    words = [word for name, value in options.items() for word in (f"--{name}", str(value))]
    subprocess.run([sys.executable, "-m", "cyclegan_tf.train", *words], check=True)


def squares(folder: Path, px: int, side: int, count: int) -> dict[str, np.ndarray]:
    """Stem -> middle square of each image: uint8, its side a multiple of `px`, at most `side`."""
    found: dict[str, np.ndarray] = {}
    length = side // px * px
    for path in image_io.find_images(folder):
        image = read(path, None)
        top, left = (image.shape[0] - length) // 2, (image.shape[1] - length) // 2
        if min(top, left) >= 0 and len(found) < count:
            found[path.stem] = image[top : top + length, left : left + length]
    return found


def measure(
    images: dict[str, np.ndarray], partners: dict[str, np.ndarray], network: Network, px: int
) -> Scores:
    """The figures that a network gives at its scale, means over images.

    Args:
      images: by stem, uint8 (H, W, 3).
      partners: their truths by stem; without one for each the figures against them are left out.
      network: uint8 (h, w, 3) -> float32 of the same size.
      px: side that the network sees.
    """
    found: dict[str, dict[str, list]] = {}
    for stem, image in images.items():
        translated = at_scale(image, network, px)[1][0].numpy()
        for way, result in results(image, network, px, full=True):
            numbers = kept(result, translated), detail_back(result, image, px)
            found.setdefault("kept, detail", {}).setdefault(way, []).append(numbers)
            if images.keys() <= partners.keys():
                numbers = psnr(result, partners[stem], 255), ssim(result, partners[stem], 255)
                found.setdefault("PSNR, SSIM, partner", {}).setdefault(way, []).append(numbers)
    return _means(found)


def measure_reduced(
    images: dict[str, np.ndarray], network: Network, px: int, factor: int
) -> Scores:
    """PSNR and SSIM against what the network made at its scale, brought back from a reduction.

    Args:
      images: by stem, uint8 (H, W, 3).
      network: uint8 (h, w, 3) -> float32 of the same size.
      px: side that the network sees, cut to a multiple of the factor.
      factor: of the reduction.
    """
    found: dict[str, list] = {}
    small = px // factor
    cut = slice(0, small * factor)
    for image in images.values():
        reduced, translated = (each[:, cut, cut] for each in at_scale(image, network, px))
        truth, seen = image_io.from_signed(translated)[0], image_io.from_signed(reduced)[0]
        lower = detail.reduce(tf.constant(seen)[tf.newaxis], small, small)
        ways = brought_back(seen, lower, detail.reduce(translated, small, small))
        for way, result in [("the input", seen), *ways]:
            found.setdefault(way, []).append((psnr(result, truth, 255), ssim(result, truth, 255)))
    return _means({"PSNR, SSIM, known truth": found})


def _means(found: dict[str, dict[str, list]]) -> Scores:
    return {
        figure: {way: tuple(np.mean(numbers, 0)) for way, numbers in ways.items()}
        for figure, ways in found.items()
    }


def sheet(
    images: dict[str, np.ndarray], partners: dict[str, np.ndarray], network: Network, px: int
) -> np.ndarray:
    """A row for each image: the ways of `SHOWN`, and the partner."""
    rows = []
    for stem, image in images.items():
        found = dict(results(image, network, px, full=True))
        partner = [partners[stem]] if stem in partners else []
        rows.append([*(found[way] for way in SHOWN), *partner])
    return make_grid(rows, column_titles=[*SHOWN, "partner"][: max(map(len, rows))])


def rows_of(given: argparse.Namespace) -> Iterator[tuple[str, Scores]]:
    """What is measured, in the table's order: a name and its figures."""
    for direction, source, target in (("xy", "testA", "testB"), ("yx", "testB", "testA")):
        largest = trained(given.out / f"px{max(given.px)}", direction)
        for px in given.px:
            network = trained(given.out / f"px{px}", direction)
            images = squares(given.data / source, px, given.side, given.count)
            partners = squares(given.data / target, px, given.side, 10**6)
            factor = given.side // px
            name = f"{direction} {factor}x, {len(images)} images"
            at_largest = measure_reduced(images, largest, max(given.px), factor)
            yield name, measure(images, partners, network, px) | at_largest
            if given.images:
                first = dict(list(images.items())[:6])
                image_io.save(
                    given.images / f"{direction}_{factor}x.png",
                    sheet(first, partners, network, px),
                )


def main(argv: Sequence[str]) -> int:
    """Train what is not trained yet, and print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("data", type=Path, help="folder of trainA, trainB, testA, testB")
    parser.add_argument("out", type=Path, help="folder of the trainings, one for each scale")
    parser.add_argument("--px", type=int, nargs="+", default=[128, 64, 32, 20], help="the scales")
    parser.add_argument("--side", type=int, default=256, help="of the test images, in px")
    parser.add_argument("--minutes", type=float, default=3.0, help="of each training")
    parser.add_argument("--count", type=int, default=20, help="test images of each domain")
    parser.add_argument("--images", type=Path, help="folder for sheets of results")
    given = parser.parse_args(argv)
    for px in given.px:
        train(given.data, given.out / f"px{px}", px, given.minutes)
    head: list[str] = []
    for name, scores in rows_of(given):
        for figure, ways in scores.items():
            if not head:
                head = list(ways)
                print(f"| | figure | {' | '.join(head)} |\n|{'---|' * (len(head) + 2)}")
            cells = [_cell(ways[way]) if way in ways else "" for way in head]
            print(f"| {name} | {figure} | {' | '.join(cells)} |", flush=True)
    return 0


def _cell(numbers: tuple[float, ...]) -> str:
    decibels, structure = numbers
    return f"{decibels:.1f}, {structure:.3f}"


if __name__ == "__main__":
    cli.run(main, sys.argv[1:])
