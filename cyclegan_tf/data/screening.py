"""Images that spoil a training or its scores, found by their content before the first step."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable

import numpy as np
import tensorflow as tf

from cyclegan_tf.data.cache import ImageCache, read_checked
from cyclegan_tf.data.sources import ImageList
from cyclegan_tf.data.transforms import ImageTransform
from cyclegan_tf.images import io as image_io
from cyclegan_tf.metrics.image_quality import reduced

FLAT_DEVIATION = 1 / 255
"""Standard deviation of the largest channel, as a share of white, below which an image has nothing
to see."""

COPY_DIFFERENCE = 1.5 / 255
"""Mean absolute difference of two images reduced to 16 x 16, as a share of white, below which they
are one image.

Saved again as JPEG of quality 60 and larger by a quarter, photographs, label maps and street maps
of three public data sets differed by 0.6 to 1.02 levels of 255 from themselves. Different ones that
show something differ by 5 and more.
"""

COPY_DEVIATION = 10 / 255
"""Standard deviation of the largest channel, reduced and as a share of white, below which an image
is no copy of a
similar one: there is more than one tile of a map that shows water."""

MAX_SAMPLED = 1000
"""So many at most, spread over the list, of images that must be decoded for it."""

LOOKED_AT_BYTES = 2**30
"""So much at most of images that are kept prepared: a few seconds' work."""

_SPARSE = 8


def prepared_training(images: ImageList, store: ImageCache) -> Iterable[tuple[str, np.ndarray]]:
    """Names and prepared images, uint8 or uint16 (H, W, C).

    All of them up to `LOOKED_AT_BYTES`, or `MAX_SAMPLED` where none are kept; of more, an even
    sample.
    """
    most = (
        MAX_SAMPLED if store.kind == "off" else LOOKED_AT_BYTES * len(store) // max(store.bytes, 1)
    )
    # Outside a graph, an image that cannot be decoded is named.
    lookup = store.lookup if store.kind == "off" else tf.function(store.lookup, autograph=False)
    for index in _sample(len(store), most):
        yield images.names[index], lookup(tf.constant(index, tf.int64)).numpy()


def prepared_test(
    images: ImageList, preparation: ImageTransform, dtype: np.dtype
) -> Iterable[tuple[str, np.ndarray]]:
    """Names and test images of `dtype`, prepared as training images are; at most `MAX_SAMPLED`.

    Raises:
      UserError: one cannot be decoded.
    """
    for index in _sample(len(images), MAX_SAMPLED):
        image = image_io.as_dtype(read_checked(images, index), dtype)
        yield images.names[index], preparation.prepare(tf.constant(image)).numpy()


def examine(
    training: Iterable[tuple[str, np.ndarray]],
    test: Callable[[np.dtype], Iterable[tuple[str, np.ndarray]]],
) -> tuple[list[str], list[str]]:
    """Looks at all images of one domain.

    Args:
      training: names and prepared images.
      test: the same for the test split, given the dtype of the training images.

    Returns:
      Names of flat images of both splits, and names of test images that are a training image: value
      for value, or saved again in another format, quality or size.
    """
    flat, known, small, dtype = [], set(), [], np.dtype(np.uint8)
    for name, image in training:
        dtype = image.dtype
        known.add(_digest(image))
        small.append(_small(image))
        if is_flat(image):
            flat.append(name)
    is_copy = _finder_of_copies(small)
    shared = []
    for name, image in test(dtype):
        if is_flat(image):
            flat.append(name)
        elif _digest(image) in known or is_copy(_small(image)):
            shared.append(name)
    return flat, shared


def is_flat(image: np.ndarray) -> bool:
    """Whether every channel of a uint8 or uint16 (H, W, C) image is nearly one level."""
    limit = FLAT_DEVIATION * np.iinfo(image.dtype).max
    # A coarse grid tells that most images are not; only the others are looked at in full.
    few = image[::_SPARSE, ::_SPARSE].astype(np.float32)
    if few.std(axis=(0, 1)).max() > 4 * limit:
        return False
    return float(image.astype(np.float32).std(axis=(0, 1)).max()) < limit


def _small(image: np.ndarray) -> np.ndarray:
    """uint8 or uint16 (H, W, C) -> float32 (256, C), area means as shares of white."""
    return (
        (reduced(image) / np.iinfo(image.dtype).max).astype(np.float32).reshape(-1, image.shape[-1])
    )


def _finder_of_copies(known: list[np.ndarray]) -> Callable[[np.ndarray], bool]:
    """A function that tells of an image, reduced, whether it is one of these."""
    if not known:
        return lambda _: False
    # Means of near images are near, so that few images need be compared with each other.
    means = np.array([small.mean() for small in known])
    order = np.argsort(means)
    means, rows = means[order], np.stack(known)[order]

    def is_copy(small: np.ndarray) -> bool:
        if small.std(axis=0).max() < COPY_DEVIATION:
            return False
        mean = small.mean()
        first, last = np.searchsorted(means, [mean - COPY_DIFFERENCE, mean + COPY_DIFFERENCE])
        differences = np.abs(rows[first:last] - small).mean(axis=(1, 2))
        return bool(np.any(differences < COPY_DIFFERENCE))

    return is_copy


def _digest(image: np.ndarray) -> bytes:
    shape = repr(image.shape).encode()
    return hashlib.blake2b(np.ascontiguousarray(image).tobytes() + shape, digest_size=16).digest()


def _sample(length: int, most: int) -> list[int]:
    kept = min(length, max(most, 1))
    return [index * length // kept for index in range(kept)]
