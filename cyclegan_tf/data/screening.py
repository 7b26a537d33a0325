"""Images that spoil a training or its scores, found by their content.

The one place that defines when an image is flat and when two images are the same: the training's
warnings and `cyclegan_tf.check` both ask here.
"""

from __future__ import annotations

import hashlib
import itertools
import math
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from cyclegan_tf.data.cache import ImageCache, read_checked
from cyclegan_tf.data.image_lists import ImageList
from cyclegan_tf.data.transforms import ImageTransform
from cyclegan_tf.images import io as image_io
from cyclegan_tf.metrics.image_quality import reduced

FLAT_CONTRAST = 1 / 255
"""Contrast, see `contrast`, below which an image is flat: one step between 8-bit values.

Instance normalization divides by the deviation, so that less than that is turned into noise.
"""

COPY_DIFFERENCE = 1.5 / 255
"""Mean absolute difference of two thumbnails, as a share of white, below which they are one image.

Saved again as JPEG of quality 60 and larger by a quarter, photographs, label maps and street maps
of three public data sets differed by 0.6 to 1.02 steps of 255 from themselves. Different ones that
show something differ by 5 and more.
"""

COPY_CONTRAST = 10 / 255
"""Contrast of a thumbnail, below which its image is no copy of a similar one.

There is more than one tile of a map that shows water.
"""

NARROW_SHARE = 1 / 8
"""Deep images that all use less than this share of their range are taken for shallow data, as 12
bits in 16. They are dark, or pale, or gray, but need not be flat."""

MAX_SAMPLED = 1000
"""So many at most, spread over the list, of images that must be decoded for it."""

MAX_SAMPLED_BYTES = 2**30
"""So much at most of images that are kept resized: a few seconds' work."""

_GRID_STEP = 8
# Enough to recognize a flat image; float64 copies of large ones would not fit in memory.
_CONTRAST_PIXELS = 250_000
_THUMBNAIL_FROM_PX = 256


