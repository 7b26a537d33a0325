"""Images in tiles: how far each way is from the whole image, and what an image larger than memory
takes.

    python benchmarks/tiles.py quality [--run RUN] [--image IMAGE] [--size 1024] [--tile 256]
    [--overlap 64] python benchmarks/tiles.py memory [--run RUN] [--width 12000] [--height 9000]
    [--tile 512] [--filters 8 --blocks 2]

`quality` translates one image whole and in several ways in tiles. PSNR is against the whole image's
translation.
The step is the difference in brightness that is seen across a tile's border: the error (tiles minus
whole), averaged over `STEP_PX` pixels to each side of the border and `STEP_PX` along it, on one
side minus the other; its mean magnitude over all borders, in levels of 255, beside the same in the
middle of tiles, where no border is. `memory` makes a TIFF by strips and runs the real command on it
in a process of its own; its peak is the kernel's (ru_maxrss). Without a run a random network is
taken, its kernels made larger so that it is far from linear.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path

import cyclegan_tf.cli  # noqa: F401  sets TensorFlow's environment, so it comes first
from cyclegan_tf.networks.builders import size_divisor_of
from cyclegan_tf.runs import generators

# isort: split
import keras
import machine
import numpy as np
import tensorflow as tf

from cyclegan_tf.images import io as image_io
from cyclegan_tf.images.strips import WholeImage, save_rows
from cyclegan_tf.metrics.image_quality import psnr
from cyclegan_tf.networks.builders import build_generator
from cyclegan_tf.networks.shared_normalization import set_rate, with_shared_normalization
from cyclegan_tf.translate.tiled import TiledTranslator
from cyclegan_tf.translate.tiles import Place, TileReader, Tiling, blended_rows
from cyclegan_tf.translate.translator import Translator

STEP_PX = 16
# A small copy of an image of 12,000 x 9,000 that itself fits in memory is about this much smaller.
REDUCTION = 8
LARGER = 4


def synthetic(top: int, bottom: int, height: int, width: int) -> np.ndarray:
    """Rows of an image whose brightness and texture change from corner to corner: uint8 (bottom -
    top, width, 3)."""
    y, x = np.arange(top, bottom)[:, None] / height, np.arange(width)[None] / width
    waves = np.sin(40 * np.pi * x * y) * np.cos(25 * np.pi * (x - y))
    grain = np.random.default_rng(top).uniform(-1, 1, (bottom - top, width))
    planes = [x + 0 * y, y + 0 * x, 1 - 0.5 * (x + y)]
    values = np.stack([0.7 * plane + 0.15 * waves + 0.15 * x * grain for plane in planes], -1)
    return np.rint(255 * np.clip(0.1 + values, 0, 1)).astype(np.uint8)


def random_network(filters: int, blocks: int, policy: str) -> keras.Model:
    """A generator of the paper's kind that nobody has trained."""
    network = build_generator(
        "resnet_9blocks", filters=filters, blocks=blocks, seed=1, dtype_policy=policy
    )
    for variable in network.trainable_variables:
        if "kernel" in variable.path:
            variable.assign(LARGER * variable)
    return network


