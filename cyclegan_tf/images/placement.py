"""What a file says beside its numbers: place, scale, camera, color profile.

Pixels keep their places in a translation, so this is true of the result, too. Needs no TensorFlow.
"""

from __future__ import annotations

import contextlib
import importlib.util
import io
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from PIL import Image

from cyclegan_tf.images import camera_data, nodata, profiles
from cyclegan_tf.images.headers import ImageInfo, open_with_pillow
from cyclegan_tf.images.nodata import TAG as NODATA
from cyclegan_tf.images.nodata import Missing
from cyclegan_tf.images.pixel_values import UPRIGHT, as_dtype

# GeoTIFF's pixel scale, tie points, transformation and keys; GDAL's metadata and value of no data.
_GDAL = 42112
_GEO = (33550, 33922, 34264, 34735, 34736, 34737, _GDAL, NODATA)
# What GDAL has measured of the input's numbers.
_OF_NUMBERS = re.compile(r'\s*<Item name="STATISTICS_[^>]*>[^<]*</Item>')
_ANYWHERE = (_GDAL, NODATA)  # those that stay true when an image is turned
TYPES_OF_ALPHA = ("uint8", "uint16", "float32")
"""Types of numbers that alpha can stand beside, as NumPy names them."""
_ASCII = 2
_X_RESOLUTION, _Y_RESOLUTION, _RESOLUTION_UNIT, _DESCRIPTION = 282, 283, 296, 270
_PROFILE = 34675
_NO_UNIT, _INCH, _CM = 1, 2, 3
JPEG = (".jpg", ".jpeg", ".jfif", ".jpe")
_MAX_INJPEG = 65_535  # of 16 bits
_MAX_PER_METER = 2**31 - 1  # in PNG and BMP
_MAX_EXIF_BYTES = 65_533  # what a segment of a JPEG holds
# What programs write that know none.
_NO_DENSITY, _OF_SCREENS = ((1, 1), (1, 1), 1), ((72, 72), (96, 96))
HOLDS: dict[str, tuple[str, ...]] = {
    ".png": ("alpha", "density", "exif", "profile"),
    **dict.fromkeys(JPEG, ("density", "exif", "profile")),
    ".webp": ("alpha", "exif", "profile"),
    ".bmp": ("density",),
    **dict.fromkeys((".tif", ".tiff"), ("alpha", "density", "exif", "profile", "tags")),
}
"""What files of a suffix hold: alpha, pixels per unit, EXIF, a color profile, a place on Earth."""


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
      alpha: uint8 or uint16 (H, W, 1), to stand behind the colors.
      missing: pixels without data.

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
    alpha: np.ndarray | None = field(default=None, compare=False, repr=False)
    missing: Missing | None = field(default=None, compare=False, repr=False)

    def fitting(self, dtype: np.dtype, suffix: str) -> Placement:
        """What files of a lower-case suffix hold of it with numbers of a type."""
        alpha, tags = self.alpha, dict(self.tags)
        if "alpha" not in HOLDS.get(suffix, ()) or dtype.name not in TYPES_OF_ALPHA:
            alpha = None
        if self.missing is not None and NODATA in tags:
            number = self.missing.of_type(dtype)
            if not np.array_equal(number, self.missing.number, equal_nan=True):
                tags[NODATA] = (_ASCII, 0, str(number))
        return replace(self, alpha=alpha, tags=tags)

    def put_into(self, part: np.ndarray, top: int = 0) -> np.ndarray:
        """Put into rows of a result what belongs there: no data, and alpha behind the colors.

        Args:
          part: (h, W, C), of a type that this is `fitting`.
          top: the first of its rows.
        """
        if self.missing is not None:
            part = self.missing.put_into(part, top)
        if self.alpha is None:
            return part
        alpha = self.alpha[top : top + len(part)]
        if part.dtype == np.float32:
            alpha = alpha.astype(np.float32) / np.float32(np.iinfo(alpha.dtype).max)
        else:
            alpha = as_dtype(alpha, part.dtype)
        return np.concatenate([part, alpha], axis=-1)

    def lost_in(self, suffix: str) -> tuple[str, ...]:
        """Name what files of this lower-case suffix cannot hold."""
        held = held_by(suffix, self)
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


