"""Reads and writes the very numbers of image files, of any type, for domains with a range."""

from __future__ import annotations

import dataclasses
import importlib.util
import os
from pathlib import Path

import numpy as np

from cyclegan_tf.atomic import atomic_file
from cyclegan_tf.errors import UserError
from cyclegan_tf.images import chatter, codecs, headers
from cyclegan_tf.images import io as image_io
from cyclegan_tf.images.folders import require_held
from cyclegan_tf.images.headers import MAX_PIXELS, ImageError, ImageInfo
from cyclegan_tf.images.pixel_values import AS_STORED
from cyclegan_tf.images.placement import NOTHING, Placement
from cyclegan_tf.images.probing import probe

# Luma of ITU-R BT.601.
_WEIGHTS = np.array([0.299, 0.587, 0.114])


def read(
    path: str | os.PathLike,
    channels: int,
    max_pixels: int = MAX_PIXELS,
    kept: codecs.Kept = codecs.AS_SHOWN,
) -> np.ndarray:
    """Decode an image file to its own numbers, upright.

    Files of 8 bits give what `images.read` does. Of deeper ones neither colors nor depth are
    brought to a standard: alpha is left out, and a color profile and an inverted scale ("white is
    zero") have no part in it.

    Args:
      path: the file.
      channels: as for `images.read`; color becomes luma, in the file's own type.
      max_pixels: as for `images.read`.
      kept: of files of 8 bits, as for `images.read`.

    Returns:
      (H, W, channels) of the file's type.

    Raises:
      ImageError: as `images.read`.
    """
    info = probe(path, max_pixels)
    if is_8_bit(info):
        return codecs.read(path, channels, max_pixels, kept)
    info.require_channels(channels)
    stored = dataclasses.replace(info, white=AS_STORED, decoder=_decoder(info))
    try:
        planes, _ = chatter.listen(lambda: codecs.decode(stored, max_pixels))
    except Exception as error:  # the decoders raise whatever a broken file makes them raise
        raise headers.as_image_error(info.path, error, max_pixels) from error
    return finished(planes, info, channels)


def finished(planes: np.ndarray, info: ImageInfo, channels: int) -> np.ndarray:
    """Make of the numbers of a deep file what `read` gives.

    Args:
      planes: (H, W, C) as stored.
      info: says what they mean.
      channels: as for `read`.
    """
    if info.has_alpha and channels in (1, 3):
        planes = planes[..., :-1]
    if planes.shape[-1] != channels:
        planes = _luma(planes) if channels == 1 else np.repeat(planes, channels, axis=-1)
    return np.ascontiguousarray(planes)


def is_8_bit(info: ImageInfo) -> bool:
    """Whether `images.read` gives the numbers of this file."""
    return info.bits == 8 and info.white == 255


def _decoder(info: ImageInfo) -> str:
    """Pillow, the decoder of common TIFFs, has no floats of 64 bits."""
    is_long = info.format == "TIFF" and info.dtype == "float64"
    return "tifffile" if is_long and importlib.util.find_spec("tifffile") else info.decoder


def _luma(planes: np.ndarray) -> np.ndarray:
    gray = planes[..., :3] @ _WEIGHTS
    gray = gray if planes.dtype.kind == "f" else np.rint(gray)
    return gray[..., np.newaxis].astype(planes.dtype)


def save(path: str | os.PathLike, numbers: np.ndarray, placement: Placement = NOTHING) -> None:
    """Write numbers as they are, whole or not at all.

    Args:
      path: TIFF and NPY hold all types and any number of channels, PNG uint8 and uint16, others
        uint8.
      numbers: (H, W, C).
      placement: as for `images.save`.

    Raises:
      UserError: the kind of file does not hold them, or needs a library that is missing.
    """
    path = Path(path)
    suffix = path.suffix.lower()
    require_held(path, numbers.dtype.name)
    if numbers.dtype in (np.uint8, np.uint16):
        image_io.save(path, numbers, placement=placement)
        return
    try:
        data = codecs.ENCODERS[suffix](np.ascontiguousarray(numbers), placement)
    except UserError as error:
        raise ImageError(path, str(error)) from error
    with atomic_file(path) as partial:
        partial.write_bytes(data)
