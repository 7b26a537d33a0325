"""TIFF files.

Pillow reads the common kinds; `tifffile`, an optional library, deep color and many channels.
"""

from __future__ import annotations

import contextlib
import dataclasses
import math
from collections.abc import Callable, Generator
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from PIL import Image, UnidentifiedImageError

from cyclegan_tf.errors import UserError, install_command
from cyclegan_tf.images import nodata, pixel_values
from cyclegan_tf.images.headers import (
    EXIF_ORIENTATION,
    MODE_CHANNELS,
    ImageError,
    ImageInfo,
    as_image_error,
    open_with_pillow,
    turned_size,
)
from cyclegan_tf.images.pages import full_size_pages, has_more_pages
from cyclegan_tf.images.profiles import unless_srgb

MAGICS = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
"""First bytes of a TIFF file."""

_TAGS = {
    "bits": 258,
    "compression": 259,
    "photometric": 262,
    "samples": 277,
    "max_sample_value": 281,
    "sample_format": 339,
    "profile": 34675,
}
# None, CCITT, LZW, JPEG, deflate, PackBits, LZMA, Zstandard. Of others Pillow says that the file is
# damaged.
_OF_PILLOW = (None, 1, 2, 3, 4, 5, 6, 7, 8, 32773, 32946, 34925, 50000)
_WHITE_IS_ZERO, _BLACK_IS_ZERO, _RGB, _UNKNOWN, _SIGNED, _FLOAT = 0, 1, 2, -1, 2, 3
_AS_IS = ("L", "LA", "RGB", "RGBA")  # of Pillow's modes, those whose numbers are the file's
_CUT_OFF = "is damaged or cut off (the TIFF lists fewer strips or tiles than its size needs)"


def header(path: Path, stream: BinaryIO, max_pixels: int) -> ImageInfo:
    """Read the header of a TIFF's first page.

    Args:
      path: the file, for messages.
      stream: the same, at its start.
      max_pixels: refuse images of more than width x height pixels.

    Raises:
      ImageError: its colors or numbers are of an unknown kind, or it is cut off.
      UserError: it takes `tifffile`, which is not installed.
    """
    more_pages = has_more_pages(stream)
    stream.seek(0)
    found = None
    with contextlib.suppress(UnidentifiedImageError):
        found = _of_pillow(path, open_with_pillow(stream, max_pixels))
    if found is None:
        with library().TiffFile(path) as file:
            found = _of_tifffile(path, file.pages[0])
    return dataclasses.replace(found, more_pages=more_pages)


def _of_pillow(path: Path, pil_image: Image.Image) -> ImageInfo | None:
    """Header of the page that Pillow is at; None where it takes `tifffile`."""
    tags = {name: pil_image.tag_v2.get(number) for name, number in _TAGS.items()}  # type: ignore[attr-defined]
    stored_bits, samples = max(tags["bits"] or (1,)), tags["samples"] or 1
    channels = MODE_CHANNELS.get(pil_image.mode.partition(";")[0], 0)
    # Pillow cuts 16-bit color down to 8 bits, and drops planes it has no name for, without a word;
    # what does not say what its numbers mean it takes for a negative; signs it may lose.
    sample_format = (tags["sample_format"] or (1,))[0]
    if (
        (stored_bits > 8 and samples > 1)
        or (pil_image.mode != "P" and channels != samples)
        or tags["photometric"] is None
        or sample_format == _SIGNED
        or tags["compression"] not in _OF_PILLOW
    ):
        return None
    if not _has_all_pieces(pil_image):
        raise ImageError(path, _CUT_OFF)
    dtype = np.dtype(f"{'f' if sample_format == _FLOAT else 'u'}{-(-stored_bits // 8)}")
    bits, white = pixel_values.depth_of(dtype)
    return ImageInfo(
        path,
        "TIFF",
        *pil_image.size,
        mode=pil_image.mode,
        channels=channels,
        bits=bits,
        exif_orientation=pil_image.tag_v2.get(EXIF_ORIENTATION, 1),  # type: ignore[attr-defined]
        has_alpha=pil_image.mode in ("LA", "PA", "RGBA"),
        profile=unless_srgb(pil_image.info.get("icc_profile")),
        white=white
        if bits == 8 or dtype.kind == "f"
        else _white(tags["max_sample_value"], stored_bits),
        dtype=dtype.name,
    )


