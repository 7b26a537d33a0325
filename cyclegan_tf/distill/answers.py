"""Images and what the teacher makes of them, each asked once."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import tensorflow as tf

from cyclegan_tf.data.cache import ImageCache
from cyclegan_tf.data.pipeline import SamplingOrder
from cyclegan_tf.data.transforms import ImageTransform
from cyclegan_tf.devices.hardware import free_memory_bytes
from cyclegan_tf.images import io as image_io

_MEMORY_SHARE = 0.25
_LARGEST_SEED = 2**31 - 1
_PURPOSE = 9  # numbers below are those of `data.pipeline`
NEW_EVERY = 3
"""Steps for each that asks the teacher something new."""


class Answers:
    """Batches of inputs and the teacher's images, a function of the step alone.

    The teacher costs twenty times what the student does. So every third step asks it something new,
    the others show what was answered before, drawn by the step's number; and each image is cut in a
    few ways only, epoch after epoch. Answers are float16 whether kept or not: what goes on after a
    kill sees the same numbers.

    Args:
      teacher: float32 (1, H, W, C) in [-1, 1] -> float32 (1, H, W, C').
      cache: resized images.
      transform: how they are cropped and mirrored; to squares of one size.
      looks: in how many ways.
      batch_size: images of a step, at most all there are.
      seed: decides order and crops.

    Example:
      >>> answers = Answers(teacher, cache, transform, looks=8, batch_size=1, seed=0)
      >>> images, truths = answers.batch(0)
    """

    def __init__(
        self,
        teacher: Callable[[tf.Tensor], tf.Tensor],
        cache: ImageCache,
        transform: ImageTransform,
        looks: int,
        batch_size: int,
        seed: int,
    ) -> None:
        self._teacher, self._cache, self._transform = teacher, cache, transform
        self._looks, self._seed = looks, seed
        self.batch_size = min(batch_size, len(cache))
        self._order = SamplingOrder(len(cache), len(cache), self.batch_size, seed)
        self._kept: dict[tuple[int, int], np.ndarray] = {}
        self._bytes_left = int(_MEMORY_SHARE * free_memory_bytes())

    @property
    def steps_per_epoch(self) -> int:
        """Steps in which the teacher is asked about each image once."""
        return NEW_EVERY * self._order.steps_per_epoch

    def batch(self, step: int) -> tuple[tf.Tensor, tf.Tensor]:
        """Make the batch of a step, from 0.

        Returns:
          Inputs and the teacher's images, float32 (N, H, W, C) in [-1, 1].
        """
        first = self.number(step) * self.batch_size
        pairs = [self._pair(position) for position in range(first, first + self.batch_size)]
        images, answers = zip(*pairs, strict=True)
        return tf.concat(images, 0), tf.cast(tf.stack(answers), tf.float32)

    def number(self, step: int) -> int:
        """Find which batch a step shows, counted from 0 in the order of asking."""
        newest = step // NEW_EVERY
        if step % NEW_EVERY == 0:
            return newest
        draw = np.random.default_rng([self._seed, _PURPOSE, step])
        return int(draw.integers(newest + 1))

    def _pair(self, position: int) -> tuple[tf.Tensor, np.ndarray]:
        index = int(self._order.image("x", tf.constant(position, tf.int64)))
        look = position // (self._order.steps_per_epoch * self.batch_size) % self._looks
        image = self._cut(index, look)
        if (answer := self._kept.get((index, look))) is None:
            answer = np.asarray(self._teacher(image))[0].astype(np.float16)
            if answer.nbytes <= self._bytes_left:
                self._bytes_left -= answer.nbytes
                self._kept[index, look] = answer
        return image, answer

    def _cut(self, index: int, look: int) -> tf.Tensor:
        """Not a graph: its only thread on a machine of one core would wait for the graph in which a
        lazy cache resizes."""
        base = tf.constant([self._seed % _LARGEST_SEED, _PURPOSE], tf.int32)
        number = tf.constant(index * self._looks + look, tf.int64)
        seed = tf.random.experimental.stateless_fold_in(base, number)
        image = self._cache.get(tf.constant(index, tf.int64))
        return image_io.to_signed(self._transform.augment(image, seed))[tf.newaxis]