def held_by(suffix: str, placement: Placement) -> tuple[str, ...]:
    """What files of a lower-case suffix hold of a placement, in the words of `HOLDS`."""
    held = set(HOLDS.get(suffix, ()))
    if len(placement.exif) > _MAX_EXIF_BYTES and suffix in JPEG:
        held.discard("exif")
    per_meter = placement.per_meter or (math.inf,)
    is_fine = max(per_meter) <= _MAX_PER_METER
    if suffix in JPEG:
        is_fine = jfif_density(placement) is not None
    if not is_fine and "tags" not in held:
        held.discard("density")
    return tuple(held)


def read_placement(info: ImageInfo, *, pixels: bool = True) -> Placement:
    """Read what a file says; nothing where that is damaged.

    A profile is that of sRGB where the file has any: `images.read` gives such numbers. Alpha is not
    read.

    Args:
      info: header of the file.
      pixels: also which pixels have no data.
    """
    try:
        if info.format == "TIFF":
            return _of_tiff(info, pixels) if importlib.util.find_spec("tifffile") else NOTHING
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


def _of_tiff(info: ImageInfo, pixels: bool) -> Placement:
    import tifffile

    with tifffile.TiffFile(info.path) as file:
        placement = _of_page(file.pages[0], info, pixels)
    placement = replace(placement, exif=_exif_of_tiff(info))
    return replace(placement, description="") if info.more_pages else placement


def _exif_of_tiff(info: ImageInfo) -> bytes:
    with contextlib.suppress(Exception):  # a broken block is no reason to lose the place
        return camera_data.of_tiff(info.path)
    return b""


def _of_page(page: Any, info: ImageInfo, pixels: bool = True) -> Placement:
    placement = _said_by_page(page, info)
    if pixels and NODATA in placement.tags:
        placement = replace(placement, missing=_missing(page, info))
    if placement.tags or placement.description or placement.density:
        import tifffile

        from cyclegan_tf.images.placement_output import tifffile_options

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
    if _GDAL in tags:
        kind, _, items = tags[_GDAL]
        tags[_GDAL] = (kind, 0, _OF_NUMBERS.sub("", str(items)))
    density = None
    if _X_RESOLUTION in found and _Y_RESOLUTION in found:
        unit = int(found.valueof(_RESOLUTION_UNIT, _INCH))
        density = (found.valueof(_X_RESOLUTION), found.valueof(_Y_RESOLUTION), unit)
    if density and not all(_is_fraction(value) for value in density[:2]):
        density = None
    text = str(found.valueof(_DESCRIPTION, ""))
    is_described = text.startswith("ImageJ=") or "openmicroscopy.org/Schemas/OME" in text
    if info.exif_orientation != 1:  # the result is upright: places are others
        tags = {code: tag for code, tag in tags.items() if code in _ANYWHERE}
        is_described = False
    if info.exif_orientation >= 5 and density:
        density = (density[1], density[0], density[2])
    return Placement(
        tags,
        density,
        text if is_described else "",
        info.channels,
        profile=profiles.srgb() if found.valueof(_PROFILE) else b"",
    )


def _missing(page: Any, info: ImageInfo) -> Missing | None:
    """Which pixels of a page have no data, upright; None where all have."""
    number = nodata.parse(page.tags.valueof(NODATA))
    stored = None if number is None else nodata.as_type(number, page.dtype)
    if number is None or stored is None:
        return None
    values = page.asarray(maxworkers=1).reshape(page.shaped)[:, 0].transpose(1, 2, 0, 3)
    values = values.reshape(*values.shape[:2], -1)[..., : info.colors]
    where = UPRIGHT[info.exif_orientation](nodata.find(values, stored))
    return Missing(number, lambda top, bottom: where[top:bottom]) if where.any() else None


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


def jfif_density(placement: Placement) -> tuple[int, int, int] | None:
    """The unit (0 none, 1 inch, 2 cm) and pixels per unit across and down that a JPEG can hold."""
    if placement.density is None:
        return None
    across, down, unit = placement.density
    found = (unit - 1, across[0], down[0])
    if across[1] != 1 or down[1] != 1:
        if placement.dpi is None:
            return None
        found = (_INCH - 1, round(placement.dpi[0]), round(placement.dpi[1]))
    return found if min(found[1:]) > 0 and max(found[1:]) <= _MAX_INJPEG else None
