"""Files of several images of one size: the pages of a TIFF, the frames of an animation.

Each is translated by itself, into a file of as many.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from cyclegan_tf.atomic import atomic_file
from cyclegan_tf.errors import UserError
from cyclegan_tf.images import chatter, codecs, headers, numbers, pixel_values, tiff, tiff_output
from cyclegan_tf.images.headers import MAX_PIXELS, ImageError, ImageInfo
from cyclegan_tf.images.pages import full_size_pages
from cyclegan_tf.images.pixel_values import as_dtype
from cyclegan_tf.images.placement import (
    NOTHING,
    Placement,
    read_page_placements,
    read_placement,
)
from cyclegan_tf.images.placement_output import pillow_options

_TIFF = (".tif", ".tiff")  # pages have no times, which animations want
_ANIMATIONS = {".png": "PNG", ".webp": "WEBP"}
_MOST = 10_000
_FRAME_MS = 100  # of a frame that does not say how long it is shown


@dataclass(frozen=True)
class Stack:
    """Several images of one size.

    Attributes:
      images: (H, W, C), all of one shape and type: uint8 or uint16, or numbers of a range.
      durations_ms: of the frames of an animation; of pages none.
      loops: how often an animation is shown; 0 for ever.
      placements: one for each image.

    Example:
      >>> stack = read_stack(images.probe("cells.tif"), channels=1)
      >>> len(stack.images)
    """

    images: Sequence[np.ndarray]
    durations_ms: Sequence[int] = ()
    loops: int = 0
    placements: Sequence[Placement] = ()

    @property
    def nbytes(self) -> int:
        """Memory of the images."""
        return sum(image.nbytes for image in self.images)


def count_images(info: ImageInfo, suffix: str, max_pixels: int = MAX_PIXELS) -> int:
    """Count the images of a file that are translated one by one; 1 means only the first.

    Args:
      info: header of the file.
      suffix: lower case, of the file that they would go into.
      max_pixels: of all together; of more, only the first is taken.
    """
    if not info.more_pages or suffix not in holders_of_several(info):
        return 1
    try:
        count = _count_pages(info) if info.format == "TIFF" else _count_frames(info, max_pixels)
    except Exception:  # the readers raise whatever a broken file makes them raise
        return 1
    return count if 1 < count <= min(_MOST, max_pixels // (info.width * info.height)) else 1


def holders_of_several(info: ImageInfo) -> tuple[str, ...]:
    """Suffixes of the files that can hold the pages or frames of this one."""
    return _TIFF if info.format == "TIFF" else (*_TIFF, *_ANIMATIONS)


def require_one(info: ImageInfo) -> None:
    """Refuse a file of several images where one result is to be.

    Raises:
      ImageError: says what to do.
    """
    if info.more_pages:
        raise ImageError(
            info.path,
            "has several pages or frames, and one is wanted here; save that as a file",
        )


def read_stack(
    info: ImageInfo,
    channels: int,
    max_pixels: int = MAX_PIXELS,
    kept: codecs.Kept = codecs.AS_SHOWN,
    *,
    as_stored: bool = False,
) -> Stack | None:
    """Decode all pages or frames as `read` does the first.

    Args:
      info: header of a file of which `count_images` says more than 1.
      channels: as for `read`.
      max_pixels: of one image.
      kept: as for `read`.
      as_stored: give the numbers of deep pages as they are, as `images.numbers.read` does.

    Returns:
      None where the pages differ in size or kind.

    Raises:
      ImageError: one of them is damaged, or the number of channels does not fit.
    """
    info.require_channels(channels)
    try:
        if info.format != "TIFF":
            return _read_frames(info, channels, max_pixels, kept)
        as_stored = as_stored and not numbers.is_8_bit(info)
        stored = replace(info, white=pixel_values.AS_STORED) if as_stored else info
        decoded, _ = chatter.listen(lambda: tiff.decode_pages(stored, max_pixels))
    except Exception as error:  # the decoders raise whatever a broken file makes them raise
        raise headers.as_image_error(info.path, error, max_pixels) from error
    if decoded is None:
        return None
    with info.path.open("rb") as stream:
        pages = full_size_pages(stream)
    images = [
        numbers.finished(planes, info, channels)
        if as_stored
        else codecs.finished(planes, info, channels, kept)
        for planes in decoded
    ]
    placements = read_page_placements(info, pages)
    if kept.alpha and info.has_alpha and channels in (1, 3):
        pairs = zip(placements, decoded, strict=True)
        placements = [replace(each, alpha=planes[..., -1:]) for each, planes in pairs]
    return Stack(images, placements=placements)


def save_stack(path: Path, stack: Stack, *, as_float: bool = False) -> None:
    """Write a file of several images; it appears whole or not at all.

    PNG (animated) and WEBP hold 8 bits.

    Args:
      path: ends in .tif, .tiff, .png or .webp.
      stack: gray or RGB; of any number of channels for TIFF.
      as_float: write floats in [0, 1] into TIFF.

    Raises:
      UserError: a number of channels that the format does not hold.
    """
    suffix = path.suffix.lower()
    data = (_encode_pages if suffix in _TIFF else _encode_frames)(path, stack, as_float)
    with atomic_file(path) as partial:
        partial.write_bytes(data)


def _count_pages(info: ImageInfo) -> int:
    with info.path.open("rb") as stream:
        return len(full_size_pages(stream))


def _count_frames(info: ImageInfo, max_pixels: int) -> int:
    with info.path.open("rb") as stream:
        image: Any = headers.open_with_pillow(stream, max_pixels)
        # Deep PNG would lose bits, and an image shown in place of the animation is no frame of it.
        is_plain = info.bits == 8 and not image.info.get("default_image")
        return image.n_frames if is_plain else 1


def _read_frames(
    info: ImageInfo, channels: int, max_pixels: int, kept: codecs.Kept
) -> Stack | None:
    if channels not in (1, 3):
        return None
    composed = replace(info, mode="RGBA", channels=4, has_alpha=True)
    turn, images, durations = pixel_values.UPRIGHT[info.exif_orientation], [], []
    said, placements = read_placement(info), []
    with info.path.open("rb") as stream:
        image: Any = headers.open_with_pillow(stream, max_pixels)
        loops = image.info.get("loop", 1 if info.format == "GIF" else 0)
        for number in range(image.n_frames):
            image.seek(number)
            turned = headers.turned_size(image.width, image.height, info.exif_orientation)
            if turned != (info.width, info.height):
                return None
            planes = turn(np.asarray(image.convert("RGBA")))
            images.append(codecs.finished(planes, composed, channels, kept))
            placements.append(replace(said, alpha=planes[..., -1:] if kept.alpha else None))
            durations.append(round(image.info.get("duration", _FRAME_MS)))
    return Stack(images, durations, loops, placements)


def _encode_pages(path: Path, stack: Stack, as_float: bool) -> bytes:
    images = stack.images
    if as_float:
        white = np.float32(np.iinfo(images[0].dtype).max)
        images = [image.astype(np.float32) / white for image in images]
    try:
        return tiff_output.encode_pages(images, stack.placements or [NOTHING] * len(images))
    except UserError as error:
        raise ImageError(path, str(error)) from error


def _encode_frames(path: Path, stack: Stack, _: bool) -> bytes:
    suffix, channels = path.suffix.lower(), stack.images[0].shape[-1]
    if channels not in (1, 3):
        raise ImageError(path, f"animations hold 1 or 3 channels, not {channels}; use .tif")
    said = stack.placements or [NOTHING] * len(stack.images)
    said = [placement.fitting(np.dtype(np.uint8), suffix) for placement in said]
    frames = [
        each.put_into(as_dtype(image, np.uint8))
        for each, image in zip(said, stack.images, strict=True)
    ]
    first, *others = (
        Image.fromarray(frame[..., 0] if frame.shape[-1] == 1 else frame) for frame in frames
    )
    stream = io.BytesIO()
    first.save(
        stream,
        _ANIMATIONS[suffix],
        save_all=True,
        append_images=others,
        duration=list(stack.durations_ms),
        loop=stack.loops,
        **({"quality": 95} if suffix == ".webp" else {}),
        **pillow_options(said[0], suffix, channels),
    )
    return stream.getvalue()
