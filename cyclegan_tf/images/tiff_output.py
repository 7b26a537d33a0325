"""TIFF files out: one page or many, with what is said beside their numbers.

Pillow writes the common kinds without any of it; `tifffile`, an optional library, all others.
"""

from __future__ import annotations

import io
from collections.abc import Sequence

import numpy as np
from PIL import Image

from cyclegan_tf.images.camera_data import finish_tiff
from cyclegan_tf.images.placement import NOTHING, Placement
from cyclegan_tf.images.placement_output import tifffile_options
from cyclegan_tf.images.tiff import library

# Channels -> types of numbers.
_OF_PILLOW_WITH = {1: (np.uint8, np.uint16, np.float32), 3: (np.uint8,)}


def encode(image: np.ndarray, placement: Placement = NOTHING) -> bytes:
    """Encode numbers (H, W, C) of any type as an uncompressed TIFF.

    Raises:
      UserError: it takes `tifffile`, which is not installed.
    """
    return encode_pages([image], [placement])


def encode_pages(images: Sequence[np.ndarray], placements: Sequence[Placement]) -> bytes:
    """Encode images of one size as the pages of a TIFF, as `encode` does one.

    Args:
      images: of one shape and type.
      placements: one for each.
    """
    stream = io.BytesIO()
    channels, dtype = images[0].shape[-1], images[0].dtype
    said = [placement.fitting(dtype, ".tif") for placement in placements]
    pages = [each.put_into(image) for each, image in zip(said, images, strict=True)]
    pages = [page[..., 0] if page.shape[-1] == 1 else page for page in pages]
    is_plain = all(placement == NOTHING and placement.alpha is None for placement in said)
    if is_plain and dtype in _OF_PILLOW_WITH.get(channels, ()):
        first, *others = map(Image.fromarray, pages)
        first.save(stream, "TIFF", save_all=bool(others), append_images=others)
        return stream.getvalue()
    options = {
        "photometric": "rgb" if channels == 3 else "minisblack",
        "planarconfig": "contig" if pages[0].ndim == 3 else None,
        "metadata": None,
    }
    with library().TiffWriter(stream) as writer:
        if said[0].description:
            # ImageJ wants the pixels of a stack it described one behind the other.
            options |= tifffile_options(said[0], channels)
            writer.write(np.stack(pages) if len(pages) > 1 else pages[0], **options)
        else:
            for page, placement in zip(pages, said, strict=True):
                writer.write(page, **options, **tifffile_options(placement, channels))
    finish_tiff(stream, said[0].exif)
    return stream.getvalue()
