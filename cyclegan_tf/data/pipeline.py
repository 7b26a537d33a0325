"""The order of images and their way into the training step.

Which images a step shows, and how each is cropped and mirrored, is a function of (seed, step):
nothing is drawn from a generator that would have to be saved. Images stand still in a `ImageCache`;
shuffling is a permutation that can be asked for one position at a time.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import tensorflow as tf

from cyclegan_tf.data.cache import ImageCache, read_checked
from cyclegan_tf.data.image_lists import ImageList
from cyclegan_tf.data.pairs import Pairs
from cyclegan_tf.data.transforms import ImageTransform
from cyclegan_tf.images import io as image_io

DOMAINS = {"x": 0, "y": 1}
_ORDER, _AUGMENTATION, _ORDER_OF_PAIRS, _AUGMENTATION_OF_PAIRS = range(4)
_IMAGES_AHEAD = 16
"""Of each domain, made before the step asks; but two batches at least."""
_SHARES = 1000
"""Shares of pairs are counted in so many parts, as whole numbers: exact at any step."""


@dataclass(frozen=True)
class SamplingOrder:
    """Which image of each domain stands at each position of the training.

    Every epoch shows each image of the larger domain once, less what does not fill a last batch.
    The smaller domain is re-drawn in rounds: all its images in a new random order, then all again,
    so that pairs never repeat.

    Where there are partners (`pairs`), a share of the positions shows them, evenly spread, and the
    others show what an order without partners begins with. Pairs come in rounds, too.

    Attributes:
      count_x: training images of X.
      count_y: training images of Y.
      batch_size: images of each domain per step.
      seed: decides everything.
      pairs: partners, as indices into X and Y.
      pairs_share: of the positions that show partners, in (0, 1], to a thousandth; read where there
        are some.

    Example:
      >>> order = SamplingOrder(count_x=939, count_y=1177, batch_size=1, seed=0)
      >>> order.image("x", tf.constant(0, tf.int64))
    """

    count_x: int
    count_y: int
    batch_size: int
    seed: int
    pairs: Pairs = ()
    pairs_share: float = 1.0

    @property
    def steps_per_epoch(self) -> int:
        """Steps in which the larger domain is shown once."""
        return max(self.count_x, self.count_y) // self.batch_size

    def image(self, domain: str, position: tf.Tensor) -> tf.Tensor:
        """Give the index of the image of `domain` at a position.

        Args:
          domain: "x" or "y".
          position: int64 scalar, step * batch_size + place in the batch, counted from the start of
            training.

        Returns:
          int64 scalar.
        """
        count = self.count_x if domain == "x" else self.count_y
        if count == max(self.count_x, self.count_y):
            shown = self.steps_per_epoch * self.batch_size
            around, place = position // shown, position % shown
        else:
            around, place = position // count, position % count
        base = _base_seed(self.seed, _ORDER, domain)
        seed = tf.random.experimental.stateless_fold_in(base, around)
        return tf.random.experimental.index_shuffle(place, seed, tf.constant(count - 1, tf.int64))

    def images(self, position: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        """Give the indices of both images at a position, and whether they are partners.

        Args:
          position: as for `image`.

        Returns:
          int64, int64 and bool scalars.
        """
        if not self.pairs:
            x, y = self.image("x", position), self.image("y", position)
            return x, y, tf.constant(False)
        before = self.pairs_before(position)
        is_paired = self.pairs_before(position + 1) > before
        pair = self._pair(before)
        x, y = self.image("x", position - before), self.image("y", position - before)
        return tf.where(is_paired, pair[0], x), tf.where(is_paired, pair[1], y), is_paired

    def pairs_before(self, position: tf.Tensor) -> tf.Tensor:
        """Count the positions before one, int64, that show partners."""
        return position * max(1, round(_SHARES * self.pairs_share)) // _SHARES

    def _pair(self, number: tf.Tensor) -> tf.Tensor:
        """int64 (2,), the indices of the partners that are shown as the `number`-th."""
        count = len(self.pairs)
        base = _base_seed(self.seed, _ORDER_OF_PAIRS, "x")
        seed = tf.random.experimental.stateless_fold_in(base, number // count)
        last = tf.constant(count - 1, tf.int64)
        place = tf.random.experimental.index_shuffle(number % count, seed, last)
        with tf.device("CPU:0"):
            return tf.constant(self.pairs, tf.int64)[place]


def _base_seed(seed: int, purpose: int, domain: str) -> tf.Tensor:
    """int32 (2,), different for each seed, purpose and domain."""
    return tf.constant([seed % (2**31 - 1), 2 * purpose + DOMAINS[domain]], tf.int32)


def training_dataset(
    cache_x: ImageCache,
    cache_y: ImageCache,
    order: SamplingOrder,
    transform: ImageTransform,
    start_step: int,
    end_step: int,
    shard: int = 0,
    num_shards: int = 1,
) -> tf.data.Dataset:
    """Make batches (real_x, real_y) of float32 (N, H, W, C) in [-1, 1].

    X and Y are cropped and mirrored independently, after the cache. Where the order has partners,
    the batches are (real_x, real_y, is_paired), the last float32 (N,), 1 for partners and 0 for
    others; partners are cropped and mirrored as one.

    Args:
      cache_x: images of X.
      cache_y: images of Y.
      order: of all images, the same for every shard.
      transform: crop and mirror.
      start_step: the first step.
      end_step: after the last step.
      shard: which of `num_shards` equal slices of each batch to make; no other image is read.
      num_shards: must divide the batch size.
    """  # fmt: skip
    size = order.batch_size // num_shards

    def position(count: tf.Tensor) -> tf.Tensor:
        return count // size * order.batch_size + shard * size + count % size

    def prepared(cache: ImageCache, index: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
        return image_io.to_signed(transform.augment(cache.get(index), seed))

    def seed(purpose: int, domain: str, position: tf.Tensor) -> tf.Tensor:
        base = _base_seed(order.seed, purpose, domain)
        return tf.random.experimental.stateless_fold_in(base, position)

    # all is in operations already, and converting takes two seconds
    @tf.autograph.experimental.do_not_convert
    def pair(count: tf.Tensor) -> tuple[tf.Tensor, ...]:
        place = position(count)
        x, y, is_paired = order.images(place)
        seed_x, seed_y = (seed(_AUGMENTATION, domain, place) for domain in DOMAINS)
        if not order.pairs:
            return prepared(cache_x, x, seed_x), prepared(cache_y, y, seed_y)
        both = seed(_AUGMENTATION_OF_PAIRS, "x", place)
        real_x = prepared(cache_x, x, tf.where(is_paired, both, seed_x))
        real_y = prepared(cache_y, y, tf.where(is_paired, both, seed_y))
        return real_x, real_y, tf.cast(is_paired, tf.float32)

    counts = tf.data.Dataset.range(start_step * size, end_step * size)
    pairs = counts.map(pair, num_parallel_calls=os.cpu_count(), deterministic=True)
    batches = pairs.batch(size, drop_remainder=True).with_options(_options())
    return _prefetched(batches, size)


def _options() -> tf.data.Options:
    """No autotuning: its thread sleeps ever longer, up to a minute, and the end waits for it."""
    options = tf.data.Options()
    options.autotune.enabled = False
    return options


def _prefetched(batches: tf.data.Dataset, size: int) -> tf.data.Dataset:
    """Batches made ahead, and copied ahead where there is one GPU to copy to."""
    batches = batches.prefetch(max(2, _IMAGES_AHEAD // size))
    gpus = tf.config.list_logical_devices("GPU")
    if len(gpus) == 1:
        return batches.apply(tf.data.experimental.prefetch_to_device(gpus[0].name, 2))
    return batches


def find_unreadable(
    order: SamplingOrder, step: int, images_x: ImageList, images_y: ImageList
) -> None:
    """Read the images of one step plainly, so that the one a pipeline failed on is named.

    Args:
      order: of all images.
      step: that failed.
      images_x: training images of X.
      images_y: training images of Y.

    Raises:
      UserError: names the image that cannot be read.
    """
    for place in range(order.batch_size):
        position = tf.constant(step * order.batch_size + place, tf.int64)
        x, y, _ = order.images(position)
        read_checked(images_x, int(x))
        read_checked(images_y, int(y))


def evaluation_reader(images: ImageList, transform: ImageTransform) -> Callable[[int], tf.Tensor]:
    """Make a reader of test images as the networks see them: nothing random.

    Returns:
      index -> float32 (1, H, W, C) in [-1, 1].
    """

    def read(index: int) -> tf.Tensor:
        image = tf.constant(read_checked(images, index))
        return image_io.to_signed(transform.transform_test(image))[tf.newaxis]

    return read


def evaluation_pairs(
    images_x: ImageList,
    images_y: ImageList,
    transform: ImageTransform,
    count: int,
    partners: Pairs | None = None,
) -> Iterator[tuple[tf.Tensor, tf.Tensor]]:
    """Read the first `count` test images of each domain, one by one; the shorter list repeats.

    Args:
      images_x: test images of X.
      images_y: test images of Y.
      transform: their sizes.
      count: pairs at most.
      partners: the first of these instead, by index.

    Yields:
      (real_x, real_y), each float32 (1, H, W, C) in [-1, 1].
    """
    read_x, read_y = (
        evaluation_reader(images_x, transform),
        evaluation_reader(images_y, transform),
    )
    if partners is None:
        most = max(len(images_x), len(images_y))
        partners = tuple((i % len(images_x), i % len(images_y)) for i in range(most))
    for x, y in partners[:count]:
        yield read_x(x), read_y(y)
