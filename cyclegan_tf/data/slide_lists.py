"""Folders of whole slides as lists of images: tiles with tissue, cut when they are wanted."""

from __future__ import annotations

import threading
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np

from cyclegan_tf.data.image_lists import ImageList
from cyclegan_tf.data.layout import FOLDERS, standard_folders
from cyclegan_tf.errors import UserError
from cyclegan_tf.images.folders import list_folder
from cyclegan_tf.images.slides import SUFFIXES, Scale, SlideRows, is_slide, open_slide

_MIN_TISSUE = 0.5
_OPEN_AT_ONCE = 4


class SlideTiles:
    """Tiles of the slides of one domain and split; thread-safe.

    Args:
      paths: of the slides.
      root: that their names are below.
      scale: which pixels.
      tile_px: side of a tile.

    Attributes:
      names: "NAME.svs@x,y" of each tile, of which half at least is tissue.

    Raises:
      UserError: a slide cannot be read, or has no such level.

    Example:
      >>> tiles = SlideTiles([Path("slides/trainA/1.svs")], Path("slides"), Scale(mpp=0.5), 286)
      >>> tiles.read(0).shape
      (286, 286, 3)
    """

    def __init__(self, paths: list[Path], root: Path, scale: Scale, tile_px: int) -> None:
        self._scale, self._tile_px = scale, tile_px
        self._places: list[tuple[Path, int, int]] = []
        for path in paths:
            with open_slide(path, scale) as slide:
                found = tiles_with_tissue(slide.tissue(), slide.height, slide.width, tile_px)
            self._places += [(path, top, left) for top, left in found]
        self.names = tuple(
            f"{path.relative_to(root).as_posix()}@{left},{top}" for path, top, left in self._places
        )
        self._open: dict[Path, tuple[ExitStack, SlideRows]] = {}
        self._lock = threading.Lock()

    def read(self, index: int) -> np.ndarray:
        """uint8 (tile_px, tile_px, 3).

        Raises:
          ImageError: a piece is damaged.
        """
        path, top, left = self._places[index]
        with self._lock:
            if path not in self._open:
                if len(self._open) == _OPEN_AT_ONCE:
                    self._open.pop(next(iter(self._open)))[0].close()
                stack = ExitStack()
                self._open[path] = stack, stack.enter_context(open_slide(path, self._scale))
            return self._open[path][1].region(top, left, self._tile_px, self._tile_px)


def tiles_with_tissue(
    mask: np.ndarray, height: int, width: int, tile_px: int
) -> list[tuple[int, int]]:
    """Find the tiles of a grid of which half at least is tissue.

    Args:
      mask: bool (h, w) over the whole slide.
      height: of the slide, in pixels.
      width: of the slide, in pixels.
      tile_px: side of a tile.

    Returns:
      First row and column of each, row by row.
    """
    found = []
    for top in range(0, height - tile_px + 1, tile_px):
        for left in range(0, width - tile_px + 1, tile_px):
            rows = slice(*(side * mask.shape[0] // height for side in (top, top + tile_px)))
            columns = slice(*(side * mask.shape[1] // width for side in (left, left + tile_px)))
            part = mask[rows.start : max(rows.stop, rows.start + 1), columns]
            if part.size and part.mean() >= _MIN_TISSUE:
                found.append((top, left))
    return found


def open_slides(root: Path, scale: Scale, tile_px: int) -> list[ImageList]:
    """Open slides in the paper's layout, the lists in the order of `FOLDERS`.

    Args:
      root: the folder that holds trainA, trainB and perhaps testA, testB.
      scale: which pixels.
      tile_px: side of the tiles.

    Raises:
      UserError: a folder is missing, a slide cannot be read, or a domain has no tile for training.
    """
    standard_folders(root)
    lists = []
    for name in FOLDERS:
        paths = _slides(root / name) if (root / name).is_dir() else []
        tiles = SlideTiles(paths, root, scale, tile_px)
        if name.startswith("train") and not tiles.names:
            raise UserError(
                f"{root / name} has no tile of {tile_px} px with tissue in {len(paths)} slides "
                f"({', '.join(SUFFIXES)}, .ome.tif): take smaller tiles (data.load_size_px) or a "
                "finer level (data.level, data.mpp).",
                code="missing",
                field="data.source",
            )
        lists.append(ImageList(tiles.names, 3, tiles.read, is_drawn=True))
    return lists


def _slides(folder: Path) -> list[Path]:
    suffixes: Any = (*SUFFIXES, ".tif", ".tiff")
    return [path for path in list_folder(folder, suffixes=suffixes).images if is_slide(path, True)]
