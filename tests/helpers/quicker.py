"""What makes TensorFlow quicker in tests without changing what it computes."""

from __future__ import annotations

import contextlib
import functools
import gc
import sys
import typing
from collections.abc import Iterator


def install() -> None:
    """For this process, before TensorFlow is imported."""
    # Making TensorFlow's graphs allocates so much that Python looks for cycles all the time: by
    # default that takes a seventh of the tests' time, and more the longer a worker lives.
    gc.set_threshold(100_000, 20, 20)
    # TensorFlow asks of every tensor whether it follows a protocol, and Python collects the names
    # of the protocol's methods anew each time before 3.12, which keeps them: a twentieth.
    if sys.version_info < (3, 12):
        typing._get_protocol_attrs = functools.cache(typing._get_protocol_attrs)  # type: ignore


@contextlib.contextmanager
def step_by_step() -> Iterator[None]:
    """Trains without graphs: making them takes longer than three steps.

    For what is asked of a training around its steps; what a graph may get wrong is asked elsewhere.
    """
    import tensorflow as tf

    tf.config.run_functions_eagerly(True)
    try:
        yield
    finally:
        tf.config.run_functions_eagerly(False)


@contextlib.contextmanager
def graph_optimizer(is_on: bool) -> Iterator[None]:
    """Lets TensorFlow optimize graphs before it runs them, as it does by default, or not."""
    import tensorflow as tf

    option = "disable_meta_optimizer"
    before = tf.config.optimizer.get_experimental_options().get(option, False)
    tf.config.optimizer.set_experimental_options({option: not is_on})
    try:
        yield
    finally:
        tf.config.optimizer.set_experimental_options({option: before})