def decode(info: ImageInfo, max_pixels: int) -> np.ndarray:
    """Decode to uint8 or uint16 (H, W, C) over the whole range, upright, alpha last, inks as inks.

    Raises:
      ImageError: its compression takes a library that is not installed.
    """
    if info.decoder == "tifffile":
        with library().TiffFile(info.path) as file:
            return _planes_of_tifffile(file.pages[0], info)
    with info.path.open("rb") as stream:
        return _planes_of_pillow(open_with_pillow(stream, max_pixels), info)


def decode_pages(info: ImageInfo, max_pixels: int) -> list[np.ndarray] | None:
    """Decode all pages of full size as `decode` does the first.

    Args:
      info: header of the first.
      max_pixels: for all together.

    Returns:
      None where they differ in size or kind, or are too many.

    Raises:
      ImageError: names the page that cannot be decoded.
    """
    planes: list[np.ndarray] = []
    with contextlib.closing(_pages(info, max_pixels)) as pages:
        for found, decode_page in pages:
            if found is None or _kind(found) != _kind(info):
                return None
            if (len(planes) + 1) * info.width * info.height > max_pixels:
                return None
            try:
                planes.append(decode_page())
            except Exception as error:  # decoders raise whatever a broken file makes them raise
                reason = as_image_error(info.path, error).reason
                raise ImageError(info.path, f"page {len(planes) + 1} {reason}") from error
    return planes or None


def _pages(
    info: ImageInfo, max_pixels: int
) -> Generator[tuple[ImageInfo | None, Callable[[], np.ndarray]], None, None]:
    """Of each page of full size the header, and what decodes it while the iterator is there.

    The header is None where the page takes another library than the first, or is of no known kind.
    """
    with contextlib.ExitStack() as files:
        stream = files.enter_context(info.path.open("rb"))
        numbers = full_size_pages(stream)
        stream.seek(0)
        if info.decoder == "tifffile":
            file = files.enter_context(library().TiffFile(info.path))
        else:
            pil_image = open_with_pillow(stream, max_pixels)
        for number in numbers:
            found, page = None, None
            with contextlib.suppress(UserError):
                if info.decoder == "tifffile":
                    page = file.pages[number]
                    found = _of_tifffile(info.path, page)
                else:
                    page = pil_image
                    page.seek(number)
                    found = _of_pillow(info.path, page)
            meant = info if info.white == pixel_values.AS_STORED else found or info
            yield found, partial(_PLANES[info.decoder], page, meant)


def _kind(info: ImageInfo) -> tuple[object, ...]:
    """What pages of one stack share."""
    size = info.width, info.height, info.exif_orientation
    return *size, info.mode, info.channels, info.bits, info.is_float, info.has_alpha, info.profile


def _planes_of_pillow(pil_image: Image.Image, info: ImageInfo) -> np.ndarray:
    white_is_zero = pil_image.tag_v2.get(_TAGS["photometric"]) == _WHITE_IS_ZERO  # type: ignore[attr-defined]
    # turned round, other numbers would be meant
    missing = None if white_is_zero else pil_image.tag_v2.get(nodata.TAG)  # type: ignore[attr-defined]
    pil_image.load()  # turns it upright, too
    if info.bits == 8:
        mode = {1: "L", 2: "LA", 3: "RGB", 4: "CMYK" if info.mode == "CMYK" else "RGBA"}[
            info.channels
        ]
        values = np.asarray(pil_image.convert(mode))
        values = values if values.ndim == 3 else values[..., None]
        return nodata.filled(values, missing, info.colors) if info.mode in _AS_IS else values
    values = np.asarray(pil_image)[..., None]
    if values.dtype == np.int32:
        values = values.view(np.uint32)  # signed ones have been refused
    planes = pixel_values.full_range(nodata.filled(values, missing, 1), info.white)
    # Pillow turns "white is zero" round for 8 bits only.
    return 65535 - planes if white_is_zero and info.white > 0 else planes


def library() -> Any:
    """Import `tifffile`.

    Raises:
      UserError: it is not installed.
    """
    try:
        import tifffile
    except ImportError:
        raise UserError(
            f"is a TIFF that needs one more library: {install_command('tiff')}",
            code="dependency",
        ) from None
    return tifffile


