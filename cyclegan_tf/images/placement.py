"""What a file says beside its numbers: place, scale, camera, color profile.

Pixels keep their places in a translation, so this is true of the result, too. Needs no TensorFlow.
"""

from __future__ import annotations

import contextlib
import importlib.util
import io
import math
import struct
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from PIL import Image

from cyclegan_tf.images import camera_data, profiles
from cyclegan_tf.images.headers import ImageInfo, open_with_pillow

# GeoTIFF's pixel scale, tie points, transformation and keys; GDAL's metadata and value of no data.
_GEO = (33550, 33922, 34264, 34735, 34736, 34737, 42112, 42113)
_X_RESOLUTION, _Y_RESOLUTION, _RESOLUTION_UNIT, _DESCRIPTION = 282, 283, 296, 270
_PROFILE = 34675
_NO_UNIT, _INCH, _CM = 1, 2, 3
_PNG_COLORS = {0: 1, 4: 1, 2: 3, 6: 3}  # by the kind of color in a PNG's header
_JPEG = (".jpg", ".jpeg", ".jfif", ".jpe")
_MAX_IN_JPEG = 65_535  # of 16 bits
_MAX_PER_METER = 2**31 - 1  # in PNG and BMP
_MAX_EXIF_BYTES = 65_533  # what a segment of a JPEG holds
# What programs write that know none.
_NO_DENSITY, _OF_SCREENS = ((1, 1), (1, 1), 1), ((72, 72), (96, 96))
HOLDS: dict[str, tuple[str, ...]] = {
    ".png": ("density", "exif", "profile"),
    **dict.fromkeys(_JPEG, ("density", "exif", "profile")),
    ".webp": ("exif", "profile"),
    ".bmp": ("density",),
    **dict.fromkeys((".tif", ".tiff"), ("density", "exif", "profile", "tags")),
}
"""What files of a suffix hold: pixels per unit, EXIF, a color profile, a place on Earth."""


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
      profile: ICC, of the numbers as they are written.

    Example:
      >>> placement = read_placement(info)
      >>> images.save("out.tif", image, placement=placement)
    """

    tags: Mapping[int, tuple[int, int, Any]] = field(default_factory=dict)
    density: tuple[tuple[int, int], tuple[int, int], int] | None = None
    description: str = ""
    channels: int = 0
    exif: bytes = b""
    profile: bytes = b""

    def lost_in(self, suffix: str) -> tuple[str, ...]:
        """Name what files of this lower-case suffix cannot hold."""
        held = _held_by(suffix, self)
        says_scale = self.density not in (None, _NO_DENSITY) and self.dpi not in _OF_SCREENS
        lost = {
            "a place on Earth": self.tags and "tags" not in held,
            "a description": self.description and "tags" not in held,
            "a scale": says_scale and "density" not in held,
            "camera data": self.exif and "exif" not in held,
            "a color profile": profiles.unless_srgb(self.profile) and "profile" not in held,
        }
        return tuple(name for name, is_lost in lost.items() if is_lost)

    @property
    def dpi(self) -> tuple[float, float] | None:
        """Pixels per inch, if the unit is known."""
        per_meter = self.per_meter
        return per_meter and (round(per_meter[0] * 0.0254, 4), round(per_meter[1] * 0.0254, 4))

    @property
    def per_meter(self) -> tuple[float, float] | None:
        """Pixels per meter, if the unit is known."""
        if self.density is None or self.density[2] == _NO_UNIT:
            return None
        factor = 1 / 0.0254 if self.density[2] == _INCH else 100
        across, down = (number / max(per, 1) * factor for number, per in self.density[:2])
        return across, down


NOTHING = Placement()


def _held_by(suffix: str, placement: Placement) -> tuple[str, ...]:
    """What files of a suffix hold of a placement."""
    held = set(HOLDS.get(suffix, ()))
    if len(placement.exif) > _MAX_EXIF_BYTES and suffix in _JPEG:
        held.discard("exif")
    per_meter = placement.per_meter or (math.inf,)
    is_fine = max(per_meter) <= _MAX_PER_METER
    if suffix in _JPEG:
        is_fine = _of_jfif(placement) is not None
    if not is_fine and "tags" not in held:
        held.discard("density")
    return tuple(held)


def read_placement(info: ImageInfo) -> Placement:
    """Read what a file says; nothing where that is damaged.

    A profile is that of sRGB where the file has any: `images.read` gives such numbers.

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
            found = [_of_page(file.pages[number], info) for number in pages]
        return [replace(found[0], exif=_exif_of_tiff(info)), *found[1:]]
    except Exception:  # as above, or the library is not there
        return [NOTHING] * len(pages)


def _of_tiff(info: ImageInfo) -> Placement:
    import tifffile

    with tifffile.TiffFile(info.path) as file:
        placement = _of_page(file.pages[0], info)
    placement = replace(placement, exif=_exif_of_tiff(info))
    return replace(placement, description="") if info.more_pages else placement


