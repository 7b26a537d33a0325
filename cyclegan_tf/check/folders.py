"""What is known of the folders of a data set: their images, and what was found in them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np

from cyclegan_tf.data.value_ranges import read_levels
from cyclegan_tf.images import io as image_io
from cyclegan_tf.images.ranges import ValueRange

_NAMES_SHOWN = 8


@dataclass(frozen=True)
class ImageReport:
    """What was found in one file.

    Attributes:
      path: the file.
      problem: why it cannot be read; None if it can, and only then the rest is known.
      info: its header.
      digest: equal for images that are equal after decoding.
      contrast: largest standard deviation of a channel, as a share of white.
      darkest: smallest value as a share of white.
      brightest: largest value as a share of white.
      thumbnail: float32 (256, C), see `screening.thumbnail`.
      channels: with which it could be read, where their number is the problem.
      needs_range: its numbers have no meaning without a range, which is the problem.

    Example:
      >>> ImageReport(Path("a.png"), problem="is empty (0 bytes)")
    """

    path: Path
    problem: str | None = None
    info: image_io.ImageInfo | None = None
    digest: bytes = b""
    contrast: float = 0.0
    darkest: float = 0.0
    brightest: float = 0.0
    thumbnail: np.ndarray | None = None
    channels: int | None = None
    needs_range: bool = False


@dataclass(frozen=True)
class Folder:
    """One folder of images.

    Attributes:
      name: "trainA", "trainB", "testA", "testB", or "X", "Y" for plain folders.
      path: where it is.
      channels: what each image was read with.
      value_range: through which each was read; None for the full range of its type.
      files: all image files.
      ignored: suffix -> number of other files.

    Example:
      >>> folder = Folder("trainA", Path("trainA"), 3, (ImageReport(Path("trainA/a.png")),), {})
      >>> folder.domain, folder.is_training
    """

    name: str
    path: Path
    channels: int
    files: tuple[ImageReport, ...]
    ignored: Mapping[str, int]
    value_range: ValueRange | None = None

    @property
    def domain(self) -> str:
        """Which domain it belongs to, "X" or "Y"."""
        return domain_of(self.name)

    @property
    def option(self) -> str:
        """What gives `channels`, here and in training."""
        return f"--data.channels_{self.domain.lower()}"

    @property
    def is_training(self) -> bool:
        """Whether training reads this folder."""
        return not self.name.startswith("test")

    @property
    def infos(self) -> list[image_io.ImageInfo]:
        """Headers of the readable images."""
        return [file.info for file in self.files if file.info]

    def read(self, path: Path) -> np.ndarray:
        """Read one of its images as training would: uint8 or uint16 (H, W, C)."""
        return read_levels(path, self.channels, self.value_range)

    def place(self, file: ImageReport) -> str:
        """Name a file together with its folder."""
        return f"{self.name}/{file.path.relative_to(self.path).as_posix()}"

    def names(self, files: Sequence[ImageReport]) -> str:
        """List some file names for a sentence."""
        return some([file.path.relative_to(self.path).as_posix() for file in files])


@dataclass(frozen=True)
class Finding:
    """One thing to know about a data set.

    Attributes:
      level: "note" needs nothing done, "warning" is worth a look, "error" stops training.
      text: what was found, and what to do.

    Example:
      >>> Finding("warning", "trainA: 1 of 5 images is flat: blue.png.")
    """

    level: Literal["note", "warning", "error"]
    text: str


def domain_of(name: str) -> str:
    """Give the domain, "X" or "Y", of a folder by its name."""
    return "X" if name in ("trainA", "testA", "X") else "Y"


def some(texts: Sequence[str]) -> str:
    """List the first of some texts for a sentence, and count the rest."""
    more = [f"{len(texts) - _NAMES_SHOWN} more"] if len(texts) > _NAMES_SHOWN else []
    return ", ".join([*texts[:_NAMES_SHOWN], *more])
