"""Place and scale: what a file says of where its pixels lie and how large they are.

Pixels keep their places in a translation, so this is true of the result, too. Needs no TensorFlow.
"""

from __future__ import annotations

import importlib.util
import io
import struct
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from PIL import Image

from cyclegan_tf.images.headers import EXIF_ORIENTATION, ImageInfo, open_with_pillow

# GeoTIFF's pixel scale, tie points, transformation and keys; GDAL's metadata and value of no data.
_GEO = (33550, 33922, 34264, 34735, 34736, 34737, 42112, 42113)
_X_RESOLUTION, _Y_RESOLUTION, _RESOLUTION_UNIT, _DESCRIPTION = 282, 283, 296, 270
_INCH = 2
_EXIF_IFD, _GPS_IFD = 0x8769, 0x8825
_MAX_DPI = 65_535  # 16 bits, in JPEG
_MAX_EXIF_BYTES = 65_533  # what a segment of a JPEG holds
# Size and rotation, which a translation decides, and where a thumbnail stands.
_NOT_KEPT = (EXIF_ORIENTATION, 256, 257, 40962, 40963, 513, 514)
# What programs write that know none.
_NO_DENSITY, _OF_SCREENS = ((1, 1), (1, 1), 1), ((72, 72), (96, 96))
_HOLDS: dict[str, tuple[str, ...]] = {
    ".png": ("density", "exif"),
    **dict.fromkeys((".jpg", ".jpeg", ".jfif", ".jpe"), ("density", "exif")),
    ".webp": ("exif",),
    ".bmp": ("density",),
    ".tif": ("density", "tags"),
    ".tiff": ("density", "tags"),
}


@dataclass(frozen=True)
class Placement:
    """What is written into the translation of a file.

    Attributes:
      tags: TIFF's, number -> (type, count, value) as tifffile gives them.
      density: pixels per unit across and down, as fractions, and TIFF's number of the unit: 1 for
        none, 2 inch, 3 cm; None where the file says nothing.
      description: of ImageJ or OME, which holds for `channels` channels only.
      channels: of the source, as stored.
      exif: block without size, rotation and thumbnail.
      has_unread_exif: whether there is one that is not read: a TIFF's.

    Example:
      >>> placement = read_placement(info)
      >>> images.save("out.tif", image, placement=placement)
    """

    tags: Mapping[int, tuple[int, int, Any]] = field(default_factory=dict)
    density: tuple[tuple[int, int], tuple[int, int], int] | None = None
    description: str = ""
    channels: int = 0
    exif: bytes = b""
    has_unread_exif: bool = False

    def is_lost_in(self, suffix: str) -> bool:
        """Whether files of this lower-case suffix cannot hold all of it."""
        held = _held_by(suffix, self)
        says_scale = self.density not in (None, _NO_DENSITY) and self.dpi not in _OF_SCREENS
        holds_scale = "tags" in held or ("density" in held and self.dpi is not None)
        return bool(
            self.has_unread_exif
            or ((self.tags or self.description) and "tags" not in held)
            or (self.exif and "exif" not in held)
            or (says_scale and not holds_scale)
        )

    @property
    def dpi(self) -> tuple[float, float] | None:
        """Pixels per inch, if the unit is known and other files than TIFF can hold so many."""
        if self.density is None or self.density[2] == 1:
            return None
        factor = 1 if self.density[2] == _INCH else 2.54
        across, down = (round(number / max(per, 1) * factor, 4) for number, per in self.density[:2])
        return (across, down) if max(across, down) <= _MAX_DPI else None


NOTHING = Placement()


def _held_by(suffix: str, placement: Placement) -> tuple[str, ...]:
    """What files of a suffix hold of a placement."""
    held = _HOLDS.get(suffix, ())
    is_long = len(placement.exif) > _MAX_EXIF_BYTES and suffix not in (".png", ".webp")
    return tuple(name for name in held if name != "exif" or not is_long)


def read_placement(info: ImageInfo) -> Placement:
    """Read what a file says; nothing where that is damaged.

    Args:
      info: header of the file.
    """
    try:
        if info.format == "TIFF":
            return _of_tiff(info) if importlib.util.find_spec("tifffile") else NOTHING
        if info.format in ("NPY", "PNM"):
            return NOTHING
        with info.path.open("rb") as stream:
            image = open_with_pillow(stream, 2**48, info.format == "TGA")
            return _of_pillow(image, info)
    except Exception:  # a broken block is no reason to lose the image
        return NOTHING


