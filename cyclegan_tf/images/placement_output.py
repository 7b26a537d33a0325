"""Puts what a file says beside its numbers into the files that are written.

Needs no TensorFlow.
"""

from __future__ import annotations

import struct
import zlib
from typing import Any

from cyclegan_tf.images import camera_data, profiles
from cyclegan_tf.images.placement import JPEG, Placement, held_by, jfif_density

_PNG_COLORS = {0: 1, 4: 1, 2: 3, 6: 3}  # by the kind of color in a PNG's header


def in_png(data: bytes, placement: Placement) -> bytes:
    """Put density, EXIF and color profile into an encoded PNG."""
    chunks, held = b"", held_by(".png", placement)
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
    density = jfif_density(placement)
    if density is None or data[2:4] != b"\xff\xe0":
        return data
    unit = 11  # after the marker, its length, "JFIF", a zero and the version
    return data[: 2 + unit] + struct.pack(">BHH", *density) + data[2 + unit + 5 :]


def _chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def pillow_options(placement: Placement, suffix: str, channels: int) -> dict[str, Any]:
    """Options of Pillow's `save` for a result of so many channels, alpha aside."""
    held = held_by(suffix, placement)
    options: dict[str, Any] = {}
    if placement.dpi and "density" in held and suffix not in JPEG:  # see `in_jpeg`
        options["dpi"] = placement.dpi
    if placement.exif and "exif" in held:
        options["exif"] = placement.exif
    if profile := _profile_for(placement, channels) if "profile" in held else b"":
        options["icc_profile"] = profile
    return options


def tifffile_options(placement: Placement, channels: int) -> dict[str, Any]:
    """Options of tifffile's `imwrite` for a result of so many channels, alpha aside."""
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
    if placement.alpha is not None:
        options["extrasamples"] = ["unassalpha"]
    return options


def _profile_for(placement: Placement, channels: int) -> bytes:
    """The profile, if it is for so many colors."""
    profile = placement.profile
    return profile if profile and profiles.channels_of(profile) == channels else b""
