"""A valid file, the reader it is handed to, and which damage to it must be noticed."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.quality.mutations.damage import Damaged

EVERYWHERE = (range(0, 2**62),)


@dataclass(frozen=True)
class Sample:
    """One valid file.

    Attributes:
      name: of its kind, for the report.
      path: the file that is damaged.
      root: folder that is put back after each try; `path` lies in it.
      read: the reader of a command; gives whatever it has understood of the file.
      covered: places of bytes under a checksum that its reader compares; `EVERYWHERE` for formats
        of which that is all there is to be understood.
      also_right: results that are right, too: of what is taken in a damaged file's place.

    Example:
      >>> Sample("gif", Path("in/a.gif"), Path("in"), lambda: images.read("in/a.gif"))
    """

    name: str
    path: Path
    root: Path
    read: Callable[[], Any]
    covered: tuple[range, ...] = ()
    also_right: Callable[[], Iterable[Any]] = field(default=lambda: ())

    def must_be_noticed(self, damage: Damaged) -> bool:
        """Whether another result than that of the whole file is wrong."""
        if damage.how in ("cut", "empty") and not self.path.name.endswith((".yaml", ".jsonl")):
            return True  # a length, an end mark or a bracket is missing in any format
        if damage.is_resealed or not self.covered:
            return False
        if self.covered == EVERYWHERE:
            return damage.how != "other"
        return damage.touched is not None and all(
            any(place in part for part in self.covered) for place in damage.touched
        )


def digest(value: Any) -> str:
    """A short text that differs for results that differ."""
    total = hashlib.sha256()
    _add(total, value)
    return total.hexdigest()[:16]


def _add(total: Any, value: Any) -> None:
    if isinstance(value, Mapping):
        for key, inner in value.items():
            total.update(f"{key!r}:".encode("utf-8", "replace"))
            _add(total, inner)
    elif isinstance(value, list | tuple):
        for inner in value:
            _add(total, inner)
    elif isinstance(value, np.ndarray):
        total.update(f"{value.dtype} {value.shape}".encode())
        total.update(np.ascontiguousarray(value).tobytes())
    else:
        total.update(f"{value!r};".encode("utf-8", "replace"))


class Kept:
    """The content of a folder, which is put back after each try.

    Args:
      root: the folder; a small one.

    Example:
      >>> kept = Kept(Path("runs/tiny"))
      >>> kept.put_back()
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self.files = {path: path.read_bytes() for path in root.rglob("*") if path.is_file()}

    def put_back(self) -> None:
        """Removes what is new and rewrites what is missing or changed."""
        for path in self.root.rglob("*"):
            if path.is_file() and path not in self.files:
                path.unlink()
        for path, data in self.files.items():
            if not path.is_file() or path.read_bytes() != data:
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(data)