def contrast(image: np.ndarray) -> float:
    """Measure the standard deviation of the channel that varies most, as a share of white.

    Within each channel: a blue image has three different channels and yet no detail.

    Args:
      image: uint8 or uint16 (H, W, C).
    """
    step = max(1, math.isqrt(image.shape[0] * image.shape[1] // _CONTRAST_PIXELS))
    deviations = image[::step, ::step].std(axis=(0, 1), dtype=np.float64)
    return float(deviations.max() / np.iinfo(image.dtype).max)


def is_flat(image: np.ndarray, used: float = 1.0) -> bool:
    """Tell whether every channel of a uint8 or uint16 (H, W, C) is nearly one value.

    Args:
      image: of levels.
      used: the share of the range that all images use: what is constant stands out from what is
        only dark.
    """
    # On a coarse grid most images are seen not to be; only the others are looked at in full.
    coarse = image[::_GRID_STEP, ::_GRID_STEP].std(axis=(0, 1), dtype=np.float64).max()
    if coarse > 4 * FLAT_CONTRAST * np.iinfo(image.dtype).max:
        return False
    return contrast(image) < FLAT_CONTRAST * used


def digest(image: np.ndarray) -> bytes:
    """Hash an image: equal for images of one shape and type whose values are all equal."""
    found = hashlib.blake2b(np.ascontiguousarray(image).data, digest_size=16)
    found.update(repr((image.shape, image.dtype)).encode())
    return found.digest()


def thumbnail(image: np.ndarray) -> np.ndarray:
    """Reduce uint8 or uint16 (H, W, C) to area means on 16 x 16, as shares of white.

    Returns:
      float32 (256, C).
    """
    factor = max(1, min(image.shape[:2]) // _THUMBNAIL_FROM_PX)
    small = reduced(_block_means(image, factor) if factor > 1 else image)
    return (small / np.iinfo(image.dtype).max).astype(np.float32).reshape(-1, image.shape[-1])


def _block_means(image: np.ndarray, factor: int) -> np.ndarray:
    """Means over factor x factor pixels, without a wider copy of the whole image."""
    height, width = (side // factor * factor for side in image.shape[:2])
    total = np.zeros((height // factor, width // factor, image.shape[-1]), np.uint64)
    for top, left in itertools.product(range(factor), repeat=2):
        total += image[top:height:factor, left:width:factor]
    return total / factor**2


def copy_finder(known: Sequence[np.ndarray]) -> Callable[[np.ndarray], int | None]:
    """Make a search for copies that were saved again in another format, quality or size.

    Args:
      known: thumbnails.

    Returns:
      thumbnail -> index of the known one that shows the same image, or None.

    Example:
      >>> find = copy_finder([thumbnail(image) for image in training])
      >>> find(thumbnail(test_image))
    """
    if not known:
        return lambda _: None
    # Means of near images are near, so that few images need be compared with each other.
    means = np.array([small.mean() for small in known])
    order = np.argsort(means)
    means, rows = means[order], np.stack(known)[order]

    def find(small: np.ndarray) -> int | None:
        if small.std(axis=0).max() < COPY_CONTRAST:
            return None
        mean = small.mean()
        first, last = np.searchsorted(means, [mean - COPY_DIFFERENCE, mean + COPY_DIFFERENCE])
        if first == last:
            return None
        differences = np.abs(rows[first:last] - small).mean(axis=(1, 2))
        nearest = int(differences.argmin())
        return int(order[first + nearest]) if differences[nearest] < COPY_DIFFERENCE else None

    return find


class Screened(NamedTuple):
    """What was found in one domain.

    Attributes:
      flat: names of flat images of both splits; where all images use little of their range,
        measured by what they use.
      leaked: names of test images that are a training image: value for value, or saved again in
        another format, quality or size (of slices of volumes only value for value).
      used: the share of their range that deep training images use, where that is below
        `NARROW_SHARE`.

    Example:
      >>> Screened(["trainA/sky.png"], [])
    """

    flat: list[str]
    leaked: list[str]
    used: float | None = None


def find_flat_and_leaked(
    train: ImageList, cache: ImageCache, test: ImageList, transform: ImageTransform
) -> Screened:
    """Look at all images of one domain, or at an even sample where they are many.

    Args:
      train: training images.
      cache: the same, resized.
      test: test images, which are resized as training images are, to compare with them.
      transform: how.

    Raises:
      UserError: an image cannot be decoded.
    """
    known, small, dtype = set[bytes](), list[np.ndarray](), np.dtype(np.uint8)
    contrasts, lowest, highest = dict[str, float](), 1.0, 0.0
    for name, image in training_sample(train, cache):
        dtype, white = image.dtype, np.iinfo(image.dtype).max
        lowest, highest = min(lowest, image.min() / white), max(highest, image.max() / white)
        known.add(digest(image))
        small.append(thumbnail(image))
        if is_flat(image):
            contrasts[name] = contrast(image)
    # Near the end of one volume a slice looks like another's: only equal ones are copies.
    find_copy = copy_finder([] if train.numbers else small)
    is_narrow = dtype != np.uint8 and 0 < highest - lowest < NARROW_SHARE
    used = float(highest - lowest) if is_narrow else 1.0
    flat, leaked = [name for name, found in contrasts.items() if found < FLAT_CONTRAST * used], []
    for name, image in test_sample(test, transform, dtype):
        if is_flat(image, used):
            flat.append(name)
        elif digest(image) in known or find_copy(thumbnail(image)) is not None:
            leaked.append(name)
    return Screened(flat, leaked, used if is_narrow else None)


def training_sample(images: ImageList, cache: ImageCache) -> Iterator[tuple[str, np.ndarray]]:
    """Yield names and resized images, uint8 or uint16 (H, W, C).

    All of them up to `MAX_SAMPLED_BYTES`, or `MAX_SAMPLED` where none are kept; of more, an even
    sample.
    """
    is_kept = cache.kind != "off"
    most = MAX_SAMPLED_BYTES * len(cache) // max(cache.bytes, 1) if is_kept else MAX_SAMPLED
    # Outside a graph, an image that cannot be decoded is named.
    get = tf.function(cache.get, autograph=False) if is_kept else cache.get
    for index in _spread(len(cache), most):
        yield images.names[index], get(tf.constant(index, tf.int64)).numpy()


def test_sample(  # not a test of pytest's
    images: ImageList, transform: ImageTransform, dtype: np.dtype
) -> Iterator[tuple[str, np.ndarray]]:
    """Yield names and test images, resized as training images are; at most `MAX_SAMPLED`.

    Args:
      images: the test split.
      transform: how they are resized.
      dtype: uint8 or uint16, which all are brought to.

    Raises:
      UserError: one cannot be decoded.
    """
    for index in _spread(len(images), MAX_SAMPLED):
        image = image_io.as_dtype(read_checked(images, index), dtype)
        yield images.names[index], transform.resize(tf.constant(image)).numpy()


def _spread(length: int, most: int) -> list[int]:
    kept = min(length, max(most, 1))
    return [index * length // kept for index in range(kept)]
