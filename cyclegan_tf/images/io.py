"""Images in and out: find, read, decode inside tf.data, uint8/uint16 <-> [-1, 1], save.

The only module that knows how pixel values map to [-1, 1]. Below it, and reached through it:
`codecs` (read, encode), `folders` (find), `tiff`, `headers` (kind, size, depth), `pixel_values`
(what the stored numbers mean), `placement` (place and scale) and `grid` (images side by side).
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from cyclegan_tf.atomic import atomic_file
from cyclegan_tf.errors import UserError
from cyclegan_tf.images.codecs import ENCODERS, decode_fast, luma, read
from cyclegan_tf.images.folders import EXTENSIONS, find_images, list_folder
from cyclegan_tf.images.grid import make_grid
from cyclegan_tf.images.headers import MAX_PIXELS, ChannelsError, ImageError, ImageInfo
from cyclegan_tf.images.pixel_values import as_dtype
from cyclegan_tf.images.placement import NOTHING, Placement
from cyclegan_tf.images.probing import probe

__all__ = [
    "EXTENSIONS",
    "MAX_PIXELS",
    "SAVED_EXTENSIONS",
    "ChannelsError",
    "ImageError",
    "ImageInfo",
    "as_dtype",
    "decode_tensor",
    "find_images",
    "from_signed",
    "list_folder",
    "make_grid",
    "probe",
    "read",
    "save",
    "to_signed",
    "to_uint8",
]

SAVED_EXTENSIONS = frozenset(ENCODERS)
"""Suffixes that `save` can write, lower case."""

FLOAT_EXTENSIONS = frozenset({".npy", ".tif", ".tiff"})
"""Suffixes of files that can hold floats."""

_HALF_RANGE = {"uint8": 127.5, "uint16": 32767.5}


def decode_tensor(
    path: tf.Tensor,
    fast: tf.Tensor,
    channels: int,
    dtype: str | tf.DType,
    max_pixels: int = MAX_PIXELS,
) -> tf.Tensor:
    """Decode for a tf.data map: the pixels of `read`, without Python where the file is `fast`.

    A fast file is decoded without looking at `max_pixels` again: `probe`, which said that it is
    fast, has.

    Args:
      path: string scalar.
      fast: bool scalar, `ImageInfo.fast` of that file; False is always right, and slower.
      channels: as for `read`.
      dtype: uint8 or uint16; every image is brought to it.
      max_pixels: as for `read`.

    Returns:
      (H, W, channels) of `dtype`.

    Raises:
      tf.errors.OpError: when run in a graph, on a file that cannot be used; its text names the
        file, unless the file is damaged in the middle or was changed after `probe`. Outside a graph
        also ImageError.
    """
    dtype = tf.as_dtype(dtype)
    _half_range(dtype)

    def by_python() -> tf.Tensor:
        def decode(name: Any) -> np.ndarray:
            # bytes within a graph, an array of no dimension outside
            file = os.fsdecode(np.asarray(name).item())
            return as_dtype(read(file, channels, max_pixels), dtype.name)

        return tf.numpy_function(decode, [path], dtype)

    def by_tensorflow() -> tf.Tensor:
        image = decode_fast(tf.io.read_file(path))
        image = luma(image) if channels == 1 else image
        return tf.cast(image, dtype) * 257 if dtype == tf.uint16 else image

    image = tf.cond(fast, by_tensorflow, by_python) if channels in (1, 3) else by_python()
    return tf.ensure_shape(image, (None, None, channels))


def to_signed(image: Any) -> Any:
    """Map pixel values to [-1, 1], as networks want them.

    Args:
      image: uint8 or uint16, any shape; NumPy array or tensor.

    Returns:
      float32 of the same kind and shape.

    Raises:
      ValueError: another type; without it the scale is unknown.
    """
    half = np.float32(_half_range(image.dtype))
    if tf.is_tensor(image):
        return (tf.cast(image, tf.float32) - half) / half
    return (image.astype(np.float32) - half) / half


def from_signed(array: Any, bits: int = 8) -> np.ndarray:
    """Map [-1, 1] to pixel values, rounded to the nearest; what lies outside is clipped.

    Args:
      array: float, any shape; NumPy array or eager tensor.
      bits: 8 or 16; 32 for floats, which stay in [-1, 1].

    Returns:
      uint8, uint16 or float32 of the same shape.

    Raises:
      ValueError: `array` holds NaN, or `bits` is another number.
    """
    if bits not in (8, 16, 32):
        raise ValueError(f"bits must be 8, 16 or 32, and is {bits!r}")
    values = np.asarray(array, np.float32)
    if np.isnan(values).any():
        raise ValueError(
            "the image holds NaN (not a number): the network that made it has diverged."
        )
    if bits == 32:
        return np.clip(values, -1, 1)
    half = np.float32(_half_range(f"uint{bits}"))
    return np.rint(np.clip(values, -1, 1) * half + half).astype(f"uint{bits}")


def to_uint8(signed: tf.Tensor) -> tf.Tensor:
    """Map float [-1, 1] of any shape to uint8, as `from_signed` does, inside a graph.

    NaN is not looked for.
    """
    half = np.float32(_HALF_RANGE["uint8"])
    return tf.cast(tf.round(tf.clip_by_value(signed, -1.0, 1.0) * half + half), tf.uint8)


def in_levels(difference: float) -> float:
    """A difference of values in [-1, 1], in steps of 8 bits."""
    return difference * _HALF_RANGE["uint8"]


def save(
    path: str | os.PathLike,
    image: np.ndarray,
    *,
    as_float: bool = False,
    placement: Placement = NOTHING,
) -> None:
    """Write an image in the format of the suffix; the file appears whole or not at all.

    PNG holds 1 to 4 channels of 8 or 16 bits (the 2nd of 2 and the 4th are shown as alpha), TIFF
    and NPY any number; JPEG (quality 95), WEBP and BMP hold gray or RGB and cut 16 bits to 8. TIFF
    of 16-bit color or of many channels takes the optional `tifffile`.

    Args:
      path: the file; its folder is made if need be.
      image: uint8 or uint16 (H, W, C).
      as_float: write floats in [0, 1], where the format holds them (TIFF, NPY).
      placement: where the pixels lie and how large they are; what the format does not hold is left
        out.

    Raises:
      UserError: a suffix that is not written, or a number of channels that the format does not
        hold.
      ValueError: another type than uint8 and uint16.
    """
    path = Path(path)
    suffix = path.suffix.lower()
    if suffix not in ENCODERS:
        known = ", ".join(sorted(ENCODERS))
        raise UserError(
            f"{path}: files of the kind '{suffix}' are not written; choose one of {known}",
            code="unsupported",
            field=str(path),
        )
    _half_range(image.dtype)
    limits = {".png": (1, 2, 3, 4), ".tif": None, ".tiff": None, ".npy": None}.get(suffix, (1, 3))
    if image.ndim != 3 or (limits and image.shape[-1] not in limits):
        held = f"{limits} channels" if limits else "any number of channels"
        raise UserError(
            f"{path}: {suffix} holds (H, W, C) with {held}, not {image.shape}; use .npy or .tif",
            code="unsupported",
            field=str(path),
        )
    if limits == (1, 3):
        image = as_dtype(image, np.uint8)
    try:
        if as_float and suffix in FLOAT_EXTENSIONS:
            image = image.astype(np.float32) / np.float32(np.iinfo(image.dtype).max)
        data = ENCODERS[suffix](np.ascontiguousarray(image), placement)
    except UserError as error:
        raise ImageError(path, str(error)) from error
    with atomic_file(path) as partial:
        partial.write_bytes(data)


def _half_range(dtype: Any) -> float:
    name = getattr(dtype, "name", str(dtype))
    if name not in _HALF_RANGE:
        raise ValueError(f"an image holds uint8 or uint16 pixel values, and this one holds {name}")
    return _HALF_RANGE[name]
