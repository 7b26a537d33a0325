"""Draw the faults that docs/guides/when_it_looks_bad.md shows, on the demo's scenes.

    python -m benchmarks.quality.bad_looks docs/images/bad

Each file holds inputs, translations with one fault, and what was wanted. The faults are simulated,
so that each is seen alone: the grid by a transposed convolution whose kernel overlaps unevenly,
the others by what they do to an image that is right.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFilter

from cyclegan_tf.data import demo
from cyclegan_tf.images.grid import make_grid

SIZE_PX = 160
JPEG_QUALITY = 88
_SCENES = (0, 7, 19)
_TITLES = ("input", "what you see", "what you want")

Values = NDArray[np.float32]
"""(S, S, 3) from 0 to 255, not clipped."""


class Example(NamedTuple):
    """One test scene: what goes in, what should come out, where the animals are.

    Example:
      >>> example = Example(*demo.test_pair(0, 160))
    """

    x: np.ndarray
    y: np.ndarray
    animals: np.ndarray


def copy(example: Example) -> Values:
    """The input as it came."""
    return example.x.astype(np.float32)


def colors_only(example: Example) -> Values:
    """The wanted colors; the animals keep the input's coat, in the color of the wanted one."""
    light = _smooth(example.x, 0.5).mean(axis=-1, keepdims=True)
    coat = light - light[example.animals].mean() + example.y[example.animals].mean(axis=0)
    inside = _smooth(_three(_mask(example.animals)), 0.7) / 255
    return inside * coat + (1 - inside) * example.y


def negative(example: Example) -> Values:
    """Light for dark."""
    return 255 - example.y.astype(np.float32)


def washed_out(example: Example) -> Values:
    """Nearly gray, as in the first steps."""
    y = _smooth(example.y, 1.5)
    gray = y.mean(axis=-1, keepdims=True)
    return 0.3 * (0.4 * y + 0.6 * gray) + 0.7 * gray.mean()


def cast(example: Example) -> Values:
    """One tint over everything."""
    return example.y * np.array([1.1, 0.78, 1.2], np.float32)


