"""Whether the distances of packages' networks order known changes of real images rightly.

The real images of one domain are halved. Against the first half stand the second as it is, the
second blurred, tinted and noisy in three strengths each, the other domain, and the first half
itself under a little tint and a little noise (copies). More of a change must be farther, anything
farther than the second half as it is, and tinted copies must be found.

    python -m benchmarks.quality.feature_sanity demo data/facades data/maps --count 100
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image, ImageFilter

from cyclegan_tf import cli
from cyclegan_tf.assembly.training_data import build_transform, open_source
from cyclegan_tf.config.experiment import Data, Experiment
from cyclegan_tf.devices.startup import suppress_startup_logs

with suppress_startup_logs():
    from cyclegan_tf.evaluate.features import Extractor, scores_of
    from cyclegan_tf.evaluate.offline import LITE0, Distance, open_offline
    from cyclegan_tf.evaluate.split import read_at, spread
    from cyclegan_tf.images.io import from_signed, to_signed
    from cyclegan_tf.metrics.neighbors import nearest

Images = list[np.ndarray]
Change = Callable[[np.ndarray, np.random.Generator], np.ndarray]
SAME, OTHER = "as they are", "other domain"
COPIES, NOISY_COPIES = "copies, tint 0.1", "copies, noise 0.05"
STRENGTHS = {"blur": (1.0, 2.0, 4.0), "tint": (0.1, 0.2, 0.4), "noise": (0.1, 0.2, 0.4)}
_LPIPS_PAIRS = 20
_COPY_TINT, _COPY_NOISE = 0.1, 0.05


@dataclass(frozen=True)
class Row:
    """What one changed set scores against the first half.

    Attributes:
      kid: KID-Lite0, x 1000.
      interval: of it.
      fd: FD-Lite0.
      near: distance to the nearest image of the first half, over that of the second half.
      lpips: distance to the unchanged image; of other sets to an image drawn at random.

    Example:
      >>> Row(12.0, (10.0, 14.0), 3.0, 1.2, 0.4).kid
      12.0
    """

    kid: float
    interval: tuple[float, float]
    fd: float
    near: float
    lpips: float


def blurred(image: np.ndarray, radius: float) -> np.ndarray:
    """Gaussian blur of float32 (H, W, C) in [-1, 1], `radius` px."""
    pixels = Image.fromarray(from_signed(image))
    return to_signed(np.asarray(pixels.filter(ImageFilter.GaussianBlur(radius))))


def tinted(image: np.ndarray, strength: float) -> np.ndarray:
    """More red and less blue, clipped to [-1, 1]."""
    shift = np.array([strength, 0, -strength], np.float32)
    return np.clip(image + shift, -1, 1)


def noisy(image: np.ndarray, deviation: float, rng: np.random.Generator) -> np.ndarray:
    """Normal noise on every value, clipped to [-1, 1]."""
    noise = rng.normal(0, deviation, image.shape).astype(np.float32)
    return np.clip(image + noise, -1, 1)


def changed_sets(halves: tuple[Images, Images], other: Images, seed: int = 0) -> dict[str, Images]:
    """All sets to compare with the first half, by name."""
    first, second = halves
    rng = np.random.default_rng(seed)
    sets = {SAME: second}
    for strength in STRENGTHS["blur"]:
        sets[f"blur {strength:g} px"] = [blurred(image, strength) for image in second]
    for strength in STRENGTHS["tint"]:
        sets[f"tint {strength:g}"] = [tinted(image, strength) for image in second]
    for strength in STRENGTHS["noise"]:
        sets[f"noise {strength:g}"] = [noisy(image, strength, rng) for image in second]
    sets[OTHER] = other
    sets[COPIES] = [tinted(image, _COPY_TINT) for image in first]
    sets[NOISY_COPIES] = [noisy(image, _COPY_NOISE, rng) for image in first]
    return sets


def compare(
    halves: tuple[Images, Images], other: Images, extractor: Extractor, distance: Distance
) -> dict[str, Row]:
    """Score every set of `changed_sets`.

    Args:
      halves: real images of one domain, float32 (H, W, 3) in [-1, 1], of one size.
      other: as many of the other domain.
      extractor: of Lite0's features.
      distance: of the VGG16.
    """
    first, second = halves
    known = extractor.features(first)
    usual = float(np.median(nearest(extractor.features(second), known)[0]))
    rows = {}
    for name, images in changed_sets(halves, other).items():
        features = extractor.features(images)
        found = scores_of(known, features, {}, LITE0)
        partners = {SAME: second[::-1], COPIES: first, NOISY_COPIES: first}.get(name, second)
        pairs = list(zip(images, partners, strict=False))[:_LPIPS_PAIRS]
        rows[name] = Row(
            float(found.scores[LITE0.kernel] or 0),
            found.intervals[LITE0.kernel],
            float(found.scores[LITE0.frechet] or 0),
            float(np.median(nearest(features, known)[0])) / usual,
            float(np.mean(distance(pairs))),
        )
    return rows


def disorder(rows: dict[str, Row]) -> list[str]:
    """Say what is not as it must be; nothing where all is."""
    found = []
    for score in ("kid", "fd"):
        least = getattr(rows[SAME], score)
        for kind in STRENGTHS:
            values = [
                least, *(getattr(row, score) for name, row in rows.items() if name.startswith(kind))
            ]  # fmt: skip
            if values != sorted(values):
                found.append(f"{score}: {kind} is not in order: {values}")
        if getattr(rows[OTHER], score) <= least:
            found.append(f"{score}: the other domain is no farther than the second half")
    for kind in STRENGTHS:
        values = [row.lpips for name, row in rows.items() if name.startswith(kind)]
        if values != sorted(values):
            found.append(f"lpips: {kind} is not in order: {values}")
    if rows[COPIES].near >= rows[SAME].near / 2:
        found.append("near: copies are not found")
    return found


def read(source: str, domain: str, count: int, size: int) -> tuple[tuple[Images, Images], Images]:
    """Halves of the training images of one domain, "x" or "y", and as many of the other.

    Raises:
      UserError: there are none, or they cannot be read.
    """
    data = Data(source=source, load_size_px=size, crop_size_px=size)
    experiment = Experiment(data=data)
    opened, transform = open_source(experiment), build_transform(experiment)
    lists = (opened.train_x, opened.train_y)
    images, rest = lists if domain == "x" else lists[::-1]
    chosen = spread(len(images), 2 * count)
    halves = [read_at(images, transform, chosen[start::2]) for start in (0, 1)]
    others = spread(len(rest), len(halves[1]))
    return (halves[0], halves[1]), read_at(rest, transform, others)


def table(name: str, rows: dict[str, Row]) -> str:
    """Format as Markdown."""
    lines = [
        f"| {name} | KID-Lite0 (95 %) | FD-Lite0 | nearest | LPIPS-VGG-HED |",
        "|---|---|---|---|---|",
    ]
    for label, row in rows.items():
        low, high = row.interval
        lines.append(
            f"| {label} | {row.kid:.1f} ({low:.1f} to {high:.1f}) | {row.fd:.1f} | {row.near:.2f} "
            f"| {row.lpips:.2f} |"
        )
    return "\n".join(lines)


def main(argv: Sequence[str]) -> int:
    """Print one table per source; return 1 where something is out of order."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("sources", nargs="+", help='folders with trainA and trainB, or "demo"')
    parser.add_argument("--domain", choices=("x", "y"), default="y", help="whose images change")
    parser.add_argument("--count", type=int, default=100, help="images in each half, at most")
    parser.add_argument("--size", type=int, default=128, help="px")
    arguments = parser.parse_args(argv)
    offline = open_offline("all", "all")
    assert offline.extractor is not None
    assert offline.distance is not None
    wrong = 0
    for source in arguments.sources:
        halves, other = read(source, arguments.domain, arguments.count, arguments.size)
        rows = compare(halves, other, offline.extractor, offline.distance)
        title = f"{Path(source).name} {arguments.domain.upper()}, {len(halves[1])} images"
        print(table(title, rows), flush=True)
        for text in disorder(rows):
            wrong += 1
            print(f"out of order: {text}", flush=True)
        print(flush=True)
    return 1 if wrong else 0


if __name__ == "__main__":
    cli.run(main)
