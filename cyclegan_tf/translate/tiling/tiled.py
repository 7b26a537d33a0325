"""Translates images larger than memory: statistics first, then tile by tile.

Instance normalization makes a tile's brightness depend on what else is in the tile, so tiles
translated each by itself differ in brightness, and the seams show. Here every normalization takes
the statistics of the whole image, found by going through all tiles layer by layer (`stages`).
Statistics of a small copy would be one call, and are as far from the whole image's as those of each
tile; docs/guides/translate.md has the figures.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

from cyclegan_tf.atomic import scratch_directory
from cyclegan_tf.errors import UserError
from cyclegan_tf.images import io as image_io
from cyclegan_tf.images.nodata import Missing
from cyclegan_tf.networks.graph import INPUT
from cyclegan_tf.networks.shared_normalization import set_momentum, with_shared_normalization
from cyclegan_tf.translate.tiling.masks import core_with_data, only_with_data
from cyclegan_tf.translate.tiling.pooled_moments import PooledMoments
from cyclegan_tf.translate.tiling.stages import (
    Stage,
    TileTensorFiles,
    plan_stages,
    relative_cost,
    sized_calls,
)
from cyclegan_tf.translate.tiling.tilers import Cost, Tiler
from cyclegan_tf.translate.tiling.tiles import Place, Rows, TileReader, Tiling, blended_rows
from cyclegan_tf.translate.translator import signed

# Of the space that is free where the output goes; the output itself needs some.
_SHARE_OF_DISK = 0.7


class TiledTranslator(Tiler):
    """A generator for images of any size, in memory bounded by their width, not their area.

    Not for several threads at once.

    Args:
      network: float (N, H, W, C) in [-1, 1] -> float32 of the same size.
      size_divisor_px: sides the network takes are multiples of this.
      tile_px: side of a tile.
      overlap_px: of neighbors, at least.

    Raises:
      UserError: the tile does not fit the network or the overlap, or the network cannot be cut.

    Example:
      >>> translator = TiledTranslator(network, 4, tile_px=512, overlap_px=64)
      >>> for rows in translator.rows(image, Path("out")):
      ...     write(rows)
    """

    def __init__(
        self, network: keras.Model, size_divisor_px: int, tile_px: int, overlap_px: int
    ) -> None:
        super().__init__(network, size_divisor_px, tile_px, overlap_px)
        sized_calls(network, (1, tile_px, tile_px, self.channels))
        self._network = with_shared_normalization(network)
        set_momentum(self._network, 0)
        self._plans: dict[tuple[tuple[int, int], bool], _Plan] = {}

    def cost(self, height: int, width: int, folder: Path) -> Cost:
        """Return what an image of this size needs.

        Args:
          height: of the image, in pixels.
          width: of the image, in pixels.
          folder: an existing one, where files would wait.
        """
        tiling = self.tiling(height, width)
        return self._plan(tiling, folder).cost(tiling)

    def rows(
        self, image: Rows, folder: Path, advance: Callable[[], object] = lambda: None
    ) -> Generator[np.ndarray, None, None]:
        """Translate an image.

        Args:
          image: uint8 or uint16 rows, or float32 in [-1, 1]. Where it says that data are missing,
            these pixels count in no statistics.
          folder: an existing one, where tensors of tiles may wait in files; they are gone
            afterwards.
          advance: called after each tile of each round.

        Yields:
          (h, width, C') of the image's depth, finished rows from the top.

        Raises:
          UserError: the network gave NaN.
        """
        tiling = self.tiling(image.height, image.width)
        chosen = self._plan(tiling, folder)
        with scratch_directory(folder) as scratch:
            work = _Work(
                chosen,
                tiling,
                TileReader(image, tiling),
                TileTensorFiles(scratch),
                advance,
                getattr(image, "missing", None),
            )
            work.measure()
            for values in blended_rows(tiling, work.last):
                try:
                    yield image_io.from_signed(values, 8 * image.dtype.itemsize)
                except ValueError as error:  # NaN
                    raise UserError(str(error), code="unsupported") from error

    def _plan(self, tiling: Tiling, folder: Path) -> _Plan:
        """Plan stages for tiles of this shape, keeping tensors if the disk has room for them."""
        wanted = self._plan_of(tiling.tile_shape, keeping=True).cost(tiling).kept_bytes
        keeping = wanted <= _SHARE_OF_DISK * shutil.disk_usage(folder).free
        return self._plan_of(tiling.tile_shape, keeping)

    def _plan_of(self, tile_shape: tuple[int, int], keeping: bool) -> _Plan:
        key = (tile_shape, keeping)
        if key not in self._plans:
            calls = sized_calls(self._network, (1, *tile_shape, self.channels))
            stages = plan_stages(calls, keeping)
            self._plans[key] = _Plan(
                stages, [stage.graph() for stage in stages], relative_cost(calls, stages)
            )
        return self._plans[key]


@dataclass(frozen=True)
class _Plan:
    stages: list[Stage]
    graphs: list[Callable[..., list[tf.Tensor]]]
    relative_cost: float

    def cost(self, tiling: Tiling) -> Cost:
        kept = max(stage.kept_bytes for stage in self.stages)
        return Cost(tiling.count, len(self.stages), self.relative_cost, tiling.count * kept)


@dataclass
class _Work:
    """One image in the course of its stages."""

    plan: _Plan
    tiling: Tiling
    read: TileReader
    kept: TileTensorFiles
    advance: Callable[[], object]
    missing: Missing | None = None

    def measure(self) -> None:
        """Set each normalization's statistics to those of its input over the whole image."""
        for index, stage in enumerate(self.plan.stages):
            if stage.norm is None:
                continue
            pooled = PooledMoments()
            for place in self.tiling.places():
                values = self._run(index, place)
                rows, columns = _scaled(place.core, self.tiling.tile_shape, values.shape[1:3])
                part = values[:, rows, columns]
                if self.missing is not None:
                    part = only_with_data(part, core_with_data(self.missing, self.tiling, place))
                if part is not None:
                    pooled.add(part)
            if pooled.is_empty:  # no pixel has data: any statistics will do
                continue
            stage.norm.mean.assign(pooled.mean)
            stage.norm.variance.assign(pooled.variance)

    def last(self, place: Place) -> np.ndarray:
        """Compute float32 (tile height, tile width, C') of one tile."""
        return self._run(len(self.plan.stages) - 1, place)[0].numpy()

    def _run(self, index: int, place: Place) -> tf.Tensor:
        stage, tile = self.plan.stages[index], (place.row, place.column)
        taken = [
            signed(self.read(place))[tf.newaxis] if number == INPUT else self.kept.get(tile, number)
            for number in stage.inputs
        ]
        result, *keeps = self.plan.graphs[index](*taken)
        for number in stage.frees:
            self.kept.free(tile, number)
        for number, values in zip(stage.outputs[1:], keeps, strict=True):
            self.kept.put(tile, number, values)
        self.advance()
        return result


def _scaled(core: tuple[slice, slice], outer: tuple[int, int], inner: Sequence[int]) -> list[slice]:
    """The core of a tile on a map of another size."""
    return [
        slice(part.start * new // old, part.stop * new // old)
        for part, old, new in zip(core, outer, inner, strict=True)
    ]
