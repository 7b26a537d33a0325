"""What a `.keras` file says beyond Keras: a member of the archive that Keras passes over.

Needs no TensorFlow.
"""

from __future__ import annotations

import json
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cyclegan_tf.errors import UserError
from cyclegan_tf.foreign.content import refuse_zip_bomb

if TYPE_CHECKING:
    import keras

_MEMBER = "cyclegan_tf.json"


def save_with_notes(network: keras.Model, path: Path, notes: Mapping[str, Any]) -> None:
    """Write a `.keras` file that Keras alone reads, with notes of ours; not atomic.

    Args:
      network: to save.
      path: of the file.
      notes: what JSON holds.
    """
    network.save(path)
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr(_MEMBER, json.dumps(notes))


def read_notes(path: Path) -> dict[str, Any]:
    """Read the notes of a `.keras` file; empty where it has none or they are damaged.

    What is no file, such as a pipe, which opening would wait for, has none: whoever opens the
    network says so.

    Raises:
      UserError: the file would take far more memory than it has bytes.
    """
    if not path.is_file():
        return {}
    try:
        refuse_zip_bomb(path)
        with zipfile.ZipFile(path) as archive:
            found = json.loads(archive.read(_MEMBER))
    except UserError:
        raise
    except Exception:  # zip's, zlib's and JSON's; the network's own reader says what is wrong
        return {}
    return found if isinstance(found, dict) else {}
