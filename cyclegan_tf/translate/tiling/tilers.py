"""What ways of translating in tiles have in common: their geometry, their cost, its description."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Generator
from dataclasses import dataclass
from pathlib import Path

import keras
import numpy as np

from cyclegan_tf.errors import UserError
from cyclegan_tf.translate.tiling.tiles import Rows, Tiling
from cyclegan_tf.translate.translator import MIN_SIZE_PX


@dataclass(frozen=True)
class Cost:
    """Work and disk space that an image needs.

    Attributes:
      tiles: how many.
      rounds: how often all tiles are gone through.
      relative_cost: the work of all rounds, as a multiple of one call of the network for each tile.
      kept_bytes: of files that wait beside the output meanwhile.

    Example:
      >>> translator.cost(9000, 12000, Path("out")).tiles
    """

    tiles: int
    rounds: int
    relative_cost: float
    kept_bytes: int


class Tiler(ABC):
    """What translates an image in tiles.

    Args:
      network: float (N, H, W, C) in [-1, 1] -> float32 of the same size.
      size_divisor_px: sides the network takes are multiples of this.
      tile_px: side of a tile.
      overlap_px: of neighbors, at least.

    Raises:
      UserError: the tile does not fit the network or the overlap.

    Example:
      >>> tiler: Tiler = TiledTranslator(network, 4, tile_px=512, overlap_px=64)
      >>> tiler.tiling(9000, 12000).count
    """

    def __init__(
        self, network: keras.Model, size_divisor_px: int, tile_px: int, overlap_px: int
    ) -> None:
        self.channels: int = network.input_shape[-1]
        self.output_channels: int = network.output_shape[-1]
        self._size_divisor_px, self._tile_px, self._overlap_px = (
            size_divisor_px,
            tile_px,
            overlap_px,
        )
        self.tiling(tile_px, tile_px)  # raises at once what does not fit

    def tiling(self, height: int, width: int) -> Tiling:
        """Return how an image of this size is cut.

        Raises:
          UserError: it cannot be.
        """
        return tiling_of(height, width, self._tile_px, self._overlap_px, self._size_divisor_px)

    @abstractmethod
    def cost(self, height: int, width: int, folder: Path) -> Cost:
        """See `TiledTranslator`."""

    @abstractmethod
    def rows(
        self, image: Rows, folder: Path, advance: Callable[[], object] = lambda: None
    ) -> Generator[np.ndarray, None, None]:
        """See `TiledTranslator`."""


def tiling_of(
    height: int, width: int, tile_px: int, overlap_px: int, size_divisor_px: int
) -> Tiling:
    """Cut an image into tiles, as the options say.

    Raises:
      UserError: it cannot be.
    """
    try:
        return Tiling.of(height, width, tile_px, overlap_px, size_divisor_px, MIN_SIZE_PX)
    except ValueError as error:
        raise UserError(
            f"--tile_px {tile_px} with --overlap_px {overlap_px} does not do: {error}",
            field="--tile_px",
        ) from error


def describe_cost(cost: Cost, width: int, height: int) -> str:
    """Describe what an image needs.

    Args:
      cost: of `TiledTranslator.cost`.
      width: of the image, in pixels.
      height: of the image, in pixels.
    """
    text = f"{width} x {height} in {cost.tiles} tiles"
    if cost.rounds > 1:
        text += f", {cost.rounds} rounds that take {cost.relative_cost:.1f} times the work of one"
        kept = f"{cost.kept_bytes / 2**30:.1f} GiB wait beside the output meanwhile"
        text += f"; {kept}" if cost.kept_bytes else " (less with more free space beside the output)"
    return text
