"""Translates images larger than memory: statistics first, then tile by tile.

Instance normalization makes a tile's brightness depend on what else is in the tile, so tiles
translated each by itself differ in brightness, and the seams show. Here every normalization takes
the statistics of the whole image, found by going through all tiles layer by layer (`stages`).
Statistics of a small copy would be one call, and are as far from the whole image's as those of each
tile; docs/guides/translate.md has the figures.
"""

from __future__ import annotations

import contextlib
import logging
import shutil
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from tqdm import tqdm

from cyclegan_tf.atomic import scratch_directory
from cyclegan_tf.errors import UserError
from cyclegan_tf.images import io as image_io
from cyclegan_tf.images.placement import read_placement
from cyclegan_tf.images.probing import ANY_NUMBER
from cyclegan_tf.images.ranges import FULL_RANGES
from cyclegan_tf.images.strips import open_rows, require_writer, save_rows
from cyclegan_tf.networks.graph import INPUT
from cyclegan_tf.networks.shared_normalization import set_momentum, with_shared_normalization
from cyclegan_tf.translate.folder import Outcome, named, refused_name, repeated_target
from cyclegan_tf.translate.ranged import Meaning, SignedRows, typed_rows
from cyclegan_tf.translate.remarks import remarks_on
from cyclegan_tf.translate.tasks import Task
from cyclegan_tf.translate.tiling.pooled_moments import PooledMoments
from cyclegan_tf.translate.tiling.stages import (
    Stage,
    TileTensorFiles,
    plan_stages,
    relative_cost,
    sized_calls,
)
from cyclegan_tf.translate.tiling.tilers import Cost, Tiler, describe_cost, tiling_of
from cyclegan_tf.translate.tiling.tiles import Place, Rows, TileReader, Tiling, blended_rows
from cyclegan_tf.translate.translator import signed

log = logging.getLogger(__name__)

# Of the space that is free where the output goes; the output itself needs some.
_SHARE_OF_DISK = 0.7


class TiledTranslator:
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
        self.channels, self.output_channels = network.input_shape[-1], network.output_shape[-1]
        self._size_divisor_px, self._tile_px, self._overlap_px = (
            size_divisor_px,
            tile_px,
            overlap_px,
        )
        self.tiling(tile_px, tile_px)  # raises at once what does not fit
        sized_calls(network, (1, tile_px, tile_px, self.channels))
        self._network = with_shared_normalization(network)
        set_momentum(self._network, 0)
        self._plans: dict[tuple[tuple[int, int], bool], _Plan] = {}

    def tiling(self, height: int, width: int) -> Tiling:
        """Return how an image of this size is cut.

        Raises:
          UserError: it cannot be.
        """
        return tiling_of(height, width, self._tile_px, self._overlap_px, self._size_divisor_px)

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
          image: uint8 or uint16 rows, or float32 in [-1, 1].
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
                chosen, tiling, TileReader(image, tiling), TileTensorFiles(scratch), advance
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

    def measure(self) -> None:
        """Set each normalization's statistics to those of its input over the whole image."""
        for index, stage in enumerate(self.plan.stages):
            if stage.norm is None:
                continue
            pooled = PooledMoments()
            for place in self.tiling.places():
                values = self._run(index, place)
                rows, columns = _scaled(place.core, self.tiling.tile_shape, values.shape[1:3])
                pooled.add(values[:, rows, columns])
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


def translate_large_files(
    translator: Tiler,
    whole: Callable[[np.ndarray], np.ndarray],
    tasks: Sequence[Task],
    show_progress: bool,
    meaning: Meaning | None = None,
) -> Generator[Outcome, None, None]:
    """Translate files one after the other, those larger than a tile in tiles.

    A TIFF is read and written by strips where it can be (see `images.strips`), any other format
    decoded and encoded whole.

    Args:
      translator: for images of more than a tile.
      whole: for all others, such as `translator.Translator`.
      tasks: what to do; folders of targets are made if need be.
      show_progress: whether to draw a bar for each large image.
      meaning: of the files' numbers; levels by default.

    Yields:
      One outcome per task, in their order; as `folder.translate_files`.

    Raises:
      UserError: a target could not be written for want of space or of permission, or a library is
        missing.
    """
    meaning = meaning or Meaning(FULL_RANGES)
    for task in tasks:
        require_writer(task.target)
    written: set[Path] = set()
    for task in tasks:
        error: UserError | None = None
        remarks: tuple[str, ...] = ()
        if task.target in written:
            error = repeated_target(task)
        else:
            try:
                info = image_io.probe(task.source, ANY_NUMBER)
                placement = read_placement(info)
                kept = {"as_float": info.is_float and meaning.is_full, "placement": placement}
                _translate_file(translator, whole, task, show_progress, kept, meaning)
                remarks = remarks_on(
                    info, placement, task.target, translator.channels,
                    has_ranges=not meaning.is_full,
                )  # fmt: skip
                written.add(task.target)
            except image_io.ImageError as found:
                error = found
            except UserError as found:
                error = named(task, found)
            except OSError as found:
                error = refused_name(task.target, found)
        yield Outcome(task, error, remarks)


def _translate_file(
    translator: Tiler,
    whole: Callable[[np.ndarray], np.ndarray],
    task: Task,
    show_progress: bool,
    kept: dict[str, Any],
    meaning: Meaning,
) -> None:
    """Translate one file; `kept` is of `save` and `save_rows`."""
    source, target = meaning.pair.source, meaning.pair.target
    with open_rows(task.source, translator.channels, as_stored=source is not None) as opened:
        image = SignedRows(opened, meaning, task.source)
        height, width = image.height, image.width
        if translator.tiling(height, width).count == 1:
            meaning.save(task.target, whole(image.read(0, height)), **kept)
            return
        folder = task.target.parent
        folder.mkdir(parents=True, exist_ok=True)
        cost = translator.cost(height, width, folder)
        log.info("%s: %s", task.source.name, describe_cost(cost, width, height))
        shape = (height, width, translator.output_channels)
        with (
            tqdm(
                total=cost.tiles * cost.rounds, unit="tile", disable=not show_progress, leave=False
            ) as bar,
            contextlib.closing(translator.rows(image, folder, bar.update)) as rows,
        ):
            dtype = np.dtype(target.dtype) if target else image.dtype
            save_rows(task.target, typed_rows(rows, target), shape, dtype, **kept)


def _scaled(core: tuple[slice, slice], outer: tuple[int, int], inner: Sequence[int]) -> list[slice]:
    """The core of a tile on a map of another size."""
    return [
        slice(part.start * new // old, part.stop * new // old)
        for part, old, new in zip(core, outer, inner, strict=True)
    ]
