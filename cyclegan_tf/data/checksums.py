"""Sizes and checksums of the images' files, by which a replaced one is noticed."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from cyclegan_tf.data.sources import UnpairedDataset

LISTS = ("train_x", "train_y", "test_x", "test_y")
MAX_BYTES = 16 << 30
"""Of larger data sets only sizes are noted: to read all bytes at each start would take minutes."""

Sums = Mapping[str, Sequence[str]]
"""List -> one text per image, in the order of its names: bytes, a space, a checksum."""

_CHUNK_BYTES = 1 << 20


def of_source(source: UnpairedDataset) -> dict[str, list[str]]:
    """Reads the files of all lists once.

    Returns:
      One text per image, "SIZE" or "SIZE CHECKSUM"; empty where the images are no files.
    """
    paths = {
        name: [info.path for info in infos]
        for name in LISTS
        if (infos := getattr(source, name).infos)
    }
    files = list(dict.fromkeys(path for of_list in paths.values() for path in of_list))
    sizes = {path: _size(path) for path in files}
    if sum(sizes.values()) > MAX_BYTES:
        found = {path: str(size) for path, size in sizes.items()}
    else:
        with ThreadPoolExecutor(os.cpu_count()) as pool:
            found = dict(zip(files, pool.map(_sum, files), strict=True))
    return {name: [found[path] for path in of_list] for name, of_list in paths.items()}


def changed_images(
    names: Mapping[str, Sequence[str]], before: Sums, source: UnpairedDataset, now: Sums
) -> list[str]:
    """Finds images that are other files than before, though they have their names.

    Args:
      names: of the images before, by list.
      before: as `of_source` gave them; lists that it lacks are not compared.
      source: the images now.
      now: as `of_source` gives them.

    Returns:
      Their names.
    """
    found = []
    for name in LISTS:
        known = dict(zip(names.get(name, ()), before.get(name, ()), strict=False))
        for image, text in zip(getattr(source, name).names, now.get(name, ()), strict=False):
            if image in known and not _agree(known[image], text):
                found.append(image)
    return found


def _agree(one: str, other: str) -> bool:
    """Whether two texts are of the same file, as far as both tell."""
    return all(a == b for a, b in zip(one.split(), other.split(), strict=False))


def _parts(path: Path) -> list[Path]:
    """The file, or those of a folder: a DICOM series is one volume."""
    return sorted(path.iterdir()) if path.is_dir() else [path]


def _size(path: Path) -> int:
    try:
        return sum(part.stat().st_size for part in _parts(path))
    except OSError:  # decoding will say so
        return 0


def _sum(path: Path) -> str:
    total = hashlib.sha256()
    try:
        size = 0
        for part in _parts(path):
            with part.open("rb") as file:
                while chunk := file.read(_CHUNK_BYTES):
                    total.update(chunk)
                size += file.tell()
        return f"{size} {total.hexdigest()[:16]}"
    except OSError:  # decoding will say so
        return str(_size(path))
