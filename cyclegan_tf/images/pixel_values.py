"""What stored numbers mean as pixel values: depth, alpha, inks, rotation.

Arithmetic only: no files, no TensorFlow.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from cyclegan_tf.errors import UserError

UPRIGHT: dict[int, Callable[[np.ndarray], np.ndarray]] = {
    1: lambda a: a,
    2: lambda a: a[:, ::-1],
    3: lambda a: a[::-1, ::-1],
    4: lambda a: a[::-1],
    5: lambda a: a.swapaxes(0, 1),
    6: lambda a: np.rot90(a, -1),
    7: lambda a: a[::-1, ::-1].swapaxes(0, 1),
    8: lambda a: np.rot90(a),
}
"""EXIF orientation -> what turns (H, W, C) upright. From 5 on, width and height change places."""


AS_STORED = -1
"""In place of the number that means white: numbers are to stay as they are."""

NO_WHITE = 0
"""In place of the number that means white: none is known to be it."""


def depth_of(dtype: np.dtype) -> tuple[int, int]:
    """Give the bits (8, 16 or 32) of a number type, and the number that means white.

    Floats count as 32 bits, white 1. Of integers with a sign, and of 64 bits, no number is known
    to be white, which `NO_WHITE` says: a range (`images.ranges`) gives them a meaning.

    Raises:
      UserError: these are no real numbers.
    """
    if dtype.kind == "f":
        return 32, 1
    if dtype.kind == "b":
        return 8, 1
    if dtype.kind == "u" and dtype.itemsize <= 4:
        return 8 * dtype.itemsize, 2 ** (8 * dtype.itemsize) - 1
    if dtype.kind in "iu":
        return min(32, max(16, 8 * dtype.itemsize)), NO_WHITE
    raise UserError(f"holds {dtype.name} values; integers or floats are wanted", code="unsupported")


def require_white(dtype: str, white: int) -> None:
    """Refuse numbers of which none is known to be white.

    Args:
      dtype: their type.
      white: as `depth_of` gives it.

    Raises:
      UserError: `white` is `NO_WHITE`.
    """
    if white == NO_WHITE:
        raise UserError(
            f"holds {dtype} numbers, of which none is known to be white; store uint8, uint16, "
            "uint32, or floats in [0, 1], or train with a range of them (data.range_x, range_y)",
            code="unsupported",
        )


def full_range(values: np.ndarray, white: int) -> np.ndarray:
    """Bring stored numbers to uint8 (from 8 bits or bool) or uint16 over the whole range.

    Nothing is clipped.

    Args:
      values: bool, uint8, uint16, uint32 or float, any byte order, any shape.
      white: the number that means white; 15, say, for 4 bits in a byte. With `AS_STORED` values of
        any type stay as they are, in this machine's byte order.

    Raises:
      UserError: a number lies outside [0, white], or is not a number.
    """
    if values.dtype.kind == "b":
        return values.astype(np.uint8) * np.uint8(255)
    if white == AS_STORED:
        return values.astype(values.dtype.newbyteorder("="), copy=False)
    require_white(values.dtype.name, white)
    if values.dtype == np.uint8 and white == 255:
        return values
    low, high = values.min(), values.max()
    if not (low >= 0 and high <= white):  # NaN compares false, so it is caught here too
        raise UserError(
            f"holds numbers from {low:g} to {high:g}, and [0, {white}] is wanted; data.range_x and "
            "range_y give others a range",
            code="unsupported",
        )
    if values.dtype.kind == "f":
        return np.rint(values.astype(np.float64) * 65535).astype(np.uint16)
    if white == 65535:
        return values.astype(np.uint16)
    dtype = np.uint8 if values.dtype == np.uint8 else np.uint16
    most = np.iinfo(dtype).max
    return ((values.astype(np.uint64) * most + white // 2) // white).astype(dtype)


def as_dtype(image: np.ndarray, dtype: Any) -> np.ndarray:
    """Bring uint8 or uint16 pixel values to one of the two types.

    Times 257, or divided by 257 and rounded.

    Raises:
      ValueError: another type is given or wanted.
    """
    dtype = np.dtype(dtype)
    for kind in (image.dtype, dtype):
        if kind not in (np.uint8, np.uint16):
            raise ValueError(f"an image holds uint8 or uint16 pixel values, not {kind.name}.")
    if image.dtype == dtype:
        return image
    if dtype == np.uint16:
        return image.astype(np.uint16) * np.uint16(257)
    return ((image.astype(np.uint32) + 128) // 257).astype(np.uint8)


def on_white(planes: np.ndarray) -> np.ndarray:
    """Lay an image on white, rounded to the nearest pixel value.

    Args:
      planes: uint8 or uint16 (H, W, C + 1), the last plane being alpha.

    Returns:
      the same type, (H, W, C).
    """
    white = int(np.iinfo(planes.dtype).max)
    wide = planes.astype(np.uint64)
    colors, alpha = wide[..., :-1], wide[..., -1:]
    return ((colors * alpha + white * (white - alpha) + white // 2) // white).astype(planes.dtype)


def uncovered(planes: np.ndarray) -> np.ndarray:
    """Give the colors under alpha as if nothing were transparent, white where nothing shows.

    Args:
      planes: uint8 or uint16 (H, W, C + 1), the last plane being alpha.

    Returns:
      the same type and shape, alpha being full.
    """
    white = np.iinfo(planes.dtype).max
    planes = np.where(planes[..., -1:] > 0, planes, planes.dtype.type(white))
    planes[..., -1] = white
    return planes


def straight_alpha(planes: np.ndarray) -> np.ndarray:
    """Undo the multiplication of colors by alpha ("associated alpha").

    Args:
      planes: uint8 or uint16 (H, W, C + 1), the last plane being alpha.

    Returns:
      the same type and shape.
    """
    white = np.iinfo(planes.dtype).max
    alpha = np.maximum(planes[..., -1:], 1).astype(np.float64)
    colors = np.minimum(np.rint(planes[..., :-1] * (white / alpha)), white)
    return np.concatenate([colors.astype(planes.dtype), planes[..., -1:]], axis=-1)


def rgb_from_inks(planes: np.ndarray) -> np.ndarray:
    """Turn CMYK into RGB without a color profile.

    Light passes where neither the ink nor black covers the paper.

    Args:
      planes: uint8 or uint16 (H, W, 4).

    Returns:
      the same type, (H, W, 3).
    """
    white = int(np.iinfo(planes.dtype).max)
    light = white - planes.astype(np.uint64)
    return ((light[..., :3] * light[..., 3:] + white // 2) // white).astype(planes.dtype)
