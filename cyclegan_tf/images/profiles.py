"""Color profiles: numbers of other color spaces become those of sRGB, by LittleCMS.

Needs no TensorFlow.
"""

from __future__ import annotations

import functools
import io
import zlib

import numpy as np
from PIL import Image, ImageCms

from cyclegan_tf.images.pixel_values import rgb_from_inks

_SPACES = {"RGB": 3, "GRAY": 1, "CMYK": 4}
_MODES = {1: "L", 3: "RGB", 4: "CMYK"}
_STEPS = {1: 256, 3: 33, 4: 17}  # of the table for 16 bits, on each axis, by colors
_CHUNK_PX = 2**18
_SAME = 2  # of 255; profiles named sRGB differ by rounding
_LARGEST_BYTES = 2**24


@functools.lru_cache(maxsize=64)
def unless_srgb(profile: bytes | None) -> bytes:
    """Give a profile back, and nothing for sRGB, for a broken one and for an unknown color space.

    Args:
      profile: ICC, as a file holds it.
    """
    if not profile:
        return b""
    try:
        opened = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        channels = _SPACES[opened.profile.xcolor_space.strip()]
        if channels == 4:
            return profile
        colors = _colors(9, channels)
        difference = np.abs(_by_littlecms(colors, profile).astype(int) - colors).max()
    except (ImageCms.PyCMSError, OSError, KeyError, ValueError):
        return b""
    return profile if difference > _SAME else b""


@functools.cache
def srgb() -> bytes:
    """The profile of sRGB, the same bytes each time."""
    made = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    made[24:36] = bytes.fromhex("07d000010001000000000000")  # the date, of 1 January 2000
    return bytes(made)


def of_png(chunk: bytes) -> bytes:
    """The profile in a PNG's iCCP chunk, or nothing: a name, a zero, a method, compressed bytes."""
    try:
        return zlib.decompressobj().decompress(chunk[chunk.index(b"\0") + 2 :], _LARGEST_BYTES)
    except (ValueError, zlib.error):
        return b""


@functools.lru_cache(maxsize=64)
def channels_of(profile: bytes) -> int:
    """Colors that a profile of `unless_srgb` is for: 1, 3, or the 4 inks."""
    return _SPACES[ImageCms.ImageCmsProfile(io.BytesIO(profile)).profile.xcolor_space.strip()]


def to_srgb(planes: np.ndarray, profile: bytes) -> np.ndarray:
    """Turn colors into sRGB.

    Args:
      planes: uint8 or uint16 (H, W, C), of 1 or 3 colors or 4 inks. What follows the colors, as
        alpha, is kept.
      profile: of `unless_srgb`; one that is for another number of colors changes nothing.

    Returns:
      The same type and shape; inks become (H, W, 3).
    """
    count = channels_of(profile) if profile else 0
    if count == 4 and planes.shape[-1] == 4:
        return (_by_littlecms if planes.dtype == np.uint8 else _by_table)(planes, profile)
    if count not in (1, 3) or planes.shape[-1] not in (count, count + 1):
        return planes
    colors, rest = planes[..., :count], planes[..., count:]
    convert = _by_littlecms if planes.dtype == np.uint8 and count == 3 else _by_table
    return np.concatenate([convert(colors, profile), rest], axis=-1)


def _by_littlecms(colors: np.ndarray, profile: bytes) -> np.ndarray:
    """Convert uint8 (H, W, 1, 3 or 4) to the gray or the colors of sRGB."""
    count = colors.shape[-1]
    image = Image.fromarray(
        np.ascontiguousarray(colors[..., 0] if count == 1 else colors), _MODES[count]
    )
    found = ImageCms.profileToProfile(
        image,
        ImageCms.ImageCmsProfile(io.BytesIO(profile)),
        ImageCms.createProfile("sRGB"),
        outputMode="RGB",
    )
    return np.asarray(found)[..., 1:2] if count == 1 else np.asarray(found)


def _by_table(colors: np.ndarray, profile: bytes) -> np.ndarray:
    """Convert colors of any depth: a table of what changes, read between its entries."""
    count, white = colors.shape[-1], np.iinfo(colors.dtype).max
    steps = _STEPS[count]
    change = _change_table(profile, count, steps)
    result = np.empty((*colors.shape[:2], change.shape[-1]), colors.dtype)
    rows = max(1, _CHUNK_PX // colors.shape[1])
    for top in range(0, len(colors), rows):
        part = colors[top : top + rows]
        place = part.astype(np.float32) * ((steps - 1) / white)
        low = np.minimum(place.astype(np.int32), steps - 2)
        share, added = place - low, np.zeros((*part.shape[:2], change.shape[-1]), np.float32)
        for corner in np.ndindex(*[2] * count):
            weight = np.where(corner, share, 1 - share).prod(axis=-1, keepdims=True)
            added += weight * change[tuple(np.moveaxis(low + np.array(corner), -1, 0))]
        changed = np.rint(_without_profile(part) + added * white)
        result[top : top + rows] = np.clip(changed, 0, white).astype(colors.dtype)
    return result


def _without_profile(colors: np.ndarray) -> np.ndarray:
    """What the colors would be without a profile: those of sRGB; of inks, the light they leave."""
    return rgb_from_inks(colors) if colors.shape[-1] == 4 else colors


@functools.lru_cache(maxsize=8)
def _change_table(profile: bytes, count: int, steps: int) -> np.ndarray:
    """What is added to each color, as a share of white: float32 (steps, ..., 1 or 3)."""
    exact = np.linspace(0, 1, steps)
    grid = np.stack(np.meshgrid(*[exact] * count, indexing="ij"), -1)
    stored = np.rint(grid * 255).astype(np.uint8).reshape(1, -1, count)
    change = _by_littlecms(stored, profile).astype(np.float32) - _without_profile(stored)
    return (change / 255).reshape(*grid.shape[:-1], -1)


def _colors(steps: int, count: int) -> np.ndarray:
    """Colors all over the space: uint8 (1, steps**count, count)."""
    values = np.rint(np.linspace(0, 255, steps))
    grid = np.stack(np.meshgrid(*[values] * count, indexing="ij"), -1)
    return grid.reshape(1, -1, count).astype(np.uint8)
