"""JPEG 2000 of more than 8 bits: `imagecodecs`, an optional library, keeps all of them.

Pillow cuts deep colors to 8 bits, and reads all that is not deep.
"""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from cyclegan_tf.errors import UserError, install_command
from cyclegan_tf.images import pixel_values
from cyclegan_tf.images.headers import ImageError, ImageInfo

_MAGICS = (b"\0\0\0\x0cjP  ", b"\xff\x4f\xff\x51")
_SIZES = b"\xff\x4f\xff\x51"  # the markers of start and of sizes
_SEARCHED_BYTES = 2**20  # color profiles stand before


def is_deep(magic: bytes, stream: BinaryIO) -> bool:
    """Whether a file is JPEG 2000 of more than 8 bits; the stream is put back to its start."""
    if not magic.startswith(_MAGICS):
        return False
    try:
        return max(_sizes(stream)[2]) > 8
    except (ValueError, struct.error):
        return False  # Pillow says what is wrong
    finally:
        stream.seek(0)


def header(path: Path, stream: BinaryIO) -> ImageInfo:
    """Read the header of a deep file.

    Raises:
      ImageError: its numbers have a sign, or samples differ in depth, or it has alpha.
      UserError: `imagecodecs` is missing.
    """
    width, height, depths, signed = _sizes(stream)
    if signed or len(set(depths)) > 1 or len(depths) not in (1, 3):
        raise ImageError(
            path,
            f"is JPEG 2000 of {len(depths)} channels of {max(depths)} bits"
            f"{' with a sign' if signed else ''}; 1 or 3 of one depth without a sign are wanted",
        )
    _imagecodecs()
    dtype = np.dtype(np.uint16 if depths[0] <= 16 else np.uint32)
    bits, _ = pixel_values.depth_of(dtype)
    return ImageInfo(
        path,
        "JPEG2000",
        width,
        height,
        mode=f"{'L' if len(depths) == 1 else 'RGB'} {depths[0]}-bit",
        channels=len(depths),
        bits=bits,
        decoder="jpeg2000",
        white=2 ** depths[0] - 1,
        dtype=dtype.name,
    )


def decode(info: ImageInfo, _: int) -> np.ndarray:
    """Decode to uint16 (H, W, C) over the whole range."""
    values = _imagecodecs().jpeg2k_decode(info.path.read_bytes())
    return pixel_values.full_range(values.reshape(info.height, info.width, -1), info.white)


def _imagecodecs() -> Any:
    try:
        import imagecodecs
    except ImportError:
        raise UserError(
            f"is JPEG 2000 of more than 8 bits: {install_command('tiff')}", code="dependency"
        ) from None
    return imagecodecs


def _sizes(stream: BinaryIO) -> tuple[int, int, list[int], bool]:
    """Width, height, the bits of each channel, and whether any has a sign."""
    data = stream.read(_SEARCHED_BYTES)
    start = data.index(_SIZES) + len(_SIZES) + 4  # the segment's length, capabilities
    right, bottom, left, top = struct.unpack_from(">4I", data, start)
    (count,) = struct.unpack_from(">H", data, start + 32)
    codes = struct.unpack_from(">" + "B2x" * count, data, start + 34)
    return (
        right - left,
        bottom - top,
        [(code & 127) + 1 for code in codes],
        any(code & 128 for code in codes),
    )
