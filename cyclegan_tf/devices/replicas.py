"""Collectives between the replicas of one training step; with one replica, they do nothing.

A global batch is cut into equal slices, one for each replica. Every replica holds all variables and
changes its own copy; since what it changes them by is the same everywhere, the copies stay equal
bit for bit. So the only things that travel are gradients, logged numbers and, for the image pool,
translations.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import tensorflow as tf


def num_replicas() -> int:
    """Count the replicas that do the step at hand; 1 outside `strategy.run`."""
    return (
        tf.distribute.get_strategy().num_replicas_in_sync
        if tf.distribute.get_replica_context()
        else 1
    )


def replica_id() -> tf.Tensor:
    """Number of this replica among all, int32 scalar; 0 outside `strategy.run`."""
    if num_replicas() == 1:
        return tf.zeros((), tf.int32)
    return tf.cast(tf.distribute.get_replica_context().replica_id_in_sync_group, tf.int32)


def all_reduce_mean(tensors: Sequence[tf.Tensor]) -> list[tf.Tensor]:
    """Average tensors over the replicas, the same on each.

    Of gradients of local means, that is the gradient of the global mean.
    """
    if num_replicas() == 1 or not tensors:
        return list(tensors)
    return list(
        tf.distribute.get_replica_context().all_reduce(tf.distribute.ReduceOp.MEAN, list(tensors))
    )


def all_reduce_mean_scalars(values: Mapping[str, tf.Tensor]) -> dict[str, tf.Tensor]:
    """Average float32 scalars by name over the replicas, in one message."""
    if num_replicas() == 1 or not values:
        return dict(values)
    (means,) = all_reduce_mean([tf.stack(list(values.values()))])
    return dict(zip(values, tf.unstack(means, num=len(values)), strict=True))


def all_gather(images: tf.Tensor) -> tf.Tensor:
    """Gather images of all replicas in the order of the global batch.

    Args:
      images: float (N, H, W, C).

    Returns:
      float (R N, H, W, C).
    """
    replicas = num_replicas()
    if replicas == 1:
        return images
    everywhere = tf.distribute.get_replica_context().all_gather(images, axis=0)
    size = None if images.shape[0] is None else replicas * images.shape[0]
    return tf.ensure_shape(everywhere, (size, *images.shape[1:]))


def local_slice(
    batch: tf.Tensor, parts: int | None = None, part: tf.Tensor | None = None
) -> tf.Tensor:
    """One of equal parts of a batch along its first axis.

    Args:
      batch: (P N, ...), whose first size may be unknown.
      parts: P; the number of replicas when not given.
      part: which; this replica's when not given.
    """
    parts = num_replicas() if parts is None else parts
    if parts == 1:
        return batch
    part = replica_id() if part is None else part
    size = tf.shape(batch)[0] // parts
    own = batch[part * size : (part + 1) * size]
    known = batch.shape[0]
    return tf.ensure_shape(own, (None if known is None else known // parts, *batch.shape[1:]))
