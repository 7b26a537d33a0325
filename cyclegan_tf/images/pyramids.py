"""Pyramidal OME-TIFF out of rows: tiles of each level, memory bounded by the width."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from cyclegan_tf.atomic import atomic_file, scratch_directory

TILE_PX = 256
_SMALLEST_PX = 512
_PER_CM = 1e4  # microns


def level_shapes(height: int, width: int) -> list[tuple[int, int]]:
    """Height and width of each level, each half of the one before, down to one of 512 px."""
    shapes = [(height, width)]
    while max(shapes[-1]) > _SMALLEST_PX and min(shapes[-1]) > 1:
        shapes.append((shapes[-1][0] // 2, shapes[-1][1] // 2))
    return shapes


def save_pyramid(
    path: Path, rows: Iterable[np.ndarray], shape: tuple[int, int, int], mpp: float | None
) -> None:
    """Write a slide, whole or not at all.

    While the finest level is written, the next waits in a file beside it, and so on; each is the
    mean of two by two pixels of the one before.

    Args:
      path: named .ome.tif.
      rows: uint8 (h, W, C) from the top.
      shape: (H, W, C) of all.
      mpp: microns per pixel; None where that is not known.
    """
    import tifffile

    channels = shape[2]
    shapes = level_shapes(*shape[:2])
    size = {"PhysicalSizeX": mpp, "PhysicalSizeY": mpp} if mpp else {}
    units = {f"{name}Unit": "µm" for name in size}
    options: dict[str, Any] = {
        "tile": (TILE_PX, TILE_PX),
        "dtype": np.uint8,
        "photometric": "rgb" if channels == 3 else "minisblack",
        "planarconfig": "contig" if channels > 1 else None,
        "compression": "adobe_deflate",
        "compressionargs": {"level": 1},
    }
    axes = "YXS" if channels > 1 else "YX"
    with (
        atomic_file(path) as partial,
        scratch_directory(path.parent) as scratch,
        tifffile.TiffWriter(partial, bigtiff=True, ome=True) as file,
    ):
        for level, (height, width) in enumerate(shapes):
            per_cm = _PER_CM / (mpp * 2**level) if mpp else None
            place: dict[str, Any] = (
                {"resolution": (per_cm, per_cm), "resolutionunit": 3} if per_cm else {}
            )
            first = {"subifds": len(shapes) - 1, "metadata": {"axes": axes, **size, **units}}
            kind: dict[str, Any] = {"subfiletype": 1, "metadata": None} if level else first
            whole = (height, width, channels) if channels > 1 else (height, width)
            next_level = scratch / str(level + 1)
            with next_level.open("wb") as out:
                tiles = _tiles(_reduced(rows, width, out), width)
                file.write(tiles, shape=whole, **options, **place, **kind)
            if level + 1 < len(shapes):
                rows = _stored(next_level, *shapes[level + 1], channels)


def _reduced(rows: Iterable[np.ndarray], width: int, out: BinaryIO) -> Iterator[np.ndarray]:
    """The same rows; means of two by two pixels go to a file."""
    odd = None
    for part in rows:
        yield part
        both = part if odd is None else np.concatenate([odd, part])
        even = len(both) // 2 * 2
        odd = both[even:] if even < len(both) else None
        pairs = both[:even, : width // 2 * 2].astype(np.uint16)
        pairs = pairs.reshape(even // 2, 2, width // 2, 2, -1).sum((1, 3), dtype=np.uint16)
        out.write(((pairs + 2) // 4).astype(np.uint8).tobytes())


def _stored(path: Path, height: int, width: int, channels: int) -> Iterator[np.ndarray]:
    with path.open("rb") as file:
        for top in range(0, height, TILE_PX):
            count = min(TILE_PX, height - top)
            data = file.read(count * width * channels)
            yield np.frombuffer(data, np.uint8).reshape(count, width, channels)
    path.unlink()


def _tiles(rows: Iterable[np.ndarray], width: int) -> Iterator[np.ndarray]:
    """Tiles from the top left, the last of a row and column filled up with zeros."""
    waiting: list[np.ndarray] = []
    have = 0
    for part in rows:
        waiting.append(part)
        have += len(part)
        while have >= TILE_PX:
            band = np.concatenate(waiting)
            yield from _across(band[:TILE_PX], width)
            waiting, have = [band[TILE_PX:]], have - TILE_PX
    if have:
        yield from _across(np.concatenate(waiting), width)


def _across(band: np.ndarray, width: int) -> Iterator[np.ndarray]:
    for left in range(0, width, TILE_PX):
        piece = band[:, left : left + TILE_PX]
        missing = [(0, TILE_PX - piece.shape[0]), (0, TILE_PX - piece.shape[1]), (0, 0)]
        tile = np.pad(piece, missing)
        yield tile if tile.shape[-1] > 1 else tile[..., 0]
