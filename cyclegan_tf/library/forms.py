"""Images as programs hold them: files, Pillow images, arrays; results in the form of the input."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageOps

from cyclegan_tf.errors import UserError
from cyclegan_tf.images import io as image_io
from cyclegan_tf.images import numbers
from cyclegan_tf.images.codecs import with_channels
from cyclegan_tf.images.pixel_values import on_white
from cyclegan_tf.images.ranges import ValueRange

_GRAY_MODES = ("1", "L", "I;16", "I;16L", "I;16B")


def is_path(image: Any) -> bool:
    """Whether an image is given by the name of a file or folder."""
    return isinstance(image, str | os.PathLike)


def pixels_of(image: Any, channels: int) -> np.ndarray:
    """Read one image of any form.

    Args:
      image: the path of a file; a Pillow image; or an array (H, W) or (H, W, C) of uint8, uint16,
        or floats in [0, 1].
      channels: of the result; gray becomes color and color gray (luma) where this asks for it.

    Returns:
      uint8 or uint16 (H, W, channels); floats become uint16.

    Raises:
      UserError: a file that cannot be read, another type or shape, floats outside [0, 1].
    """
    if is_path(image):
        return image_io.read(Path(image), channels)
    planes = _of_pillow(image) if isinstance(image, Image.Image) else _of_array(image)
    found = planes.shape[-1]
    if found != channels and {found, channels} != {1, 3}:
        raise UserError(
            f"an image has {found} channels, and this model takes {channels}.",
            code="mismatch",
            field="images",
        )
    return np.ascontiguousarray(with_channels(planes, channels))


def signed_of(image: Any, channels: int, source: ValueRange | None) -> np.ndarray:
    """Read one image of any form through a range.

    Args:
      image: the path of a file, or an array (H, W) or (H, W, C) of numbers of the range; without
        a range what `pixels_of` takes.
      channels: as for `pixels_of`; of an array, those that it has.
      source: the range of its numbers.

    Returns:
      float32 (H, W, channels) in [-1, 1].

    Raises:
      UserError: a file that cannot be read, another shape, or NaN.
    """
    if source is None:
        return image_io.to_signed(pixels_of(image, channels))
    found = numbers.read(Path(image), channels) if is_path(image) else _planes(image)
    if found.shape[-1] != channels:
        raise UserError(
            f"an image has {found.shape[-1]} channels, and this model takes {channels}.",
            code="mismatch",
            field="images",
        )
    return source.to_signed(found)


def like(image: Any) -> Callable[[np.ndarray], Any]:
    """Choose the form of a result by the form of its input.

    Args:
      image: what `pixels_of` takes.

    Returns:
      A function of uint8 or uint16 (H, W, C). For files and Pillow images it gives a Pillow image
      where Pillow has such a kind (1 or 3 channels of 8 bits, 1 of 16), else the array; for arrays
      an array of the same type.
    """
    if is_path(image) or isinstance(image, Image.Image):
        return _to_pillow
    kind = np.asarray(image).dtype
    if kind.kind != "f":
        return lambda planes: planes
    return lambda planes: (planes / np.iinfo(planes.dtype).max).astype(kind)


def _of_pillow(image: Image.Image) -> np.ndarray:
    image = ImageOps.exif_transpose(image)
    if image.mode in _GRAY_MODES:
        values = np.asarray(image if image.mode != "1" else image.convert("L"))
        return values[..., None].astype(np.uint16 if values.itemsize == 2 else np.uint8)
    if image.has_transparency_data:
        return on_white(np.asarray(image.convert("RGBA")))
    return np.asarray(image.convert("RGB"))


def _planes(image: Any) -> np.ndarray:
    values = np.asarray(image)
    if values.ndim == 2:
        values = values[..., None]
    if values.ndim != 3 or 0 in values.shape:
        raise UserError(
            f"an image is an array (H, W) or (H, W, C), and this one is {np.shape(image)}; give "
            "several images as a list or as (N, H, W, C).",
            field="images",
        )
    return values


def _of_array(image: Any) -> np.ndarray:
    values = _planes(image)
    if values.dtype in (np.uint8, np.uint16):
        return values
    if values.dtype.kind != "f":
        raise UserError(
            f"an image holds uint8, uint16, or floats in [0, 1], and this one holds "
            f"{values.dtype}.",
            field="images",
        )
    low, high = float(values.min()), float(values.max())
    if not (low >= 0 and high <= 1):
        raise UserError(
            f"floats of an image lie in [0, 1], and these lie in [{low:g}, {high:g}]; images in "
            "[-1, 1] become such by (image + 1) / 2.",
            field="images",
        )
    return np.rint(values * 65535).astype(np.uint16)


def _to_pillow(planes: np.ndarray) -> Any:
    channels = planes.shape[-1]
    if channels == 1:
        return Image.fromarray(planes[..., 0])
    return Image.fromarray(planes) if channels == 3 and planes.dtype == np.uint8 else planes
