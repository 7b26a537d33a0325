"""What a file is by its content: which reader's header it has. Needs no TensorFlow."""

from __future__ import annotations

import os
from pathlib import Path

from cyclegan_tf.foreign.content import what_it_is
from cyclegan_tf.images import headers, jpeg2000, netpbm, tiff
from cyclegan_tf.images.headers import MAX_PIXELS, ImageError, ImageInfo
from cyclegan_tf.images.segments import PNG_SIGNATURE

ANY_NUMBER = 2**48
"""Limit of pixels where the image is not decoded whole, and cannot fill the memory."""


def probe(path: str | os.PathLike, max_pixels: int = MAX_PIXELS) -> ImageInfo:
    """Read the header of an image file; of an animation or a TIFF, that of the first image.

    Args:
      path: the file.
      max_pixels: refuse images of more than width x height pixels.

    Raises:
      ImageError: missing, empty, not an image, visibly cut off, or larger than `max_pixels`.
    """
    path = Path(path)
    try:
        if not path.is_file() and (found := what_it_is(path)):
            raise ImageError(path, found)  # a pipe, which opening would wait for
        with path.open("rb") as stream:
            magic = stream.read(8)
            stream.seek(0)
            if not magic:
                raise ImageError(path, "is empty (0 bytes)")
            if magic.startswith(PNG_SIGNATURE):
                info = headers.png_header(path, stream)
            elif magic.startswith(b"\x93NUMPY"):
                info = headers.npy_header(path)
            elif magic.startswith(tiff.MAGICS):
                info = tiff.header(path, stream, max_pixels)
            elif netpbm.is_netpbm(magic):
                info = netpbm.header(path, stream)
            elif jpeg2000.is_deep(magic, stream):
                info = jpeg2000.header(path, stream)
            else:
                # Targa files have no first bytes by which to know them.
                tga = path.suffix.lower() == ".tga"
                pil_image = headers.open_with_pillow(stream, max_pixels, tga)
                info = headers.pillow_header(path, pil_image, stream)
    except Exception as error:  # the readers raise whatever a broken file makes them raise
        raise headers.as_image_error(path, error, max_pixels) from error
    if info.width < 1 or info.height < 1 or info.channels < 1:
        raise ImageError(
            path, f"has no pixels ({info.width} x {info.height}, {info.channels} channels)"
        )
    if info.width * info.height > max_pixels:
        raise headers.too_large(path, f"{info.width} x {info.height}", max_pixels)
    return info


def refuse_cut_off(info: ImageInfo) -> None:
    """Refuse a file whose end is missing where its header does not show that: Pillow's kinds.

    Headers of PNG, TIFF and NumPy files say how long these are, and a JPEG that `probe` calls fast
    has its end. Of other JPEGs all is read, and an eighth of the size decoded.

    Args:
      info: what `probe` said of it.

    Raises:
      ImageError: it is cut off, or damaged in another way that Pillow notices.
    """
    if info.decoder != "pillow" or info.format == "TIFF":
        return
    try:
        with info.path.open("rb") as stream:
            image = headers.open_with_pillow(stream, MAX_PIXELS, info.format == "TGA")
            image.draft(image.mode, (max(1, image.width // 8), max(1, image.height // 8)))
            image.load()
    except Exception as error:  # the decoders raise whatever a broken file makes them raise
        raise headers.as_image_error(info.path, error) from error
