"""Whole slides: a level or a pixel size of a pyramid as rows, and where tissue lies.

Read by `tiffslide` (extra `slides`): .svs, .ndpi, pyramidal OME-TIFF.
"""

from __future__ import annotations

import importlib.util
import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from cyclegan_tf.errors import UserError, not_installed
from cyclegan_tf.images.headers import ImageError

SUFFIXES = (".svs", ".ndpi")
"""Of files that are slides always, lower case."""
OME_SUFFIXES = (".ome.tif", ".ome.tiff")
"""Of files that are slides where a level or a pixel size is asked for."""

_THUMBNAIL_PX = 2048
_REACH_PX = 3  # of a bicubic filter, and one more
# Saturation, of 255: below it nothing is stained, however Otsu's threshold falls.
_MIN_SATURATION = 8


def is_slide(path: Path, asked: bool) -> bool:
    """Whether a file is to be read as a slide.

    Args:
      path: by its name.
      asked: whether a level or a pixel size is asked for.
    """
    name = path.name.lower()
    return name.endswith(SUFFIXES) or (asked and name.endswith(OME_SUFFIXES))


def is_slide_input(path: Path, asked: bool) -> bool:
    """Whether a file is a slide, or a folder holds one.

    Args:
      path: of the file or folder.
      asked: whether a level or a pixel size is asked for.
    """
    if not path.is_dir():
        return is_slide(path, asked)
    return any(is_slide(each, asked) for each in path.rglob("*") if each.is_file())


@dataclass(frozen=True)
class Scale:
    """Which pixels of a slide are wanted.

    Attributes:
      level: of the pyramid, 0 the finest.
      mpp: microns per pixel, in place of a level; 0 takes the level.

    Example:
      >>> with open_slide(Path("a.svs"), Scale(mpp=0.5)) as slide:
      ...     slide.height, slide.width
    """

    level: int = 0
    mpp: float = 0.0


class SlideRows:
    """A slide at one scale as rows, uint8 RGB.

    Args:
      path: for messages.
      slide: of tiffslide.
      scale: what is wanted.

    Attributes:
      mpp: microns per pixel; None where the slide does not say.

    Raises:
      UserError: there is no such level, or a pixel size is asked of a slide that has none.

    Example:
      >>> with open_slide(Path("a.svs"), Scale(level=1)) as slide:
      ...     top = slide.read(0, 256)
    """

    channels = 3

    def __init__(self, path: Path, slide: Any, scale: Scale) -> None:
        self._path, self._slide = path, slide
        self.dtype = np.dtype(np.uint8)
        finest = slide.properties.get("tiffslide.mpp-x")
        if scale.mpp and not finest:
            raise UserError(
                f"{path} does not say how large its pixels are: give --level instead of --mpp.",
                code="missing",
                field="--mpp",
            )
        if not 0 <= scale.level < slide.level_count:
            raise UserError(
                f"--level is {scale.level}, but {path} has the levels 0 to "
                f"{slide.level_count - 1}.",
                field="--level",
            )
        down = slide.level_downsamples[scale.level]
        self._level = scale.level
        if scale.mpp:
            down = scale.mpp / float(finest)
            self._level = slide.get_best_level_for_downsample(down)
        self._factor = down / slide.level_downsamples[self._level]
        wide, high = slide.level_dimensions[self._level]
        self.width = max(1, int(wide / self._factor + 1e-6))
        self.height = max(1, int(high / self._factor + 1e-6))
        self.mpp = float(finest) * down if finest else None

    def read(self, top: int, bottom: int) -> np.ndarray:
        """(bottom - top, width, 3).

        Raises:
          ImageError: a piece is damaged.
        """
        return self.region(top, 0, bottom - top, self.width)

    def region(self, top: int, left: int, height: int, width: int) -> np.ndarray:
        """Read a part, uint8 (height, width, 3).

        Raises:
          ImageError: a piece is damaged.
        """
        box = [side * self._factor for side in (left, top, left + width, top + height)]
        wide, high = self._slide.level_dimensions[self._level]
        margin = math.ceil(_REACH_PX * self._factor)
        x, y = (max(0, math.floor(side) - margin) for side in box[:2])
        right = min(wide, math.ceil(box[2]) + margin)
        end = min(high, math.ceil(box[3]) + margin)
        down = self._slide.level_downsamples[self._level]
        try:
            found = self._slide.read_region(
                # It rounds down what it divides by the level's factor.
                (int((x + 0.5) * down), int((y + 0.5) * down)),
                self._level,
                (right - x, end - y),
                as_array=True,
            )
        except Exception as error:  # of its decoders, of any type
            said = " ".join(str(error).split())[:100]
            raise ImageError(self._path, f"is damaged or cut off ({said})") from error
        found = np.ascontiguousarray(found[..., :3])
        if self._factor == 1:
            return found[top - y : top - y + height, left - x : left - x + width]
        inside = (box[0] - x, box[1] - y, min(box[2], right) - x, min(box[3], end) - y)
        resized = Image.fromarray(found).resize(
            (width, height), Image.Resampling.BICUBIC, box=inside
        )
        return np.asarray(resized)

    def tissue(self) -> np.ndarray:
        """Find where tissue lies: bool (h, w), a map of the whole slide, 2048 px at most."""
        shrunk = self._slide.get_thumbnail((_THUMBNAIL_PX, _THUMBNAIL_PX))
        return tissue_of(np.asarray(shrunk.convert("RGB")))


def tissue_of(image: np.ndarray) -> np.ndarray:
    """Find stained pixels by Otsu's threshold (1979) on the saturation, and those beside them.

    Args:
      image: uint8 (H, W, 3).

    Returns:
      bool (H, W).
    """
    saturation = image.max(-1).astype(np.int32) - image.min(-1)
    found = saturation > max(otsu(saturation), _MIN_SATURATION)
    padded = np.pad(found, 1)
    height, width = found.shape
    parts = [padded[y : y + height, x : x + width] for y in range(3) for x in range(3)]
    return np.logical_or.reduce(parts)


def otsu(values: np.ndarray) -> int:
    """Give the level from 0 to 255 that parts values into two classes of the least variance.

    Args:
      values: whole numbers from 0 to 255, any shape.
    """
    counts = np.bincount(values.ravel(), minlength=256).astype(np.float64)
    below, sums = np.cumsum(counts), np.cumsum(counts * np.arange(256))
    above = below[-1] - below
    with np.errstate(divide="ignore", invalid="ignore"):
        between = (sums[-1] * below / below[-1] - sums) ** 2 / (below * above)
    return int(np.argmax(np.nan_to_num(between, posinf=0)))


@contextmanager
def open_slide(path: Path, scale: Scale) -> Iterator[SlideRows]:
    """Open a slide at a scale.

    Raises:
      UserError: the library is missing, or there is no such scale.
      ImageError: it is no slide.
    """
    if importlib.util.find_spec("tiffslide") is None:
        raise UserError(
            f"{path} is read as a slide, and {not_installed('tiffslide')}",
            code="dependency",
            field=str(path),
        )
    import tiffslide

    try:
        slide: Any = tiffslide.TiffSlide(path)
    except Exception as error:  # of it and of tifffile, of many types
        said = " ".join(str(error).split())[:100]
        raise ImageError(path, f"is no slide that can be read ({said})") from error
    with slide:
        yield SlideRows(path, slide, scale)
