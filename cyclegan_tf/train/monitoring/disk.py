"""Logs that cannot be written: one sentence, whoever writes them."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

import tensorflow as tf

from cyclegan_tf.errors import UserError


def unwritable(folder: Path, error: OSError | tf.errors.OpError) -> UserError:
    """Make the error of logs that cannot be written.

    Args:
      folder: they lie in.
      error: of the system, or of TensorFlow.
    """
    said = error.message if isinstance(error, tf.errors.OpError) else error.strerror or str(error)
    return UserError(
        f"The logs in {folder} cannot be written ({' '.join(said.split())[:200]}); free some "
        "space, then start the same command again.",
        code="unwritable",
        field=str(folder),
    )


@contextlib.contextmanager
def writing(folder: Path) -> Iterator[None]:
    """Turn what the system, or TensorFlow, says of a full disk into one sentence.

    Raises:
      UserError: of `unwritable`.
    """
    try:
        yield
    except (OSError, tf.errors.OpError) as error:
        raise unwritable(folder, error) from error