def grid(example: Example) -> Values:
    """Transposed convolutions of stride 2 and kernel 3, twice: places get 1, 2 or 4 shares."""
    shares = np.ones((SIZE_PX // 4, SIZE_PX // 4), np.float32)
    for _ in range(2):
        height, width = shares.shape
        spread = np.zeros((2 * height + 1, 2 * width + 1), np.float32)
        for row, column in np.ndindex(3, 3):
            spread[row : row + 2 * height : 2, column : column + 2 * width : 2] += shares
        shares = spread[:-1, :-1] / 2.25  # their mean
    # a network learns most of the unevenness away
    return _smooth(example.y, 0.8) * (0.75 + 0.25 * shares[..., None])


def blurred(example: Example) -> Values:
    """Soft everywhere."""
    return _smooth(example.y, 3)


def halo(example: Example) -> Values:
    """A rim of light around the animals, and their thin parts gone."""
    body = _mask(example.animals, ImageFilter.MinFilter(9), ImageFilter.MaxFilter(9))
    background = _smooth(np.where(example.animals[..., None], _far(example), example.y), 3)
    thin = example.animals & (body < 0.5)
    shown = np.where(thin[..., None], 0.85 * background + 0.15 * example.y, example.y)
    rim = np.asarray(_smooth(_three(_mask(example.animals, ImageFilter.MaxFilter(7))), 2)) / 255
    rim = rim * ~example.animals[..., None]
    return shown + 0.75 * rim * (255 - shown)


def frame(example: Example) -> Values:
    """A frame that half of the real images had."""
    shown = example.y.astype(np.float32)
    edge = np.ones(shown.shape[:2], bool)
    edge[9:-9, 9:-9] = False
    shown[edge] = 245 + 5 * np.random.default_rng(0).standard_normal((edge.sum(), 1))
    return shown


def fringes(example: Example) -> Values:
    """Red and blue beside each other at edges."""
    y = example.y.astype(np.float32)
    return np.stack([np.roll(y[..., 0], -2, 1), y[..., 1], np.roll(y[..., 2], 2, 1)], axis=-1)


def seams(example: Example) -> Values:
    """Tiles, each with the brightness of its own statistics."""
    shown, half = example.y.astype(np.float32), SIZE_PX // 2
    for row, column, gain, shift in ((0, 1, 0.85, 25), (1, 0, 1.1, -22), (1, 1, 0.9, -14)):
        places = slice(row * half, (row + 1) * half), slice(column * half, (column + 1) * half)
        shown[places] = shown[places] * gain + shift
    return shown


def hairlines(example: Example) -> Values:
    """Stripes as wide as in training, on an animal that is many times as large."""
    rows = np.arange(SIZE_PX)[:, None, None]
    lines = (rows // 2 % 2) * example.animals[..., None]
    return colors_only(example) * (1 - 0.3 * lines)


FAULTS: Mapping[str, Callable[[Example], Values]] = {
    "copy": copy,
    "colors_only": colors_only,
    "negative": negative,
    "washed_out": washed_out,
    "cast": cast,
    "grid": grid,
    "blurred": blurred,
    "halo": halo,
    "frame": frame,
    "fringes": fringes,
    "seams": seams,
    "hairlines": hairlines,
}
"""Name of the file -> one fault of one image."""

_ZOOMED = ("grid", "fringes")  # seen in single pixels


def examples() -> list[Example]:
    """The scenes that are shown."""
    return [Example(*demo.test_pair(index, SIZE_PX)) for index in _SCENES]


def draw_all() -> dict[str, np.ndarray]:
    """Draw every file: name without suffix -> uint8 (H, W, 3)."""
    scenes = examples()
    drawn = {name: _single(name, scenes[0]) for name in FAULTS}
    return {**drawn, "collapse": _collapse(scenes), "flicker": _flicker(scenes[0])} | {
        "flat": _flat(),
        "dark": _dark(scenes[0]),
    }


def _single(name: str, example: Example) -> np.ndarray:
    cells = [example.x, _to_uint8(FAULTS[name](example)), example.y]
    if name in _ZOOMED:
        cells = [_zoomed(cell, example.animals) for cell in cells]
    return make_grid([cells], column_titles=_TITLES)


def _collapse(scenes: Sequence[Example]) -> np.ndarray:
    """Three inputs, and one output for all of them."""
    same = _to_uint8(_smooth(scenes[1].y, 1))
    return make_grid(
        [[scene.x for scene in scenes], [same] * 3, [scene.y for scene in scenes]],
        row_titles=("input", "you see", "you want"),
        cell_px=112,
    )


def _flicker(example: Example) -> np.ndarray:
    """Three frames of a video of one scene."""
    frames = [
        example.y * gain + np.array(shift, np.float32)
        for gain, shift in ((1, (0, 0, 0)), (0.8, (30, 20, -5)), (1.15, (-25, -5, 10)))
    ]
    titles = ("frame 1", "frame 2", "frame 3")
    return make_grid([[_to_uint8(values) for values in frames]], column_titles=titles)


def _flat() -> np.ndarray:
    """An image without detail, whose rounding errors become noise."""
    shape = (SIZE_PX, SIZE_PX, 3)
    flat = np.full(shape, (150, 160, 170), np.uint8)
    wanted = np.full(shape, (170, 150, 120), np.uint8)
    coarse = np.random.default_rng(0).uniform(0, 255, (SIZE_PX // 4, SIZE_PX // 4, 3))
    noise = _smooth(np.kron(coarse, np.ones((4, 4, 1))), 1)
    seen = _to_uint8(128 + 1.6 * (noise - 128))
    return make_grid([[flat, seen, wanted]], column_titles=_TITLES)


def _dark(example: Example) -> np.ndarray:
    """12 bits in 16: a sixteenth of the range."""
    gray = np.asarray(Image.fromarray(example.x).convert("L"), np.float32)
    cells = [_to_uint8(_three(values)) for values in (gray / 16, gray / 16 * 0.9, gray)]
    titles = ("12 bits in 16", "what you see", "stretched")
    return make_grid([cells], column_titles=titles)


def _smooth(values: np.ndarray, radius: float) -> Values:
    image = Image.fromarray(_to_uint8(values)).filter(ImageFilter.GaussianBlur(radius))
    return np.asarray(image, np.float32)


def _mask(animals: np.ndarray, *filters: ImageFilter.Filter) -> np.ndarray:
    """Where animals are, after filters: 0 or 1, (S, S)."""
    image = Image.fromarray(animals.astype(np.uint8) * 255)
    for one in filters:
        image = image.filter(one)
    return np.asarray(image) / 255


def _far(example: Example) -> Values:
    """The mean color of the meadow, where an animal is gone."""
    meadow = example.y[3 * SIZE_PX // 4 :][~example.animals[3 * SIZE_PX // 4 :]]
    return np.broadcast_to(meadow.mean(axis=0), example.y.shape).astype(np.float32)


def _three(plane: np.ndarray) -> Values:
    scale = 255 if plane.max() <= 1 else 1
    return np.repeat(plane[..., None].astype(np.float32) * scale, 3, axis=-1)


def _zoomed(image: np.ndarray, animals: np.ndarray, factor: int = 3) -> np.ndarray:
    """A part around the largest animal, each pixel as a square of pixels."""
    side = SIZE_PX // factor
    middle = np.argwhere(animals).mean(axis=0).astype(int)
    top, left = np.clip(middle - side // 2, 0, SIZE_PX - side)
    part = image[top : top + side, left : left + side]
    return part.repeat(factor, axis=0).repeat(factor, axis=1)


def _to_uint8(values: np.ndarray) -> NDArray[np.uint8]:
    return np.clip(np.rint(values), 0, 255).astype(np.uint8)


def main(argv: Sequence[str]) -> int:
    """Write the files."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=Path)
    folder = parser.parse_args(argv).folder
    folder.mkdir(parents=True, exist_ok=True)
    for name, image in draw_all().items():
        Image.fromarray(image).save(folder / f"{name}.jpg", quality=JPEG_QUALITY, optimize=True)
    print(f"{len(list(folder.iterdir()))} images in {folder}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
