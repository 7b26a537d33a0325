"""A folder that is not a run yet: whether one may begin in it, and what a failed start takes away.

A start makes files of known names, beside a lock that it signs, and the config last. So what a
killed one has left is known as ours and the run is begun again; anything else in a folder is
somebody else's, and nothing is touched.
"""

from __future__ import annotations

import contextlib
import os
import re
from pathlib import Path

from cyclegan_tf.atomic import is_partial
from cyclegan_tf.runs.lock import FolderLock, is_of_others, is_own

LOCK, CACHE = ".lock", "cache"
_FILES = re.compile(r"environment\.json|data\.json|init\.json|network_(xy|yx)\.\w+")
_CACHED = re.compile(r"train_[xy]\.(bin|json)")
# Another process may take away the folder that it made, just when it is to be locked.
_TRIES = 100


def foreign_entries(folder: Path) -> list[str]:
    """Names of what no start of ours has left in a folder; empty where a run may begin."""
    if not folder.is_dir():
        return [folder.name] if folder.exists() else []
    found: list[str] = []
    for _ in range(_TRIES):
        with contextlib.suppress(FileNotFoundError):
            found = _foreign_now(folder)
        if LOCK not in found or is_of_others(folder / LOCK):
            break  # else another start has made its lock, or taken it away, just now
    return found


def _foreign_now(folder: Path) -> list[str]:
    entries = list(folder.iterdir())
    is_ours = is_own(folder / LOCK)
    foreign = [
        entry
        for entry in entries
        if not is_partial(entry.name) and not (is_ours and _is_of_a_start(entry))
    ]
    # A start that fails takes its files away: of a folder that is gone nobody can say what it was.
    return sorted(entry.name for entry in foreign if entry.name == LOCK or os.path.lexists(entry))


def _is_of_a_start(entry: Path) -> bool:
    if entry.is_symlink():
        return False
    if entry.is_dir():
        return entry.name == CACHE and all(map(_is_cached, entry.iterdir()))
    return entry.name == LOCK or _FILES.fullmatch(entry.name) is not None


def _is_cached(entry: Path) -> bool:
    known = _CACHED.fullmatch(entry.name) is not None or is_partial(entry.name)
    return known and entry.is_file() and not entry.is_symlink()


def make_and_lock(folder: Path) -> tuple[FolderLock, list[Path]]:
    """Makes a folder, if need be, and locks it.

    Returns:
      The lock, and the folders that were made, innermost first.

    Raises:
      HeldElsewhereError: another process has locked it.
      OSError: it cannot be written.
    """
    made: list[Path] = []
    for _ in range(_TRIES):
        with contextlib.suppress(FileNotFoundError):
            made = _make(folder) + made
            lock = FolderLock(folder / LOCK)
            try:
                lock.acquire()
            except BaseException:
                remove_folders(made)
                raise
            return lock, made
    raise FileNotFoundError(2, "it is taken away again and again", str(folder))


def _make(folder: Path) -> list[Path]:
    """Makes a folder and its parents; returns those that this process made, innermost first."""
    if folder.is_dir():
        return []
    above = _make(folder.parent)
    try:
        folder.mkdir()
    except FileExistsError:
        return above  # by another process; if it is no folder, locking says so
    return [folder, *above]


def remove_folders(made: list[Path]) -> None:
    """Removes folders that are empty, innermost first."""
    for folder in made:
        with contextlib.suppress(OSError):
            folder.rmdir()


def clear(folder: Path, keep_cache: bool) -> None:
    """Removes what a start has made in a folder that it had to itself, but for the lock.

    Args:
      folder: locked, and without foreign entries when it was.
      keep_cache: leave prepared images, which the next start can use.
    """
    for entry in folder.iterdir():
        if entry.name == LOCK:
            continue
        if entry.name == CACHE:
            if not keep_cache:
                _clear_cache(entry)
        elif is_partial(entry.name) or _is_of_a_start(entry):
            with contextlib.suppress(OSError):
                entry.unlink()


def _clear_cache(cache: Path) -> None:
    for entry in cache.iterdir():
        if _is_cached(entry):
            entry.unlink(missing_ok=True)
    remove_folders([cache])
