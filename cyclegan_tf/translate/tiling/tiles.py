"""Geometry of overlapping tiles: where they lie, blending weights, rows put together again."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import Protocol

import numpy as np


class Rows(Protocol):
    """An image that is read a few rows at a time.

    Example:
      >>> with open_rows(Path("mosaic.tif"), 3) as image:
      ...     top = image.read(0, min(64, image.height))
    """

    height: int
    width: int
    dtype: np.dtype

    def read(self, top: int, bottom: int) -> np.ndarray:
        """uint8 or uint16 (bottom - top, width, C)."""
        ...


@dataclass(frozen=True)
class Axis:
    """How one side of an image is cut into tiles.

    The side is continued by reflection to a multiple of what the network takes, as
    `translator.Translator` does, and tiles begin at multiples of it, so that strided layers see
    the same pixels together as in the whole image.

    Attributes:
      length_px: of the image.
      padded_px: with its margins, a multiple of `size_divisor_px`.
      tile_px: of a tile, a multiple of `size_divisor_px` and at most `padded_px`.
      overlap_px: of neighbors, at least.
      size_divisor_px: of the network.

    Example:
      >>> Axis(100, 100, tile_px=64, overlap_px=16, size_divisor_px=4).starts
      (0, 36)
    """

    length_px: int
    padded_px: int
    tile_px: int
    overlap_px: int
    size_divisor_px: int

    @property
    def before_px(self) -> int:
        """Margin above or to the left."""
        return (self.padded_px - self.length_px) // 2

    @cached_property
    def source(self) -> np.ndarray:
        """int (padded_px,): the image's row at each row of the padded image."""
        after = self.padded_px - self.length_px - self.before_px
        return np.pad(np.arange(self.length_px), (self.before_px, after), mode="reflect")

    @cached_property
    def starts(self) -> tuple[int, ...]:
        """First pixel of each tile, from 0; the last tile ends with the padded side."""
        units = (self.padded_px - self.tile_px) // self.size_divisor_px
        most = max(1, (self.tile_px - self.overlap_px) // self.size_divisor_px)
        count = -(-units // most)
        return tuple(units * i // max(count, 1) * self.size_divisor_px for i in range(count + 1))

    @cached_property
    def weights(self) -> np.ndarray:
        """float32 (tiles, tile_px): blending weights, which sum to 1 over the tiles at each pixel.

        Weights rise and fall linearly over the middle half of an overlap. The rim, where the
        network saw a reflection in place of the neighbor, counts for nothing.
        """
        raw = np.ones((len(self.starts), self.tile_px))
        for left, (a, b) in enumerate(pairwise(self.starts)):
            shared = a + self.tile_px - b
            if shared:
                rim = shared // 4
                ramp = np.clip((np.arange(shared) + 0.5 - rim) / (shared - 2 * rim), 0, 1)
                raw[left + 1, :shared] *= ramp
                raw[left, -shared:] *= ramp[::-1]
        total = np.zeros(self.padded_px)
        for start, weight in zip(self.starts, raw, strict=True):
            total[start : start + self.tile_px] += weight
        parts = [
            weight / total[start : start + self.tile_px]
            for start, weight in zip(self.starts, raw, strict=True)
        ]
        return np.stack(parts).astype(np.float32)

    @cached_property
    def cores(self) -> tuple[slice, ...]:
        """Part of each tile that belongs to no other: together they cover the padded side once.

        Their ends are multiples of `size_divisor_px`, so that they can be cut out of smaller maps
        too.
        """
        middles = ((a + self.tile_px + b) // 2 for a, b in pairwise(self.starts))
        borders = [
            0,
            *(middle // self.size_divisor_px * self.size_divisor_px for middle in middles),
            self.padded_px,
        ]
        return tuple(
            slice(a - start, b - start)
            for start, (a, b) in zip(self.starts, pairwise(borders), strict=True)
        )


@dataclass(frozen=True)
class Place:
    """A tile of an image.

    Attributes:
      row: which of `Tiling.rows`.
      column: which of `Tiling.columns`.
      core: rows and columns of the tile that no other tile's core covers.

    Example:
      >>> [(place.row, place.column) for place in tiling.places()]
    """

    row: int
    column: int
    core: tuple[slice, slice]


@dataclass(frozen=True)
class Tiling:
    """How an image is cut into tiles.

    Example:
      >>> Tiling.of(500, 700, tile_px=256, overlap_px=64, size_divisor_px=4).count
      12
    """

    rows: Axis
    columns: Axis

    @classmethod
    def of(
        cls,
        height: int,
        width: int,
        tile_px: int,
        overlap_px: int,
        size_divisor_px: int,
        min_px: int = 1,
    ) -> Tiling:
        """Cut an image into tiles of one size; a side shorter than the tile gets one tile.

        Args:
          height: of the image, in pixels.
          width: of the image, in pixels.
          tile_px: side of a tile.
          overlap_px: of neighbors, at least.
          size_divisor_px: sides the network takes are multiples of this.
          min_px: smallest side the network takes.

        Raises:
          ValueError: the tile is no multiple of what the network takes, or the overlap leaves too
            little of it.
        """
        if tile_px < min_px or tile_px % size_divisor_px:
            minimum = -(-min_px // size_divisor_px) * size_divisor_px
            raise ValueError(
                f"this network takes tiles of a multiple of {size_divisor_px} px from {minimum} px "
                f"on."
            )
        if not 0 <= 2 * overlap_px < tile_px or tile_px - overlap_px < size_divisor_px:
            maximum = min((tile_px - 1) // 2, tile_px - size_divisor_px)
            raise ValueError(f"tiles of {tile_px} px can overlap by 0 to {maximum} px.")

        def axis(length: int) -> Axis:
            padded = (
                max(-(-length // size_divisor_px), -(-min_px // size_divisor_px)) * size_divisor_px
            )
            return Axis(length, padded, min(tile_px, padded), overlap_px, size_divisor_px)

        return cls(axis(height), axis(width))

    @property
    def count(self) -> int:
        """Number of tiles."""
        return len(self.rows.starts) * len(self.columns.starts)

    @property
    def tile_shape(self) -> tuple[int, int]:
        """Height and width of every tile."""
        return self.rows.tile_px, self.columns.tile_px

    def places(self) -> list[Place]:
        """List all tiles, row by row from the top."""
        return [
            Place(row, column, (self.rows.cores[row], self.columns.cores[column]))
            for row in range(len(self.rows.starts))
            for column in range(len(self.columns.starts))
        ]


class TileReader:
    """Reads tiles of an image, margins included; holds one row of them in memory.

    Args:
      image: what is read.
      tiling: how it is cut.

    Example:
      >>> read = TileReader(image, tiling)
      >>> tiles = [read(place) for place in tiling.places()]
    """

    def __init__(self, image: Rows, tiling: Tiling) -> None:
        self._image, self._tiling = image, tiling
        self._row = -1
        self._strip = np.empty(0)

    def __call__(self, place: Place) -> np.ndarray:
        """Read one tile, (tile height, tile width, C) of the image's dtype."""
        rows, columns = self._tiling.rows, self._tiling.columns
        if place.row != self._row:
            start = rows.starts[place.row]
            wanted = rows.source[start : start + rows.tile_px]
            top, bottom = int(wanted.min()), int(wanted.max()) + 1
            self._strip = self._image.read(top, bottom)[wanted - top][:, columns.source]
            self._row = place.row
        start = columns.starts[place.column]
        return self._strip[:, start : start + columns.tile_px]


def blended_rows(tiling: Tiling, tile: Callable[[Place], np.ndarray]) -> Iterator[np.ndarray]:
    """Blend tiles and yield finished rows from the top.

    Args:
      tiling: how the image is cut.
      tile: gives float32 (tile height, tile width, C) for a place; called once for each, in the
        order of `places`.

    Yields:
      float32 (h, width, C): as many rows as no further tile touches; together all rows of the
      image.
    """
    rows, columns = tiling.rows, tiling.columns
    kept = slice(columns.before_px, columns.before_px + columns.length_px)
    first, last = rows.before_px, rows.before_px + rows.length_px
    places = iter(tiling.places())
    waiting = current = None
    for top, following, weight in zip(
        rows.starts, [*rows.starts[1:], rows.padded_px], rows.weights, strict=True
    ):
        for start, across in zip(columns.starts, columns.weights, strict=True):
            values = tile(next(places))
            if current is None:
                current = np.zeros((rows.tile_px, columns.padded_px, values.shape[-1]), np.float32)
            current[:, start : start + columns.tile_px] += (weight[:, None] * across)[
                ..., None
            ] * values
        assert current is not None
        if waiting is not None:
            current[: len(waiting)] += waiting
        # A copy, for a view would keep all the rows.
        done, waiting, current = current[: following - top], current[following - top :].copy(), None
        part = done[max(first - top, 0) : max(last - top, 0), kept]
        if len(part):
            yield part
        del done, part  # or they would stay until the next are there
