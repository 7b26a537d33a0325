"""Files as the network sees them, and back: levels, or numbers through the ranges of a training.

With ranges, images are float32 in [-1, 1] all the way: nothing is rounded before the result gets
its type.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from cyclegan_tf.errors import UserError
from cyclegan_tf.images import io as image_io
from cyclegan_tf.images import numbers
from cyclegan_tf.images.codecs import AS_SHOWN, Kept
from cyclegan_tf.images.folders import require_held
from cyclegan_tf.images.headers import ImageError, ImageInfo
from cyclegan_tf.images.placement import NOTHING, Placement
from cyclegan_tf.images.ranges import Clipped, RangePair, ValueRange
from cyclegan_tf.images.stacks import Stack, read_stack, save_stack


class Meaning:
    """What the numbers of files mean to a network.

    Args:
      pair: of the network; with `FULL_RANGES` images stay levels of 8 or 16 bits.

    Attributes:
      clipped: what of the numbers read so far lay outside the range of the input.

    Example:
      >>> meaning = Meaning(targets.ranges(Path("runs/ct2mr"), "xy"))
      >>> signed = meaning.read(Path("ct.tif"), channels=1)
      >>> meaning.save(Path("mr.tif"), translator(signed))
    """

    def __init__(self, pair: RangePair) -> None:
        self.pair, self.clipped = pair, Clipped()

    @property
    def is_full(self) -> bool:
        """Whether images are levels of 8 or 16 bits."""
        return self.pair.target is None

    def read(self, path: Path, channels: int, kept: Kept = AS_SHOWN) -> np.ndarray:
        """Read a file: uint8 or uint16 (H, W, channels), or float32 in [-1, 1].

        Args:
          path: the file.
          channels: as for `images.read`.
          kept: as for `images.read`.

        Raises:
          ImageError: as `images.read`; or a number is NaN.
        """
        if self.pair.source is None:
            return self.signed(image_io.read(path, channels, kept=kept), path)
        return self.signed(numbers.read(path, channels, kept=kept), path)

    def read_stack(self, info: ImageInfo, channels: int, kept: Kept = AS_SHOWN) -> Stack | None:
        """Read all pages of a file, as `read` does one; None where they differ.

        Raises:
          ImageError: as `images.stacks.read_stack`.
        """
        as_stored = self.pair.source is not None
        stack = read_stack(info, channels, kept=kept, as_stored=as_stored)
        if stack is None or self.is_full:
            return stack
        pages = [self.signed(page, info.path) for page in stack.images]
        return dataclasses.replace(stack, images=pages)

    def signed(self, found: np.ndarray, path: Path, is_counted: bool = True) -> np.ndarray:
        """Bring levels or numbers of a file to what `read` gives.

        Args:
          found: as read.
          path: of the file.
          is_counted: whether this is to count what is clipped.

        Raises:
          ImageError: a number is NaN.
        """
        source = self.pair.source
        if self.is_full:
            return found
        if source is None:
            return image_io.to_signed(found)
        if is_counted:
            self.clipped.add(found.size, source.count_outside(found))
        try:
            return source.to_signed(found)
        except UserError as error:
            raise ImageError(path, str(error)) from error

    def save(
        self,
        path: Path,
        content: np.ndarray | Stack,
        *,
        as_float: bool = False,
        placement: Placement = NOTHING,
    ) -> None:
        """Write a translation.

        Args:
          path: of the file; a suffix that does not hold the numbers is refused.
          content: as `read` or `read_stack` gives it.
          as_float: as for `images.save`, of levels.
          placement: as for `images.save`.

        Raises:
          UserError: as `images.save`.
        """
        target = self.pair.target
        if isinstance(content, Stack):
            if target is not None:
                require_held(path, target.dtype)
                pages = [target.from_signed(page) for page in content.images]
                content = dataclasses.replace(content, images=pages)
            save_stack(path, content, as_float=as_float and target is None)
        elif target is not None:
            numbers.save(path, target.from_signed(content), placement)
        else:
            image_io.save(path, content, as_float=as_float, placement=placement)

    def line(self) -> str:
        """Say what was clipped; "" where nothing was."""
        if not self.clipped.outside:
            return ""
        count = self.clipped.images
        return (
            f"{self.clipped.share:.2%} of the numbers, in {count} image{'s' * (count > 1)}, lay "
            f"outside {self.pair.source}, what the network was trained on, and were clipped"
        )


class SignedRows:
    """Rows of an image as `Meaning.signed` gives them.

    Args:
      rows: of `images.strips.open_rows`, levels or numbers.
      meaning: of their numbers.
      path: of the file, for messages.

    Example:
      >>> with open_rows(path, 1, as_stored=True) as rows:
      ...     first = SignedRows(rows, meaning, path).read(0, 64)
    """

    def __init__(self, rows: Any, meaning: Meaning, path: Path) -> None:
        self._rows, self._meaning, self._path = rows, meaning, path
        self.height, self.width, self.channels = rows.height, rows.width, rows.channels
        self.missing = rows.missing
        self.dtype = rows.dtype if meaning.is_full else np.dtype(np.float32)
        self._counted_rows, self._is_clipped = 0, False

    def read(self, top: int, bottom: int) -> np.ndarray:
        """(bottom - top, width, C).

        Raises:
          ImageError: a piece is damaged, or a number is NaN.
        """
        found = self._rows.read(top, bottom)
        self._count(found[max(self._counted_rows - top, 0) :])
        self._counted_rows = max(self._counted_rows, bottom)
        return self._meaning.signed(found, self._path, is_counted=False)

    def _count(self, fresh: np.ndarray) -> None:
        """Count what is clipped of rows that have not been read before."""
        source, clipped = self._meaning.pair.source, self._meaning.clipped
        if source is not None:
            outside = source.count_outside(fresh)
            clipped.add(fresh.size, outside, images=not self._is_clipped)
            self._is_clipped = self._is_clipped or outside > 0


def typed_rows(rows: Iterator[np.ndarray], target: ValueRange | None) -> Iterator[np.ndarray]:
    """Give rows of a translation their type: as they are without a range."""
    return rows if target is None else (target.from_signed(part) for part in rows)
