"""What a training step makes of partners: a term that compares, and what a discriminator sees."""

from __future__ import annotations

import tensorflow as tf

from cyclegan_tf.devices import replicas
from cyclegan_tf.model import losses


def paired_l1(fake: tf.Tensor, truth: tf.Tensor, is_paired: tf.Tensor | None) -> tf.Tensor:
    """Computes the mean absolute difference of translations from the truth, where it is known.

    Isola et al. 2017, eq. 3, as a mean over the values of the partners in the global batch.

    Args:
      fake: float (N, H, W, C), G(x) or F(y).
      truth: float of the same shape; another image in places.
      is_paired: float (N,), 1 where it is the truth and else 0; None where all are.

    Returns:
      float32 scalar; 0 where there are no partners.
    """
    if is_paired is None:
        return losses.l1(fake, truth)
    difference = tf.abs(tf.cast(fake, tf.float32) - tf.cast(truth, tf.float32))
    shares = tf.cast(is_paired, tf.float32)
    (count,) = replicas.all_reduce_mean([tf.reduce_sum(shares)])
    found = tf.reduce_sum(shares * tf.reduce_mean(difference, axis=(1, 2, 3)))
    return tf.math.divide_no_nan(found, count)


def beside_input(condition: tf.Tensor, image: tf.Tensor) -> tf.Tensor:
    """Lays an image beside the input it belongs to, channel by channel (Isola et al. 2017, eq. 1).

    Args:
      condition: float (N, H, W, C), the input of a generator.
      image: float (N, H, W, C'), its output, or the truth.

    Returns:
      (N, H, W, C + C'), of the image's dtype.
    """
    return tf.concat([tf.cast(condition, image.dtype), image], axis=-1)