def _exif_of_tiff(info: ImageInfo) -> bytes:
    with contextlib.suppress(Exception):  # a broken block is no reason to lose the place
        return camera_data.of_tiff(info.path)
    return b""


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
        profile=profiles.srgb() if found.valueof(_PROFILE) else b"",
    )


def _is_fraction(value: Any) -> bool:
    return isinstance(value, tuple) and [type(number) for number in value] == [int, int]


def _of_pillow(image: Image.Image, info: ImageInfo) -> Placement:
    density = _density(image)
    if density and info.exif_orientation >= 5:
        density = (density[1], density[0], density[2])
    return Placement(
        density=density,
        channels=info.channels,
        exif=camera_data.cleaned(image.info.get("exif", b"")),
        profile=profiles.srgb() if image.info.get("icc_profile") else b"",
    )


def _density(image: Image.Image) -> tuple[tuple[int, int], tuple[int, int], int] | None:
    """Of a file that Pillow opens, in the file's own unit where Pillow says it."""
    said = image.info
    unit = {0: _NO_UNIT, 1: _INCH, 2: _CM}.get(said.get("jfif_unit", -1))
    by_exif = unit == _NO_UNIT and "dpi" in said
    if unit and not by_exif and min(said["jfif_density"]) > 0:
        across, down = said["jfif_density"]
        return (across, 1), (down, 1), unit
    dpi = said.get("dpi")
    if not dpi or min(dpi) <= 0:
        return None
    if image.format == "PNG":  # in whole pixels per meter
        across, down = ((round(float(value) / 0.0254), 100) for value in dpi)
        return across, down, _CM
    across, down = ((round(float(value) * 10000), 10000) for value in dpi)
    return across, down, _INCH


def in_png(data: bytes, placement: Placement) -> bytes:
    """Put density, EXIF and color profile into an encoded PNG."""
    chunks, held = b"", _held_by(".png", placement)
    colors = _PNG_COLORS[data[25]]
    if placement.profile and profiles.channels_of(placement.profile) == colors:
        chunks += _chunk(b"iCCP", b"ICC profile\0\0" + zlib.compress(placement.profile))
    if placement.per_meter and "density" in held:
        per_meter = (round(value) for value in placement.per_meter)
        chunks += _chunk(b"pHYs", struct.pack(">IIB", *per_meter, 1))
    if placement.exif:
        chunks += _chunk(b"eXIf", placement.exif.removeprefix(b"Exif\0\0"))
    after_header = 8 + 12 + 13
    return data[:after_header] + chunks + data[after_header:]


def in_jpeg(data: bytes, placement: Placement) -> bytes:
    """Put the density into an encoded JPEG, in its own unit where that is possible."""
    density = _of_jfif(placement)
    if density is None or data[2:4] != b"\xff\xe0":
        return data
    unit = 11  # after the marker, its length, "JFIF", a zero and the version
    return data[: 2 + unit] + struct.pack(">BHH", *density) + data[2 + unit + 5 :]


def _of_jfif(placement: Placement) -> tuple[int, int, int] | None:
    """The unit (0 none, 1 inch, 2 cm) and pixels per unit that a JPEG can hold."""
    if placement.density is None:
        return None
    across, down, unit = placement.density
    found = (unit - 1, across[0], down[0])
    if across[1] != 1 or down[1] != 1:
        if placement.dpi is None:
            return None
        found = (_INCH - 1, round(placement.dpi[0]), round(placement.dpi[1]))
    return found if min(found[1:]) > 0 and max(found[1:]) <= _MAX_IN_JPEG else None


def _chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def pillow_options(placement: Placement, suffix: str, channels: int) -> dict[str, Any]:
    """Options of Pillow's `save` for a result of so many channels."""
    held = _held_by(suffix, placement)
    options: dict[str, Any] = {}
    if placement.dpi and "density" in held and suffix not in _JPEG:  # see `in_jpeg`
        options["dpi"] = placement.dpi
    if placement.exif and "exif" in held:
        options["exif"] = placement.exif
    if profile := _profile_for(placement, channels) if "profile" in held else b"":
        options["icc_profile"] = profile
    return options


def tifffile_options(placement: Placement, channels: int) -> dict[str, Any]:
    """Options of tifffile's `imwrite` for a result of so many channels."""
    options = camera_data.tiff_options(placement.exif)
    options["extratags"] += [
        (code, kind, count, value, True) for code, (kind, count, value) in placement.tags.items()
    ]
    if placement.density:
        across, down, unit = placement.density
        options |= {"resolution": (across, down), "resolutionunit": unit}
    if placement.description and channels == placement.channels:
        options["description"] = placement.description
    if profile := _profile_for(placement, channels):
        options["iccprofile"] = profile
    return options


def _profile_for(placement: Placement, channels: int) -> bytes:
    """The profile, if it is for so many colors."""
    profile = placement.profile
    return profile if profile and profiles.channels_of(profile) == channels else b""
