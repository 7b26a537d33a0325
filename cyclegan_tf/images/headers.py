"""Headers of image files: kind, size, depth, alpha, rotation; no pixel is decoded.

Needs no TensorFlow.
"""

from __future__ import annotations

import contextlib
import os
import re
import struct
import threading
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

import numpy as np
from PIL import Image, UnidentifiedImageError

from cyclegan_tf.errors import UserError
from cyclegan_tf.foreign.content import what_it_is
from cyclegan_tf.images import plugins, profiles
from cyclegan_tf.images.chatter import silence_libraries
from cyclegan_tf.images.pixel_values import depth_of
from cyclegan_tf.images.segments import png_chunks

MAX_PIXELS = 178_956_970
"""Default limit of width x height: one gibibyte as 16-bit RGB, against decompression bombs."""

MODE_CHANNELS = {
    **{"1": 1, "L": 1, "I": 1, "F": 1, "LA": 2, "P": 3, "RGB": 3, "YCbCr": 3},
    **{"PA": 4, "RGBA": 4, "CMYK": 4},
}
"""Channels of Pillow's modes; a palette counts as its colors."""

EXIF_ORIENTATION = 274
_LARGE_SCREEN_PX, _SCREEN_PER_FRAME = 2**24, 4
_PNG_READ = (b"IHDR", b"eXIf", b"acTL", b"iCCP")
_PNG_MODES = {0: "L", 2: "RGB", 3: "P", 4: "LA", 6: "RGBA"}
_PILLOW_FORMATS = ("JPEG", "PNG", "GIF", "BMP", "WEBP", "TIFF", "JPEG2000", "AVIF")
_pillow_limit = threading.Lock()
silence_libraries()


class ImageError(UserError):
    """An image file that cannot be used; its text is `{path}: {reason}`.

    Example:
      >>> raise ImageError("a.png", "is empty (0 bytes)")
    """

    def __init__(self, path: str | os.PathLike, reason: str):
        super().__init__(f"{path}: {reason}", code="unreadable", field=str(path))
        self.args = (path, reason)  # what pickle calls it with
        self.path = Path(path)
        self.reason = reason

    def __str__(self) -> str:
        return f"{self.path}: {self.reason}"


class ChannelsError(ImageError):
    """An image of another number of channels than is read.

    Args:
      path: the file.
      reason: both numbers.
      stored: the number with which it can be read.

    Example:
      >>> raise ChannelsError("a.tif", "has 5 channels (uint16), and 3 are wanted", 5)
    """

    def __init__(self, path: str | os.PathLike, reason: str, stored: int):
        super().__init__(path, reason)
        self.args = (path, reason, stored)
        self.stored = stored


@dataclass(frozen=True)
class ImageInfo:
    """The header of one image file.

    Attributes:
      path: the file.
      format: "JPEG", "PNG", "GIF", "BMP", "WEBP", "TIFF", "JPEG2000", "AVIF", "HEIF", "JXL", "PNM"
        or "NPY", by content, whatever the suffix says; "TGA" by the suffix.
      width: columns of what `read` returns, so after rotation by EXIF.
      height: rows, likewise.
      mode: the format's word for its pixels: "RGB", "P", "CMYK", "uint16".
      channels: planes as stored, alpha included; a palette counts as the colors it stands for.
      bits: 8, 16, or 32 for floats and wide integers. Above 8, `read` returns uint16.
      exif_orientation: 1 (upright) to 8.
      has_alpha: there may be transparent parts; `read` lays them on white.
      decoder: "tensorflow", "png", "pillow", "tifffile", "npy", "netpbm" or "jpeg2000".
      white: the stored number that means white: 255, 65535, less where a TIFF has fewer bits or
        declares its depth, 1 for floats; 0 (`pixel_values.NO_WHITE`) where none is known to be it.
      dtype: type of the stored numbers, as NumPy names it.

    Example:
      >>> info = images.probe("photo.jpg")
      >>> info.width, info.height, info.bits
    """

    path: Path
    format: str
    width: int
    height: int
    mode: str
    channels: int
    bits: int = 8
    exif_orientation: int = 1
    has_alpha: bool = False
    decoder: str = "pillow"
    white: int = 255
    more_pages: bool = False
    profile: bytes = field(default=b"", repr=False)
    dtype: str = "uint8"

    @property
    def fast(self) -> bool:
        """TensorFlow's decoder alone gives the right pixels."""
        return self.decoder == "tensorflow"

    @property
    def is_float(self) -> bool:
        """Floats in [0, 1] are stored."""
        return self.bits == 32 and self.white == 1

    @property
    def colors(self) -> int:
        """Channels as they are displayed, alpha aside."""
        return 3 if self.mode.startswith("CMYK") else self.channels - self.has_alpha

    @property
    def is_gray(self) -> bool:
        """One channel, alpha aside."""
        return self.colors == 1

    @property
    def _is_plain(self) -> bool:
        """Its channels can be read as they are stored."""
        return not self.mode.startswith(("CMYK", "P"))

    def require_channels(self, wanted: int) -> None:
        """Refuse an image that `read` could not give with `wanted` channels.

        1 and 3 turn into each other, after alpha is laid on white; any other number must be the
        stored one.

        Raises:
          ChannelsError: names both numbers.
        """
        stored = self._is_plain and wanted == self.channels
        fits = self.colors in (1, 3) if wanted in (1, 3) else stored
        if not fits:
            reason = f"has {self.channels} channels ({self.mode}), and {wanted} are wanted"
            if self.format == "NPY" and self.height in (1, 3, wanted):
                reason += "; its channels seem to stand first: give it as (height, width, channels)"
            raise ChannelsError(self.path, reason, self.channels if self._is_plain else 3)


