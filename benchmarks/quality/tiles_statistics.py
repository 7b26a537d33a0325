"""Tiles of a large image by the statistics of the whole, of each place, and of each tile.

    python -m benchmarks.quality.tiles_statistics runs/maps xy --side 3 --tile_px 256

Large images are mosaics of `side` x `side` test images of the run, so that brightness and texture
differ from place to place. Figures, as means over `--images` mosaics:

- crop: PSNR in dB of the result against what the network makes of crops of the training's size,
  each seen alone as in training, over the middle half of each crop.
- seams: the step from one pixel row or column to the next at the borders of tiles, less the step
  8 px beside them, of 255; 0 shows no seam.
- contrast: deviation within windows of the crop's size, over that of the crops' translations; 1 is
  as in training.
- color SWD: sliced Wasserstein distance, with color, of windows to those of real images (x 1000).
- seconds per megapixel, on one thread.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np

from cyclegan_tf.devices.startup import suppress_startup_logs

with suppress_startup_logs():
    import tensorflow as tf

    from cyclegan_tf.assembly.training_data import open_source
    from cyclegan_tf.data.sources import ImageList
    from cyclegan_tf.evaluate.scores import color_distance
    from cyclegan_tf.images import io as image_io
    from cyclegan_tf.images.grid import make_grid
    from cyclegan_tf.images.strips import WholeImage
    from cyclegan_tf.metrics.image_quality import psnr
    from cyclegan_tf.networks.builders import size_divisor_of
    from cyclegan_tf.runs.generators import load_generator
    from cyclegan_tf.runs.run_directory import RunDirectory
    from cyclegan_tf.translate.tiling.local import LocalTranslator
    from cyclegan_tf.translate.tiling.tiled import TiledTranslator
    from cyclegan_tf.translate.tiling.tiles import TileReader, Tiling, blended_rows
    from cyclegan_tf.translate.translator import MIN_SIZE_PX, Translator

WAYS = ("whole", "local", "each tile's own")
FIGURES = {"crop": "dB", "seams": "of 255", "contrast": "", "color SWD": "", "seconds": "per MP"}
_CROPS = 60

Way = Callable[[np.ndarray], np.ndarray]


def mosaics(images: ImageList, side: int, count: int) -> Iterator[np.ndarray]:
    """Mosaics of `side` x `side` images each, cut to their smallest size; each image once."""
    every = [images.read(index) for index in range(len(images))]
    height, width = (min(image.shape[axis] for image in every) // 8 * 8 for axis in (0, 1))
    cut = [image[:height, :width] for image in every]
    for first in range(0, min(count * side**2, len(cut) - side**2 + 1), side**2):
        rows = [cut[first + row * side : first + (row + 1) * side] for row in range(side)]
        yield np.concatenate([np.concatenate(row, axis=1) for row in rows])


def ways(network: tf.keras.Model, tile_px: int, overlap_px: int, crop_px: int) -> dict[str, Way]:
    """The ways to translate a large image in tiles, by name."""
    divisor = size_divisor_of(network)
    whole = TiledTranslator(network, divisor, tile_px, overlap_px)
    local = LocalTranslator(network, divisor, tile_px, overlap_px, crop_px)

    def by(tiler: TiledTranslator | LocalTranslator) -> Way:
        def run(image: np.ndarray) -> np.ndarray:
            with tempfile.TemporaryDirectory() as folder:
                return np.concatenate(list(tiler.rows(WholeImage(image), Path(folder))))

        return run

    def own(image: np.ndarray) -> np.ndarray:
        tiling = Tiling.of(
            image.shape[0], image.shape[1], tile_px, overlap_px, divisor, MIN_SIZE_PX
        )
        read = TileReader(WholeImage(image), tiling)

        def tile(place: object) -> np.ndarray:
            signed = image_io.to_signed(tf.constant(read(place)))[tf.newaxis]  # type: ignore[arg-type]
            return network(signed, training=False)[0].numpy()

        return np.concatenate([image_io.from_signed(rows) for rows in blended_rows(tiling, tile)])

    return dict(zip(WAYS, (by(whole), by(local), own), strict=True))


def corners(shape: Sequence[int], px: int, count: int = _CROPS) -> list[tuple[int, int]]:
    """Top left corners of crops, drawn anew for each size."""
    rng = np.random.default_rng(0)
    return [(int(rng.integers(shape[0] - px + 1)), int(rng.integers(shape[1] - px + 1)))
            for _ in range(count)]  # fmt: skip


def windows(image: np.ndarray, px: int) -> list[np.ndarray]:
    """The image's crops, float32 in [-1, 1]."""
    signed = image_io.to_signed(image)
    return [signed[y : y + px, x : x + px] for y, x in corners(image.shape, px)]


