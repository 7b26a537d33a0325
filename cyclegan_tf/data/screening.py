"""Pictures that spoil a training or its scores, found by their content before the first step."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable

import numpy as np
import tensorflow as tf

from cyclegan_tf.data.cache import Store, read_checked
from cyclegan_tf.data.sources import Pictures
from cyclegan_tf.data.transforms import Preparation
from cyclegan_tf.images import io as image_io
from cyclegan_tf.metrics.image_quality import reduced

FLAT_DEVIATION = 1 / 255
"""Standard deviation of the largest channel, as a share of white, below which a picture has nothing to see."""

COPY_DIFFERENCE = 1.5 / 255
"""Mean absolute difference of two pictures reduced to 16 x 16, as a share of white, below which they are one picture.

Saved again as JPEG of quality 60 and larger by a quarter, photographs, label maps and street maps of three public data
sets differed by 0.6 to 1.02 levels of 255 from themselves. Different ones that show something differ by 5 and more.
"""

COPY_DEVIATION = 10 / 255
"""Standard deviation of the largest channel, reduced and as a share of white, below which a picture is no copy of a
similar one: there is more than one tile of a map that shows water."""

LOOKED_AT = 1000
"""So many at most, spread over the list, of pictures that must be decoded for it."""

LOOKED_AT_BYTES = 2**30
"""So much at most of pictures that are kept prepared: a few seconds' work."""

_SPARSE = 8


def prepared_training(pictures: Pictures, store: Store) -> Iterable[tuple[str, np.ndarray]]:
    """Names and prepared pictures, uint8 or uint16 (H, W, C).

    All of them up to `LOOKED_AT_BYTES`, or `LOOKED_AT` where none are kept; of more, an even sample.
    """
    most = LOOKED_AT if store.kind == "off" else LOOKED_AT_BYTES * len(store) // max(store.bytes, 1)
    # Outside a graph, a picture that cannot be decoded is named.
    lookup = store.lookup if store.kind == "off" else tf.function(store.lookup, autograph=False)
    for index in _sample(len(store), most):
        yield pictures.names[index], lookup(tf.constant(index, tf.int64)).numpy()


def prepared_test(pictures: Pictures, preparation: Preparation, dtype: np.dtype) -> Iterable[tuple[str, np.ndarray]]:
    """Names and test pictures of `dtype`, prepared as training pictures are; at most `LOOKED_AT`.

    Raises:
      UserError: one cannot be decoded.
    """
    for index in _sample(len(pictures), LOOKED_AT):
        picture = image_io.as_dtype(read_checked(pictures, index), dtype)
        yield pictures.names[index], preparation.prepare(tf.constant(picture)).numpy()


def examine(
    training: Iterable[tuple[str, np.ndarray]],
    test: Callable[[np.dtype], Iterable[tuple[str, np.ndarray]]],
) -> tuple[list[str], list[str]]:
    """Looks at all pictures of one domain.

    Args:
      training: names and prepared pictures.
      test: the same for the test split, given the dtype of the training pictures.

    Returns:
      Names of flat pictures of both splits, and names of test pictures that are a training picture: value for
      value, or saved again in another format, quality or size.
    """
    flat, known, small, dtype = [], set(), [], np.dtype(np.uint8)
    for name, picture in training:
        dtype = picture.dtype
        known.add(_digest(picture))
        small.append(_small(picture))
        if is_flat(picture):
            flat.append(name)
    is_copy = _finder_of_copies(small)
    shared = []
    for name, picture in test(dtype):
        if is_flat(picture):
            flat.append(name)
        elif _digest(picture) in known or is_copy(_small(picture)):
            shared.append(name)
    return flat, shared


def is_flat(picture: np.ndarray) -> bool:
    """Whether every channel of a uint8 or uint16 (H, W, C) picture is nearly one level."""
    limit = FLAT_DEVIATION * np.iinfo(picture.dtype).max
    # A coarse grid tells that most pictures are not; only the others are looked at in full.
    few = picture[::_SPARSE, ::_SPARSE].astype(np.float32)
    if few.std(axis=(0, 1)).max() > 4 * limit:
        return False
    return float(picture.astype(np.float32).std(axis=(0, 1)).max()) < limit


def _small(picture: np.ndarray) -> np.ndarray:
    """uint8 or uint16 (H, W, C) -> float32 (256, C), area means as shares of white."""
    return (reduced(picture) / np.iinfo(picture.dtype).max).astype(np.float32).reshape(-1, picture.shape[-1])


def _finder_of_copies(known: list[np.ndarray]) -> Callable[[np.ndarray], bool]:
    """A function that tells of a picture, reduced, whether it is one of these."""
    if not known:
        return lambda _: False
    # Means of near pictures are near, so that few pictures need be compared with each other.
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


def _digest(picture: np.ndarray) -> bytes:
    shape = repr(picture.shape).encode()
    return hashlib.blake2b(np.ascontiguousarray(picture).tobytes() + shape, digest_size=16).digest()


def _sample(length: int, most: int) -> list[int]:
    kept = min(length, max(most, 1))
    return [index * length // kept for index in range(kept)]
