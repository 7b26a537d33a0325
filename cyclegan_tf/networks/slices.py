"""Parts of tensors, cheap to put into a graph."""

from __future__ import annotations

from collections.abc import MutableMapping, Sequence
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np
import tensorflow as tf

# Numbers that a graph holds already.
_known: MutableMapping[tf.Graph, dict[tuple[int, ...], tf.Tensor]] = WeakKeyDictionary()


def part(x: tf.Tensor, begin: Sequence[int] | tf.Tensor, size: Sequence[int] | tf.Tensor) -> Any:
    """Cut a part out: `x[begin : begin + size]` in every axis.

    Python's brackets make four nodes of a graph and take several times as long to trace, and a
    training step has a thousand of them.

    Args:
      x: any dtype and shape.
      begin: first index in each axis, from 0.
      size: so many; -1 for all that follow.

    Example:
      >>> part(tf.range(5), [1], [-1])  # 1, 2, 3, 4
    """
    return tf.raw_ops.Slice(input=x, begin=_whole(begin), size=_whole(size))


def _whole(numbers: Sequence[int] | tf.Tensor) -> Any:
    if tf.is_tensor(numbers):
        return numbers
    if tf.executing_eagerly():
        return np.array(numbers, np.int32)
    graph = tf.compat.v1.get_default_graph()
    constants = _known.setdefault(graph, {})
    key = tuple(numbers)
    if key not in constants:
        with tf.control_dependencies(None):  # of use wherever in the graph
            constants[key] = tf.constant(key, tf.int32)
    return constants[key]
