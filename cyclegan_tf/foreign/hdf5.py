"""Arrays out of HDF5 files of others: within the file, and no larger than what is stored."""

from __future__ import annotations

import math
from typing import Any

import h5py
import numpy as np

from cyclegan_tf.errors import UserError
from cyclegan_tf.foreign.content import claims_too_much


def check_sizes(file: h5py.Group) -> int:
    """Bytes of all arrays in a file, by their shapes, before any of them is read.

    Raises:
      UserError: one claims far more than what is stored of it, or has several names, under each of
        which it would be read again.
    """
    total = 0

    def soft_link(name: str, link: Any) -> str | None:
        return name if isinstance(link, h5py.SoftLink) else None

    def add(name: str, found: Any) -> None:
        nonlocal total
        if h5py.h5o.get_info(found.id).rc > 1:
            raise _linked(name)
        if isinstance(found, h5py.Dataset):
            claimed = math.prod(found.shape or ()) * found.dtype.itemsize
            if claims_too_much(claimed, found.id.get_storage_size()):
                raise UserError(
                    f"its weights {name} claim a shape of {found.shape}, of which next to nothing "
                    "is stored: the file is damaged, or was made to fill the memory.",
                    code="memory",
                )
            total += claimed

    if linked := file.visititems_links(soft_link):  # until the first
        raise _linked(linked)
    file.visititems(add)
    return total


def inner(holder: h5py.Group, name: str, kind: type) -> Any:
    """What a group holds under a name.

    Args:
      holder: the group.
      name: within it.
      kind: h5py.Group or h5py.Dataset.

    Raises:
      UserError: there is no such thing, or it lies in another file.
    """
    found: Any = holder.get(name)
    if found is None or not issubclass(type(found), kind):
        raise UserError(f"its weights {name} are missing: the file is damaged.", code="unreadable")
    if found.file.filename != holder.file.filename:
        raise UserError(
            f"its weights {name} lie in another file, {found.file.filename}: refused.",
            code="unsupported",
        )
    return found


def values(dataset: h5py.Dataset) -> np.ndarray:
    """Reads an array as float32.

    Raises:
      UserError: it lies in other files.
    """
    if dataset.external or dataset.is_virtual:
        raise UserError(
            f"its weights {dataset.name} lie in other files: refused.", code="unsupported"
        )
    return np.asarray(dataset[()], np.float32)


def _linked(name: str) -> UserError:
    return UserError(
        f"its weights {name} have more than one name, as Keras writes none: the file was made to "
        "fill the memory.",
        code="memory",
    )
