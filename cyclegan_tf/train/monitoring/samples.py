"""Image grids that show what a training's networks do."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

from cyclegan_tf.images import grid
from cyclegan_tf.images import io as image_io
from cyclegan_tf.images.ranges import ValueRange

EARLY_STEPS = (20, 100)
"""Drawn in any case: on a CPU the first of the usual steps may be half an hour away."""


def is_due(step: int, every_steps: int) -> bool:
    """Whether grids are drawn after this step, from 1."""
    return step % every_steps == 0 or step in EARLY_STEPS


class SampleGrids:
    """Grids of fixed test images: x | G(x) | F(G(x)) | F(x), and the same from Y.

    Args:
      folder: where PNG files go.
      images: by domain, float32 (1, H, W, C) in [-1, 1] each.
      generators: by direction, "xy" and "yx".
      ranges: of gray domains that have one, by name: drawn below as bars from black to white.

    Attributes:
      translate: the generators as graphs, by direction, with the weights of the moment and nothing
        random.

    Example:
      >>> grids = SampleGrids(run.samples, {"x": test_x, "y": test_y}, {"xy": g, "yx": f})
      >>> grids.write(step=500)["xy"].shape
    """

    def __init__(
        self,
        folder: Path,
        images: Mapping[str, Sequence[tf.Tensor]],
        generators: Mapping[str, keras.Model],
        ranges: Mapping[str, ValueRange] | None = None,
    ) -> None:
        self._ranges = ranges or {}
        self._folder = folder
        self._images = images
        self.translate = {
            direction: tf.function(
                lambda batch, network=network: network(batch, training=False),
                reduce_retracing=True,
                autograph=False,
            )
            for direction, network in generators.items()
        }

    def write(self, step: int) -> dict[str, np.ndarray]:
        """Writes `step_XXXXXXXXX_xy.png` and `..._yx.png`.

        Returns:
          The grids, uint8 (H, W, 3), by direction.
        """
        self._folder.mkdir(parents=True, exist_ok=True)
        grids = {}
        for direction in ("xy", "yx"):
            grids[direction] = self._grid(direction)
            image_io.save(self._folder / f"step_{step:09d}_{direction}.png", grids[direction])
        return grids

    def _grid(self, direction: str) -> np.ndarray:
        forward, backward = self.translate[direction], self.translate[direction[::-1]]
        name = direction[0]
        g, f = ("G", "F") if direction == "xy" else ("F", "G")
        titles = [name, f"{g}({name})", f"{f}({g}({name}))"]
        rows = []
        for real in self._images[name]:
            fake = forward(real)
            row = [real, fake, backward(fake)]
            if real.shape[-1] == fake.shape[-1]:
                row.append(backward(real))
            rows.append([image_io.from_signed(image[0].numpy()) for image in row])
        if rows and len(rows[0]) == 4:
            titles.append(f"{f}({name})")
        return grid.with_bars(image_io.make_grid(rows, column_titles=titles), self._ranges)
