"""Folders of volumes as lists of images: each slice that is not empty is one."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from cyclegan_tf.data.image_lists import ImageList, as_user_error
from cyclegan_tf.errors import UserError
from cyclegan_tf.images import pixel_values
from cyclegan_tf.images.folders import FolderListing, list_folder
from cyclegan_tf.images.headers import ImageError, ImageInfo
from cyclegan_tf.images.ranges import ValueRange
from cyclegan_tf.volumes import opening
from cyclegan_tf.volumes.slices import Cutting, Slices

_OPEN_AT_ONCE = 4
# Kept as levels of 16 bits, as all domains with a range are.
_BITS = 16


def list_domain(folder: Path) -> tuple[FolderListing, bool]:
    """List the images below a folder or, where there are none, its volumes.

    Returns:
      The listing, and whether its `images` are volumes.

    Raises:
      UserError: as `list_folder`.
    """
    listing = list_folder(folder)
    if not listing.images:
        found = opening.list_volumes(folder)
        if found.volumes:
            return FolderListing(found.volumes, found.others), True
    return listing, False


def names_to_hold_out(folder: Path) -> list[str]:
    """Give names by which all images, or all volumes, of a folder are held out for testing.

    Raises:
      UserError: as `list_folder`.
    """
    listing, is_volumes = list_domain(folder)
    names = [path.relative_to(folder).as_posix() for path in listing.images]
    return [f"{opening.stem_of(name)}/" for name in names] if is_volumes else names


def volume_of(name: str) -> str:
    """Give the volume's part of a slice's name, without a suffix."""
    return name.rpartition("/")[0]


@dataclass(frozen=True)
class VolumeFiles:
    """Slices of the volumes of one domain and split.

    Attributes:
      domain: "x" or "y".
      names: of the slices that are not empty: "NAME/0012.axial" is slice 12 of NAME.nii.gz.
      infos: their sizes and types; the path is the volume's.
      numbers: of the slices within their volumes.
      cutting: how volumes are cut.
      empty: how many slices are left out.

    Example:
      >>> files = VolumeFiles.opened([Path("trainA/p1.nii.gz")], Path(), "x", Cutting("axial"))
      >>> files.images(channels=1).read(0).shape
    """

    domain: str
    names: tuple[str, ...]
    infos: tuple[ImageInfo, ...]
    numbers: tuple[int, ...]
    cutting: Cutting
    empty: int

    @classmethod
    def opened(
        cls, paths: Sequence[Path], root: Path, domain: str, cutting: Cutting
    ) -> VolumeFiles:
        """Look through volumes for slices that are not empty.

        Args:
          paths: of volumes, without duplicates.
          root: that their names are below.
          domain: "x" or "y".
          cutting: how they are cut.

        Raises:
          UserError: one cannot be used, or holds empty slices only, or two have one name.
        """
        names: list[str] = []
        infos: list[ImageInfo] = []
        numbers: list[int] = []
        empty, seen = 0, dict[str, Path]()
        for path in paths:
            stem = opening.stem_of(path.relative_to(root).as_posix())
            _refuse_same_name(seen.setdefault(stem, path), path)
            slices = _slices(path, cutting)
            filled = slices.filled()
            if not filled:
                raise as_user_error(ImageError(path, "holds empty slices only"), domain)
            names += [f"{stem}/{number:04d}.{cutting.suffix}" for number in filled]
            infos += [_info(slices)] * len(filled)
            numbers += filled
            empty += len(slices) - len(filled)
        return cls(domain, tuple(names), tuple(infos), tuple(numbers), cutting, empty)

    def images(self, channels: int) -> ImageList:
        """Give the list of the slices, read with so many channels.

        Raises:
          UserError: it is neither a slice with its neighbors, nor 3, which repeats one without.
        """
        try:
            for info in dict.fromkeys(self.infos):
                info.require_channels(channels)
        except ImageError as error:
            raise as_user_error(error, self.domain) from error
        shelf = _Shelf(self.cutting)

        def numbers(index: int) -> np.ndarray:
            found = shelf.slices(self.infos[index].path).numbers(self.numbers[index])
            return found if found.shape[-1] == channels else np.repeat(found, channels, axis=-1)

        def levels(index: int) -> np.ndarray:
            found = numbers(index)
            full = ValueRange.of_type(found.dtype.name)
            if full.count_outside(found):
                domain = f"data.range_{self.domain}"
                raise ImageError(
                    self.infos[index].path,
                    f"holds numbers outside [{full.low:g}, {full.high:g}]; --{domain} auto takes "
                    "the range that the training volumes have",
                )
            return full.levels(found)

        return ImageList(self.names, channels, levels, self.infos, numbers=numbers)

    def notes(self) -> list[str]:
        """Say what was left out."""
        if not self.empty:
            return []
        volumes, slices = len({info.path for info in self.infos}), self.empty + len(self.names)
        return [
            f"{self.empty} of the {slices} slices ({self.cutting.suffix}) of {volumes} volumes of "
            f"{self.domain.upper()} are empty (background) and left out"
        ]


class _Shelf:
    """The volumes used last, kept open: opening one unpacks it."""

    def __init__(self, cutting: Cutting) -> None:
        self._cutting = cutting
        self._open: OrderedDict[Path, Slices] = OrderedDict()
        self._lock = threading.Lock()

    def slices(self, path: Path) -> Slices:
        with self._lock:
            if path not in self._open:
                while len(self._open) >= _OPEN_AT_ONCE:
                    self._open.popitem(last=False)
                self._open[path] = _slices(path, self._cutting)
            self._open.move_to_end(path)
            return self._open[path]


def _slices(path: Path, cutting: Cutting) -> Slices:
    try:
        return Slices(opening.open_volume(path), cutting.axis, cutting.neighbors).checked()
    except opening.VolumeError as error:
        raise as_user_error(error) from error


def _info(slices: Slices) -> ImageInfo:
    volume, (rows, columns) = slices.volume, slices.shape
    dtype = volume.value_dtype
    _, white = pixel_values.depth_of(dtype)
    return ImageInfo(
        volume.path,
        volume.kind,
        width=columns,
        height=rows,
        mode=dtype.name,
        channels=slices.channels,
        bits=_BITS,
        decoder="volume",
        white=white,
        dtype=dtype.name,
    )


def _refuse_same_name(one: Path, other: Path) -> None:
    if one != other:
        raise UserError(
            f"{one} and {other} have one name up to the suffix; rename one, or keep one.",
            code="mismatch",
            field=str(other),
        )
