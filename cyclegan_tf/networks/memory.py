"""A bound for the memory that a network out of a file takes."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Iterator
from typing import Any

import tensorflow as tf

from cyclegan_tf.errors import UserError

# Of counters and seeds, which are not stored.
_SMALL_BYTES = 2**20


@contextlib.contextmanager
def at_most(stored_bytes: int | None) -> Iterator[None]:
    """Within it, variables take no more memory than what is stored for them can fill.

    A description of a few kilobytes can ask for any number of weights.

    Args:
      stored_bytes: of weights; None for no bound.

    Raises:
      UserError: when left, if a variable would have taken more; whatever that led to.
    """
    if stored_bytes is None:
        yield
        return
    taken, is_exceeded = 0, False

    def limited(make: Any, **options: Any) -> Any:
        nonlocal taken, is_exceeded
        taken += _bytes_of(options["initial_value"])
        if taken > 2 * stored_bytes + _SMALL_BYTES:  # twice: they may be of 16 bits
            is_exceeded = True
            raise _too_large()
        return make(**options)

    try:
        with tf.variable_creator_scope(limited):
            yield
    except Exception as error:  # Keras makes others of it
        if is_exceeded:
            raise _too_large() from error
        raise


def _too_large() -> UserError:
    return UserError(
        "its layers are larger than the weights that are stored for them.", code="memory"
    )


def _bytes_of(initial_value: Any) -> int:
    """How much a variable is to hold; its values are not computed for that."""
    with tf.Graph().as_default():
        value = initial_value() if callable(initial_value) else initial_value
        return math.prod(value.shape) * tf.as_dtype(value.dtype).size