def as_image_error(path: Path, error: Exception, max_pixels: int = MAX_PIXELS) -> ImageError:
    """Say why opening or decoding failed, with the file's name.

    Args:
      path: the file.
      error: what a decoder raised.
      max_pixels: the limit, for the message.
    """
    if isinstance(error, ImageError):
        return error
    if isinstance(error, UserError):
        return ImageError(path, str(error))
    with contextlib.suppress(OSError):  # which is the error, then
        if found := what_it_is(path):
            return ImageError(path, found)
    if isinstance(error, (Image.DecompressionBombError, Image.DecompressionBombWarning)):
        count = re.search(r"\d+", str(error))
        return too_large(path, f"{int(count[0]):,}" if count else "far more", max_pixels)
    if isinstance(error, UnidentifiedImageError):
        return ImageError(
            path, "is not an image that this program can read, whatever its name says"
        )
    if isinstance(error, OSError) and error.strerror:
        return ImageError(path, f"cannot be opened: {error.strerror}")
    # What other errors say is for those who know the decoder.
    said = " ".join(str(error).split())[:100] if isinstance(error, OSError | ValueError) else ""
    return ImageError(path, f"is damaged or cut off ({said})" if said else "is damaged or cut off")


def too_large(path: Path, size: str, max_pixels: int) -> ImageError:
    """The refusal of a decompression bomb, or of an image too large for this machine.

    Args:
      path: the file.
      size: pixels by the header, for the message.
      max_pixels: the limit.
    """
    reason = f"has {size} pixels by its header, and the limit is {max_pixels:,}"
    return ImageError(path, f"{reason}; cut it into parts, or raise max_pixels if you trust it")


def turned_size(width: int, height: int, orientation: int) -> tuple[int, int]:
    """Width and height after rotation by EXIF, of those stored; `orientation` is 1 to 8."""
    return (height, width) if orientation >= 5 else (width, height)


def png_header(path: Path, stream: BinaryIO) -> ImageInfo:
    """Read the chunks of a PNG from its first byte.

    Raises:
      ValueError: it is damaged or cut off.
    """
    chunks: dict[bytes, bytes] = {}
    for name, length in png_chunks(stream):
        if name != b"IHDR" or name not in chunks:
            chunks[name] = stream.read(length) if name in _PNG_READ else b""
    width, height, bits, color_type = struct.unpack(">IIBB", chunks[b"IHDR"][:10])
    mode = _PNG_MODES[color_type]
    keyed = b"tRNS" in chunks
    has_alpha = keyed or mode in ("LA", "RGBA")
    orientation = _orientation(chunks.get(b"eXIf", b""))
    profile = profiles.unless_srgb(profiles.of_png(chunks.get(b"iCCP", b"")))
    simple = bits <= 8 and not has_alpha and orientation == 1 and b"acTL" not in chunks
    return ImageInfo(
        path,
        "PNG",
        *turned_size(width, height, orientation),
        mode=f"{mode};16" if bits == 16 else mode,
        channels=MODE_CHANNELS[mode] + keyed,
        bits=max(bits, 8),
        exif_orientation=orientation,
        has_alpha=has_alpha,
        decoder="tensorflow" if simple and not profile else "png",
        white=65535 if bits == 16 else 255,
        dtype="uint16" if bits == 16 else "uint8",
        profile=profile,
        more_pages=int.from_bytes(chunks.get(b"acTL", b"")[:4], "big") > 1,
    )


