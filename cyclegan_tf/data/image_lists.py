"""Lists of images: files and what their headers say, or anything that gives arrays."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol

import numpy as np

from cyclegan_tf.errors import UserError
from cyclegan_tf.images import io as image_io
from cyclegan_tf.images.ranges import Clipped, ValueRange

Channels = int | Literal["auto"]
_COLOR = 3


@dataclass(frozen=True)
class ImageList:
    """A list of images, decoded on demand.

    Attributes:
      names: one per image, for messages and records.
      channels: channels that `read` returns.
      read: index -> uint8 or uint16 (H, W, channels).
      infos: what the headers say; empty where the images are not files.
      max_pixels: files that turn out larger are refused.
      value_range: whose levels `read` gives, as uint16; None: the full range of the files' type.
      clipped: what of the numbers read so far lay outside the range.
      is_drawn: made by a function that never fails, so that none need be read beforehand.
      numbers: index -> (H, W, channels) in the unit of its file, where the images are slices of
        volumes; None: as `images.numbers` reads files.

    Example:
      >>> images = open_folder(Path("horse2zebra"), 3, 3, 10**8).train_x
      >>> images.names[0], images.read(0).shape
    """

    names: tuple[str, ...]
    channels: int
    read: Callable[[int], np.ndarray]
    infos: tuple[image_io.ImageInfo, ...] = ()
    max_pixels: int = image_io.MAX_PIXELS
    value_range: ValueRange | None = None
    clipped: Clipped | None = None
    is_drawn: bool = False
    numbers: Callable[[int], np.ndarray] | None = None

    def __len__(self) -> int:
        return len(self.names)


def as_user_error(error: UserError, domain: str = "") -> UserError:
    """Add what to do about an image of a data set that cannot be used.

    Args:
      error: on it.
      domain: "x" or "y", where the number of channels may be what is wrong.
    """
    if domain and isinstance(error, image_io.ChannelsError):
        option = f"--data.channels_{domain}"
        return UserError(
            f"{error}; {option} {error.stored} reads such images, or leave this one out.",
            code="mismatch",
            field=option.removeprefix("--"),
        )
    return UserError(
        f"{error}; remove or fix it (python -m cyclegan_tf.check lists all such files).",
        code=error.code,
        field=error.field,
    )


class OneDomain(Protocol):
    """Image files of one domain and split, or slices of volumes, whose channels are not decided.

    Attributes:
      domain: "x" or "y".
      infos: headers of the images.
    """

    @property
    def domain(self) -> str: ...

    @property
    def infos(self) -> tuple[image_io.ImageInfo, ...]: ...

    def images(self, channels: int) -> ImageList:
        """Give the list of the images, read with so many channels."""
        ...

    def notes(self) -> list[str]:
        """Give facts to log once."""
        ...


@dataclass(frozen=True)
class Files:
    """Image files of one domain and split, and what their headers say.

    Attributes:
      domain: "x" or "y".
      root: that their names are below.
      infos: their headers.
      max_pixels: larger ones are refused.

    Example:
      >>> files = Files.probed(find_images(folder), folder, "x", max_pixels=10**8)
      >>> files.images(channels=3).names
    """

    domain: str
    root: Path
    infos: tuple[image_io.ImageInfo, ...]
    max_pixels: int

    @classmethod
    def probed(cls, paths: Sequence[Path], root: Path, domain: str, max_pixels: int) -> Files:
        """Read the headers of files.

        Raises:
          UserError: one is not an image.
        """
        try:
            infos = tuple(image_io.probe(path, max_pixels=max_pixels) for path in paths)
        except image_io.ImageError as error:
            raise as_user_error(error, domain) from error
        return cls(domain, root, infos, max_pixels)

    def images(self, channels: int) -> ImageList:
        """Give the list of the images, read with so many channels.

        Raises:
          UserError: one has another number of them.
        """
        try:
            for info in self.infos:
                info.require_channels(channels)
        except image_io.ImageError as error:
            raise as_user_error(error, self.domain) from error
        return ImageList(
            names=tuple(info.path.relative_to(self.root).as_posix() for info in self.infos),
            channels=channels,
            read=lambda index: image_io.read(self.infos[index].path, channels, self.max_pixels),
            infos=self.infos,
            max_pixels=self.max_pixels,
        )

    def notes(self) -> list[str]:
        """Give facts to log once: none."""
        return []


def decided_channels(
    wanted: Mapping[str, Channels], infos: Mapping[str, Sequence[image_io.ImageInfo]]
) -> dict[str, int]:
    """Decide the channels of both domains.

    What is "auto" becomes what all headers of the domain say, and 3 where they differ. Gray
    becomes color where the other domain is of color: images of both can then be compared.

    Args:
      wanted: by domain, "x" and "y".
      infos: headers of the domain's images.
    """
    found: dict[str, int] = {}
    for domain, count in wanted.items():
        said = {info.colors for info in infos[domain]}
        found[domain] = count if count != "auto" else said.pop() if len(said) == 1 else _COLOR
    for domain, other in ("xy", "yx"):
        if wanted[domain] == "auto" and found[domain] == 1 and found[other] == _COLOR:
            found[domain] = _COLOR
    return found


def open_lists(
    files: Sequence[OneDomain], channels_x: Channels, channels_y: Channels
) -> tuple[list[ImageList], list[str]]:
    """Give the lists of some files, in their order, and notes on the channels that were found.

    Args:
      files: of both domains.
      channels_x: of X; "auto" is decided by the headers, see `decided_channels`.
      channels_y: of Y.

    Raises:
      UserError: an image has another number of channels.
    """
    infos = {
        domain: [info for each in files if each.domain == domain for info in each.infos]
        for domain in "xy"
    }
    wanted: dict[str, Channels] = {"x": channels_x, "y": channels_y}
    found = decided_channels(wanted, infos)
    notes = [
        f"all images of {domain.upper()} have {_in_words(found[domain])}, and so have its networks "
        f"(--data.channels_{domain} {_COLOR} reads them as color)"
        for domain in "xy"
        if wanted[domain] == "auto" and found[domain] != _COLOR
    ]
    notes += [note for each in files for note in each.notes()]
    return [each.images(found[each.domain]) for each in files], notes


def _in_words(channels: int) -> str:
    return "one channel" if channels == 1 else f"{channels} channels"