def _of_tifffile(path: Path, page: Any) -> ImageInfo:
    kind = {0: "L", 1: "L", 2: "RGB", 5: "CMYK"}.get(_photometric(page))
    if kind is None or page.dtype is None:
        raise ImageError(
            path, "is a TIFF whose colors or numbers are of a kind this program does not know"
        )
    channels, declared = page.samplesperpixel, page.tags.valueof(_TAGS["max_sample_value"])
    if kind == "CMYK" and channels != 4:
        raise ImageError(path, f"is a TIFF of {channels} printing inks; CMYK has 4")
    if len(page.dataoffsets) < math.prod(page.chunked):
        raise ImageError(path, _CUT_OFF)
    bits, white = pixel_values.depth_of(page.dtype)
    # Bits that differ between samples, as 5, 6, 5, are stretched to the type by tifffile.
    if page.dtype.kind == "u" and isinstance(page.bitspersample, int):
        white = _white(declared, page.bitspersample)
    orientation = page.tags.valueof(EXIF_ORIENTATION, 1)
    return ImageInfo(
        path,
        "TIFF",
        *turned_size(page.imagewidth, page.imagelength, orientation),
        mode=f"{kind} {page.dtype.name}" if channels <= 4 else page.dtype.name,
        channels=channels,
        bits=bits,
        exif_orientation=orientation,
        has_alpha=channels in (2, 4) and page.extrasamples[-1:] in ((1,), (2,)),
        decoder="tifffile",
        white=white,
        dtype=page.dtype.name if page.dtype.kind != "b" else "uint8",
        profile=unless_srgb(page.tags.valueof(_TAGS["profile"])),
    )


def _photometric(page: Any) -> int:
    """What the numbers mean; where the file does not say it, what libtiff would guess."""
    if _TAGS["photometric"] in page.tags:
        return int(page.photometric)
    colors = page.samplesperpixel - len(page.extrasamples)
    return {1: _BLACK_IS_ZERO, 3: _RGB}.get(colors, _UNKNOWN)


def _planes_of_tifffile(page: Any, info: ImageInfo) -> np.ndarray:
    try:
        values = page.asarray(maxworkers=1)
    except ValueError as error:
        if "imagecodecs" not in str(error):
            raise
        reason = f"is a TIFF compressed in a way that needs: {install_command('tiff')}"
        raise ImageError(info.path, reason) from error
    # `shaped` is (planes, depth, height, width, samples), where planes or samples is 1.
    values = values.reshape(page.shaped)[:, 0].transpose(1, 2, 0, 3)
    values = values.reshape(*values.shape[:2], -1)
    values = nodata.filled(values, page.tags.valueof(nodata.TAG), info.colors)
    planes = pixel_values.full_range(values, info.white)
    as_stored = info.white == pixel_values.AS_STORED
    if _photometric(page) == _WHITE_IS_ZERO and not as_stored:
        planes = np.iinfo(planes.dtype).max - planes
    if info.has_alpha and page.extrasamples[-1] == 1 and not as_stored:
        planes = pixel_values.straight_alpha(planes)
    return pixel_values.UPRIGHT[info.exif_orientation](planes)


_PLANES: dict[str, Callable[[Any, ImageInfo], np.ndarray]] = {
    "pillow": _planes_of_pillow,
    "tifffile": _planes_of_tifffile,
}


def _has_all_pieces(pil_image: Any) -> bool:
    """Whether strips or tiles cover the whole image; Pillow leaves black what none covers."""
    width, height = pil_image.tag_v2[256], pil_image.tag_v2[257]
    if 324 in pil_image.tag_v2:
        pieces, across, down = pil_image.tag_v2[324], pil_image.tag_v2[322], pil_image.tag_v2[323]
    else:
        pieces, across, down = pil_image.tag_v2[273], width, pil_image.tag_v2.get(278, height)
    planes = pil_image.tag_v2.get(_TAGS["samples"], 1) if pil_image.tag_v2.get(284) == 2 else 1
    return len(pieces) >= planes * math.ceil(width / across) * math.ceil(height / down)


def _white(declared: Any, bits: int) -> int:
    """The number that means white: MaxSampleValue if that is a depth, else the container's.

    Depths are 1023, 4095 and so on.

    Any other value is the largest measured in this image and must not stretch it (TIFF 6.0, tag
    281).
    """
    value = declared[0] if isinstance(declared, tuple) else declared
    return value if value in {2**n - 1 for n in range(9, bits)} else 2**bits - 1