def npy_header(path: Path) -> ImageInfo:
    """Read the header of a NumPy file, and check that the file is long enough for it."""
    array = np.load(path, mmap_mode="r", allow_pickle=False)
    if array.ndim not in (2, 3):
        shape = f"holds an array of shape {array.shape}"
        raise ImageError(path, f"{shape}; (height, width) or (height, width, channels) is wanted")
    height, width, *channels = array.shape
    bits, white = depth_of(array.dtype)
    return ImageInfo(
        path,
        "NPY",
        width,
        height,
        mode=array.dtype.name,
        channels=channels[0] if channels else 1,
        bits=bits,
        decoder="npy",
        white=white,
        dtype=array.dtype.name if array.dtype.kind != "b" else "uint8",
    )


def open_with_pillow(stream: BinaryIO, max_pixels: int, tga: bool = False) -> Image.Image:
    """Open with Pillow, limited to the formats we read and to our number of pixels.

    Args:
      stream: the file.
      max_pixels: refuse more.
      tga: it may be Targa, and nothing else.
    """
    formats = ("TGA",) if tga else plugins.formats(stream) or _PILLOW_FORMATS
    # Pillow's limit is a global of the process; ours holds for this file only.
    with _pillow_limit:
        kept, Image.MAX_IMAGE_PIXELS = Image.MAX_IMAGE_PIXELS, max_pixels
        try:
            return Image.open(stream, formats=formats)
        finally:
            Image.MAX_IMAGE_PIXELS = kept


def pillow_header(path: Path, image: Image.Image, stream: BinaryIO) -> ImageInfo:
    """Read the header of a file that Pillow opens, other than PNG and TIFF.

    Args:
      path: the file, for messages.
      image: opened with Pillow from `stream`.
      stream: the file.

    Raises:
      ImageError: its pixels are of an unknown kind.
    """
    if image.mode not in MODE_CHANNELS:
        raise ImageError(path, f"has pixels of a kind this program does not know ({image.mode})")
    _refuse_empty_screen(path, image)
    keyed = "transparency" in image.info and image.mode in ("1", "L", "P", "RGB")
    is_jxl = image.format == "JXL"  # upright when decoded, whatever its EXIF says
    orientation = 1 if is_jxl else _orientation(image.info.get("exif", b""))
    is_jpeg = image.format in ("JPEG", "MPO")
    # A JPEG without its end marker goes the slow way, where the error names the file.
    profile = profiles.unless_srgb(image.info.get("icc_profile"))
    simple = is_jpeg and image.mode in ("L", "RGB") and orientation == 1 and not profile
    fast = simple and _ends_like_jpeg(stream)
    return ImageInfo(
        path,
        "JPEG" if is_jpeg else str(image.format),
        *turned_size(*image.size, orientation),
        mode=image.mode,
        channels=MODE_CHANNELS[image.mode] + keyed,
        exif_orientation=orientation,
        has_alpha=keyed or image.mode in ("LA", "PA", "RGBA"),
        decoder="tensorflow" if fast else "pillow",
        profile=profile,
        # What a camera puts behind a JPEG are previews, depths and gains.
        more_pages=not is_jpeg and getattr(image, "is_animated", False),
    )


def _refuse_empty_screen(path: Path, image: Image.Image) -> None:
    """Refuse a GIF of a few bytes whose image is a small part of a huge, empty screen."""
    tiles = getattr(image, "tile", ())
    if image.format != "GIF" or not tiles or image.width * image.height <= _LARGE_SCREEN_PX:
        return
    left, top, right, bottom = tiles[0][1]
    if image.width * image.height > _SCREEN_PER_FRAME * (right - left) * (bottom - top):
        raise ImageError(
            path,
            f"is a GIF of {image.width} x {image.height} pixels, of which its first frame fills "
            f"{right - left} x {bottom - top}; crop it to the frame",
        )


def _orientation(exif: bytes) -> int:
    tags = Image.Exif()
    try:
        tags.load(exif)
        found = tags.get(EXIF_ORIENTATION, 1)
    except Exception:  # a broken EXIF block is no reason to lose the image
        return 1
    return found if found in range(1, 9) else 1


def _ends_like_jpeg(stream: BinaryIO) -> bool:
    stream.seek(-2, os.SEEK_END)
    return stream.read(2) == b"\xff\xd9"