def ways(
    network: keras.Model, size_divisor_px: int, tile_px: int, overlap_px: int
) -> dict[str, Callable]:
    """Name -> a function from an image, uint8 (H, W, C), to its translation."""

    def exact(image: np.ndarray) -> np.ndarray:
        tiled = TiledTranslator(network, size_divisor_px, tile_px, overlap_px)
        with tempfile.TemporaryDirectory() as folder:
            return np.concatenate(list(tiled.rows(WholeImage(image), Path(folder))))

    def of_small_copy(image: np.ndarray) -> np.ndarray:
        side = REDUCTION * size_divisor_px
        height, width = (length // side * side for length in image.shape[:2])
        parts = image[:height, :width].reshape(
            height // REDUCTION, REDUCTION, width // REDUCTION, REDUCTION, -1
        )
        small = np.rint(parts.mean(axis=(1, 3))).astype(image.dtype)
        return _with_one_network(network, size_divisor_px, image, tile_px, overlap_px, small)

    def of_each_tile(image: np.ndarray, overlap_px: int = overlap_px) -> np.ndarray:
        return _with_one_network(network, size_divisor_px, image, tile_px, overlap_px, None)

    return {
        "the whole image's statistics, layer by layer": exact,
        f"statistics of a copy {REDUCTION} times smaller": of_small_copy,
        "each tile's own statistics, blended": of_each_tile,
        "each tile's own statistics, cut (plain tiling)": lambda image: of_each_tile(image, 0),
    }


def _with_one_network(
    network: keras.Model,
    size_divisor_px: int,
    image: np.ndarray,
    tile_px: int,
    overlap_px: int,
    small: np.ndarray | None,
) -> np.ndarray:
    """Tiles by the statistics of a small image, or each by its own."""
    shared = with_shared_normalization(network)
    if small is not None:
        shared(_signed(small))
        set_rate(shared, 0)
    run = tf.function(lambda tile: shared(tile), autograph=False)
    tiling = Tiling.of(*image.shape[:2], tile_px, overlap_px, size_divisor_px)
    read = TileReader(WholeImage(image), tiling)

    def tile(place: Place) -> np.ndarray:
        return run(_signed(read(place)))[0].numpy()

    return image_io.from_signed(np.concatenate(list(blended_rows(tiling, tile))))


def _signed(image: np.ndarray) -> tf.Tensor:
    return image_io.to_signed(tf.constant(image))[tf.newaxis]


def borders(tiling: Tiling) -> tuple[list[int], list[int]]:
    """Rows and columns of the image where the middle of an overlap lies."""

    def of(axis) -> list[int]:
        middles = [(a + axis.tile_px + b) // 2 for a, b in pairwise(axis.starts)]
        return [middle - axis.before_px for middle in middles]

    return of(tiling.rows), of(tiling.columns)


def step(error: np.ndarray, rows: list[int], columns: list[int]) -> float:
    """How much brighter one side of a border is than the other, on average over borders and along
    them.

    Args:
      error: float (H, W), of the brightness.
      rows: first row after each border that runs across.
      columns: first column after each border that runs down.
    """
    found = []
    for places, values in ((rows, error), (columns, error.T)):
        for place in places:
            if STEP_PX <= place <= len(values) - STEP_PX:
                sides = (values[place - STEP_PX : place], values[place : place + STEP_PX])
                before, after = (side.mean(axis=0) for side in sides)
                length = len(before) // STEP_PX * STEP_PX
                found.append(
                    np.abs((after - before)[:length].reshape(-1, STEP_PX).mean(axis=1)).mean()
                )
    return float(np.mean(found)) if found else 0.0


def middles_between(places: list[int]) -> list[int]:
    """Halfway between neighboring borders, where no border is."""
    return [(a + b) // 2 for a, b in pairwise(places)]


def quality(
    network: keras.Model, size_divisor_px: int, image: np.ndarray, tile_px: int, overlap_px: int
) -> list[dict]:
    """One row for each way, with its distance from the whole image's translation."""
    start = time.perf_counter()
    whole = Translator(network, size_divisor_px)(image)
    rows = [{"way": "the whole image at once", "seconds": time.perf_counter() - start}]
    for name, way in ways(network, size_divisor_px, tile_px, overlap_px).items():
        start = time.perf_counter()
        found = way(image)
        seconds = time.perf_counter() - start
        error = (found.astype(np.float64) - whole).mean(axis=-1)
        cut = 0 if "cut" in name else overlap_px
        places = borders(Tiling.of(*image.shape[:2], tile_px, cut, size_divisor_px))
        rows.append(
            {
                "way": name,
                "psnr_db": psnr(found, whole, 255),
                "step": step(error, *places),
                "step_elsewhere": step(error, *(middles_between(some) for some in places)),
                "seconds": seconds,
            }
        )
    return rows


def table(rows: list[dict]) -> str:
    """Markdown."""
    lines = ["| way | PSNR dB | step at borders | elsewhere | seconds |", "|---|---|---|---|---|"]
    for row in rows:
        numbers = (
            f"{row[key]:.{digits}f}" if key in row else ""
            for key, digits in (("psnr_db", 1), ("step", 2), ("step_elsewhere", 2), ("seconds", 1))
        )
        lines.append(f"| {row['way']} | {' | '.join(numbers)} |")
    return "\n".join(lines)


def memory(run: Path, height: int, width: int, words: list[str], folder: Path) -> dict:
    """Runs the command on a made TIFF; returns its time, its peak memory in bytes and what it
    printed."""
    source, target = folder / "large.tif", folder / "large_out.tif"

    def rows() -> Iterator[np.ndarray]:
        for top in range(0, height, 256):
            yield synthetic(top, min(top + 256, height), height, width)

    save_rows(source, rows(), (height, width, 3), np.dtype(np.uint8))
    command = [
        sys.executable,
        "-m",
        "cyclegan_tf.translate",
        str(run),
        str(source),
        str(target),
        *words,
    ]
    ran = machine.run_measured(command)
    if ran.status:
        raise SystemExit(f"the command failed:\n{ran.printed}")
    info = image_io.probe(target)
    return {
        "image": f"{info.width} x {info.height}",
        "options": " ".join(words),
        "seconds": round(ran.seconds, 1),
        "peak_rss_bytes": ran.peak_bytes,
        "printed": ran.printed.strip().splitlines(),
    }


def build_parser() -> argparse.ArgumentParser:
    """The options."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("what", choices=["quality", "memory"])
    parser.add_argument(
        "--run", type=Path, help="a run directory or .keras file; default: a random network"
    )
    parser.add_argument("--direction", choices=["xy", "yx"], default="xy")
    parser.add_argument("--filters", type=int, default=64, help="of the random network")
    parser.add_argument("--blocks", type=int, default=9, help="of the random network")
    parser.add_argument(
        "--precision", choices=["float32", "mixed_bfloat16"], default="float32", help="likewise"
    )
    parser.add_argument("--image", type=Path, help="quality: default is a made one of --size")
    parser.add_argument("--size", type=int, default=1024)
    parser.add_argument("--width", type=int, default=12_000)
    parser.add_argument("--height", type=int, default=9_000)
    parser.add_argument(
        "--tile", type=int, help="default: 256 for quality, 512 for memory; memory: 0 for no tiles"
    )
    parser.add_argument("--overlap", type=int, default=64)
    parser.add_argument(
        "--folder", type=Path, help="memory: where the images go; default: a temporary folder"
    )
    return parser


def main(argv: list[str] | None = None) -> int:
    """Measures, and prints a table or JSON."""
    options = build_parser().parse_args(argv)
    tile_px = (
        options.tile if options.tile is not None else {"quality": 256, "memory": 512}[options.what]
    )
    with tempfile.TemporaryDirectory() as scratch:
        run = options.run or Path(scratch) / "random.keras"
        if options.run is None:
            random_network(options.filters, options.blocks, options.precision).save(run)
        if options.what == "memory":
            words = [
                f"--direction={options.direction}",
                f"--tile={tile_px}",
                f"--overlap={options.overlap}",
            ]
            folder = options.folder or Path(scratch)
            found = memory(run, options.height, options.width, [*words, "--overwrite"], folder)
            print(json.dumps({**found, "machine": machine.describe()}, indent=1))
            return 0
        network, _ = generators.load_generator(run, options.direction)
        size = options.size
        image = (
            synthetic(0, size, size, size)
            if options.image is None
            else image_io.read(options.image)
        )
        rows = quality(network, size_divisor_of(network), image, tile_px, options.overlap)
        described = "x".join(str(side) for side in image.shape[1::-1])
        print(
            f"{options.run or 'random network'}, image {described}, tile {tile_px}, overlap "
            f"{options.overlap}"
        )
        print(table(rows))
    return 0


if __name__ == "__main__":
    sys.exit(main())