def seams(result: np.ndarray, tiling: Tiling) -> float:
    """The step at the borders of tiles less that beside them, of 255."""
    found = []
    for axis, along in enumerate((tiling.rows, tiling.columns)):
        steps = np.abs(np.diff(result.astype(np.float64), axis=axis)).mean(axis=(1 - axis, 2))
        ends = [
            start + core.stop - along.before_px - 1
            for start, core in zip(along.starts, along.cores, strict=True)
        ][:-1]
        found += [steps[end] - (steps[end - 8] + steps[end + 8]) / 2 for end in ends]
    return float(np.mean(found))


def figures(
    way: Way, images: Sequence[np.ndarray], crops: Way, real: list[np.ndarray], shape: tuple
) -> tuple[list[float], np.ndarray]:
    """The figures of a way, in the order of `FIGURES`, and its first result."""
    tile_px, overlap_px, divisor, px = shape
    found, results = [], []
    for image in images:
        start = time.perf_counter()
        result = way(image)
        seconds = (time.perf_counter() - start) / (image.shape[0] * image.shape[1] / 1e6)
        alone = [image_io.to_signed(crops(image[y : y + px, x : x + px]))
                 for y, x in corners(image.shape, px)]  # fmt: skip
        mine = windows(result, px)
        middle = slice(px // 4, px - px // 4)
        errors = [psnr(a[middle, middle], b[middle, middle])
                  for a, b in zip(mine, alone, strict=True)]  # fmt: skip
        tiling = Tiling.of(
            image.shape[0], image.shape[1], tile_px, overlap_px, divisor, MIN_SIZE_PX
        )
        deviation, wanted = (np.mean([part.std() for part in some]) for some in (mine, alone))
        distance = color_distance(real, mine)
        found.append([float(np.mean(errors)), seams(result, tiling), float(deviation / wanted),
                      float(distance or np.nan), seconds])  # fmt: skip
        results.append(result)
    return np.mean(found, axis=0).tolist(), results[0]


def main(argv: Sequence[str] | None = None) -> int:
    """Print a table; write a sheet of the first mosaic where `--sheet` names one."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("run", type=Path)
    parser.add_argument("direction", choices=("xy", "yx"))
    parser.add_argument("--side", type=int, default=3, help="Of a mosaic, in test images.")
    parser.add_argument("--images", type=int, default=2, help="Mosaics at most.")
    parser.add_argument("--tile_px", type=int, default=256)
    parser.add_argument("--overlap_px", type=int, default=64)
    parser.add_argument("--sheet", type=Path, help="An image of the input and all ways.")
    given = parser.parse_args(argv)
    experiment = RunDirectory(given.run).experiment()
    source = open_source(experiment)
    px = experiment.data.crop_size_px
    tests = {"x": source.test_x, "y": source.test_y}
    network, _ = load_generator(given.run, given.direction, "float32")
    images = list(mosaics(tests[given.direction[0]], given.side, given.images))
    real = [part for image in mosaics(tests[given.direction[1]], given.side, given.images)
            for part in windows(image, px)]  # fmt: skip
    crops = Translator(network, size_divisor_of(network))
    shape = given.tile_px, given.overlap_px, size_divisor_of(network), px
    print(f"| way | {' | '.join(f'{name} {unit}'.strip() for name, unit in FIGURES.items())} |")
    print(f"|---|{'---|' * len(FIGURES)}")
    shown = [images[0]]
    for name, way in ways(network, given.tile_px, given.overlap_px, px).items():
        numbers, result = figures(way, images, crops, real, shape)
        shown.append(result)
        print(f"| {name} | {' | '.join(f'{number:.2f}' for number in numbers)} |", flush=True)
    if given.sheet:
        image_io.save(given.sheet, make_grid([shown]))
    return 0


if __name__ == "__main__":
    tf.config.threading.set_intra_op_parallelism_threads(1)
    tf.config.threading.set_inter_op_parallelism_threads(1)
    sys.exit(main())
