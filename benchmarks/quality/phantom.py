"""12-bit phantoms of two domains with a known map: what a range of numbers is worth.

    python -m benchmarks.quality.phantom --out runs/phantom

X is CT-like: air, fat, soft tissue and bone as counts (Hounsfield units + 1024) of 12 bits in
16-bit TIFF. Y is MR-like: a rising curve of the counts, plus the counts' own fine structure,
amplified; so the right answer for each image of X is known. Training images of Y are of other
phantoms. Each way of --data.range_x and range_y is trained with each seed, one after the other and
with one thread; MAE of the translated test images is in the files' counts. What is finished is not
trained again.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from cyclegan_tf.images.pixel_values import as_dtype

SIDE_PX = 64
COUNTS = 4095
WAYS = {"full": "full", "auto": "auto", "given": f"[0, {COUNTS}]"}
_SPLITS = {"train": (120, 0, 10_000), "test": (24, 20_000, 20_000)}
_AIR, _FAT, _TISSUE, _BONE = -1000, -100, 45, 900


def phantom(seed: int) -> np.ndarray:
    """Draw a section in counts: a body with bone, fat, and organs of soft tissue.

    Args:
      seed: another gives another phantom.

    Returns:
      uint16 (64, 64), 0 to 4095.
    """
    rng = np.random.default_rng(seed)
    y, x = (np.mgrid[:SIDE_PX, :SIDE_PX] + 0.5) / SIDE_PX - 0.5
    angle = rng.uniform(0, np.pi)

    def inside(cx: float, cy: float, across: float, along: float) -> np.ndarray:
        u = (x - cx) * np.cos(angle) + (y - cy) * np.sin(angle)
        v = (y - cy) * np.cos(angle) - (x - cx) * np.sin(angle)
        distance = np.hypot(u / across, v / along)
        return np.clip((1 - distance) * across * SIDE_PX + 0.5, 0, 1)  # a soft edge, one pixel wide

    cx, cy = rng.uniform(-0.06, 0.06, 2)
    across, along = rng.uniform(0.33, 0.42), rng.uniform(0.36, 0.45)
    section = np.full_like(x, float(_AIR))
    for value, share in ((_FAT, 1.0), (_BONE, 0.9), (_TISSUE, 0.82)):
        part = inside(cx, cy, across * share, along * share)
        section += part * (value - section)
    for _ in range(rng.integers(4, 8)):
        left, top = rng.uniform(-0.22, 0.22, 2)
        part = inside(left + cx, top + cy, *rng.uniform(0.03, 0.11, 2))
        section += part * (rng.uniform(-60, 180) - section)
    return np.clip(np.rint(section + 1024 + rng.normal(0, 12, x.shape)), 0, COUNTS).astype(
        np.uint16
    )


def mapped(counts: np.ndarray) -> np.ndarray:
    """Give the MR-like counts of CT-like counts: what a perfect translation gives.

    Args:
      counts: uint16 (H, W).

    Returns:
      uint16 (H, W), 0 to 4095.
    """
    units = counts.astype(np.float64) - 1024
    curve = 3200 / (1 + np.exp(-(units - 40) / 70)) + 0.2 * np.maximum(units, 0)
    around = np.pad(units, 1, mode="edge")
    mean = (
        sum(
            around[down : down + units.shape[0], right : right + units.shape[1]]
            for down in range(3)
            for right in range(3)
        )
        / 9
    )
    return np.clip(np.rint(curve + 2 * (units - mean)), 0, COUNTS).astype(np.uint16)


def write_set(folder: Path) -> None:
    """Write trainA, trainB of other phantoms, and testA, testB of the same ones."""
    import tifffile

    for split, (count, *starts) in _SPLITS.items():
        for letter, start in zip("AB", starts, strict=True):
            (folder / f"{split}{letter}").mkdir(parents=True, exist_ok=True)
            for index in range(count):
                drawn = phantom(start + index)
                path = folder / f"{split}{letter}" / f"{index:03}.tif"
                tifffile.imwrite(path, drawn if letter == "A" else mapped(drawn))


def words(data: Path, run: Path, way: str, seed: int, steps: int) -> list[str]:
    """Give the training command's options."""
    return [
        *(f"--data.source={data}", f"--run_dir={run}", f"--training.seed={seed}"),
        *(f"--data.range_{domain}={WAYS[way]}" for domain in "xy"),
        *(f"--data.load_size_px={SIDE_PX}", f"--data.crop_size_px={SIDE_PX}"),
        *("--data.channels_x=1", "--data.channels_y=1"),
        *("--generator.filters=16", "--generator.blocks=3", "--discriminator.filters=16"),
        *(f"--training.max_steps={steps}", "--training.precision=float32", "--quiet"),
        *("--logging.score_every_epochs=0", f"--logging.sample_every_steps={steps}"),
    ]


def train(data: Path, run: Path, way: str, seed: int, steps: int) -> None:
    """Train one run in a process of its own, with one thread; a finished one is left alone."""
    if (run / "finished.json").is_file():
        return
    one_thread = {f"TF_NUM_{kind}OP_THREADS": "1" for kind in ("INTRA", "INTER")}
    command = [sys.executable, "-m", "cyclegan_tf.train", *words(data, run, way, seed, steps)]
    subprocess.run(command, check=True, env={**os.environ, **one_thread})


def pairs(data: Path) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Read the test images, uint16 (H, W) of X and what is right in Y."""
    import tifffile

    for path in sorted((data / "testA").iterdir()):
        yield tifffile.imread(path), tifffile.imread(data / "testB" / path.name)


def mean_error(run: Path, data: Path) -> float:
    """Measure the mean absolute error of a run's X to Y on the test images, in counts."""
    import cyclegan_tf

    model = cyclegan_tf.load(run, checkpoint="last")
    errors = [
        np.abs(as_dtype(model.translate(x, "xy"), np.uint16)[..., 0] - y.astype(float)).mean()
        for x, y in pairs(data)
    ]
    return float(np.mean(errors))


def without_training(data: Path) -> dict[str, float]:
    """Measure what needs no network: X as it is, and one number for all of Y."""
    found = list(pairs(data))
    right = np.stack([y for _, y in found]).astype(float)
    as_it_is = np.abs(np.stack([x for x, _ in found]) - right).mean()
    return {
        "X as it is": float(as_it_is),
        "the median of Y everywhere": float(np.abs(right - np.median(right)).mean()),
    }


def table(errors: dict[str, list[float]], others: dict[str, float]) -> str:
    """Lay out errors by way and seed, and those without a training."""
    seeds = max(len(found) for found in errors.values())
    head = ["range", *(f"seed {seed}" for seed in range(seeds)), "mean"]
    lines = [head, ["---"] * len(head)]
    for way, found in errors.items():
        lines.append([way, *(f"{one:.0f}" for one in found), f"{statistics.mean(found):.0f}"])
    for name, error in others.items():
        lines.append([name, *[""] * seeds, f"{error:.0f}"])
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def main() -> None:
    """Train what is missing, measure all, print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--steps", type=int, default=500)
    parser.add_argument("--seeds", type=int, default=3)
    arguments = parser.parse_args()
    data, errors = arguments.out / "images", dict[str, list[float]]()
    if not data.is_dir():
        write_set(data)
    for seed in range(arguments.seeds):
        for way in WAYS:
            run = arguments.out / f"{way}_{seed}"
            train(data, run, way, seed, arguments.steps)
            errors.setdefault(way, []).append(mean_error(run, data))
            print(f"{way} seed {seed}: {errors[way][-1]:.1f}", flush=True)
    print(table(errors, without_training(data)))


if __name__ == "__main__":
    main()
