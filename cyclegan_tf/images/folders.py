"""Image files in folders: which are there, and which files are of kinds that are not read.

Needs no TensorFlow.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path

from cyclegan_tf.errors import UserError

EXTENSIONS = frozenset(
    {
        *(".jpg", ".jpeg", ".jfif", ".jpe", ".png", ".bmp", ".gif", ".tif", ".tiff", ".webp"),
        *(".npy", ".pbm", ".pgm", ".ppm", ".pnm", ".tga", ".jp2", ".avif"),
        *(".heic", ".heif", ".jxl"),
    }
)
"""Suffixes of the files that can be read, lower case."""

WRITTEN_SUFFIXES = (
    *(".png", ".jpg", ".jpeg", ".jfif", ".jpe", ".webp", ".bmp", ".tif", ".tiff", ".npy"),
)
"""Suffixes of the files that can be written, lower case; those of `codecs.ENCODERS`."""

_HELD = {".png": ("uint8", "uint16"), ".tif": None, ".tiff": None, ".npy": None}
# What Windows puts into folders by itself; on other systems such names start with a dot.
_OF_THE_SYSTEM = frozenset({"thumbs.db", "desktop.ini"})
_KINDS_NAMED = 8


def holds(suffix: str, dtype: str) -> bool:
    """Whether files of a lower-case suffix hold numbers of a type, as NumPy names it."""
    types = _HELD.get(suffix, ("uint8",))
    return types is None or dtype in types


def require_held(path: Path, dtype: str) -> None:
    """Refuse a file name whose kind does not hold numbers of a type.

    Raises:
      UserError: says which do.
    """
    if not holds(path.suffix.lower(), dtype):
        raise UserError(
            f"{path}: {path.suffix} files do not hold {dtype} numbers, which the translation is "
            "in; use .tif or .npy",
            code="unsupported",
            field=str(path),
        )


@dataclass(frozen=True)
class FolderListing:
    """The files below a folder.

    Attributes:
      images: of the suffixes in `EXTENSIONS`, in the order of their relative names.
      others: lower-case suffix (or "without suffix") -> number of all other files.

    Example:
      >>> listing = list_folder("photos")
      >>> len(listing.images), describe_others(listing.others)
    """

    images: tuple[Path, ...]
    others: Mapping[str, int]


def find_images(folder: str | os.PathLike) -> list[Path]:
    """Find all image files below a folder, by suffix, in the order of their relative names.

    See `list_folder`.
    """
    return list(list_folder(folder).images)


def list_folder(
    folder: str | os.PathLike,
    leave_out: str | os.PathLike | None = None,
    suffixes: Collection[str] = EXTENSIONS,
) -> FolderListing:
    """List all files below a folder.

    Links to folders are followed, each folder being looked into once; names that start with a dot
    are passed over.

    Args:
      folder: to look through.
      leave_out: a folder within it, or elsewhere, that is not looked into.
      suffixes: of the files that count as images, lower case.

    Raises:
      UserError: there is no such folder, or one within cannot be entered.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise UserError(f"{folder}: there is no such folder", code="missing", field=str(folder))
    found: list[Path] = []
    others: Counter[str] = Counter()
    visited = set() if leave_out is None else {os.path.realpath(leave_out)}
    for parent, folders, files in os.walk(folder, onerror=refuse_unreadable, followlinks=True):
        real = os.path.realpath(parent)
        folders[:] = (
            () if real in visited else sorted(name for name in folders if not name.startswith("."))
        )
        if real in visited:
            continue
        visited.add(real)
        for name in files:
            if name.startswith(".") or name.lower() in _OF_THE_SYSTEM:
                continue
            path = Path(parent, name)
            if path.suffix.lower() in suffixes:
                found.append(path)
            else:
                others[path.suffix.lower() or "without suffix"] += 1
    found.sort(key=lambda path: path.relative_to(folder).as_posix())
    return FolderListing(tuple(found), others)


def describe_others(others: Mapping[str, int]) -> str:
    """Count files by suffix for a sentence, the most frequent first: "5 .heic, 1 .txt"."""
    ranked = Counter(others).most_common()
    named = [f"{count} {suffix}" for suffix, count in ranked[:_KINDS_NAMED]]
    rest = sum(count for _, count in ranked[_KINDS_NAMED:])
    return ", ".join([*named, f"{rest} of more suffixes"] if rest else named)


def refuse_unreadable(error: OSError) -> None:
    """Refuse a folder that `os.walk` cannot enter: its images would be missing without a word.

    One that is gone is passed over.

    Raises:
      UserError: names the folder.
    """
    if isinstance(error, FileNotFoundError):
        return
    raise UserError(
        f"{error.filename} cannot be entered: {error.strerror or error}; allow it, or move the "
        "folder elsewhere.",
        code="unreadable",
        field=str(error.filename),
    ) from error
