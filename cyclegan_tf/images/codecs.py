"""Decoding and encoding: an image file to an array of its pixels, an array to a file's bytes."""

from __future__ import annotations

import contextlib
import io
import os
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import tensorflow as tf
from PIL import Image

from cyclegan_tf.images import (
    chatter,
    headers,
    jpeg2000,
    netpbm,
    pixel_values,
    profiles,
    tiff,
    tiff_output,
)
from cyclegan_tf.images.headers import MAX_PIXELS, ImageError, ImageInfo
from cyclegan_tf.images.placement import NOTHING, Placement
from cyclegan_tf.images.placement_output import in_jpeg, in_png, pillow_options
from cyclegan_tf.images.probing import probe


@dataclass(frozen=True)
class Kept:
    """What of a file is left as it is where `read` would bring it to what a viewer shows.

    Attributes:
      profile: numbers of another color space stay those of that space.
      alpha: colors under transparent parts stay as they are, but white where nothing shows.

    Example:
      >>> colors = read("logo.png", kept=Kept(alpha=True))
    """

    profile: bool = False
    alpha: bool = False


AS_SHOWN = Kept()


def read(
    path: str | os.PathLike,
    channels: int = 3,
    max_pixels: int = MAX_PIXELS,
    kept: Kept = AS_SHOWN,
) -> np.ndarray:
    """Decode an image file completely, as a viewer shows it.

    Rotation by EXIF is applied, transparent parts are laid on white, palettes and CMYK become RGB.
    Colors of a file with a color profile become those of sRGB, unless the planes are given as they
    are (see `channels`). Of an animation or a TIFF the first image is taken.
    Depth is kept: up to 8 bits give uint8, anything deeper uint16, both over the whole range.
    Floats must lie in [0, 1]. A deep TIFF whose MaxSampleValue declares a smaller depth (say 4095)
    is stretched from that; the sBIT chunk of a PNG needs no such care, for a PNG's samples fill
    their range whatever their origin (PNG specification, sBIT).

    Args:
      path: the file.
      channels: 3 (gray is repeated), 1 (color becomes luma, ITU-R BT.601), or another number, which
        must be that of the planes stored; they are then given as they are, alpha included.
      max_pixels: refuse images of more than width x height pixels.
      kept: what is not brought to sRGB, or laid on white.

    Returns:
      uint8 or uint16 (H, W, channels).

    Raises:
      ImageError: unreadable, cut off, larger than `max_pixels`, or of another number of channels.
    """
    info = probe(path, max_pixels)
    info.require_channels(channels)
    try:
        planes, heard = chatter.listen(lambda: decode(info, max_pixels))
    except tf.errors.OpError as error:
        raise ImageError(
            info.path, "is damaged or cut off (its pixels cannot be decoded)"
        ) from error
    except Exception as error:  # the decoders raise whatever a broken file makes them raise
        raise headers.as_image_error(info.path, error, max_pixels) from error
    if info.format == "JPEG" and (wrong := chatter.damage(heard)):
        raise ImageError(info.path, f"is damaged, and parts of it would be wrong ({wrong})")
    return finished(planes, info, channels, kept)


def finished(
    planes: np.ndarray, info: ImageInfo, channels: int, kept: Kept = AS_SHOWN
) -> np.ndarray:
    """Make of decoded planes what `read` gives.

    Args:
      planes: uint8 or uint16 (H, W, C), as stored.
      info: says what they mean.
      channels: as for `read`.
      kept: as for `read`.
    """
    if channels in (1, 3):
        if kept.alpha and info.has_alpha:
            planes = pixel_values.uncovered(planes)
        if not (kept.profile and keeps_profile(info, channels)):
            planes = profiles.to_srgb(planes, info.profile)
        if info.mode.startswith("CMYK") and planes.shape[-1] == 4:
            planes = pixel_values.rgb_from_inks(planes)
        elif info.has_alpha:
            planes = pixel_values.on_white(planes)
        planes = with_channels(planes, channels)
    return np.ascontiguousarray(planes)


def keeps_profile(info: ImageInfo, channels: int) -> bool:
    """Whether `read` of so many channels can leave the numbers of a color profile as they are."""
    return info.colors == channels and not info.mode.startswith("CMYK")


def read_alpha(info: ImageInfo, max_pixels: int = MAX_PIXELS) -> np.ndarray | None:
    """Decode what of a file is transparent: uint8 or uint16 (H, W, 1); None where it has no alpha.

    Raises:
      ImageError: as `read`.
    """
    if not info.has_alpha:
        return None
    try:
        planes, _ = chatter.listen(lambda: decode(info, max_pixels))
    except Exception as error:  # the decoders raise whatever a broken file makes them raise
        raise headers.as_image_error(info.path, error, max_pixels) from error
    return planes[..., -1:]


def decode(info: ImageInfo, max_pixels: int = MAX_PIXELS) -> np.ndarray:
    """Decode the planes of a file as stored, for `finished` to make of what they mean.

    Args:
      info: header of the file.
      max_pixels: refuse more.

    Returns:
      uint8 or uint16 (H, W, C) over the whole range, upright; numbers as they are where the header
      has been given `pixel_values.AS_STORED` as its white.
    """
    if info.format == "JPEG" and not info.fast:
        # Pillow keeps to itself what libjpeg says of damage, and TensorFlow does not. At an eighth
        # of the size all of the file is read in a fraction of the time.
        with contextlib.suppress(tf.errors.OpError):
            tf.io.decode_jpeg(info.path.read_bytes(), channels=3, ratio=8)
    return _DECODERS[info.decoder](info, max_pixels)