def read_page_placements(info: ImageInfo, pages: Sequence[int]) -> list[Placement]:
    """Read what a TIFF says of each of these pages, which are all that it holds.

    Args:
      info: header of the file.
      pages: their numbers, from 0.
    """
    try:
        import tifffile

        with tifffile.TiffFile(info.path) as file:
            return [_of_page(file.pages[number], info) for number in pages]
    except Exception:  # as above, or the library is not there
        return [NOTHING] * len(pages)


def _of_tiff(info: ImageInfo) -> Placement:
    import tifffile

    with tifffile.TiffFile(info.path) as file:
        placement = _of_page(file.pages[0], info)
    return replace(placement, description="") if info.more_pages else placement


def _of_page(page: Any, info: ImageInfo) -> Placement:
    placement = _said_by_page(page, info)
    if placement.tags or placement.description or placement.density:
        import tifffile

        # Damaged tags are read as they stand; what cannot be written again, raises here.
        with tifffile.TiffWriter(io.BytesIO()) as writer:
            options = tifffile_options(placement, info.channels)
            writer.write(np.zeros((1, 1), np.uint8), metadata=None, **options)
    return placement


def _said_by_page(page: Any, info: ImageInfo) -> Placement:
    found = page.tags
    tags = {
        code: (int(tag.dtype), int(tag.count), tag.value)
        for code in _GEO
        if (tag := found.get(code)) is not None
    }
    density = None
    if _X_RESOLUTION in found and _Y_RESOLUTION in found:
        unit = int(found.valueof(_RESOLUTION_UNIT, _INCH))
        density = (found.valueof(_X_RESOLUTION), found.valueof(_Y_RESOLUTION), unit)
    if density and not all(_is_fraction(value) for value in density[:2]):
        density = None
    text = str(found.valueof(_DESCRIPTION, ""))
    is_described = text.startswith("ImageJ=") or "openmicroscopy.org/Schemas/OME" in text
    if info.exif_orientation != 1:  # the result is upright: places are others
        tags, is_described = {}, False
    if info.exif_orientation >= 5 and density:
        density = (density[1], density[0], density[2])
    return Placement(
        tags,
        density,
        text if is_described else "",
        info.channels,
        has_unread_exif=_EXIF_IFD in found or _GPS_IFD in found,
    )


def _is_fraction(value: Any) -> bool:
    return isinstance(value, tuple) and [type(number) for number in value] == [int, int]


def _of_pillow(image: Image.Image, info: ImageInfo) -> Placement:
    density, dpi = None, image.info.get("dpi")
    if dpi and min(dpi) > 0:
        across, down = ((round(float(value) * 10000), 10000) for value in dpi)
        density = (across, down, _INCH)
        if info.exif_orientation >= 5:
            density = (down, across, _INCH)
    block = image.info.get("exif", b"")
    return Placement(density=density, channels=info.channels, exif=_cleaned(block))


def _cleaned(block: bytes) -> bytes:
    """An EXIF block without what is not true of a translation."""
    if not block:
        return b""
    exif = Image.Exif()
    exif.load(block)
    inner = exif.get_ifd(_EXIF_IFD)
    for tag in _NOT_KEPT:
        exif.pop(tag, None)
        inner.pop(tag, None)
    return exif.tobytes() if len(exif) else b""


def in_png(data: bytes, placement: Placement) -> bytes:
    """Put density and EXIF into an encoded PNG."""
    chunks = b""
    if placement.dpi:
        per_meter = (round(value / 0.0254) for value in placement.dpi)
        chunks += _chunk(b"pHYs", struct.pack(">IIB", *per_meter, 1))
    if placement.exif:
        chunks += _chunk(b"eXIf", placement.exif.removeprefix(b"Exif\0\0"))
    after_header = 8 + 12 + 13
    return data[:after_header] + chunks + data[after_header:]


def _chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def pillow_options(placement: Placement, suffix: str) -> dict[str, Any]:
    """Options of Pillow's `save` for JPEG, WEBP and BMP."""
    held = _held_by(suffix, placement)
    options: dict[str, Any] = {}
    if placement.dpi and "density" in held:
        options["dpi"] = placement.dpi
    if placement.exif and "exif" in held:
        options["exif"] = placement.exif
    return options


def tifffile_options(placement: Placement, channels: int) -> dict[str, Any]:
    """Options of tifffile's `imwrite` for a result of so many channels."""
    options: dict[str, Any] = {
        "extratags": [
            (code, kind, count, value, True)
            for code, (kind, count, value) in placement.tags.items()
        ]
    }
    if placement.density:
        across, down, unit = placement.density
        options |= {"resolution": (across, down), "resolutionunit": unit}
    if placement.description and channels == placement.channels:
        options["description"] = placement.description
    return options