def decode_fast(data: tf.Tensor) -> tf.Tensor:
    """Decode the bytes of a `fast` file, JPEG and PNG alike, eagerly or in a graph.

    Args:
      data: string scalar, a file whose `ImageInfo.fast` is True.

    Returns:
      uint8 (H, W, 3).
    """
    return tf.io.decode_jpeg(data, channels=3, dct_method="INTEGER_ACCURATE", fancy_upscaling=True)


def luma(image: tf.Tensor) -> tf.Tensor:
    """Turn color into gray by the weights of ITU-R BT.601.

    Computed in integers, so that it is the same everywhere.

    Args:
      image: uint8 or uint16 (H, W, 3). Gray given as three equal planes comes back unchanged.

    Returns:
      the same type, (H, W, 1).
    """
    # 0.299, 0.587, 0.114 times 65536, and their sum is that
    weights = tf.constant([19595, 38470, 7471], tf.int64)
    gray = tf.reduce_sum(tf.cast(image, tf.int64) * weights, axis=-1, keepdims=True)
    return tf.cast(tf.bitwise.right_shift(gray + 32768, 16), image.dtype)


def with_channels(planes: np.ndarray, channels: int) -> np.ndarray:
    """Bring gray or color to a number of channels: gray is repeated, color becomes luma.

    Args:
      planes: uint8 or uint16 (H, W, 1 or 3), or of as many channels as wanted.
      channels: 1 or 3, or that of the planes.
    """
    if planes.shape[-1] == channels:
        return planes
    if channels == 3:
        return np.repeat(planes, 3, axis=-1)
    with tf.device("CPU:0"):  # reading must not wait for a GPU that is busy training
        return luma(tf.constant(planes)).numpy()


def _decode_tensorflow(info: ImageInfo, _: int) -> np.ndarray:
    planes = decode_fast(info.path.read_bytes()).numpy()
    return planes[..., : info.channels]


def _decode_png(info: ImageInfo, _: int) -> np.ndarray:
    # Asked for four channels, TensorFlow turns palettes and color keys into colors and alpha.
    dtype = tf.uint16 if info.bits == 16 else tf.uint8
    planes = tf.io.decode_png(info.path.read_bytes(), channels=4, dtype=dtype).numpy()
    gray_or_red = 2 if info.channels <= 2 else 0
    return pixel_values.UPRIGHT[info.exif_orientation](
        planes[..., gray_or_red : gray_or_red + info.channels]
    )


def _decode_pillow(info: ImageInfo, max_pixels: int) -> np.ndarray:
    if info.format == "TIFF":
        return tiff.decode(info, max_pixels)
    mode = {1: "L", 2: "LA", 3: "RGB", 4: "CMYK" if info.mode == "CMYK" else "RGBA"}[info.channels]
    with info.path.open("rb") as stream:
        planes = np.asarray(
            headers.open_with_pillow(stream, max_pixels, info.format == "TGA").convert(mode)
        )
    return pixel_values.UPRIGHT[info.exif_orientation](
        planes if planes.ndim == 3 else planes[..., None]
    )


def _decode_npy(info: ImageInfo, _: int) -> np.ndarray:
    values = np.load(info.path, allow_pickle=False)
    return pixel_values.full_range(values if values.ndim == 3 else values[..., None], info.white)


_DECODERS: dict[str, Callable[[ImageInfo, int], np.ndarray]] = {
    "tensorflow": _decode_tensorflow,
    "png": _decode_png,
    "pillow": _decode_pillow,
    "tifffile": tiff.decode,
    "npy": _decode_npy,
    "netpbm": netpbm.decode,
    "jpeg2000": jpeg2000.decode,
}


def _encode_png(image: np.ndarray, placement: Placement = NOTHING) -> bytes:
    placement = placement.fitting(image.dtype, ".png")
    return in_png(tf.io.encode_png(placement.put_into(image)).numpy(), placement)


def _encode_npy(image: np.ndarray, placement: Placement = NOTHING) -> bytes:
    stream = io.BytesIO()
    placement = placement.fitting(image.dtype, ".npy")
    np.save(stream, placement.put_into(image), allow_pickle=False)
    return stream.getvalue()


def _encoder(name: str, suffix: str, **options: int) -> Callable[..., bytes]:
    def encode(image: np.ndarray, placement: Placement = NOTHING) -> bytes:
        stream, placement = io.BytesIO(), placement.fitting(image.dtype, suffix)
        kept = pillow_options(placement, suffix, image.shape[-1])
        image = placement.put_into(image)
        Image.fromarray(image[..., 0] if image.shape[-1] == 1 else image).save(
            stream, name, **options, **kept
        )
        return in_jpeg(stream.getvalue(), placement) if name == "JPEG" else stream.getvalue()

    return encode


ENCODERS: dict[str, Callable[..., bytes]] = {
    ".png": _encode_png,
    ".jpg": _encoder("JPEG", ".jpg", quality=95, subsampling=0),
    ".jpeg": _encoder("JPEG", ".jpeg", quality=95, subsampling=0),
    ".jfif": _encoder("JPEG", ".jfif", quality=95, subsampling=0),
    ".jpe": _encoder("JPEG", ".jpe", quality=95, subsampling=0),
    ".webp": _encoder("WEBP", ".webp", quality=95),
    ".bmp": _encoder("BMP", ".bmp"),
    ".tif": tiff_output.encode,
    ".tiff": tiff_output.encode,
    ".npy": _encode_npy,
}
"""By lower-case suffix: uint8 or uint16 (H, W, C) and perhaps a `Placement` -> a file's bytes.

TIFF and NPY take numbers of all types.
"""
